// SPDX-License-Identifier: Apache-2.0
#include "graph/npy.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <ostream>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/files.h"

namespace penchant::graph {

namespace {

static_assert(std::endian::native == std::endian::little,
              "npy columns are written as they lie in memory");

constexpr std::string_view kMagic{"\x93NUMPY\x01\x00", 8};
constexpr std::size_t kAlignment = 64;

template <typename T>
struct NpyType;
template <>
struct NpyType<std::int8_t> {
  static constexpr std::string_view kDescr = "|i1";
};
template <>
struct NpyType<std::uint16_t> {
  static constexpr std::string_view kDescr = "<f2";  // IEEE half precision, as bits
};
template <>
struct NpyType<std::int32_t> {
  static constexpr std::string_view kDescr = "<i4";
};
template <>
struct NpyType<std::int64_t> {
  static constexpr std::string_view kDescr = "<i8";
};
template <>
struct NpyType<float> {
  static constexpr std::string_view kDescr = "<f4";
};

/// The text between `key` and the next delimiter of the header dictionary.
std::string header_field(const std::string& header, std::string_view key, char open, char close,
                         const std::filesystem::path& path) {
  const auto key_place = header.find(key);
  const auto first =
      key_place == std::string::npos ? key_place : header.find(open, key_place + key.size());
  const auto last = first == std::string::npos ? first : header.find(close, first + 1);
  if (last == std::string::npos)
    throw InputError(fmt::format("{}: damaged .npy header", path.string()));
  return header.substr(first + 1, last - first - 1);
}

}  // namespace

std::string npy_header(std::string_view descr, std::span<const std::int64_t> shape) {
  std::string extents;
  for (const std::int64_t extent : shape) extents += fmt::format("{},", extent);
  if (shape.size() > 1) extents.pop_back();
  std::string dictionary =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, extents);
  const std::size_t unpadded = kMagic.size() + 2 + dictionary.size() + 1;
  dictionary.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  dictionary += '\n';
  std::string header(kMagic);
  header += static_cast<char>(dictionary.size() & 0xFF);
  header += static_cast<char>(dictionary.size() >> 8);
  return header + dictionary;
}

template <typename T>
void write_npy(std::ostream& out, std::span<const T> values, std::span<const std::int64_t> shape) {
  const std::string header = npy_header(NpyType<T>::kDescr, shape);
  out.write(header.data(), static_cast<std::streamsize>(header.size()));
  out.write(reinterpret_cast<const char*>(values.data()),
            static_cast<std::streamsize>(values.size_bytes()));
}

template <typename T>
std::vector<T> read_npy(const std::filesystem::path& path) {
  InputFile file(path);
  std::array<char, 10> start{};
  if (file.read(start.data(), start.size()) != start.size() ||
      std::string_view(start.data(), kMagic.size()) != kMagic) {
    throw InputError(fmt::format("{}: not a .npy file of version 1.0", path.string()));
  }
  const auto header_size = static_cast<std::size_t>(static_cast<unsigned char>(start[8])) |
                           static_cast<std::size_t>(static_cast<unsigned char>(start[9])) << 8;
  std::string header(header_size, '\0');
  if (file.read(header.data(), header_size) != header_size)
    throw InputError(fmt::format("{}: the .npy header is cut off", path.string()));
  const std::string descr = header_field(header, "'descr':", '\'', '\'', path);
  if (descr != NpyType<T>::kDescr) {
    throw InputError(fmt::format("{}: element type '{}', expected '{}'", path.string(), descr,
                                 NpyType<T>::kDescr));
  }
  const std::string shape = header_field(header, "'shape':", '(', ')', path);
  const auto comma = shape.find(',');
  if (comma == std::string::npos || shape.find_first_not_of(" ,", comma) != std::string::npos) {
    throw InputError(fmt::format("{}: shape ({}), expected one dimension", path.string(), shape));
  }
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(shape.data(), shape.data() + comma, count);
  if (error != std::errc() || end != shape.data() + comma) {
    throw InputError(fmt::format("{}: damaged .npy header: shape ({})", path.string(), shape));
  }
  // The file's length is looked at before the header's promise takes memory.
  const std::uint64_t bytes = file.size() - start.size() - header_size;
  if (bytes / sizeof(T) < count) {
    throw InputError(fmt::format("{}: cut off: {} of {} elements are there", path.string(),
                                 bytes / sizeof(T), count));
  }
  if (bytes > count * sizeof(T)) {
    throw InputError(fmt::format("{}: {} bytes more than its {} elements", path.string(),
                                 bytes - count * sizeof(T), count));
  }
  std::vector<T> values(count);
  if (file.read(reinterpret_cast<char*>(values.data()), bytes) != bytes)
    throw InputError(fmt::format("{}: cannot be read to its end", path.string()));
  return values;
}

template void write_npy(std::ostream&, std::span<const std::int8_t>, std::span<const std::int64_t>);
template void write_npy(std::ostream&, std::span<const std::uint16_t>,
                        std::span<const std::int64_t>);
template void write_npy(std::ostream&, std::span<const std::int32_t>,
                        std::span<const std::int64_t>);
template void write_npy(std::ostream&, std::span<const std::int64_t>,
                        std::span<const std::int64_t>);
template void write_npy(std::ostream&, std::span<const float>, std::span<const std::int64_t>);
template std::vector<std::int8_t> read_npy(const std::filesystem::path&);
template std::vector<std::int32_t> read_npy(const std::filesystem::path&);
template std::vector<std::int64_t> read_npy(const std::filesystem::path&);
template std::vector<float> read_npy(const std::filesystem::path&);

}  // namespace penchant::graph
