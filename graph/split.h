// SPDX-License-Identifier: Apache-2.0
// Dividing a log into train, validation and test. Every method is a pure function of (log,
// options).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/enum_names.h"
#include "graph/interactions.h"

namespace penchant::graph {

/// - given: the parts are what they were before; validation is carved out of train if it is empty.
/// - global_time: rows at or after the time quantile (1 - test_fraction) are test, those before it
///   validation.
/// - leave_one_out: the last event of a user is test, the one before validation (users with fewer
///   than 3 events stay in train, but the later of two sessions or baskets is test).
/// - leave_last_session: the same for logs with sessions or times; the later of two is always test.
/// - random_per_user: a fraction of each user's events, each with all its rows; at least one stays
///   in train.
/// - hidden_items: all rows of a random share of the items (test_fraction of those that have any)
///   are test, as if these items were new; validation as in random_per_user.
///
/// Rows of one user and session are one event; without sessions those of one time; without both
/// each row, or, where their order says nothing (random_per_user), those of one item. Only
/// global_time and hidden_items can cut an event.
enum class SplitMethod {
  given,
  global_time,
  leave_one_out,
  leave_last_session,
  random_per_user,
  hidden_items
};
constexpr auto enum_words(SplitMethod) {
  return std::to_array<EnumWord<SplitMethod>>({{SplitMethod::given, "given"},
                    {SplitMethod::global_time, "global_time"},
                    {SplitMethod::leave_one_out, "leave_one_out"},
                    {SplitMethod::leave_last_session, "leave_last_session"},
                    {SplitMethod::random_per_user, "random_per_user"},
                    {SplitMethod::hidden_items, "hidden_items"}});
}

struct SplitOptions {
  SplitMethod method = SplitMethod::random_per_user;
  double validation_fraction = 0.1;  ///< of the rows left after test is taken; 0: none
  double test_fraction = 0.2;
  Seed seed{42};
};

/// Where a row of a log goes.
enum class Part : std::uint8_t { train, validation, test, left_out };

/// Divides the rows of a log (sorted by user, time) that are in Part::train; the others stay where
/// they are. Of the columns user, item and time are read, and session, whose row i is row order[i]
/// (row i where `order` is empty). Throws InputError for fractions outside [0, 1) or a split by
/// time without times.
void assign_parts(const Interactions& log, const SplitOptions& options, std::vector<Part>& parts,
                  std::span<const std::uint32_t> order = {});

/// The rows of a log by part, the rows that are left out gone. `user`, `item` and `time_ms` are in
/// order; row i of the other columns is row order[i] of them, or row i where `order` is empty.
/// Throws InputError if the training part is empty.
SplitInteractions divide_log(Interactions log, std::vector<std::uint32_t> order,
                             const std::vector<Part>& parts);

/// assign_parts() and divide_log() of a log that is all in order. For SplitMethod::given, `log` is
/// the training file and `given_test` the test file.
SplitInteractions split_interactions(Interactions log, Interactions given_test,
                                     const SplitOptions& options);

}  // namespace penchant::graph
