// SPDX-License-Identifier: Apache-2.0
// What suits a kind of model where the user says nothing: the only place where defaults depend on
// the kind. The command line's configuration starts from it too.
#pragma once

#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

/// Of ModelKind::automatic it is TrainOptions{}.
TrainOptions recipe_of(models::ModelKind kind);

}  // namespace penchant::pipeline
