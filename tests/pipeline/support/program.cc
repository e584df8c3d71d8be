// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/support/program.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include <linux/capability.h>

namespace penchant::testing {

namespace fs = std::filesystem;

namespace {

/// The environment variable, or where the build system says it is.
fs::path folder_of(const char* variable, const char* otherwise) {
  const char* chosen = std::getenv(variable);
  return chosen == nullptr ? otherwise : chosen;
}

[[noreturn]] void become(const fs::path& program, const std::vector<std::string>& arguments,
                         const ProgramOptions& options, const fs::path& out, const fs::path& err) {
  const auto redirect = [](const fs::path& path, int to) {
    const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (descriptor < 0 || dup2(descriptor, to) < 0) _exit(126);
  };
  redirect(options.standard_output.empty() ? out : options.standard_output, STDOUT_FILENO);
  redirect(err, STDERR_FILENO);
  setenv("OMP_WAIT_POLICY", "passive", 0);  // spinning threads of two tests would starve each other
  for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
  for (const std::string& name : options.unset) unsetenv(name.c_str());
  if (options.obey_permissions && geteuid() == 0) {
    prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0);
    prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0);
  }
  if (options.file_size_limit > 0) {
    if (!options.default_size_signal)
      std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the limit then fails with EFBIG, as one on a
                                      // full disk does with ENOSPC
    const rlimit limit{static_cast<rlim_t>(options.file_size_limit),
                       static_cast<rlim_t>(options.file_size_limit)};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (options.address_space_limit > 0) {
    const rlimit limit{static_cast<rlim_t>(options.address_space_limit),
                       static_cast<rlim_t>(options.address_space_limit)};
    setrlimit(RLIMIT_AS, &limit);
  }
  for (const int descriptor : options.closed) close(descriptor);
  std::vector<char*> words = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  execv(program.c_str(), words.data());
  _exit(127);
}

}  // namespace

nlohmann::json ProgramResult::json() const {
  nlohmann::json parsed = nlohmann::json::parse(out, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << "stdout is not JSON:\n" << out << "\nstderr:\n" << err;
  return parsed;
}

Program::Program(const std::vector<std::string>& arguments, const ProgramOptions& options) {
  const fs::path program = folder_of("PENCHANT_BINARY_DIR", PENCHANT_BINARY_DIR) / options.program;
  if (!fs::exists(program)) throw std::runtime_error(program.string() + " is not built");
  process_ = fork();
  if (process_ < 0) throw std::runtime_error("cannot fork");
  if (process_ == 0)
    become(program, arguments, options, folder_.path() / "out", folder_.path() / "err");
}

Program::~Program() {
  if (process_ <= 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

void Program::signal(int number) const { kill(process_, number); }

ProgramResult Program::wait() {
  int status = 0;
  waitpid(process_, &status, 0);
  process_ = 0;
  ProgramResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (fs::exists(folder_.path() / "out")) result.out = read_text(folder_.path() / "out");
  if (fs::exists(folder_.path() / "err")) result.err = read_text(folder_.path() / "err");
  return result;
}

ProgramResult run_penchant(const std::vector<std::string>& arguments,
                           const ProgramOptions& options) {
  return Program(arguments, options).wait();
}

bool stop_training(int steps, const std::vector<std::string>& verb,
                   const std::vector<std::string>& settings) {
  std::vector<std::string> arguments = {std::to_string(steps)};
  arguments.insert(arguments.end(), verb.begin(), verb.end());
  arguments.insert(arguments.end(), settings.begin(), settings.end());
  return run_penchant(arguments, {.program = "tests/stopped_training"}).exit_code == 130;
}

bool wait_for_file(const fs::path& path) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!fs::exists(path)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void expect_input_error(const ProgramResult& result, const std::vector<std::string>& words) {
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err, "");
  for (const std::string& word : words)
    EXPECT_NE(result.err.find(word), std::string::npos) << "no '" << word << "' in: " << result.err;
}

fs::path source_folder() { return folder_of("PENCHANT_SOURCE_DIR", PENCHANT_SOURCE_DIR); }

fs::path real_data() {
  if (const char* chosen = std::getenv("PENCHANT_DATA")) return chosen;
  const fs::path beside = source_folder() / ".." / "shared" / "data";
  return fs::is_directory(beside) ? beside.lexically_normal() : fs::path();
}

void ShopTest::SetUp() {
  const ProgramResult result =
      run_penchant({"generate", "--out", folder_.path().string(), "--users", "300", "--items",
                    "150", "--events", "6000", "--seed", "7", "--quiet"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
}

void ShopTest::ingest() {
  const ProgramResult result = run_penchant({"ingest", "--config", at("shop.toml"), "--quiet"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
}

void ShopTest::train() {
  ASSERT_NO_FATAL_FAILURE(ingest());
  const ProgramResult result =
      run_penchant({"train", at("shop.data"), "--out", at("shop.model"), "--quiet", "--set",
                    "train.epochs=2", "--set", "train.batch_size=512", "--set",
                    "model.embedding_dim=16", "--set", "train.calibrate_popularity=false"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
}

}  // namespace penchant::testing
