// SPDX-License-Identifier: Apache-2.0
// Audiences: the people likeliest to want some items next, or most like those of a seed
// (docs/audience.md). Deterministic, at any number of threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "graph/ids.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/audience/interest_probability.h"
#include "pipeline/audience/item_sets.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/model/model.h"
#include "pipeline/tables/text_options.h"

namespace penchant::pipeline {

/// A smaller audience would say who its people are, and a smaller seed says nothing.
inline constexpr std::int64_t kSmallestAudience = 20;
inline constexpr std::int64_t kSmallestSeed = 20;

struct AudienceOptions {
  InterestOptions interest;                      ///< either this
  std::filesystem::path seed_file;               ///< or a seed: raw ids, one a line
  std::optional<std::vector<std::string>> seed;  ///< or in memory
  KnownPeople known = KnownPeople::leave_out;    ///< the seed, or who has the items
  std::int64_t size = 0;                         ///< either this many
  double share = 0.0;                            ///< or this share of those who may be in it
  std::int64_t min_size = kSmallestAudience;
  std::filesystem::path exclude_file;  ///< raw ids, one a line
  std::optional<std::vector<std::string>> exclude;
  std::filesystem::path user_table;  ///< or the name of one of `frames`
  std::string user_key, where_users;
  std::shared_ptr<const Frames> frames = {};
  UnknownRawIds unknown = UnknownRawIds::error;
  std::shared_ptr<const PseudonymKey> key = {};  ///< of all raw ids, or null
};

/// "5%" or "0.05" as a share in (0, 1]. Throws InputError that names --share.
double parse_share(const std::string& text);

struct AudienceReport {
  std::string kind;                                            ///< "interest" or "seed"
  std::string about;                                           ///< the set of items, or the seed
  std::int64_t num_items = 0;                                  ///< of the set
  std::int64_t num_seed = 0;                                   ///< known users of the seed
  std::int64_t considered = 0;                                 ///< users of the data set
  std::vector<std::pair<std::string, std::int64_t>> left_out;  ///< by the first reason of each
  std::int64_t eligible = 0;
  std::int64_t unknown_ids = 0;   ///< of lists, left out
  std::int64_t unknown_rows = 0;  ///< of the user table
  double base_rate = 0.0;         ///< mean probability of those who may be in it
  double expected = 0.0;          ///< sum of the probabilities of the audience
  double period_days = 0.0;
  std::int64_t min_size = 0;
  RegressionFacts regression;
};
nlohmann::json audience_json(const AudienceReport& report);

/// The audience, likeliest first; equal ones in the order of the data set.
struct Audience {
  std::vector<graph::NodeId> users;
  std::vector<float> probability;
  std::vector<float> lift;  ///< probability over the base rate
  AudienceReport report;
};

/// The data set of the model was read with everything. Throws InputError: options that exclude each
/// other, unknown ids, what chosen_items and read_user_table refuse, a seed of fewer than
/// kSmallestSeed or of everybody, a size above the number of users, fewer people than min_size.
Audience make_audience(const Model& model, const AudienceOptions& options, Progress& progress);

}  // namespace penchant::pipeline
