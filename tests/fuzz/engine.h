// SPDX-License-Identifier: Apache-2.0
// A fuzzer of our own, in one process: mutates inputs and keeps those that take branches which none
// took before (coverage.cc). It exists because GCC has no libFuzzer and the clang of Debian 12 does
// not compile C++20's <source_location> and ranges of GCC's library. Built without counted branches
// it still runs: seeds, the corpus, and blind mutations of these.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace penchant::fuzz {

/// What is fuzzed. InputError and the like are answers that `run` takes; what else it throws, and
/// every sanitizer's complaint, is a finding.
struct Target {
  const char* name;
  std::vector<std::string> (*seeds)();  ///< small inputs that are whole
  void (*run)(std::string_view input);
  /// Of the largest single allocation: so much, and ten times the input.
  std::size_t allowance = std::size_t{8} << 20;
};

const std::vector<Target>& targets();

struct Result {
  std::uint64_t executions = 0;
  std::uint64_t inputs = 0;    ///< of the corpus in the end
  std::uint64_t branches = 0;  ///< pairs of branches with their counts; 0: not counted
  double seconds = 0;
};

struct Options {
  double seconds = 1;
  std::uint64_t seed = 1;
  std::filesystem::path corpus = {};  ///< files of inputs, read; new ones are added
  std::filesystem::path findings =
      {};  ///< folder for the input of a finding; empty: the present one
};

/// Ends the process at a finding: the input is written, its path and what is wrong go to stderr.
Result fuzz(const Target& target, const Options& options);

/// Every seed and every file of `folder`/NAME once.
std::uint64_t replay(const Target& target, const std::filesystem::path& folder);

}  // namespace penchant::fuzz
