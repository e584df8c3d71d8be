// SPDX-License-Identifier: Apache-2.0
#include "graph/files.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <streambuf>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::graph {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} << 10;
/// Larger pieces are written from where they are.
constexpr std::streamsize kMostCopied = 64 << 10;
/// File systems take names of 255 bytes; the suffix needs some of them.
constexpr std::size_t kMostNameBytes = 200;

InputError failure(const fs::path& path, const char* what, int reason) {
  return InputError(fmt::format("{}: {}: {}", path.string(), what, std::strerror(reason)));
}

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  if (S_ISSOCK(mode)) return "a socket";
  return "no regular file";
}

}  // namespace

void Descriptor::reset() {
  if (value_ >= 0) close(value_);
  value_ = -1;
}

Descriptor open_regular(const fs::path& path) {
  // Without O_NONBLOCK to open a pipe would wait for its writer.
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) throw failure(path, "cannot open the file", errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) throw failure(path, "cannot open the file", errno);
  if (!S_ISREG(status.st_mode)) {
    throw InputError(
        fmt::format("{}: is {}, expected a regular file", path.string(), kind_of(status.st_mode)));
  }
  return file;
}

InputFile::InputFile(fs::path path) : path_(std::move(path)), descriptor_(open_regular(path_)) {
  struct stat status {};
  if (fstat(descriptor_.get(), &status) != 0) throw failure(path_, "cannot open the file", errno);
  size_ = static_cast<std::uint64_t>(status.st_size);
}

std::size_t InputFile::read_some(char* to, std::size_t count) {
  for (;;) {
    const ssize_t got = ::read(descriptor_.get(), to, std::min(count, std::size_t{1} << 30));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw failure(path_, "read error", errno);
  }
}

std::size_t InputFile::read(char* to, std::size_t count) {
  std::size_t done = 0;
  while (done < count) {
    const std::size_t got = read_some(to + done, count - done);
    if (got == 0) break;
    done += got;
  }
  return done;
}

std::string read_file(const fs::path& path, std::uint64_t most_bytes) {
  InputFile file(path);
  if (file.size() > most_bytes) {
    throw InputError(
        fmt::format("{}: {} bytes, expected at most {}", path.string(), file.size(), most_bytes));
  }
  std::string text(file.size(), '\0');
  text.resize(file.read(text.data(), text.size()));
  return text;
}

std::string random_name() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<unsigned char, 12> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw InputError(fmt::format("no random numbers for a name: {}", std::strerror(errno)));
  std::string name;
  for (const unsigned char byte : bytes) name += kLetters[byte % kLetters.size()];
  return name;
}

void flush_folder(const fs::path& folder) {
  const Descriptor opened(
      open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.valid()) fsync(opened.get());
}

/// Writes to a descriptor; throws when that fails, so that nobody computes on for a full disk.
class NewFile::Buffer : public std::streambuf {
 public:
  Buffer(const fs::path& path, int descriptor)
      : path_(path), descriptor_(descriptor), bytes_(kBufferBytes) {
    setp(bytes_.data(), bytes_.data() + bytes_.size());
  }

 protected:
  int_type overflow(int_type byte) override {
    drain();
    if (!traits_type::eq_int_type(byte, traits_type::eof())) sputc(traits_type::to_char_type(byte));
    return traits_type::not_eof(byte);
  }
  std::streamsize xsputn(const char* from, std::streamsize count) override {
    if (count == 0) return 0;  // memcpy takes no null pointer, even for no bytes
    if (count <= kMostCopied && count <= epptr() - pptr()) {
      std::memcpy(pptr(), from, static_cast<std::size_t>(count));
      pbump(static_cast<int>(count));
      return count;
    }
    drain();
    write_all(from, static_cast<std::size_t>(count));
    return count;
  }
  int sync() override {
    drain();
    return 0;
  }

 private:
  void drain() {
    const auto count = static_cast<std::size_t>(pptr() - pbase());
    setp(bytes_.data(), bytes_.data() + bytes_.size());
    write_all(bytes_.data(), count);
  }
  void write_all(const char* from, std::size_t count) {
    while (count > 0) {
      const ssize_t put = write(descriptor_, from, std::min(count, std::size_t{1} << 30));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) throw failure(path_, "cannot write", errno);
      from += put;
      count -= static_cast<std::size_t>(put);
    }
  }

  const fs::path& path_;
  int descriptor_;
  std::vector<char> bytes_;
};

NewFile::NewFile(fs::path path) : path_(std::move(path)) {
  struct stat status {};
  if (stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw InputError(fmt::format("{}: cannot write: it is {}, expected a regular file or nothing",
                                 path_.string(), kind_of(status.st_mode)));
  }
  const std::string name = path_.filename().string().substr(0, kMostNameBytes);
  temporary_ = path_.parent_path() / fmt::format("{}.{}.partial", name, random_name());
  removed_ = std::make_unique<RemovedOnInterrupt>(temporary_);
  descriptor_ = Descriptor(
      open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!descriptor_.valid()) {
    const int reason = errno;
    temporary_.clear();
    throw failure(path_, "cannot write", reason);
  }
}

NewFile::~NewFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

std::ostream& NewFile::stream() {
  if (stream_ == nullptr) {
    buffer_ = std::make_unique<Buffer>(path_, descriptor_.get());
    stream_ = std::make_unique<std::ostream>(buffer_.get());
    stream_->exceptions(std::ios::badbit);  // what the buffer threw passes through
  }
  return *stream_;
}

void NewFile::commit(Flush flush) {
  if (stream_ != nullptr) {
    stream_->flush();
    if (!*stream_) throw InputError(fmt::format("{}: cannot write", path_.string()));
  }
  if (flush == Flush::yes && fsync(descriptor_.get()) != 0)
    throw failure(path_, "cannot flush to disk", errno);
  // Some file systems tell only when a file is closed that they could not write.
  if (close(descriptor_.release()) != 0) throw failure(path_, "cannot write", errno);
  if (rename(temporary_.c_str(), path_.c_str()) != 0)
    throw failure(path_, "cannot rename the finished file into place", errno);
  temporary_.clear();
  if (flush == Flush::yes) flush_folder(path_.parent_path());
}

}  // namespace penchant::graph
