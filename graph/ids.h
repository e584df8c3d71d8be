// SPDX-License-Identifier: Apache-2.0
// Integer types of the whole engine. Dense ids of nodes are int32, edge offsets int64, extents
// std::int64_t.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace penchant::graph {

using NodeId = std::int32_t;
using EdgeOffset = std::int64_t;

inline constexpr NodeId kNoNode = -1;

/// An id, offset or extent as the index of a std::vector or a std::span.
constexpr std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Seed of a counter-based random stream. A type of its own, so that it is not mistaken for a size.
enum class Seed : std::uint64_t {};

/// Integer conversion that throws std::out_of_range instead of changing the value.
template <std::integral To, std::integral From>
constexpr To checked_cast(From value) {
  if (!std::in_range<To>(value)) {
    throw std::out_of_range("integer " + std::to_string(value) + " does not fit its target type");
  }
  return static_cast<To>(value);
}

}  // namespace penchant::graph
