// SPDX-License-Identifier: Apache-2.0
// Which branches an execution took, as GCC's -fsanitize-coverage=trace-pc,trace-cmp tells them.
#pragma once

#include <cstdint>
#include <span>

namespace penchant::fuzz {

/// Before an execution.
void forget_branches();
/// After it: whether it took a pair of branches, or one of them more often by a power of two, that
/// none did before.
bool took_new_branches();
/// Such pairs in all.
std::uint64_t num_branches();
/// Constants that were compared with something else, the latest ones; they may repeat.
std::span<const std::uint64_t> compared_constants();

}  // namespace penchant::fuzz
