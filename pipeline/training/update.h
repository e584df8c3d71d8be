// SPDX-License-Identifier: Apache-2.0
// A model of a data set that has grown, trained on from the model of before: what was chosen stays,
// weights go on from where they were, new users, items and attribute values start at what their
// neighbours in the graphs have. How long, the new rows' validation part says; then what is learnt
// is made of all rows, as train() does. Closed forms are made anew. Vectors that learnt a mixture
// are turned to lie on the earlier ones as well as they can (orthogonal Procrustes problem,
// Schönemann, Psychometrika 1966), so that an index of both kinds still ranks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "kernels/backend.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/artifact/versions.h"
#include "pipeline/data/dataset.h"
#include "pipeline/training/train.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

struct UpdateOptions {
  TrainOptions train;             ///< that the earlier model was trained with
  GraphOptions graph;             ///< likewise
  std::int64_t most_epochs = 4;   ///< of each phase, of weights that learn in steps
  std::optional<Budget> budget;   ///< fewer, by what an epoch of the earlier model took
};

/// Updates the finished model in `before`, which was trained on `earlier`, to `now`, which has grown
/// from it, and writes the new one. Throws InputError.
TrainReport update_model(const std::filesystem::path& before, const EarlierData& earlier,
                         Dataset& now, const UpdateOptions& options,
                         const std::string& config_toml, const Destination& destination,
                         kernels::Backend& backend, Progress& progress);

/// Turns vectors, users [U x D] and items [I x D], by the orthogonal matrix Q that makes the sum of
/// |before_r - now_r Q|^2 least over the rows r that both have (`users`, `items`: their earlier rows,
/// or graph::kNoNode). Inner products stay. In host memory.
void turn_towards(kernels::ConstFloatView users_before, std::span<const graph::NodeId> users,
                  kernels::ConstFloatView items_before, std::span<const graph::NodeId> items,
                  kernels::Backend& host, kernels::FloatView users_now,
                  kernels::FloatView items_now);

}  // namespace penchant::pipeline
