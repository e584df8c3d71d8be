// SPDX-License-Identifier: Apache-2.0
// Vectors that were handed over, compared with the model's: the files of X.embeddings, or what
// somebody fetched back from the store that they went to. Rows are matched by raw id, their order
// may differ.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/artifact/progress.h"
#include "pipeline/export/embed.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

/// Least share of the top 20 that vectors as float16 must keep; float32 must agree exactly.
inline constexpr double kLeastHalfShare = 0.95;

struct VerifyOptions {
  std::int64_t sample = 200;  ///< users whose rankings are compared, at least 1
};

/// One file.
struct CheckedVectors {
  std::string file;         ///< "items.parquet"
  std::string number_type;  ///< as stored: "float16", "float32", "float64", "text"
  std::int64_t rows = 0;
  std::int64_t missing = 0;     ///< ids of the model that it lacks
  std::int64_t extra = 0;       ///< ids that the model has not
  std::int64_t duplicates = 0;  ///< rows of an id that an earlier row has
  std::int64_t differing = 0;   ///< numbers that are not the model's, nor its rounded to float16
  double largest_difference = 0;
};

struct CheckedFormat {
  EmbeddingFormat format = EmbeddingFormat::npy;
  std::vector<CheckedVectors> files;  ///< those that are there, items first
  /// What the numbers are, whatever they are stored as: all of them halves, or not.
  EmbeddingType type = EmbeddingType::float32;
  /// Of the top 20 (by inner product, of users and items as read; the model's where there is no
  /// file of them) that are in the model's. Without a value: a file could not be read.
  std::optional<double> share;
  std::vector<std::string> problems;  ///< empty: it agrees
};

struct VerifyReport {
  std::vector<CheckedFormat> formats;
  std::int64_t num_users = 0;  ///< of the sample
  std::int64_t k = 0;          ///< 20, or all items
  std::int64_t num_tied_users =
      0;  ///< their rank k and k + 1 have one score: a store may swap them
  /// Empty: everything agrees.
  std::vector<std::string> problems() const;
};

/// Checks every format that has a file items.FORMAT or users.FORMAT in the folder, and all that its
/// manifest names, if it has one. Throws InputError: no such folder, nothing to check, a sample
/// below 1, a model without vectors. What is wrong with a file is a problem in the report.
VerifyReport verify_vectors(const Model& model, const std::filesystem::path& folder,
                            const VerifyOptions& options, Progress& progress);

nlohmann::json verify_json(const VerifyReport& report);
/// For people.
std::string verify_text(const VerifyReport& report);
/// What is wrong, in one message.
std::string verify_failure(const VerifyReport& report, const std::filesystem::path& folder);

}  // namespace penchant::pipeline
