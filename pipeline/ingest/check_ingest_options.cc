// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/check_ingest_options.h"

#include <set>
#include <string>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "graph/error.h"
#include "pipeline/ingest/column_roles.h"

namespace penchant::pipeline {

using graph::AttributeKind;

namespace {

/// Parts that are given and a split that makes its own exclude each other.
void check_given_parts(const IngestOptions& options) {
  const bool files = !options.validation_files.empty() || !options.test_files.empty();
  const char* key = !options.columns.part.empty() ? "data.columns.part"
                    : !options.benchmark.empty()  ? "data.benchmark"
                    : !options.test_files.empty() ? "data.test"
                                                  : "data.validation";
  const bool given = options.split_method == graph::SplitMethod::given;
  if (files && !options.columns.part.empty()) {
    throw InputError(
        "ingest: data.columns.part and files of their own (data.test, data.validation, "
        "data.benchmark) both say which rows are held out, expected one of them");
  }
  if (has_given_parts(options) && options.format == InputFormat::s3rec) {
    throw InputError(fmt::format(
        "ingest: {} does not go with format s3rec, whose sequences are split by place", key));
  }
  if (has_given_parts(options) && options.split_method && !given) {
    throw InputError(fmt::format(
        "ingest: {} says which rows are held out, but data.split.method is another than given "
        "(or auto), so that it would not count",
        key));
  }
  if (given && !has_given_parts(options)) {
    throw InputError(
        "ingest: data.split.method is given, but nothing says which rows are held out: expected a "
        "test file (data.test), a column of the part (data.columns.part) or, for recbole, "
        "data.benchmark");
  }
}

void check_timed_items(const IngestOptions& options) {
  const bool property = !options.item_property.empty();
  if (property != !options.item_value.empty() || (property && options.item_time.empty())) {
    throw InputError(
        "ingest: data.items.property and data.items.value, of a table with a row for each "
        "property, "
        "go together and with data.items.time");
  }
  if (!options.item_time.empty() && !has_item_table(options))
    throw InputError("ingest: data.items.time is given, but no item table (data.items.table)");
}

void check_listed(const IngestOptions& options) {
  if (!options.only_listed || options.item_time.empty()) return;
  throw InputError(
      "ingest: data.items.only_listed and data.items.time do not go together: which rows of such a "
      "table count is known once the log is divided; leave the rows of other items out of the log");
}

/// Attributes become columns of items.parquet, each under a name of its own.
void check_attributes(const IngestOptions& options) {
  constexpr const char* kOtherName = "`name = \"...\"` in its [[data.attributes]] gives it another";
  if (options.format != InputFormat::table) return;  // the others know no columns
  std::set<std::string> names;
  for (const AttributeColumn& attribute : options.attributes) {
    const std::string& name = attribute_name(attribute);
    if (is_entity_column(name)) {
      throw InputError(fmt::format(
          "ingest: the attribute of column '{}' is named '{}', as a column that every item has "
          "(expected none of {}); {}",
          attribute.column, name, fmt::join(kEntityColumns, ", "), kOtherName));
    }
    if (!names.insert(name).second)
      throw InputError(fmt::format("ingest: two attributes are named '{}'; {}", name, kOtherName));
    if (!attribute.path_separator.empty() && attribute.kind != AttributeKind::list) {
      throw InputError(fmt::format(
          "ingest: attribute '{}' has a path_separator, expected it to be of kind list", name));
    }
  }
}

/// Where rows are in order of time, nothing else says when they were.
void check_order_of_rows(const IngestOptions& options) {
  if (options.time_format != kOrderOfRows) return;
  if (!options.columns.time.empty())
    throw InputError(fmt::format(
        "data.time_format is \"order\", and data.columns.time is '{}': expected one of them",
        options.columns.time));
  if (options.split_method == graph::SplitMethod::global_time)
    throw InputError(
        "data.split.method is global_time, and data.time_format \"order\" tells the order of each "
        "user's rows only: expected a column of times");
}

void check_links(const IngestOptions& options) {
  std::set<std::string> names;
  for (const LinkTable& links : options.links) {
    const auto require = [&](const char* field, bool given) {
      if (given) return;
      throw InputError(fmt::format("ingest: an entry of data.relations{} has no '{}'",
                                   links.name.empty() ? "" : fmt::format(" ('{}')", links.name),
                                   field));
    };
    require("name", !links.name.empty());
    require("table", !links.source.files.empty());
    require("from", !links.from.empty());
    require("to", !links.to.empty());
    if (!names.insert(links.name).second)
      throw InputError(
          fmt::format("ingest: two entries of data.relations are named '{}'", links.name));
  }
}

void check_vectors(const IngestOptions& options) {
  std::set<std::string> names;
  for (const VectorSource& source : options.vectors) {
    const std::string place =
        fmt::format("ingest: an entry of data.items.vectors{}",
                    source.name.empty() ? "" : fmt::format(" ('{}')", source.name));
    if (source.name.empty()) throw InputError(place + " has no 'name'");
    if (source.file.empty() == source.text.empty())
      throw InputError(place + fmt::format(" has {} 'file' {} 'text', expected one of them",
                                           source.file.empty() ? "neither" : "both",
                                           source.file.empty() ? "nor" : "and"));
    if (is_entity_column(source.name))
      throw InputError(place + fmt::format(" is named as a column that every item has (expected "
                                           "none of {})",
                                           fmt::join(kEntityColumns, ", ")));
    if (!names.insert(source.name).second)
      throw InputError(
          fmt::format("ingest: two entries of data.items.vectors are named '{}'", source.name));
  }
}

}  // namespace

void check_ingest_options(const IngestOptions& options) {
  check_given_parts(options);
  check_attributes(options);
  check_order_of_rows(options);
  check_timed_items(options);
  check_listed(options);
  check_links(options);
  check_vectors(options);
}

}  // namespace penchant::pipeline
