// SPDX-License-Identifier: Apache-2.0
// The three kinds of failure and who handles them (docs/architecture.md, "Errors"):
//   InputError   the user's input is wrong: file, line, column or key is named; the program exits 2
//   DeviceError  a device or vendor library failed: call and status are named; the program exits 3
//   PENCHANT_ASSERT  our own invariant is broken: aborts with its location, in every build type
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace penchant {

/// Bad input by the user. The message says where (file, line, column or key), what was found and
/// what was expected.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A device or a vendor library reported a failure.
class DeviceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[noreturn]] void assertion_failed(const char* condition, const std::source_location& where);

}  // namespace penchant

#define PENCHANT_ASSERT(condition)                                               \
  do {                                                                           \
    if (!(condition)) [[unlikely]] {                                             \
      ::penchant::assertion_failed(#condition, std::source_location::current()); \
    }                                                                            \
  } while (false)
