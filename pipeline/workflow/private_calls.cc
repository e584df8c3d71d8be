// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/private_calls.h"

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/ingest/append.h"
#include "pipeline/training/private_training.h"

namespace penchant::pipeline {

namespace {

/// Where one user's rows decide whether those of another are left out, removing one user changes more
/// than one row, and no bound of contributions holds.
void require_independent_rows(const std::string& data) {
  const Config kept = config_of_log(kept_settings(data), data + ": settings of its log");
  if (kept.ingest.min_item_count > 1) {
    throw InputError(fmt::format(
        "{}: was ingested with data.min_item_count {}, by which a user's rows stay or go with what "
        "others had; a private model needs it to be 0 or 1",
        data, kept.ingest.min_item_count));
  }
}

}  // namespace

Trained train_private_on(const TrainFlags& flags, Config config, Progress& progress) {
  if (flags.resume)
    throw InputError("train: --resume has no effect: a private model keeps no checkpoint");
  const auto backend = kernels::make_backend(config.backend);
  const Dataset dataset = read_dataset(flags.data);
  check_private_training(dataset, config.train);
  require_independent_rows(flags.data);
  return {train_private(dataset, config.train, effective_toml(config), config.model_out, *backend,
                        progress),
          backend->description()};
}

}  // namespace penchant::pipeline
