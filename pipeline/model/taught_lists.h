// SPDX-License-Identifier: Apache-2.0
// The lists that vectors learn to rank by (pipeline/training/distillation.h): what a scorer ranks
// first, as shares of 1.
#pragma once

#include <cstdint>
#include <span>

#include "graph/csr.h"
#include "kernels/backend.h"

namespace penchant::pipeline {

inline constexpr std::int64_t kListSize = 100;
inline constexpr float kListTemperature = 1.25F;  ///< of rank_shares
/// With networks of sequences (docs/decisions/0038-networks-in-the-mixture.md).
inline constexpr float kNetworkListTemperature = 0.8F;
/// Of the softmax over inner products that is to give the shares.
inline constexpr float kTaughtTemperature = 0.08F;

/// rank^(-1 / temperature) from rank 1 on, as shares of 1; equal scores have equal shares. Scores are
/// in order, the highest first. Where scores fall off exponentially these are list_shares; how far
/// the first ones stand out changes nothing (docs/decisions/0035-distillation.md).
void rank_shares(std::span<const float> scores, float temperature, std::span<float> shares);

/// exp(score / (temperature standard deviations of the list)), as shares of 1; the first score is
/// the highest.
void list_shares(std::span<const float> scores, float temperature, std::span<float> shares);

/// The highest scores of each column of `scores` [I x B] but for the `excluded` [B x I] (num_rows =
/// 0: none), as rank_shares [B x I] of a list.
graph::Csr shares_of_lists(kernels::ConstFloatView scores, const graph::CsrView& excluded,
                           float temperature, kernels::Backend& backend);

}  // namespace penchant::pipeline
