// SPDX-License-Identifier: Apache-2.0
// Makes the n-th call of one class fail, or records what is written: preloaded (LD_PRELOAD) by
// faults.py into the program as users have it.
//   PENCHANT_FAULT=CLASS:N:ERRNO:MODE  N = 0: only counts. ERRNO 0 of write: half of the bytes.
//                                      MODE once: that call alone; on: every call from then on.
//   PENCHANT_FAULT_COUNTS=FILE         gets the counts (Report below), whatever end the process takes
//   PENCHANT_FAULT_RECORD=FILE         gets what was written, renamed, flushed (record.h)
//   PENCHANT_FAULT_SERVER=DESCRIPTOR   instead of these: a copy of the process for each line that
//                                      comes, FOLDER \t FAULT \t COUNTS \t OUT \t ERR, which runs
//                                      main() there; answered by its process id and its wait status.
//                                      To load the libraries takes longer than most verbs here.
// Counting begins with main(): what fails while libraries are loaded has harmed nothing, and ends
// in the loader's or the libraries' own words. Writes to a terminal, a pipe or the standard streams
// are not counted; neither is what libc does inside (its stdio, its heap's own mmap).
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/faults/record.h"

extern "C" {
// The heap itself: to look it up would allocate.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace penchant::faults {

namespace {

enum Class : int {
  allocate,
  map,
  thread,
  open_read,
  open_write,
  read_bytes,
  write_bytes,
  rename_file,
  make_folder,
  flush,
  close_file,
  truncate_file,
  num_classes
};
constexpr std::array<const char*, num_classes> kNames = {
    "allocate", "map",    "thread", "open_read", "open_write", "read",
    "write",    "rename", "mkdir",  "flush",     "close",      "truncate"};

constexpr int kMostFrames = 48;

/// The file of PENCHANT_FAULT_COUNTS, read by faults.py.
struct Report {
  std::array<std::atomic<std::uint64_t>, num_classes> counts;
  std::atomic<std::uint64_t> failed;  ///< calls that were made to fail
  std::uint64_t num_frames;           ///< of the first of them
  std::array<char, 16384> frames;     ///< "file+offset\n", the innermost first
};

struct Plan {
  int what = num_classes;
  std::uint64_t at = 0;
  int error = 0;
  bool once = true;
};

Report nowhere;
Report* report = &nowhere;
Plan plan;
std::atomic<bool> armed{false};
/// Of this thread: calls of this library's own, or of main's last steps.
thread_local bool inside [[gnu::tls_model("initial-exec")]] = false;

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

/// Who asked for the call that fails.
void tell_frames() {
  std::array<void*, kMostFrames> frames{};
  const int count = backtrace(frames.data(), kMostFrames);
  std::size_t used = 0;
  for (int i = 0; i < count; ++i) {
    Dl_info info{};
    if (dladdr(frames[static_cast<std::size_t>(i)], &info) == 0 || info.dli_fname == nullptr)
      continue;
    const auto offset =
        static_cast<std::size_t>(static_cast<char*>(frames[static_cast<std::size_t>(i)]) -
                                 static_cast<char*>(info.dli_fbase));
    const int wrote = std::snprintf(report->frames.data() + used, report->frames.size() - used,
                                    "%s+0x%zx\n", info.dli_fname, offset);
    if (wrote < 0 || used + static_cast<std::size_t>(wrote) >= report->frames.size()) break;
    used += static_cast<std::size_t>(wrote);
  }
  report->num_frames = static_cast<std::uint64_t>(count);
}

/// True if this call is to fail; errno is set.
bool fails(Class what) {
  if (!armed.load(std::memory_order_relaxed) || inside) return false;
  const std::uint64_t number = 1 + report->counts[what].fetch_add(1, std::memory_order_relaxed);
  if (plan.what != what || plan.at == 0 || number < plan.at || (plan.once && number > plan.at))
    return false;
  if (report->failed.fetch_add(1, std::memory_order_relaxed) == 0) {
    inside = true;
    tell_frames();
    inside = false;
  }
  errno = plan.error;
  return true;
}

bool is_regular(int descriptor) {
  struct stat status {};
  return descriptor > STDERR_FILENO && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

void read_plan(const char* text) {
  if (text == nullptr) return;
  std::array<char, 16> name{};
  std::array<char, 8> mode{};
  unsigned long long at = 0;
  if (std::sscanf(text, "%15[^:]:%llu:%d:%7s", name.data(), &at, &plan.error, mode.data()) != 4) {
    std::fprintf(stderr, "PENCHANT_FAULT=%s: expected CLASS:N:ERRNO:MODE\n", text);
    _exit(125);
  }
  for (int what = 0; what < num_classes; ++what) {
    if (std::strcmp(kNames[static_cast<std::size_t>(what)], name.data()) == 0) plan.what = what;
  }
  plan.at = at;
  plan.once = std::strcmp(mode.data(), "once") == 0;
}

void open_report(const char* path) {
  if (path == nullptr) return;
  const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, sizeof(Report)) != 0) _exit(125);
  void* const memory = mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) _exit(125);
  report = static_cast<Report*>(memory);
}

