// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/support/logs.h"

#include <algorithm>

#include <fmt/core.h>

namespace penchant::testing {

using pipeline::Dataset;
using pipeline::IngestOptions;

Lines rows_of(const Dataset& dataset, const graph::Interactions& part) {
  Lines lines;
  for (std::size_t row = 0; row < part.user.size(); ++row) {
    std::string line = fmt::format("{} {} {}", dataset.users.raw(part.user[row]),
                                   dataset.items.raw(part.item[row]), part.weight[row]);
    if (!part.time_ms.empty()) line += fmt::format(" t{}", part.time_ms[row]);
    if (!part.event.empty()) {
      line += " e" + dataset.event_names[static_cast<std::size_t>(part.event[row])];
    }
    if (!part.session.empty()) line += fmt::format(" s{}", part.session[row]);
    lines.push_back(line);
  }
  return lines;
}

Lines all_rows(const Dataset& dataset) {
  Lines lines = rows_of(dataset, dataset.split.train.interactions);
  for (const auto* part : {&dataset.split.validation, &dataset.split.test}) {
    const Lines more = rows_of(dataset, *part);
    lines.insert(lines.end(), more.begin(), more.end());
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

Lines attribute_of(const Dataset& dataset, const std::string& name) {
  const graph::Attribute* attribute = dataset.catalog.find(name);
  if (attribute == nullptr) return {"no attribute " + name};
  Lines lines;
  for (graph::NodeId item = 0; item < dataset.num_items(); ++item) {
    const auto place = static_cast<std::size_t>(item);
    std::string line = std::string(dataset.items.raw(item)) + ":";
    if (attribute->kind == graph::AttributeKind::numeric) {
      line += fmt::format(" {}", attribute->numbers[place]);
    } else if (attribute->kind == graph::AttributeKind::text) {
      line += " " + attribute->texts[place];
    } else {
      Lines values;
      for (const graph::NodeId value : attribute->item_values.view().row(item)) {
        values.emplace_back(attribute->values.raw(value));
      }
      std::sort(values.begin(), values.end());
      for (const std::string& value : values) line += " " + value;
    }
    lines.push_back(line);
  }
  return lines;
}

pipeline::AttributeColumn attribute(const std::string& column, graph::AttributeKind kind) {
  pipeline::AttributeColumn result;
  result.column = column;
  result.kind = kind;
  return result;
}

IngestOptions everything_in_train() {
  IngestOptions options;
  options.split_method = graph::SplitMethod::random_per_user;
  options.test_fraction = 0.0;
  options.validation_fraction = 0.0;
  return options;
}

std::filesystem::path IngestTest::write(const std::string& name, std::string_view text) const {
  write_text(at(name), text);
  return at(name);
}

namespace {

class Warnings final : public pipeline::Progress {
 public:
  explicit Warnings(Lines& lines) : lines_(lines) {}
  void begin(std::string_view) override {}
  void update(std::int64_t, std::int64_t, std::string_view) override {}
  void end(std::string_view) override {}
  void warn(std::string_view message) override { lines_.emplace_back(message); }

 private:
  Lines& lines_;
};

}  // namespace

Dataset IngestTest::ingest(const IngestOptions& options) {
  warnings_.clear();
  Warnings progress(warnings_);
  report_ = pipeline::ingest(options, at("x.data"), progress);
  return pipeline::read_dataset(at("x.data"));
}

Dataset IngestTest::ingest_text(std::string_view text, IngestOptions options,
                                const std::string& name) {
  options.log.files = {write(name, text)};
  const bool positions = !options.log.text.header;
  options.columns.user = positions ? "1" : "user";
  options.columns.item = positions ? "2" : "item";
  options.columns.time = positions ? "3" : "time";
  return ingest(options);
}

Lines IngestTest::rejections() const {
  Lines lines;
  for (const auto& reason : report_.rows.rejected) {
    lines.push_back(fmt::format("{}: {}", reason.reason, reason.rows));
  }
  return lines;
}

}  // namespace penchant::testing
