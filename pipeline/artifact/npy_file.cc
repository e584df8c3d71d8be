// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/npy_file.h"

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <span>
#include <streambuf>

#include "graph/files.h"
#include "graph/npy.h"
#include "pipeline/artifact/manifest.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

/// Hashes what it passes on.
class HashingBuffer : public std::streambuf {
 public:
  explicit HashingBuffer(std::streambuf& to) : to_(to) {}
  const Hasher& hasher() const { return hasher_; }

 protected:
  std::streamsize xsputn(const char* bytes, std::streamsize count) override {
    // In pieces, so that the second of the two passes finds them in the cache.
    constexpr std::streamsize kPiece = 256 << 10;
    for (std::streamsize first = 0; first < count; first += kPiece) {
      const std::streamsize size = std::min(kPiece, count - first);
      hasher_.update({bytes + first, static_cast<std::size_t>(size)});
      const std::streamsize written = to_.sputn(bytes + first, size);
      if (written != size) return first + written;
    }
    return count;
  }
  int_type overflow(int_type byte) override {
    const char c = traits_type::to_char_type(byte);
    return xsputn(&c, 1) == 1 ? byte : traits_type::eof();
  }

 private:
  std::streambuf& to_;
  Hasher hasher_;
};

template <typename T>
void write(std::ostream& out, const std::vector<T>& values) {
  const auto size = static_cast<std::int64_t>(values.size());
  graph::write_npy<T>(out, values, std::span(&size, 1));
}

}  // namespace

template <typename T>
void write_npy_file(const fs::path& path, const std::vector<T>& values) {
  write_file_atomically(path, [&](std::ostream& out) { write(out, values); });
}

template <typename T>
std::string write_hashed_npy_file(const fs::path& path, const std::vector<T>& values) {
  graph::NewFile file(path);
  HashingBuffer hashing(*file.stream().rdbuf());
  std::ostream out(&hashing);
  out.exceptions(std::ios::badbit);  // what the file threw passes through
  write(out, values);
  file.commit(graph::Flush::no);  // the log can be read again
  return hashing.hasher().digest();
}

template void write_npy_file(const fs::path&, const std::vector<std::int32_t>&);
template void write_npy_file(const fs::path&, const std::vector<std::int64_t>&);
template void write_npy_file(const fs::path&, const std::vector<float>&);
template std::string write_hashed_npy_file(const fs::path&, const std::vector<std::int8_t>&);
template std::string write_hashed_npy_file(const fs::path&, const std::vector<std::int32_t>&);
template std::string write_hashed_npy_file(const fs::path&, const std::vector<std::int64_t>&);
template std::string write_hashed_npy_file(const fs::path&, const std::vector<float>&);

}  // namespace penchant::pipeline
