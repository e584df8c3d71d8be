// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/tag_calls.h"

#include <algorithm>
#include <ostream>
#include <type_traits>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/tables/csv_cell.h"
#include "pipeline/tables/frames.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

using graph::NodeId;
using nlohmann::json;

namespace {

constexpr std::size_t kRowsAtOnce = 65536;

/// Rows of the answer by column; texts are views into the data set.
struct TagTable {
  std::vector<std::string_view> items, values, likeliest;
  std::vector<float> probabilities, likeliest_probabilities;
  bool suspicious = false;  ///< tags have no likeliest_probability

  std::size_t size() const { return items.size(); }
  std::vector<OutputColumn> columns(std::size_t first, std::size_t last) const {
    const auto part = [&](const auto& all) {
      return std::decay_t<decltype(all)>(all.begin() + static_cast<std::ptrdiff_t>(first),
                                         all.begin() + static_cast<std::ptrdiff_t>(last));
    };
    std::vector<OutputColumn> result = {{"item_id", part(items)},
                                        {"value", part(values)},
                                        {"probability", part(probabilities)},
                                        {"likeliest", part(likeliest)}};
    if (suspicious) result.push_back({"likeliest_probability", part(likeliest_probabilities)});
    return result;
  }
};

std::string_view name_of(const graph::Attribute& attribute, NodeId value) {
  return value == graph::kNoNode ? std::string_view("") : attribute.values.raw(value);
}

TagTable table_of(const std::vector<TagRow>& rows, const graph::Dictionary& items,
                  const graph::Attribute& attribute) {
  TagTable table;
  for (const TagRow& row : rows) {
    table.items.push_back(items.raw(row.item));
    table.values.push_back(name_of(attribute, row.value));
    table.probabilities.push_back(row.probability);
    table.likeliest.push_back(name_of(attribute, row.likeliest));
  }
  return table;
}

TagTable table_of(const std::vector<SuspiciousRow>& rows, const graph::Dictionary& items,
                  const graph::Attribute& attribute) {
  TagTable table;
  table.suspicious = true;
  for (const SuspiciousRow& row : rows) {
    table.items.push_back(items.raw(row.item));
    table.values.push_back(name_of(attribute, row.stored));
    table.probabilities.push_back(row.stored_probability);
    table.likeliest.push_back(name_of(attribute, row.likeliest));
    table.likeliest_probabilities.push_back(row.probability);
  }
  return table;
}

void write_tag_csv(const TagTable& table, const std::filesystem::path& out) {
  write_file_atomically(out, [&](std::ostream& file) {
    const auto append = [&](std::string_view piece) { file << piece; };
    const CsvReader reader = csv_reader_of(out);
    file << "item_id,value,probability,likeliest"
         << (table.suspicious ? ",likeliest_probability\n" : "\n");
    for (std::size_t row = 0; row < table.size(); ++row) {
      append_csv_cell(table.items[row], append, reader);
      file << ',';
      append_csv_cell(table.values[row], append, reader);
      file << fmt::format(",{},", table.probabilities[row]);
      append_csv_cell(table.likeliest[row], append, reader);
      if (table.suspicious) file << fmt::format(",{}", table.likeliest_probabilities[row]);
      file << '\n';
    }
  });
}

void write_tag_table(const TagTable& table, const std::filesystem::path& out) {
  if (out.extension() == ".csv") return write_tag_csv(table, out);
  ParquetWriter writer(out);
  std::size_t first = 0;
  do {  // an empty table has columns too
    const std::size_t last = std::min(table.size(), first + kRowsAtOnce);
    writer.write(static_cast<std::int64_t>(last - first), table.columns(first, last));
    first = last;
  } while (first < table.size());
  writer.close();
}

void check_tag_flags(const TagFlags& flags, bool in_memory) {
  const int ways =
      (flags.all_items ? 1 : 0) + (flags.items_file.empty() ? 0 : 1) + (flags.items ? 1 : 0);
  if (ways > 1) throw InputError("tag: expected either --items or --all-items");
  if (flags.suspicious && flags.threshold)
    throw InputError("tag: --threshold has no effect on --suspicious");
  const std::filesystem::path out = flags.out;
  if (!in_memory && out.extension() != ".csv" && out.extension() != ".parquet")
    throw InputError(
        fmt::format("--out is '{}', expected a name that ends in .csv or .parquet", out.string()));
}

json tag_json(const TagFlags& flags, const TagReport& report, const graph::Attribute& attribute,
              std::int64_t num_unknown) {
  const bool list = attribute.kind == graph::AttributeKind::list;
  json said = {{"out", flags.out},
               {"attribute", attribute.name},
               {"kind", enum_name(attribute.kind)},
               {"suspicious", flags.suspicious},
               {"rows", report.rows},
               {"known", report.known},
               {"missing", report.missing},
               {"learned_from", report.learned_from},
               {"values", report.values},
               {"rare_values", report.rare_values},
               {"rare_items", report.rare_items},
               {"unknown", num_unknown},
               {"vectors", report.vectors},
               {"cross_validation",
                {{"items", report.quality.items},
                 {"accuracy", report.quality.accuracy},
                 {"macro_f1", report.quality.macro_f1},
                 {"calibration_error", report.quality.calibration_error}}},
               {"classifier",
                {{"learning_rate", report.learning_rate},
                 {"l2", report.l2},
                 {"passes", report.passes},
                 {"loss", report.loss}}},
               {"rule", {{"lambda", report.rule.lambda}}},
               {"weights", report.weights}};
  if (list) said["rule"]["least"] = report.rule.least;
  if (!flags.suspicious) {
    said["told"] = report.told;
    said["not_known"] = report.not_known;
    if (flags.threshold)
      said["threshold"] = *flags.threshold;
    else if (!list)
      said["threshold"] = kTagThreshold;
  }
  return said;
}

}  // namespace

