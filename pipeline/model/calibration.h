// SPDX-License-Identifier: Apache-2.0
// From the ranking head's logits to probabilities that mean what they say. The head sees the pairs
// that it was trained on many times and grows too sure of itself; isotonic regression on held-out
// pairs (Zadrozny and Elkan 2002, "Transforming classifier scores into accurate multiclass
// probability estimates", section 3; pool adjacent violators, Ayer et al. 1955) corrects that and
// keeps the order of the pairs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace penchant::pipeline {

/// Knots of a rising function from logit to log odds, linear between them and continued with its
/// mean slope beyond them. Without knots the log odds are the logit.
struct Calibration {
  std::vector<float> logits;    ///< ascending
  std::vector<float> log_odds;  ///< ascending, as many
};

/// Fits it to pairs with labels 0 and 1. Without knots where there are too few pairs to tell, or
/// only one kind of them.
Calibration fit_calibration(std::span<const float> logits, std::span<const std::uint8_t> labels);

/// The probability of a pair with this logit.
float calibrated_probability(const Calibration& calibration, float logit);

nlohmann::json calibration_to_json(const Calibration& calibration);
Calibration calibration_from_json(const nlohmann::json& stored);

}  // namespace penchant::pipeline
