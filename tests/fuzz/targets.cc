// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/targets.h"

#include "tests/fuzz/engine.h"

namespace penchant::fuzz {

const std::vector<Target>& targets() {
#define PENCHANT_LIST(NAME) {#NAME, NAME##_seeds, run_##NAME},
  static const std::vector<Target> all = {PENCHANT_FUZZ_TARGETS(PENCHANT_LIST)};
#undef PENCHANT_LIST
  return all;
}

}  // namespace penchant::fuzz