json tag_by(const TagFlags& flags, const Model& model, Frame* frame, Progress& progress) {
  check_tag_flags(flags, frame != nullptr);
  const graph::Dictionary& ids = model.dataset().items;
  TagOptions options;
  options.attribute = flags.attribute;
  options.threshold = flags.threshold;
  options.min_support = flags.min_support;
  if (flags.seed) options.seed = static_cast<graph::Seed>(*flags.seed);
  std::optional<IdFile> asked;
  const auto unknown = parse_enum<UnknownRawIds>(flags.unknown, "--unknown");
  if (flags.all_items) asked = all_ids(ids);
  if (!flags.items_file.empty()) asked = read_id_file(flags.items_file, ids, "item", unknown);
  if (flags.items) asked = find_raw_ids(*flags.items, ids, "item", unknown, "items");
  if (asked) options.items = asked->ids;
  progress.begin("tag");
  if (asked && !asked->repeated.empty()) progress.warn(asked->repeated);
  Tagger tagger(model, options, flags.suspicious, progress);
  const TagTable table = flags.suspicious
                             ? table_of(tagger.suspicious(progress), ids, tagger.attribute())
                             : table_of(tagger.tags(progress), ids, tagger.attribute());
  if (frame != nullptr)
    *frame = make_frame(static_cast<std::int64_t>(table.size()), table.columns(0, table.size()));
  else
    write_tag_table(table, flags.out);
  progress.end(fmt::format("{} rows", table.size()));
  return tag_json(flags, tagger.report(), tagger.attribute(), asked ? asked->num_unknown : 0);
}

std::string tag_text(const json& said) {
  const json& checked = said["cross_validation"];
  const auto count = [&](const char* key) { return said[key].get<std::int64_t>(); };
  std::string text =
      said["suspicious"].get<bool>()
          ? fmt::format("{}: {} suspicious values of '{}'\n", said["out"].get<std::string>(),
                        count("rows"), said["attribute"].get<std::string>())
          : fmt::format("{}: '{}' told of {} items, not known of {}\n",
                        said["out"].get<std::string>(), said["attribute"].get<std::string>(),
                        count("told"), count("not_known"));
  text += fmt::format(
      "  {} values learned from {} items; on those that were left out: accuracy {:.4f}, macro-F1 "
      "{:.4f}, calibration error {:.4f}\n",
      count("values"), count("learned_from"), checked["accuracy"].get<double>(),
      checked["macro_f1"].get<double>(), checked["calibration_error"].get<double>());
  if (said["vectors"] == "rows")
    text += fmt::format(
        "  the model's vectors know '{}' of the items that have it: vectors of the rows stand in "
        "for "
        "them; a model with graph.attributes without it has vectors that can be used\n",
        said["attribute"].get<std::string>());
  if (count("rare_values") > 0)
    text +=
        fmt::format("  {} values of too few items are never told; {} items have none but those\n",
                    count("rare_values"), count("rare_items"));
  if (count("unknown") > 0) text += fmt::format("  {} unknown ids left out\n", count("unknown"));
  return text;
}

}  // namespace penchant::pipeline
