// SPDX-License-Identifier: Apache-2.0
#include "graph/error.h"

#include <cstdio>
#include <cstdlib>

namespace penchant {

void assertion_failed(const char* condition, const std::source_location& where) {
  std::fprintf(stderr, "penchant: internal error: %s does not hold, in %s (%s:%u)\n", condition,
               where.function_name(), where.file_name(), where.line());
  std::abort();
}

}  // namespace penchant
