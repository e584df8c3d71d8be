// SPDX-License-Identifier: Apache-2.0
#include "pipeline/benchmark/output.h"

#include <algorithm>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/commit.h"
#include "pipeline/artifact/library_versions.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/artifact/version.h"
#include "pipeline/tables/csv_cell.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

using nlohmann::ordered_json;

namespace {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos)
      return line.substr(colon + 2);
  }
  return "unknown";
}

ordered_json machine_json(const BenchRow& row) {
  return {{"penchant", kVersion},
          {"commit", kCommit},
          {"compiler", kCompilerVersion},
          {"highway", kHighwayVersion},
          {"openblas", kOpenblasVersion},
          {"metis", kMetisVersion},
          {"cpu", cpu_name()},
          {"cores", std::thread::hardware_concurrency()},
          {"device", row.device},
          {"triad_gb_s", row.rates.triad_bytes * 1e-9},
          {"gemm_gflop_s", row.rates.gemm_flops * 1e-9},
          {"triad_array_bytes", triad_bytes(row.rates.sizes)}};
}

ordered_json row_json(const BenchRow& row) {
  ordered_json json = {{"workload", enum_name(row.what.workload)},
                       {"graph", row.what.graph},
                       {"nodes", row.num_nodes},
                       {"entries", row.num_entries},
                       {"order", enum_name(row.what.order)},
                       {"parts", row.what.parts},
                       {"variant", enum_name(row.what.variant)},
                       {"dtype", enum_name(row.what.type)},
                       {"dim", row.what.dim},
                       {"median_s", row.median_seconds},
                       {"min_s", row.minimum_seconds},
                       {"max_s", row.maximum_seconds},
                       {"spread", row.spread},
                       {"repetitions", row.repetitions},
                       {"iterations", row.iterations},
                       {"unit", row.unit},
                       {"rate_per_s", row.rate},
                       {"gflop_s", row.flops * 1e-9},
                       {"gathered_gb_s", row.gathered_bytes * 1e-9},
                       {"compulsory_gb_s", row.compulsory_bytes * 1e-9},
                       {"roofline", row.roofline},
                       {"order_s", row.order_seconds},
                       {"peak_bytes", row.peak_bytes},
                       {"planned_bytes", row.what.total_bytes},
                       {"verified", row.verified},
                       {"note", row.note}};
  return json;
}

std::string csv_cell(const ordered_json& value) {
  if (!value.is_string()) return value.dump();
  std::string cell;
  append_csv_cell(value.get_ref<const std::string&>(),
                  [&](std::string_view piece) { cell += piece; });
  return cell;
}

std::string time_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.2f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.3f} ms", seconds * 1e3);
  return fmt::format("{:.3f} s", seconds);
}

std::string rate_text(double rate, const std::string& unit) {
  constexpr const char* kPrefix[] = {"", "k", "M", "G", "T"};
  int power = 0;
  for (; rate >= 1000 && power < 4; ++power) rate /= 1000;
  return fmt::format("{:.1f} {}{}/s", rate, kPrefix[power], unit);
}

/// "-" where a workload has no such number.
std::string number_text(double value, int digits) {
  return value > 0 ? fmt::format("{:.{}f}", value, digits) : "-";
}

/// Width or parts; "-" where a workload has neither.
std::string size_text(const BenchCase& what) {
  if (what.workload == BenchWorkload::partition) return fmt::format("{} parts", what.parts);
  return what.dim == 0 ? "-" : fmt::format("{} {}", enum_name(what.type), what.dim);
}

std::string order_text(const BenchCase& what) {
  std::string text = enum_name(what.order);
  if (what.order == NodeOrder::metis) text += fmt::format(" {}", what.parts);
  return text;
}

/// With the routine of the sparse product where there is a choice.
std::string device_text(const BenchRow& row) {
  if (row.ran_on == kernels::Device::cpu) return "cpu";
  return fmt::format("cuda {}", enum_name(row.what.variant));
}

