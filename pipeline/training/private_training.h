// SPDX-License-Identifier: Apache-2.0
// X.data -> X.model for private models: the budget divided among releases, the ledger, the manifest
// that says what is guaranteed (docs/privacy_differential.md).
#pragma once

#include <string_view>

#include "pipeline/training/private_items.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

/// How (epsilon, delta) is divided. Its mechanisms together have a mu that is not above that of both.
struct PrivateBudget {
  PrivateItemsPlan plan;
  double mu = 0.0;  ///< of all together, as accounted
};
PrivateBudget divide_budget(const ReleaseOptions& options, std::int64_t width);

/// Throws InputError: epsilon or delta that is not given or guarantees nothing (delta of at least
/// 1 / users: one of so many could be published as he is), items that only the log knows.
void check_private_training(const Dataset& dataset, const TrainOptions& options);

/// Throws InputError for ModelKind::private_items: `who`, such as "ablate", keeps what is not private
/// beside a model, or may release again without being asked.
void refuse_private(const TrainOptions& options, std::string_view who);

/// Throws InputError: there is no going on from a private model.
[[noreturn]] void refuse_private_update();

/// As train(), for ModelKind::private_items, which train() refuses; of training and validation rows. The release is written into
/// the data set's ledger before anything is published. Throws InputError as check_private_training()
/// does, and where the budget does not cover it.
TrainReport train_private(const Dataset& dataset, const TrainOptions& options,
                          const std::string& config_toml, const Destination& destination,
                          kernels::Backend& backend, Progress& progress);

}  // namespace penchant::pipeline
