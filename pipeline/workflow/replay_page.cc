// SPDX-License-Identifier: Apache-2.0
// The chart of a replay as a page: three lines over the periods, and what each model took.
#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/workflow/replay.h"

namespace penchant::pipeline {

using nlohmann::json;

namespace {

constexpr double kWidth = 860.0, kHeight = 260.0, kLeft = 60.0, kTop = 16.0, kBottom = 44.0;

struct ChartLine {
  const char* name;
  const char* colour;
  std::vector<double> values;  ///< of the periods; negative: none
};

double largest_of(const std::vector<ChartLine>& lines) {
  double largest = 0.0;
  for (const ChartLine& line : lines) {
    for (const double value : line.values) largest = std::max(largest, value);
  }
  return largest > 0.0 ? largest : 1.0;
}

/// Lines from zero to a little above the largest value.
std::string chart(const std::string& title, const std::vector<ChartLine>& lines,
                  const std::vector<std::string>& labels, const char* format) {
  const double most = 1.08 * largest_of(lines);
  const double plot = kHeight - kTop - kBottom;
  const auto x = [&](std::size_t period) {
    const double steps = static_cast<double>(std::max<std::size_t>(2, labels.size()) - 1);
    return kLeft + static_cast<double>(period) * (kWidth - kLeft - 20.0) / steps;
  };
  const auto y = [&](double value) { return kTop + plot * (1.0 - value / most); };
  std::string svg = fmt::format(
      "<h2>{}</h2>\n<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", title, kWidth,
      kHeight, title);
  for (int tick = 0; tick <= 4; ++tick) {
    const double value = most * tick / 4.0;
    svg += fmt::format(
        "<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" class=\"grid\"/>"
        "<text x=\"{}\" y=\"{:.1f}\" class=\"right\">{}</text>\n",
        kLeft, kWidth - 20.0, y(value), y(value), kLeft - 6.0, y(value) + 4.0,
        fmt::format(fmt::runtime(format), value));
  }
  const std::size_t every = labels.size() / 10 + 1;
  for (std::size_t period = 0; period < labels.size(); period += every) {
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"middle\">{}</text>\n", x(period),
                       kHeight - kBottom + 16.0, labels[period]);
  }
  double place = kLeft;
  for (const ChartLine& line : lines) {
    std::string points;
    for (std::size_t period = 0; period < line.values.size(); ++period) {
      if (line.values[period] < 0.0) continue;
      points += fmt::format("{:.1f},{:.1f} ", x(period), y(line.values[period]));
      svg += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}, {}: {}</title>"
          "</circle>\n",
          x(period), y(line.values[period]), line.colour, line.name, labels[period],
          fmt::format(fmt::runtime(format), line.values[period]));
    }
    svg += fmt::format("<polyline points=\"{}\" stroke=\"{}\"/>\n", points, line.colour);
    svg += fmt::format(
        "<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{}\"/>"
        "<text x=\"{}\" y=\"{}\">{}</text>\n",
        place, kHeight - 18.0, line.colour, place + 18.0, kHeight - 8.0, line.name);
    place += 160.0;
  }
  return svg + "</svg>\n";
}

}  // namespace

std::string replay_page(const ReplayReport& report) {
  const json facts = replay_json(report);
  std::vector<std::string> labels;
  std::vector<ChartLine> quality = {{"updated", "#0b6e4f", {}},
                                    {"retrained from nothing", "#1d4e89", {}},
                                    {"frozen", "#b5651d", {}}};
  std::vector<ChartLine> work = {{"updated", "#0b6e4f", {}},
                                 {"retrained from nothing", "#1d4e89", {}}};
  std::string rows;
  const auto value = [&](const json& period, const char* line) {
    const bool known = period.contains(line) && period[line]["metrics"].contains(report.metric);
    return known ? period[line]["metrics"][report.metric].get<double>() : -1.0;
  };
  for (const json& period : facts["periods"]) {
    labels.push_back(period["from"]);
    std::size_t line = 0;
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
                        period["from"].get<std::string>(), period["new_rows"].dump(),
                        period["revealed_rows"].dump(), period["num_users"].dump());
    for (const char* name : {"updated", "retrained", "frozen"}) {
      const double of_line = value(period, name);
      quality[line++].values.push_back(of_line);
      rows += of_line < 0.0 ? "<td></td>" : fmt::format("<td>{:.4f}</td>", of_line);
    }
    line = 0;
    for (const char* name : {"updated", "retrained"}) {
      const bool made = period.contains(name);
      const double seconds = made ? period[name]["cpu_seconds"].get<double>() : -1.0;
      work[line++].values.push_back(seconds);
      rows += made ? fmt::format("<td>{:.1f}</td><td>{:.0f}</td>", seconds,
                                 period[name]["peak_bytes"].get<double>() / 1048576.0)
                   : "<td></td><td></td>";
    }
    rows += "</tr>\n";
  }
  std::string page = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Replay</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:#222}
svg{width:100%;height:auto;font-size:12px}polyline{fill:none;stroke-width:2}
.grid{stroke:#ddd}.right{text-anchor:end}.middle{text-anchor:middle}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2em .6em;text-align:right;border-bottom:1px solid #ddd}
</style></head><body><h1>What updating is worth</h1>
)";
  page += fmt::format(
      "<p>At the start of each period every model ranks all items for the users of the period; then "
      "its rows are revealed. <b>Updated</b>: trained on from the model of the period before. "
      "<b>Retrained</b>: from nothing, on all rows until then. <b>Frozen</b>: the first model. By "
      "their vectors, on {}.</p>\n",
      report.device);
  page += chart(report.metric + " on the next period", quality, labels, "{:.3f}");
  page += chart("Processor seconds of making the model", work, labels, "{:.0f}");
  return page + "<h2>All periods</h2>\n<table><tr><th>from</th><th>new rows</th><th>rows to come</th>"
                "<th>users</th><th>updated</th><th>retrained</th><th>frozen</th>"
                "<th>updated, s</th><th>MiB</th><th>retrained, s</th><th>MiB</th></tr>\n" +
         rows + "</table></body></html>\n";
}

}  // namespace penchant::pipeline
