// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzzed_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "graph/files.h"

namespace penchant::fuzz {

namespace fs = std::filesystem;

namespace {

class WorkFolder {
 public:
  WorkFolder() {
    const fs::path place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : fs::temp_directory_path();
    path_ = place / ("penchant_fuzz_" + graph::random_name());
    fs::create_directories(path_);
  }
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

const fs::path& work_folder() {
  static const WorkFolder folder;
  return folder.path();
}

fs::path put_file(std::string_view name, std::string_view bytes) {
  fs::path path = work_folder() / name;
  const graph::Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid() ||
      write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    throw std::runtime_error(path.string() + ": cannot write");
  return path;
}

}  // namespace penchant::fuzz
