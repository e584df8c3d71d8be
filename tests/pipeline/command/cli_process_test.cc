// SPDX-License-Identifier: Apache-2.0
// The program as a process: closed descriptors, signals, limits of the system.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"
#include "tests/support/sanitizer.h"

namespace penchant::testing {
namespace {

namespace fs = std::filesystem;

using CliProcess = ShopTest;

/// Files of `folder` whose names say that they are not finished.
std::vector<std::string> leftovers(const fs::path& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().filename().string().find(".partial") != std::string::npos)
      found.push_back(entry.path().string());
  }
  return found;
}

void write_pairs(const std::string& path, std::int64_t count) {
  std::ofstream file(path);
  file << "user,item\n";
  for (std::int64_t k = 0; k < count; ++k) file << 'u' << k % 250 << ",i" << k % 7 << '\n';
}

TEST_F(CliProcess, ClosedDescriptorsGetNothingOfTheResult) {
  train();
  write_pairs(at("pairs.csv"), 2000);
  const auto score = [&](const std::string& name, const std::vector<int>& closed) {
    const ProgramResult result =
        run_penchant({"score", at("shop.data"), at("shop.model"), "--pairs", at("pairs.csv"),
                      "--out", at(name), "--unknown", "zero"},
                     {.closed = closed});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return read_text(at(name));
  };
  const std::string whole = score("whole.csv", {});
  EXPECT_EQ(std::count(whole.begin(), whole.end(), '\n'), 2001);
  EXPECT_EQ(score("a.csv", {2}), whole);
  EXPECT_EQ(score("b.csv", {1}), whole);
  EXPECT_EQ(score("c.csv", {0}), whole);
  EXPECT_EQ(score("d.csv", {0, 1, 2}), whole);
}

/// Sends the signal `delay` after the start, or after `begun` is there, and expects the end within
/// two seconds with 130.
void expect_stopped(const std::vector<std::string>& arguments, int signal,
                    std::chrono::milliseconds delay, const fs::path& begun = {}) {
  SCOPED_TRACE(arguments[0]);
  Program program(arguments);
  if (!begun.empty()) {
    ASSERT_TRUE(wait_for_file(begun));
  }
  std::this_thread::sleep_for(delay);
  program.signal(signal);
  const auto start = std::chrono::steady_clock::now();
  const ProgramResult result = program.wait();
  const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_LT(waited.count(), 4.0) << "two seconds, and as many for a busy machine";
}

TEST_F(CliProcess, EverySignalEndsTheProgram) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    expect_stopped({"generate", "--out", at("large"), "--users", "100000", "--items", "50000",
                    "--events", "300000000"},
                   signal, std::chrono::milliseconds(300), at("large"));
    EXPECT_EQ(leftovers(at("large")), std::vector<std::string>());
    EXPECT_FALSE(fs::exists(at("large/events.csv")));
    fs::remove_all(at("large"));
  }
}

TEST_F(CliProcess, VerbsOnAModelStopAndLeaveNothingBehind) {
  train();
  write_pairs(at("pairs.csv"), 3'000'000);
  const std::string data = at("shop.data");
  const std::string model = at("shop.model");
  expect_stopped({"score", data, model, "--pairs", at("pairs.csv"), "--out", at("s.csv"),
                  "--unknown", "zero", "--ranking", "full"},
                 SIGTERM, std::chrono::milliseconds(500));
  EXPECT_FALSE(fs::exists(at("s.csv")));
  expect_stopped({"score", data, model, "--pairs", at("pairs.csv"), "--out", at("s.parquet"),
                  "--unknown", "zero", "--ranking", "full"},
                 SIGINT, std::chrono::milliseconds(500));
  EXPECT_FALSE(fs::exists(at("s.parquet")));
  EXPECT_EQ(leftovers(fs::path(at("shop.toml")).parent_path()), std::vector<std::string>());
}

TEST_F(CliProcess, AnInterruptedIngestExits130) {
  {
    std::ofstream log(at("long.csv"));
    log << "user,item\n";
    for (int k = 0; k < 6'000'000; ++k) log << 'u' << k << ",i" << k % 1000 << '\n';
  }
  expect_stopped({"ingest", "--log", at("long.csv"), "--user-column", "user", "--item-column",
                  "item", "--out", at("long.data")},
                 SIGINT, std::chrono::milliseconds(150));
  EXPECT_FALSE(fs::exists(at("long.data/manifest.json")));
}

TEST_F(CliProcess, TwoSignalsAtOnceAreOneRequest) {
  ingest();
  Program program({"train", at("shop.data"), "--out", at("shop.model"), "--quiet", "--set",
                   "train.epochs=100000", "--set", "train.validate_every=0", "--set",
                   "train.checkpoint_every=100000", "--set", "train.batch_size=512", "--set",
                   "model.embedding_dim=16"});
  ASSERT_TRUE(wait_for_file(at("shop.model/metrics.jsonl")));
  program.signal(SIGTERM);  // `timeout` signals the process and its group
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait().exit_code, 130);
  EXPECT_TRUE(fs::exists(at("shop.model/checkpoint.safetensors")));
}

