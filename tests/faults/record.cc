// SPDX-License-Identifier: Apache-2.0
#include "tests/faults/record.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace penchant::faults {

namespace {

int record = -1;
std::mutex order;

/// Past the functions of this library.
void put(const void* bytes, std::size_t count) {
  const auto* from = static_cast<const char*>(bytes);
  while (count > 0) {
    const long done = syscall(SYS_write, record, from, count);
    if (done <= 0) _exit(125);
    from += done;
    count -= static_cast<std::size_t>(done);
  }
}

[[gnu::format(printf, 1, 2)]] void say(const char* format, ...) {
  std::array<char, 3 * PATH_MAX> line{};
  va_list values;
  va_start(values, format);
  const int count = std::vsnprintf(line.data(), line.size(), format, values);
  va_end(values);
  put(line.data(), static_cast<std::size_t>(count));
}

/// Inode number of a regular file or folder; 0: something else.
unsigned long node_of(int file) {
  struct stat status {};
  if (file <= STDERR_FILENO || file == record || fstat(file, &status) != 0) return 0;
  return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? status.st_ino : 0;
}

struct Path {
  std::array<char, PATH_MAX> text{};
  const char* c_str() const { return text.data(); }
};

/// Absolute; no link is followed.
Path absolute(const char* path) {
  Path result;
  if (*path == '/') {
    std::snprintf(result.text.data(), result.text.size(), "%s", path);
  } else {
    std::array<char, PATH_MAX> here{};
    if (getcwd(here.data(), here.size()) == nullptr) _exit(125);
    std::snprintf(result.text.data(), result.text.size(), "%.2000s/%.2000s", here.data(), path);
  }
  return result;
}

Path path_of(int file) {
  Path result;
  std::array<char, 64> link{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", file);
  if (readlink(link.data(), result.text.data(), result.text.size() - 1) < 0) _exit(125);
  return result;
}

/// errno stays what the call left.
class Turn {
 public:
  Turn() : lock_(order), error_(errno) {}
  ~Turn() { errno = error_; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::lock_guard<std::mutex> lock_;
  int error_;
};

}  // namespace

void open_record() {
  const char* path = std::getenv("PENCHANT_FAULT_RECORD");
  if (path == nullptr) return;
  record = static_cast<int>(
      syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (record < 0) _exit(125);
}

bool recording() { return record >= 0; }

void record_open(int file, int flags) {
  if (!recording() || (flags & O_ACCMODE) == O_RDONLY) return;
  const Turn turn;
  const unsigned long node = node_of(file);
  if (node != 0)
    say("%s %lu %s\n", (flags & O_TRUNC) != 0 ? "trunc" : "open", node, path_of(file).c_str());
}

void record_write(int file, const void* from, ssize_t count, off_t offset) {
  if (!recording() || count <= 0) return;
  const Turn turn;
  const unsigned long node = node_of(file);
  if (node == 0) return;
  say("write %lu %lld %zd\n", node, static_cast<long long>(offset), count);
  put(from, static_cast<std::size_t>(count));
}

void record_size(int file, off_t size) {
  if (!recording()) return;
  const Turn turn;
  say("size %lu %lld\n", node_of(file), static_cast<long long>(size));
}

void record_flush(int file) {
  if (!recording()) return;
  const Turn turn;
  const unsigned long node = node_of(file);
  if (node != 0) say("flush %lu %s\n", node, path_of(file).c_str());
}

void record_rename(const char* from, const char* to, bool exchange) {
  if (!recording()) return;
  const Turn turn;
  say("%s %s\t%s\n", exchange ? "exchange" : "rename", absolute(from).c_str(),
      absolute(to).c_str());
}

void record_name(const char* what, const char* path) {
  if (!recording()) return;
  const Turn turn;
  say("%s %s\n", what, absolute(path).c_str());
}

}  // namespace penchant::faults
