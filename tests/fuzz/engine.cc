// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/engine.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>

#include <fmt/core.h>
#include <xxhash.h>

#include "tests/fuzz/coverage.h"
#include "tests/fuzz/mutate.h"

// Of the sanitizers, where they are there.
extern "C" {
[[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());
[[gnu::weak]] int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*,
                                                                              std::size_t),
                                                            void (*on_free)(const volatile void*));
}

namespace penchant::fuzz {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

/// An execution that takes longer is a finding; a busy machine is slow.
constexpr unsigned kLongestSeconds = 60;

const Target* now_target = nullptr;
std::string_view now_input;
std::array<char, 4096> now_folder{};
std::atomic<bool> watching{false};
std::atomic<std::size_t> largest{0};

void on_malloc(const volatile void*, std::size_t size) {
  if (watching && size > largest) largest = size;
}
void on_free(const volatile void*) {}

/// Signals lead here: nothing is allocated.
void keep_input() {
  if (now_target == nullptr) return;
  watching = false;
  std::array<char, 4500> path{};
  std::snprintf(path.data(), path.size(), "%s/%s-%016llx", now_folder.data(), now_target->name,
                static_cast<unsigned long long>(XXH3_64bits(now_input.data(), now_input.size())));
  const int file = open(path.data(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0) {
    [[maybe_unused]] const auto ignored = write(file, now_input.data(), now_input.size());
    close(file);
  }
  std::fprintf(stderr, "fuzz: %s: the input of %zu bytes is in %s\n", now_target->name,
               now_input.size(), path.data());
  now_target = nullptr;
}

[[noreturn]] void found(const std::string& what) {
  std::fprintf(stderr, "fuzz: %s: %s\n", now_target->name, what.c_str());
  keep_input();
  std::abort();
}

void on_signal(int signal) {
  if (signal == SIGALRM)
    std::fprintf(stderr, "fuzz: %s: one execution lasts longer than %u s\n",
                 now_target == nullptr ? "" : now_target->name, kLongestSeconds);
  keep_input();
  std::signal(signal, SIG_DFL);
  if (signal == SIGALRM) std::abort();
  std::raise(signal);
}

void watch(const Options& options) {
  static bool done = false;
  const std::string folder = options.findings.empty() ? "." : options.findings.string();
  std::snprintf(now_folder.data(), now_folder.size(), "%s", folder.c_str());
  if (done) return;
  done = true;
  std::signal(SIGALRM, on_signal);
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(keep_input);
  } else {
    for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL})
      std::signal(signal, on_signal);
  }
  if (__sanitizer_install_malloc_and_free_hooks != nullptr)
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

void execute(const Target& target, std::string_view input) {
  // A copy without room behind it, so that a read beyond its end is seen.
  const std::vector<char> exact(input.begin(), input.end());
  now_target = &target;
  now_input = {exact.data(), exact.size()};
  largest = 0;
  watching = true;
  try {
    target.run(now_input);
  } catch (const std::exception& error) {
    watching = false;
    found(fmt::format("threw what is no InputError: {}", error.what()));
  }
  watching = false;
  if (largest > target.allowance + 10 * input.size())
    found(
        fmt::format("an allocation of {} bytes for an input of {}", largest.load(), input.size()));
  now_target = nullptr;
}

std::string read_whole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> inputs_of(const Target& target, const fs::path& folder) {
  std::vector<std::string> inputs = target.seeds();
  std::vector<fs::path> files;
  if (!folder.empty() && fs::exists(folder / target.name)) {
    for (const auto& entry : fs::directory_iterator(folder / target.name))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) inputs.push_back(read_whole(file));
  return inputs;
}

void keep_in_corpus(const Target& target, const fs::path& folder, const std::string& input) {
  if (folder.empty()) return;
  fs::create_directories(folder / target.name);
  std::ofstream(
      folder / target.name / fmt::format("{:016x}", XXH3_64bits(input.data(), input.size())),
      std::ios::binary)
      << input;
}

}  // namespace

Result fuzz(const Target& target, const Options& options) {
  watch(options);
  Random random(options.seed);
  std::vector<std::string> corpus = inputs_of(target, options.corpus);
  const auto start = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  Result result;
  const std::uint64_t branches = num_branches();
  const auto run = [&](std::string_view input) {
    if (result.executions++ % 256 == 0) alarm(kLongestSeconds);
    forget_branches();
    execute(target, input);
    return took_new_branches();
  };
  for (const std::string& input : corpus) run(input);
  while (elapsed() < options.seconds) {
    for (int batch = 0; batch < 32; ++batch) {
      // Half of the time one of the newest.
      const std::size_t newest = std::min<std::size_t>(corpus.size(), 16);
      const std::size_t chosen =
          random() % 2 == 0 ? corpus.size() - 1 - random() % newest : random() % corpus.size();
      std::string input =
          mutated(corpus[chosen], corpus[random() % corpus.size()], compared_constants(), random);
      if (!run(input)) continue;
      keep_in_corpus(target, options.corpus, input);
      corpus.push_back(std::move(input));
    }
  }
  alarm(0);
  result.inputs = corpus.size();
  result.branches = num_branches() - branches;
  result.seconds = elapsed();
  return result;
}

std::uint64_t replay(const Target& target, const fs::path& folder) {
  watch({});
  std::uint64_t count = 0;
  for (const std::string& input : inputs_of(target, folder)) {
    alarm(kLongestSeconds);
    execute(target, input);
    ++count;
  }
  alarm(0);
  return count;
}

}  // namespace penchant::fuzz
