// SPDX-License-Identifier: Apache-2.0
// Whether AddressSanitizer watches what is tested, which the tests' own files, compiled once for
// both, ask at run time.
#pragma once

#include <cstdlib>

extern "C" void __asan_init() __attribute__((weak));

namespace penchant::support {

/// In this process, or in the program that it starts (PENCHANT_SANITIZED).
inline bool address_sanitizer() {
  return __asan_init != nullptr || std::getenv("PENCHANT_SANITIZED") != nullptr;
}

}  // namespace penchant::support
