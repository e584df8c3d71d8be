// SPDX-License-Identifier: Apache-2.0
// A data set as it was at a time, made from one whose rows have times: for asking what a model of
// then would have recommended (workflow/replay.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pipeline/data/dataset.h"

namespace penchant::pipeline {

/// Rows that came together: those before `until_ms`, from the end of the delivery before. Their
/// latest ones validate.
struct Delivery {
  std::int64_t until_ms;
  std::int64_t validation_from_ms;
};
/// A delivery of the rows of [from_ms, until_ms), of which the latest share validates.
Delivery delivery_of(const Dataset& whole, std::int64_t from_ms, std::int64_t until_ms,
                     double validation_fraction);

/// The data set of these deliveries, in the order of their times. Users and items are those that had
/// come by then, each delivery's behind those of earlier ones, in the order of their first rows; so
/// ids stay from one delivery to the next. Test rows are those from the end of the last delivery to
/// before `reveal_until_ms`, of users and items that had come. Throws InputError: no times, no rows
/// for training.
struct PastRows {
  Dataset dataset;
  std::int64_t num_revealed = 0;       ///< rows of the time that is revealed
  std::int64_t num_of_unknown = 0;     ///< of them, those of users or items that had not come
  std::int64_t num_new_rows = 0;       ///< of the last delivery
};
PastRows rows_until(const Dataset& whole, std::span<const Delivery> deliveries,
                    std::int64_t reveal_until_ms);

}  // namespace penchant::pipeline
