// SPDX-License-Identifier: Apache-2.0
// Ingesting small tables, and reading the result as text that a test can compare.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "pipeline/ingest/ingest.h"
#include "tests/pipeline/support/folder.h"

namespace penchant::testing {

using Lines = std::vector<std::string>;

/// One line a row in the order of the part: "user item weight", then "t<ms>", "e<event>",
/// "s<session>" where the log has them.
Lines rows_of(const pipeline::Dataset& dataset, const graph::Interactions& part);
/// All parts together, sorted.
Lines all_rows(const pipeline::Dataset& dataset);
/// Values of an attribute, item by item in the order of their ids: "item: a b".
Lines attribute_of(const pipeline::Dataset& dataset, const std::string& name);

/// An attribute by the name of its column.
pipeline::AttributeColumn attribute(const std::string& column,
                                    graph::AttributeKind kind = graph::AttributeKind::categorical);

/// Options whose split leaves every row in train.
pipeline::IngestOptions everything_in_train();

class IngestTest : public ::testing::Test {
 protected:
  std::filesystem::path at(const std::string& name) const { return folder_.path() / name; }
  nlohmann::json manifest(const std::string& name) const { return manifest_of(at(name)); }
  std::filesystem::path write(const std::string& name, std::string_view text) const;
  /// Ingests and reads the artefact back. The report stays in `report_`, what was warned of in
  /// `warnings_`.
  pipeline::Dataset ingest(const pipeline::IngestOptions& options);
  /// The same for a log with the columns user, item and time, and whatever `options` adds.
  pipeline::Dataset ingest_text(std::string_view text,
                                pipeline::IngestOptions options = everything_in_train(),
                                const std::string& name = "log.csv");
  /// The rejected rows: "reason: rows".
  Lines rejections() const;

  TemporaryFolder folder_;
  pipeline::IngestReport report_;
  Lines warnings_;  ///< of the last ingest
};

/// What an InputError says; a failure of the test if there is none.
template <typename Action>
std::string input_error_of(Action action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no InputError";
  return {};
}

}  // namespace penchant::testing
