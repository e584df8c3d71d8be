// SPDX-License-Identifier: Apache-2.0
// Which of several ways to rank is taken, by what the validation part says of each. A validation
// part drawn at random from the log prefers what recommends popular items less than later data do;
// of the ways that are nearly as good as the best one, the most popular lists win
// (docs/decisions/0011-validation-and-later-data.md; the one-standard-error rule of Breiman et al.,
// Classification and Regression Trees, 1984, section 3.4.3).
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "graph/interactions.h"

namespace penchant::pipeline {

/// What the validation part says of one way to rank.
struct Judgement {
  double value = 0.0;       ///< of the validation metric; larger is better
  double popularity = 0.0;  ///< mean training count of what is recommended
};
/// Throws InputError if there is no metric of that name.
Judgement judgement(const std::map<std::string, double>& metrics, const std::string& metric);

/// The share of the best value that may be given up for popularity: .01, or 0 where most validation
/// rows are later than all training rows of their user, so that validation is later data itself.
double popularity_tolerance(const graph::SplitInteractions& split);

/// The most popular of those whose value is at least (1 - tolerance) times the best, of equals the
/// first; without tolerance the first of the best. `tried` must not be empty.
std::size_t choose(std::span<const Judgement> tried, double tolerance);

}  // namespace penchant::pipeline