using Main = int (*)(int, char**, char**);
Main program_main = nullptr;

/// The descriptor `to` becomes the file, emptied.
void redirect(const char* path, int to) {
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || dup2(file, to) < 0) _exit(125);
  close(file);
}

/// Returns in the copies alone.
void serve_copies(int server) {
  std::array<char, 8192> line{};
  for (;;) {
    std::size_t size = 0;
    while (size == 0 || line[size - 1] != '\n') {
      const ssize_t got = recv(server, line.data() + size, line.size() - 1 - size, 0);
      if (got <= 0) _exit(0);
      size += static_cast<std::size_t>(got);
    }
    line[size - 1] = '\0';
    std::array<const char*, 5> words{};
    char* rest = line.data();
    for (const char*& word : words) word = strsep(&rest, "\t");
    if (words.back() == nullptr) _exit(125);
    const pid_t child = fork();
    if (child == 0) {
      close(server);
      if (chdir(words[0]) != 0) _exit(125);
      read_plan(words[1]);
      open_report(words[2]);
      redirect(words[3], STDOUT_FILENO);
      redirect(words[4], STDERR_FILENO);
      return;
    }
    int status = 0;
    dprintf(server, "%d\n", child);
    if (child < 0 || waitpid(child, &status, 0) != child) _exit(125);
    dprintf(server, "%d\n", status);
  }
}

int watched_main(int count, char** arguments, char** environment) {
  if (const char* server = std::getenv("PENCHANT_FAULT_SERVER")) {
    serve_copies(std::atoi(server));
  } else {
    read_plan(std::getenv("PENCHANT_FAULT"));
    open_report(std::getenv("PENCHANT_FAULT_COUNTS"));
  }
  open_record();
  // The unwinder loads its library the first time it is used.
  std::array<void*, 2> frames{};
  backtrace(frames.data(), 2);
  armed = plan.what != num_classes;
  return program_main(count, arguments, environment);
}

}  // namespace

}  // namespace penchant::faults

using namespace penchant::faults;

// NOLINTBEGIN: the names and types are libc's.
extern "C" {

int __libc_start_main(Main main, int argc, char** argv, void (*init)(), void (*fini)(),
                      void (*rtld_fini)(), void* stack_end) {
  program_main = main;
  using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);
  return next<Start>("__libc_start_main")(watched_main, argc, argv, init, fini, rtld_fini,
                                          stack_end);
}

