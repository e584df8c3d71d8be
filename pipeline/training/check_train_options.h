// SPDX-License-Identifier: Apache-2.0
// Whether a training can begin: all that can be known to be wrong before the first hour.
#pragma once

#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

/// Throws InputError that names the key, what it is and what it may be. Asks of every kind of model
/// what concerns it.
void check_train_options(const TrainOptions& options);

}  // namespace penchant::pipeline