struct Column {
  const char* title;
  int width;  ///< negative: to the left
};
constexpr Column kColumns[] = {
    {"workload", -17},  {"graph", -22},  {"order", -9}, {"device", -13}, {"type, D", -9},
    {"median", 11},     {"+-", 6},       {"rate", 16},  {"GFLOP/s", 9},  {"gathered", 9},
    {"compulsory", 11}, {"roofline", 9}, {"peak", 10}};

std::vector<std::string> cells(const BenchRow& row) {
  return {enum_name(row.what.workload),
          row.what.graph,
          order_text(row.what),
          device_text(row),
          size_text(row.what),
          time_text(row.median_seconds),
          fmt::format("{:.1f}%", 100 * row.spread),
          rate_text(row.rate, row.unit),
          number_text(row.flops * 1e-9, 1),
          number_text(row.gathered_bytes * 1e-9, 1),
          number_text(row.compulsory_bytes * 1e-9, 1),
          row.roofline > 0 ? fmt::format("{:.0f}%", 100 * row.roofline) : "-",
          bytes_text(row.peak_bytes)};
}

std::string aligned(const std::vector<std::string>& texts) {
  std::string line;
  for (std::size_t k = 0; k < texts.size(); ++k) {
    const int width = kColumns[k].width;
    line += width < 0 ? fmt::format("{:<{}} ", texts[k], -width)
                      : fmt::format("{:>{}} ", texts[k], width);
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line + "\n";
}

std::vector<std::string> titles() {
  std::vector<std::string> texts;
  for (const Column& column : kColumns) texts.emplace_back(column.title);
  return texts;
}

std::string markdown_line(const std::vector<std::string>& texts) {
  std::string line = "|";
  for (const std::string& text : texts) line += " " + text + " |";
  return line + "\n";
}

/// What the figures were measured on, for people.
std::string machine_text(const BenchRow& row) {
  return fmt::format(
      "penchant {} ({}), {}; {}\nrates measured here: triad {:.1f} GB/s over {}, GEMM {:.0f} "
      "GFLOP/s; roofline: the time that these allow for the compulsory bytes and the flops, over "
      "the median\n"
      "GB/s: gathered = bytes of the rows of X that are read; compulsory = each array once\n",
      kVersion, kCommit, cpu_name(), row.device, row.rates.triad_bytes * 1e-9,
      bytes_text(triad_bytes(row.rates.sizes)), row.rates.gemm_flops * 1e-9);
}

/// What was compared with the oracle, each once.
std::string verified_text(const std::vector<BenchRow>& rows) {
  std::vector<std::string> texts;
  for (const BenchRow& row : rows) {
    const std::string text = fmt::format("{} {}", enum_name(row.what.workload), row.verified);
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
  }
  return fmt::format("\nVerified before timing: {}.\n", fmt::join(texts, "; "));
}

std::string details(const BenchRow& row) {
  std::string text = "  verified before timing: " + row.verified;
  if (row.num_nodes > 0)
    text += fmt::format("; {} nodes, {} entries", row.num_nodes, row.num_entries);
  if (row.order_seconds > 0)
    text += fmt::format("; ordering took {}", time_text(row.order_seconds));
  if (!row.note.empty()) text += "; " + row.note;
  return text + "\n";
}

}  // namespace

std::string BenchOutput::heading(const BenchRow& row) const {
  if (format_ != BenchFormat::table && format_ != BenchFormat::md) return {};
  if (!rows_.empty() && rows_.back().device == row.device) return {};
  const std::string text = fmt::format("{}{}\n", rows_.empty() ? "" : "\n", machine_text(row));
  if (format_ == BenchFormat::table) return text + aligned(titles());
  return text + markdown_line(titles()) +
         markdown_line(std::vector<std::string>(std::size(kColumns), "---"));
}

std::string BenchOutput::add(const BenchRow& row) {
  const bool first = rows_.empty();
  const std::string above = heading(row);
  rows_.push_back(row);
  switch (format_) {
    case BenchFormat::table:
      return above + aligned(cells(row)) + details(row);
    case BenchFormat::md:
      return above + markdown_line(cells(row));
    case BenchFormat::jsonl: {
      ordered_json line = row_json(row);
      line.update(machine_json(row));
      return line.dump() + "\n";
    }
    case BenchFormat::csv: {
      ordered_json line = row_json(row);
      line.update(machine_json(row));
      std::string names;
      std::string values;
      for (const auto& [name, value] : line.items()) {
        if (!names.empty()) names += ',';
        names += name;
        if (!values.empty()) values += ',';
        values += csv_cell(value);
      }
      return (first ? names + "\n" : "") + values + "\n";
    }
    case BenchFormat::json:
      break;
  }
  return {};
}

