// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/known_rows.h"

#include "pipeline/data/sort_log.h"

namespace penchant::pipeline {

graph::TrainingPart train_and_validation(const Dataset& dataset) {
  graph::TrainingPart merged = dataset.split.train;
  graph::Interactions& rows = merged.interactions;
  const graph::Interactions& more = dataset.split.validation;
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(rows.user, more.user);
  append(rows.item, more.item);
  append(rows.weight, more.weight);
  append(rows.time_ms, more.time_ms);
  append(rows.event, more.event);
  append(rows.session, more.session);
  sort_log(rows, dataset.num_users());
  return merged;
}

}  // namespace penchant::pipeline
