// SPDX-License-Identifier: Apache-2.0
// Scores of any (user, item) pairs of a table, for a ranker behind this program: pairs.csv or
// .parquet -> the same rows with a column "score".
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "graph/enum_names.h"
#include "kernels/backend.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/histories.h"
#include "pipeline/model/trained_model.h"
#include "pipeline/tables/text_options.h"
#include "pipeline/training/train.h"

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
  TableReadOptions text = {};  ///< of pairs in delimited text
};

struct ScoreReport {
  std::int64_t rows_read = 0;
  std::int64_t rows_written = 0;
  std::int64_t rows_unknown = 0;  ///< left out or given 0
  std::string score;              ///< what the scores are: PairScorer::meaning
};

/// Scores pairs of dense ids by what the model offers: probabilities of an interest model (users by
/// their training and validation events), else the scores that it ranks by.
class PairScorer {
 public:
  PairScorer(const Dataset& dataset, const TrainedModel& model, kernels::Backend& backend);
  /// One score a pair.
  std::vector<float> score(std::span<const graph::NodeId> users,
                           std::span<const graph::NodeId> items);
  /// "probability", "filter score" or "inner product".
  std::string meaning() const;

 private:
  std::vector<float> answers(std::span<const graph::NodeId> users,
                             std::span<const graph::NodeId> items);
  std::vector<float> scorer_scores(std::span<const graph::NodeId> users,
                                   std::span<const graph::NodeId> items);
  std::vector<float> inner_products(std::span<const graph::NodeId> users,
                                    std::span<const graph::NodeId> items);

  const Dataset& dataset_;
  const TrainedModel& model_;
  kernels::Backend& backend_;
  Histories histories_;  ///< of all users, for probabilities
};

/// Reads pairs block by block and writes them with their scores; all columns of the input are kept:
/// of Parquet with their types and nulls, or as text in CSV, of text as text. The output appears
/// whole or not at all. Throws InputError: names of files, columns, and with UnknownIds::error the
/// first row with an unknown id.
ScoreReport score_table(const Dataset& dataset, const TrainedModel& model,
                        const std::filesystem::path& pairs, const std::filesystem::path& out,
                        const ScoreOptions& options, kernels::Backend& backend, Progress& progress);

}  // namespace penchant::pipeline