std::string BenchOutput::finish(const std::vector<std::string>& skipped) {
  if (rows_.empty()) return {};
  if (format_ == BenchFormat::md) return verified_text(rows_);
  if (format_ != BenchFormat::json) return {};
  ordered_json document = machine_json(rows_.front());
  document["skipped"] = skipped;
  document["rows"] = ordered_json::array();
  for (const BenchRow& row : rows_) {
    ordered_json json = row_json(row);
    json["device"] = row.device;
    json["triad_gb_s"] = row.rates.triad_bytes * 1e-9;
    json["gemm_gflop_s"] = row.rates.gemm_flops * 1e-9;
    document["rows"].push_back(std::move(json));
  }
  return document.dump(2) + "\n";
}

namespace {

constexpr const char* kPhases[] = {
    "always", "measuring the machine", "from loading on", "loading", "ordering", "running"};

ordered_json plan_json(const BenchCase& what, std::int64_t available) {
  ordered_json arrays = ordered_json::array();
  for (const BenchArray& array : what.arrays)
    arrays.push_back({{"name", array.name},
                      {"bytes", array.bytes},
                      {"held", kPhases[static_cast<int>(array.phase)]}});
  return {{"workload", enum_name(what.workload)},
          {"graph", what.graph},
          {"order", enum_name(what.order)},
          {"parts", what.parts},
          {"device", enum_name(what.device)},
          {"variant", enum_name(what.variant)},
          {"dtype", enum_name(what.type)},
          {"dim", what.dim},
          {"nodes", what.num_nodes},
          {"entries", what.num_entries},
          {"exact", what.exact_size},
          {"arrays", arrays},
          {"export_bytes", what.export_bytes},
          {"total_bytes", what.total_bytes},
          {"fits", what.total_bytes <= available}};
}

std::string plan_lines(const BenchCase& what, std::int64_t available) {
  std::string text =
      fmt::format("\n{} on {}, order {}", enum_name(what.workload), what.graph, order_text(what));
  if (size_text(what) != "-") text += ", " + size_text(what);
  text += fmt::format(", device {}", enum_name(what.device));
  if (what.device != kernels::DeviceChoice::cpu)
    text += fmt::format(", variant {}", enum_name(what.variant));
  text += fmt::format(": {} nodes, {}{} entries\n", what.num_nodes, what.exact_size ? "" : "about ",
                      what.num_entries);
  for (const BenchArray& array : what.arrays)
    text += fmt::format("  {:<38}{:>14}{:>16}  {}\n", array.name, bytes_text(array.bytes),
                        array.bytes, kPhases[static_cast<int>(array.phase)]);
  return text + fmt::format("  {:<38}{:>14}{:>16}  {}\n", "at most together",
                            bytes_text(what.total_bytes), what.total_bytes,
                            what.total_bytes <= available ? "fits" : "does not fit");
}

}  // namespace

std::string plan_text(const std::vector<BenchCase>& cases, std::int64_t available,
                      BenchFormat format) {
  if (format == BenchFormat::json || format == BenchFormat::jsonl) {
    ordered_json document = {{"available_bytes", available}, {"cases", ordered_json::array()}};
    for (const BenchCase& what : cases) document["cases"].push_back(plan_json(what, available));
    return document.dump(format == BenchFormat::json ? 2 : -1) + "\n";
  }
  if (format != BenchFormat::table)
    throw InputError("bench: --plan as csv or md, expected table, json or jsonl");
  std::string text = fmt::format("{} may be taken\n", bytes_text(available));
  for (const BenchCase& what : cases) text += plan_lines(what, available);
  return text;
}

}  // namespace penchant::pipeline