// A matrix product may keep anything in its stack pointer: no thread may have a handler run on its
// stack (pipeline/artifact/interrupt.h).
TEST_F(CliProcess, OneThreadTakesTheSignals) {
  ingest();
  Program program({"train", at("shop.data"), "--out", at("shop.model"), "--quiet", "--threads", "2",
                   "--set", "train.epochs=100000", "--set", "train.validate_every=0"});
  ASSERT_TRUE(wait_for_file(at("shop.model/metrics.jsonl")));
  std::vector<std::string> takers;
  int threads = 0;
  for (const auto& task :
       fs::directory_iterator("/proc/" + std::to_string(program.process()) + "/task")) {
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.compare(0, 7, "SigBlk:") != 0) continue;
      ++threads;
      const std::uint64_t blocked = std::stoull(line.substr(7), nullptr, 16);
      for (const int signal : {SIGINT, SIGTERM, SIGALRM}) {
        if ((blocked >> (signal - 1) & 1U) == 0)
          takers.push_back(task.path().filename().string() + ": " + std::to_string(signal));
      }
    }
  }
  EXPECT_GE(threads, 3) << "two train, one waits for signals";
  EXPECT_EQ(takers.size(), 3U) << "the one that waits, which the kernel shows so: "
                               << ::testing::PrintToString(takers);
  program.signal(SIGINT);
  EXPECT_EQ(program.wait().exit_code, 130);
}

TEST_F(CliProcess, AFileBeyondTheLimitIsAnErrorWithAReason) {
  const ProgramResult result =
      run_penchant({"generate", "--out", at("limited"), "--events", "100000"},
                   {.file_size_limit = 65536, .default_size_signal = true});
  expect_input_error(result, {"events.csv", "cannot write", "File too large"});
  EXPECT_EQ(leftovers(at("limited")), std::vector<std::string>());
}

TEST_F(CliProcess, WantOfAddressSpaceIsExitFour) {
  if (support::address_sanitizer())
    GTEST_SKIP() << "AddressSanitizer takes more address space than there is memory";
  for (const std::int64_t mebibytes : {400}) {  // with less no library is loaded
    const ProgramResult result = run_penchant({"info"}, {.address_space_limit = mebibytes << 20});
    EXPECT_EQ(result.exit_code, 4) << mebibytes << ": " << result.err;
    EXPECT_NE(result.err.find("out of memory"), std::string::npos) << result.err;
  }
  train();
  // Each is too little for something, and where it is enough the verb does its work.
  for (const std::int64_t mebibytes : {512, 560, 600, 640, 700, 800, 1000}) {
    for (const std::vector<std::string>& verb :
         {std::vector<std::string>{"recommend", at("shop.data"), at("shop.model"), "--user", "u1"},
          std::vector<std::string>{"ingest", "--config", at("shop.toml"), "--out",
                                   at("limited.data")}}) {
      const ProgramResult result = run_penchant(verb, {.address_space_limit = mebibytes << 20});
      EXPECT_TRUE(result.exit_code == 0 || result.exit_code == 4)
          << verb[0] << " in " << mebibytes << " MiB: " << result.exit_code << ' ' << result.err;
      if (result.exit_code == 4) {
        EXPECT_NE(result.err.find("memory"), std::string::npos) << result.err;
      }
    }
  }
}

// Who unpacks the program in /tmp/x must not load what others put into /tmp.
TEST_F(CliProcess, ThreadsThatWaitSpinBrieflyUnlessToldOtherwise) {
  const std::vector<std::string> both = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"};
  // libgomp says what it read when it was loaded.
  const ProgramResult plain =
      run_penchant({"--version"}, {.environment = {{"OMP_DISPLAY_ENV", "verbose"}}, .unset = both});
  EXPECT_EQ(plain.exit_code, 0);
  EXPECT_NE(plain.err.find("GOMP_SPINCOUNT = '1000'"), std::string::npos) << plain.err;
  EXPECT_EQ(plain.out.find("penchant "), plain.out.rfind("penchant "));
  const ProgramResult told = run_penchant(
      {"--version"}, {.environment = {{"OMP_DISPLAY_ENV", "verbose"}, {"GOMP_SPINCOUNT", "7"}},
                      .unset = {"OMP_WAIT_POLICY"}});
  EXPECT_NE(told.err.find("GOMP_SPINCOUNT = '7'"), std::string::npos) << told.err;
}

TEST(CliModule, IsNotLookedForInTheFolderAbove) {
  const TemporaryFolder folder;
  const char* chosen = std::getenv("PENCHANT_BINARY_DIR");
  const std::string before = chosen == nullptr ? PENCHANT_BINARY_DIR : chosen;
  for (const char* place : {"x", "bin", "tests"}) {
    fs::create_directory(folder.path() / place);
    fs::copy_file(fs::path(before) / "penchant", folder.path() / place / "penchant");
    write_text(folder.path() / "libpenchant_cuda.so", "not a library");
    setenv("PENCHANT_BINARY_DIR", (folder.path() / place).c_str(), 1);
    const ProgramResult result = run_penchant({"info", "--json"});
    chosen == nullptr ? unsetenv("PENCHANT_BINARY_DIR")
                      : setenv("PENCHANT_BINARY_DIR", before.c_str(), 1);
    EXPECT_NE(result.json()["cuda"].get<std::string>().find("there is no libpenchant_cuda.so"),
              std::string::npos)
        << result.out;
  }
}

}  // namespace
}  // namespace penchant::testing
