// SPDX-License-Identifier: Apache-2.0
// Runs the real `penchant` as a child process: what a user sees at a prompt, and nothing else.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/pipeline/support/folder.h"

namespace penchant::testing {

struct ProgramOptions {
  std::filesystem::path program = "penchant";  ///< in the folder of the build
  std::filesystem::path standard_output = {};  ///< empty: captured
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::vector<std::string> unset = {};   ///< names of variables that it does not have
  std::int64_t file_size_limit = 0;      ///< bytes a file may grow to (RLIMIT_FSIZE); 0: no limit
  bool default_size_signal = false;      ///< with that limit: SIGXFSZ is not ignored for the child
  std::int64_t address_space_limit = 0;  ///< bytes (RLIMIT_AS); 0: no limit
  std::vector<int> closed = {};          ///< descriptors that are not open when it starts
  bool obey_permissions =
      false;  ///< also as root: the child gives up the right to ignore file permissions
};

struct ProgramResult {
  int exit_code = -1;  ///< 128 + signal if it was killed by one
  std::string out, err;

  /// stdout parsed as JSON; a failure of the test if it is not.
  nlohmann::json json() const;
};

/// A running program. The destructor kills it.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments, const ProgramOptions& options = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  void signal(int number) const;
  pid_t process() const { return process_; }
  ProgramResult wait();

 private:
  TemporaryFolder folder_;
  pid_t process_;
};

ProgramResult run_penchant(const std::vector<std::string>& arguments,
                           const ProgramOptions& options = {});

/// `penchant train DATA` or `penchant run CONFIG` with `settings`, interrupted after so many steps
/// of training: stopped_training.cc. True if it was.
bool stop_training(int steps, const std::vector<std::string>& verb,
                   const std::vector<std::string>& settings);

/// Waits until `path` exists; false after 60 s.
bool wait_for_file(const std::filesystem::path& path);

/// Exit code 2, nothing on stdout, and every one of `words` in the message.
void expect_input_error(const ProgramResult& result, const std::vector<std::string>& words);

/// The project's root.
std::filesystem::path source_folder();

/// The folder of real data, or empty.
std::filesystem::path real_data();

/// A folder with a generated shop (300 users, 150 items, 6,000 events) and the paths of its
/// artefacts.
class ShopTest : public ::testing::Test {
 protected:
  void SetUp() override;
  /// Runs the stages up to a trained model (two epochs).
  void ingest();
  void train();
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }

  TemporaryFolder folder_;
};

}  // namespace penchant::testing
