// SPDX-License-Identifier: Apache-2.0
// Which of several trained models' vectors stand in a sum of their inner products, by validation:
// the best one, and each other one, in turn, that the sum is better with. Models of one kind that
// differ by their seed make a better ranking together than each of them (Lakshminarayanan et al.,
// "Simple and scalable predictive uncertainty estimation using deep ensembles", NeurIPS 2017).
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "pipeline/choice/judge.h"
#include "pipeline/model/vector_layout.h"

namespace penchant::pipeline {

/// One of the models that were trained, and the weight of its inner products.
struct ChosenMember {
  std::size_t number = 0;
  double weight = 1.0;
};

/// Hears of each sum that is tried.
using MembersTried = std::function<void(std::span<const ChosenMember> members,
                                        const std::map<std::string, double>& metrics)>;

/// At least one of `trained`, the best alone first, with weight 1. Without other columns than the
/// embedding's where there are several.
std::vector<ChosenMember> choose_members(std::span<const VectorViews> trained, const Judge& judge,
                                         double tolerance, kernels::Backend& backend,
                                         const MembersTried& on_tried);

}  // namespace penchant::pipeline
