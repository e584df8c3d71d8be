// SPDX-License-Identifier: Apache-2.0
// How many users a filter answers for at a time. At either width the sparse product sums a row's
// entries in one order (kernels/cpu/spmm.cc, up to 4 vectors of AVX-512), so that a user's scores
// are the same bits alone and among others.
#pragma once

#include <cstdint>

namespace penchant::models {

/// The tables of a block have 4 vectors of AVX-512 a row, the width at which the product is fastest
/// on Gowalla (two Sapphire Rapids cores, GFLOP/s of both products: 16 users 34, 32 users 34, 64
/// users 42, 128 users 27, 256 users 29).
inline constexpr std::int64_t kBlockUsers = 64;
/// Of a look-up of few users the tables are one vector wide: a row takes that much memory anyway.
inline constexpr std::int64_t kFewUsers = 16;

}  // namespace penchant::models
