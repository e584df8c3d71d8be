// SPDX-License-Identifier: Apache-2.0
// The one way in which files are opened. What is read is a regular file (a pipe would wait for
// ever, a device never end). What is written grows under a temporary name that nobody else has
// (O_EXCL, never through a symbolic link), is flushed and takes its place by a rename, so that it
// is either whole or absent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "graph/leftovers.h"

namespace penchant::graph {

/// Owner of a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      value_ = std::exchange(other.value_, -1);
    }
    return *this;
  }
  int get() const { return value_; }
  bool valid() const { return value_ >= 0; }
  int release() { return std::exchange(value_, -1); }
  void reset();

 private:
  int value_;
};

/// Opens for reading. Throws InputError: not there, not permitted, not a regular file (it says what
/// it is). Never waits.
Descriptor open_regular(const std::filesystem::path& path);

/// A regular file that is read from its start on.
class InputFile {
 public:
  explicit InputFile(std::filesystem::path path);
  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }  ///< when it was opened
  /// Up to `count` bytes; 0 at the end.
  std::size_t read_some(char* to, std::size_t count);
  /// As many of `count` bytes as there are.
  std::size_t read(char* to, std::size_t count);

 private:
  std::filesystem::path path_;
  Descriptor descriptor_;
  std::uint64_t size_ = 0;
};

/// The whole of a regular file. Throws InputError if it is larger than `most_bytes`.
std::string read_file(const std::filesystem::path& path,
                      std::uint64_t most_bytes = std::uint64_t{1} << 30);

/// How sure a new file must be before it takes its place.
enum class Flush { yes, no };

/// A file that is being written. Destroyed before commit() it leaves nothing.
class NewFile {
 public:
  /// Throws InputError naming `path` and the system's reason. What is at `path` already must be a
  /// regular file (or a link to one, which will be replaced, not followed).
  explicit NewFile(std::filesystem::path path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  std::ostream& stream();
  /// For who writes by other means.
  int descriptor() const { return descriptor_.get(); }
  const std::filesystem::path& temporary_path() const { return temporary_; }
  /// Flushes (to the disk too, unless told not to) and renames. Throws InputError: disk full, ...
  void commit(Flush flush = Flush::yes);

 private:
  class Buffer;
  std::filesystem::path path_, temporary_;
  std::unique_ptr<RemovedOnInterrupt> removed_;
  Descriptor descriptor_;
  std::unique_ptr<Buffer> buffer_;
  std::unique_ptr<std::ostream> stream_;
};

/// Letters and digits that no one can guess.
std::string random_name();

/// fsync of a folder, so that a rename in it outlives a power cut. Where the file system cannot do
/// that, nothing happens.
void flush_folder(const std::filesystem::path& folder);

}  // namespace penchant::graph
