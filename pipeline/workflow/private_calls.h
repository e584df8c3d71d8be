// SPDX-License-Identifier: Apache-2.0
// `train` of a private model: what is asked of its data set beyond what the data set itself holds.
#pragma once

#include "pipeline/config/config.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

/// train_on() for model.kind private. Throws InputError: settings of ingest by which one user's rows
/// decide about another's (a k-core, test rows drawn by their place), --resume.
Trained train_private_on(const TrainFlags& flags, Config config, Progress& progress);

}  // namespace penchant::pipeline
