// SPDX-License-Identifier: Apache-2.0
// What each number may be: one table for configuration files, --set, flags and what manifests hold,
// so that no stage multiplies, allocates or loops over a size that nobody can mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penchant::pipeline {

/// An interval; `low` and `high` belong to it unless they are said to be open.
struct Bounds {
  double low = 0.0;
  double high = 0.0;
  bool low_open = false;
  bool high_open = false;

  bool hold(double value) const;  ///< false for NaN
  std::string text() const;       ///< "1 to 65536", "above 0, at most 100"
};

/// Of a key such as "model.embedding_dim"; nothing for keys that are no numbers and for seeds, of
/// which any is good.
std::optional<Bounds> bounds_of(std::string_view key);

/// Throws InputError "PLACE: KEY is VALUE, expected LOW to HIGH" for a value out of the key's
/// bounds. Does nothing for a key without bounds. An empty place is left out.
void check_bounds(std::string_view key, std::int64_t value, std::string_view place = {});
void check_bounds(std::string_view key, double value, std::string_view place = {});
/// The same of a key's value that was given by an option of its own: "OPTION is VALUE, expected LOW
/// to HIGH".
void check_option(std::string_view option, std::string_view key, std::int64_t value);

}  // namespace penchant::pipeline
