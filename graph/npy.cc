// SPDX-License-Identifier: Apache-2.0
#include "graph/npy.h"

#include <bit>
#include <charconv>
#include <ostream>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/files.h"
#include "graph/ids.h"

namespace penchant::graph {

namespace {

static_assert(std::endian::native == std::endian::little,
              "npy columns are written as they lie in memory");

constexpr std::string_view kMagic{"\x93NUMPY\x01\x00", 8};
constexpr std::size_t kStart = 10;  ///< bytes in front of the header's dictionary
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

template <>
struct NpyType<double> {
  static constexpr std::string_view kDescr = "<f8";
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

/// What a header says.
struct Header {
  std::size_t size;                    ///< of the file's bytes in front of the elements
  std::string shape;                   ///< its text
  std::vector<std::uint64_t> extents;  ///< one or two
  std::uint64_t count = 1;             ///< their product
};

/// `bytes` of the file's start; a header of version 1.0 is shorter than kMostHeader.
Header parse_header(std::string_view bytes, std::string_view descr,
                    const std::filesystem::path& path) {
  if (bytes.size() < kStart || bytes.substr(0, kMagic.size()) != kMagic)
    throw InputError(fmt::format("{}: not a .npy file of version 1.0", path.string()));
  const auto byte = [&](std::size_t k) {
    return std::size_t{static_cast<unsigned char>(bytes[k])};
  };
  Header header;
  header.size = kStart + (byte(8) | byte(9) << 8);
  if (bytes.size() < header.size)
    throw InputError(fmt::format("{}: the .npy header is cut off", path.string()));
  const std::string text(bytes.substr(kStart, header.size - kStart));
  const std::string found = header_field(text, "'descr':", '\'', '\'', path);
  if (found != descr) {
    throw InputError(
        fmt::format("{}: element type '{}', expected '{}'", path.string(), found, descr));
  }
  header.shape = header_field(text, "'shape':", '(', ')', path);
  const auto damaged = [&] {
    return InputError(
        fmt::format("{}: damaged .npy header: shape ({})", path.string(), header.shape));
  };
  const char* place = header.shape.data();
  const char* const end = place + header.shape.size();
  while (place != end) {
    std::uint64_t extent = 0;
    const auto [next, error] = std::from_chars(place, end, extent);
    if (error != std::errc() || (next == end && header.extents.empty()) ||
        (next != end && *next != ',') ||
        __builtin_mul_overflow(header.count, extent, &header.count))
      throw damaged();
    header.extents.push_back(extent);
    place = next;
    while (place != end && (*place == ',' || *place == ' ')) ++place;
  }
  const bool fortran = text.find("'fortran_order': False") == std::string::npos;
  if (header.extents.empty() || (header.extents.size() > 1 && fortran)) throw damaged();
  return header;
}

/// `bytes` behind the header are those of its elements, of `element` bytes each.
void check_length(const Header& header, std::uint64_t bytes, std::uint64_t element,
                  const std::filesystem::path& path) {
  if (bytes / element < header.count) {
    throw InputError(fmt::format("{}: cut off: {} of {} elements are there", path.string(),
                                 bytes / element, header.count));
  }
  if (bytes > header.count * element) {
    throw InputError(fmt::format("{}: {} bytes more than its {} elements", path.string(),
                                 bytes - header.count * element, header.count));
  }
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
  std::string start(kStart, '\0');
  start.resize(file.read(start.data(), kStart));
  if (start.size() == kStart) {
    const std::size_t more = std::size_t{static_cast<unsigned char>(start[8])} |
                             std::size_t{static_cast<unsigned char>(start[9])} << 8;
    start.resize(kStart + more);
    start.resize(kStart + file.read(start.data() + kStart, more));
  }
  const Header header = parse_header(start, NpyType<T>::kDescr, path);
  if (header.extents.size() != 1) {
    throw InputError(
        fmt::format("{}: shape ({}), expected one dimension", path.string(), header.shape));
  }
  // The file's length is looked at before the header's promise takes memory.
  const std::uint64_t bytes = file.size() - header.size;
  check_length(header, bytes, sizeof(T), path);
  std::vector<T> values(header.count);
  if (file.read(reinterpret_cast<char*>(values.data()), bytes) != bytes)
    throw InputError(fmt::format("{}: cannot be read to its end", path.string()));
  return values;
}

template <typename T>
MappedNpy<T>::MappedNpy(const std::filesystem::path& path) : file_(path) {
  const std::string_view bytes = file_.bytes();
  const Header header = parse_header(bytes, NpyType<T>::kDescr, path);
  if (header.extents.size() > 2) {
    throw InputError(
        fmt::format("{}: shape ({}), expected one or two dimensions", path.string(), header.shape));
  }
  check_length(header, bytes.size() - header.size, sizeof(T), path);
  rows_ = checked_cast<std::int64_t>(header.extents[0]);
  cols_ = header.extents.size() > 1 ? checked_cast<std::int64_t>(header.extents[1]) : 1;
  values_ = {reinterpret_cast<const T*>(bytes.data() + header.size), header.count};
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

template class MappedNpy<NodeId>;
template class MappedNpy<std::int64_t>;
template class MappedNpy<float>;
template class MappedNpy<double>;
template class MappedNpy<std::uint16_t>;

}  // namespace penchant::graph