void* malloc(size_t size) { return fails(allocate) ? nullptr : __libc_malloc(size); }
void* calloc(size_t count, size_t size) {
  return fails(allocate) ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  return size > 0 && fails(allocate) ? nullptr : __libc_realloc(old, size);
}
void* memalign(size_t alignment, size_t size) {
  return fails(allocate) ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  return fails(allocate) ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  if (fails(allocate)) return ENOMEM;
  void* const memory = __libc_memalign(alignment, size);
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}

void* mmap(void* address, size_t size, int protection, int flags, int file, off_t offset) {
  static const auto real = next<decltype(&mmap)>("mmap");
  if (fails(map)) return MAP_FAILED;
  return real(address, size, protection, flags, file, offset);
}
void* mmap64(void* address, size_t size, int protection, int flags, int file, off64_t offset) {
  static const auto real = next<decltype(&mmap64)>("mmap64");
  if (fails(map)) return MAP_FAILED;
  return real(address, size, protection, flags, file, offset);
}

int pthread_create(pthread_t* id, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* with) {
  static const auto real = next<decltype(&pthread_create)>("pthread_create");
  if (fails(thread)) return EAGAIN;
  return real(id, attributes, run, with);
}

#define PENCHANT_OPEN(NAME, PARAMETERS, ARGUMENTS)                                  \
  int NAME PARAMETERS {                                                             \
    using Real = int(*) PARAMETERS;                                                 \
    static const auto real = next<Real>(#NAME);                                     \
    mode_t mode = 0;                                                                \
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                                     \
      va_list more;                                                                 \
      va_start(more, flags);                                                        \
      mode = va_arg(more, mode_t);                                                  \
      va_end(more);                                                                 \
    }                                                                               \
    if (fails((flags & O_ACCMODE) == O_RDONLY ? open_read : open_write)) return -1; \
    const int file = real ARGUMENTS;                                                \
    if (file >= 0) record_open(file, flags);                                        \
    return file;                                                                    \
  }
PENCHANT_OPEN(open, (const char* path, int flags, ...), (path, flags, mode))
PENCHANT_OPEN(open64, (const char* path, int flags, ...), (path, flags, mode))
PENCHANT_OPEN(openat, (int folder, const char* path, int flags, ...), (folder, path, flags, mode))
PENCHANT_OPEN(openat64, (int folder, const char* path, int flags, ...), (folder, path, flags, mode))
#undef PENCHANT_OPEN

FILE* fopen(const char* path, const char* mode) {
  static const auto real = next<decltype(&fopen)>("fopen");
  const bool writes = std::strpbrk(mode, "wa+") != nullptr;
  if (fails(writes ? open_write : open_read)) return nullptr;
  FILE* const file = real(path, mode);
  if (file != nullptr && writes)
    record_open(fileno(file), *mode == 'w' ? O_TRUNC | O_WRONLY : O_WRONLY);
  return file;
}
FILE* fopen64(const char* path, const char* mode) { return fopen(path, mode); }

ssize_t read(int file, void* to, size_t count) {
  static const auto real = next<decltype(&read)>("read");
  if (armed && is_regular(file) && fails(read_bytes)) return -1;
  return real(file, to, count);
}
ssize_t pread(int file, void* to, size_t count, off_t offset) {
  static const auto real = next<decltype(&pread)>("pread");
  if (armed && is_regular(file) && fails(read_bytes)) return -1;
  return real(file, to, count, offset);
}
ssize_t pread64(int file, void* to, size_t count, off64_t offset) {
  return pread(file, to, count, offset);
}

