// SPDX-License-Identifier: Apache-2.0
// X.model -> X.embeddings (vectors of every item and user with raw ids), and the look-ups a person
// makes by hand.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/enum_names.h"
#include "kernels/backend.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/trained_model.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

enum class EmbeddingType { float32, float16 };
constexpr auto enum_words(EmbeddingType) {
  return std::to_array<EnumWord<EmbeddingType>>(
      {{EmbeddingType::float32, "float32"}, {EmbeddingType::float16, "float16"}});
}

struct EmbedOptions {
  bool npy = true;
  bool parquet = false;
  EmbeddingType type = EmbeddingType::float32;
};

/// Adds a format by its name: npy, parquet or both. `key` is what messages call it.
void add_embedding_format(EmbedOptions& options, std::string_view name, std::string_view key);

/// Writes items.npy / users.npy (+ item_ids.txt-like raw ids: see docs/formats.md) and / or
/// items.parquet, users.parquet, in blocks of rows.
void embed(const Dataset& dataset, const TrainedModel& model, const EmbedOptions& options,
           const Destination& destination, kernels::Backend& backend, Progress& progress);

struct ScoredItem {
  graph::NodeId item;
  float score;
};
/// Whether lists leave out what a user has.
bool leaves_out_seen(const Dataset& dataset, SeenItems seen_items);
/// The k best items of a user. Throws InputError: unknown raw id (with the nearest known ones),
/// k < 1, k > items.
std::vector<ScoredItem> recommend(const Dataset& dataset, const TrainedModel& model,
                                  std::string_view raw_user, std::int64_t k,
                                  kernels::Backend& backend,
                                  SeenItems seen_items = SeenItems::automatic);
/// Items that a history given by hand may have.
inline constexpr std::int64_t kLongestHistory = 10'000;

/// The k best items for someone who is not in the data set but had these items, oldest first; what
/// the history holds is left out as `seen_items` says. An interest model gives the
/// user's vector; without one it is the mean of the items' vectors, as long as they are on average.
/// Throws InputError: no item, an unknown one, more than kLongestHistory, a model without vectors,
/// k as in `recommend`.
std::vector<ScoredItem> recommend_for_history(const Dataset& dataset, const TrainedModel& model,
                                              std::span<const std::string_view> raw_items,
                                              std::int64_t k, kernels::Backend& backend,
                                              SeenItems seen_items = SeenItems::automatic);
/// What is wrong with a raw id that a dictionary does not have, with the nearest that it has.
/// `kind`: "user" or "item".
std::string unknown_id(const graph::Dictionary& dictionary, std::string_view raw, const char* kind);
/// The k items nearest to an item by cosine, itself left out.
std::vector<ScoredItem> similar(const Dataset& dataset, const TrainedModel& model,
                                std::string_view raw_item, std::int64_t k,
                                kernels::Backend& backend);

}  // namespace penchant::pipeline
