// SPDX-License-Identifier: Apache-2.0
// A pair of branches is a place in a map, as in AFL (Zalewski, technical details): the hash of where
// one was and where the next is. Compiled without the options that call it.
#include "tests/fuzz/coverage.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace penchant::fuzz {

namespace {

constexpr std::size_t kPlaces = std::size_t{1} << 16;
constexpr std::size_t kConstants = 256;

std::array<std::uint8_t, kPlaces> taken;
std::array<std::uint8_t, kPlaces> known;  ///< a bit for each power of two of counts
std::array<std::uint64_t, kConstants> constants{};
std::size_t next_constant = 0;
std::uint64_t branches = 0;
thread_local std::uintptr_t before [[gnu::tls_model("initial-exec")]] = 0;

/// One bit: 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, more.
std::uint8_t bit_of(std::uint8_t count) {
  if (count <= 3) return static_cast<std::uint8_t>(1U << (count - 1));
  if (count <= 7) return 8;
  if (count <= 15) return 16;
  if (count <= 31) return 32;
  return count <= 127 ? 64 : 128;
}

void remember(std::uint64_t constant) { constants[next_constant++ % kConstants] = constant; }

}  // namespace

void forget_branches() {
  taken.fill(0);
  before = 0;
}

bool took_new_branches() {
  bool found = false;
  for (std::size_t word = 0; word < kPlaces; word += sizeof(std::uint64_t)) {
    std::uint64_t any = 0;
    std::memcpy(&any, &taken[word], sizeof any);
    if (any == 0) continue;
    for (std::size_t place = word; place < word + sizeof any; ++place) {
      if (taken[place] == 0) continue;
      const std::uint8_t bit = bit_of(taken[place]);
      if ((known[place] & bit) != 0) continue;
      known[place] = static_cast<std::uint8_t>(known[place] | bit);
      ++branches;
      found = true;
    }
  }
  return found;
}

std::uint64_t num_branches() { return branches; }
std::span<const std::uint64_t> compared_constants() { return constants; }

}  // namespace penchant::fuzz

extern "C" {

void __sanitizer_cov_trace_pc() {
  using namespace penchant::fuzz;
  auto here = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  here = (here >> 4) ^ (here << 8);
  std::uint8_t& count = taken[(here ^ before) % kPlaces];
  count = static_cast<std::uint8_t>(count + (count != 255));  // races of threads cost a count
  before = here >> 1;
}

void __sanitizer_cov_trace_cmp1(std::uint8_t, std::uint8_t) {}
void __sanitizer_cov_trace_cmp2(std::uint16_t, std::uint16_t) {}
void __sanitizer_cov_trace_cmp4(std::uint32_t, std::uint32_t) {}
void __sanitizer_cov_trace_cmp8(std::uint64_t, std::uint64_t) {}
void __sanitizer_cov_trace_const_cmp1(std::uint8_t, std::uint8_t) {}
void __sanitizer_cov_trace_const_cmp2(std::uint16_t constant, std::uint16_t) {
  penchant::fuzz::remember(constant);
}
void __sanitizer_cov_trace_const_cmp4(std::uint32_t constant, std::uint32_t value) {
  if (constant != value) penchant::fuzz::remember(constant);
}
void __sanitizer_cov_trace_const_cmp8(std::uint64_t constant, std::uint64_t value) {
  if (constant != value) penchant::fuzz::remember(constant);
}
void __sanitizer_cov_trace_cmpf(float, float) {}
void __sanitizer_cov_trace_cmpd(double, double) {}
void __sanitizer_cov_trace_switch(std::uint64_t, std::uint64_t*) {}

}  // extern "C"