ssize_t write(int file, const void* from, size_t count) {
  static const auto real = next<decltype(&write)>("write");
  if (armed && is_regular(file) && fails(write_bytes)) {
    if (plan.error != 0 || count < 2) return plan.error != 0 ? -1 : real(file, from, count);
    count /= 2;
  }
  const ssize_t put = real(file, from, count);
  // Behind it, since O_APPEND writes at the end wherever the file stood.
  if (recording() && put > 0) record_write(file, from, put, lseek(file, 0, SEEK_CUR) - put);
  return put;
}
ssize_t pwrite(int file, const void* from, size_t count, off_t offset) {
  static const auto real = next<decltype(&pwrite)>("pwrite");
  if (armed && is_regular(file) && fails(write_bytes)) {
    if (plan.error != 0 || count < 2) return plan.error != 0 ? -1 : real(file, from, count, offset);
    count /= 2;
  }
  const ssize_t put = real(file, from, count, offset);
  record_write(file, from, put, offset);
  return put;
}
ssize_t pwrite64(int file, const void* from, size_t count, off64_t offset) {
  return pwrite(file, from, count, offset);
}
ssize_t writev(int file, const iovec* pieces, int count) {
  static const auto real = next<decltype(&writev)>("writev");
  if (armed && is_regular(file) && fails(write_bytes) && plan.error != 0) return -1;
  if (!recording()) return real(file, pieces, count);
  ssize_t sum = 0;
  for (int i = 0; i < count; ++i) {
    const ssize_t put = write(file, pieces[i].iov_base, pieces[i].iov_len);
    if (put < 0) return sum > 0 ? sum : put;
    sum += put;
  }
  return sum;
}

int rename(const char* from, const char* to) {
  static const auto real = next<decltype(&rename)>("rename");
  if (fails(rename_file)) return -1;
  const int status = real(from, to);
  if (status == 0) record_rename(from, to, false);
  return status;
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  static const auto real = next<decltype(&renameat)>("renameat");
  if (fails(rename_file)) return -1;
  const int status = real(from_folder, from, to_folder, to);
  if (status == 0) record_rename(from, to, false);
  return status;
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  static const auto real = next<decltype(&renameat2)>("renameat2");
  if (fails(rename_file)) return -1;
  const int status = real(from_folder, from, to_folder, to, flags);
  if (status == 0) record_rename(from, to, (flags & RENAME_EXCHANGE) != 0);
  return status;
}
int link(const char* from, const char* to) {
  static const auto real = next<decltype(&link)>("link");
  return fails(rename_file) ? -1 : real(from, to);
}
int unlink(const char* path) {
  static const auto real = next<decltype(&unlink)>("unlink");
  const int status = real(path);
  if (status == 0) record_name("unlink", path);
  return status;
}
int rmdir(const char* path) {
  static const auto real = next<decltype(&rmdir)>("rmdir");
  const int status = real(path);
  if (status == 0) record_name("unlink", path);
  return status;
}
int remove(const char* path) {
  static const auto real = next<decltype(&remove)>("remove");
  const int status = real(path);
  if (status == 0) record_name("unlink", path);
  return status;
}
int mkdir(const char* path, mode_t mode) {
  static const auto real = next<decltype(&mkdir)>("mkdir");
  if (fails(make_folder)) return -1;
  const int status = real(path, mode);
  if (status == 0) record_name("mkdir", path);
  return status;
}

int fsync(int file) {
  static const auto real = next<decltype(&fsync)>("fsync");
  if (fails(flush)) return -1;
  record_flush(file);
  return real(file);
}
int fdatasync(int file) {
  static const auto real = next<decltype(&fdatasync)>("fdatasync");
  if (fails(flush)) return -1;
  record_flush(file);
  return real(file);
}
int close(int file) {
  static const auto real = next<decltype(&close)>("close");
  const bool counts = armed && is_regular(file);
  const int status = real(file);
  if (counts && fails(close_file)) return -1;  // it is closed nevertheless, as close(2) says
  return status;
}
int ftruncate(int file, off_t size) {
  static const auto real = next<decltype(&ftruncate)>("ftruncate");
  if (armed && fails(truncate_file)) return -1;
  const int status = real(file, size);
  if (status == 0) record_size(file, size);
  return status;
}
int ftruncate64(int file, off64_t size) { return ftruncate(file, size); }

}  // extern "C"
// NOLINTEND
