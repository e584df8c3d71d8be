// SPDX-License-Identifier: Apache-2.0
// Scores of any (user, item) pairs of a table, for a ranker behind this program: pairs.csv or
// .parquet -> the same rows with a column "score".
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "graph/enum_names.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/model/model.h"
#include "pipeline/tables/text_options.h"

namespace penchant::pipeline {

/// What becomes of a row whose user or item is not in the data set.
enum class UnknownIds { error, skip, zero };
constexpr auto enum_words(UnknownIds) {
  return std::to_array<EnumWord<UnknownIds>>(
      {{UnknownIds::error, "error"}, {UnknownIds::skip, "skip"}, {UnknownIds::zero, "zero"}});
}

struct ScoreOptions {
  std::string user_column = "user";
  std::string item_column = "item";
  UnknownIds unknown = UnknownIds::error;
  Ranking ranking = Ranking::vectors;  ///< of a model that gives no probabilities
  TableReadOptions text = {};          ///< of pairs in delimited text
};

struct ScoreReport {
  std::int64_t rows_read = 0;
  std::int64_t rows_written = 0;
  std::int64_t rows_unknown = 0;  ///< left out or given 0
  std::string score;              ///< what the scores are: Model::score_meaning
};

/// Reads pairs block by block and writes them with their scores; all columns of the input are kept:
/// of Parquet with their types and nulls, or as text in CSV, of text as text. The output appears
/// whole or not at all. Throws InputError: names of files, columns, and with UnknownIds::error the
/// first row with an unknown id.
ScoreReport score_table(const Model& model, const std::filesystem::path& pairs,
                        const std::filesystem::path& out, const ScoreOptions& options,
                        Progress& progress);

struct Frame;
struct ScoredPairs {
  ScoreReport report;
  std::shared_ptr<Frame> rows;  ///< those of the table, with their types, and a column "score"
};

/// The same in memory.
ScoredPairs score_pairs(const Model& model, const std::filesystem::path& pairs,
                        const ScoreOptions& options, Progress& progress);

}  // namespace penchant::pipeline
