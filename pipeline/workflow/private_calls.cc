// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/private_calls.h"

#include <fmt/core.h>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/split.h"
#include "pipeline/ingest/append.h"
#include "pipeline/ingest/input_files.h"
#include "pipeline/training/private_training.h"

namespace penchant::pipeline {

namespace {

/// Where one user's rows decide which of another's count, removing one user changes more than one row,
/// and no bound of contributions holds.
void require_independent_rows(const std::string& data) {
  const Config kept = config_of_log(kept_settings(data), data + ": settings of its log");
  const IngestOptions& ingest = kept.ingest;
  if (ingest.min_item_count > 1) {
    throw InputError(fmt::format(
        "{}: was ingested with data.min_item_count {}, by which a user's rows stay or go with what "
        "others had; a private model needs it to be 0 or 1",
        data, ingest.min_item_count));
  }
  // These draw by the place of a row in the log, or an item's among those that somebody had.
  const graph::SplitMethod method = ingest.split_method.value_or(default_split(ingest));
  const bool draws =
      method == graph::SplitMethod::random_per_user || method == graph::SplitMethod::hidden_items;
  if (draws && ingest.test_fraction > 0.0) {
    throw InputError(fmt::format(
        "{}: was split by data.split.method \"{}\", which draws a user's test rows by where they "
        "stand among those of others; a private model needs global_time, leave_one_out, "
        "leave_last_session or given, or a data.split.test_fraction of 0",
        data, enum_name(method)));
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
