// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/text_lines.h"

#include <algorithm>
#include <array>
#include <string>

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/util/compression.h>
#include <fmt/core.h>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/tables/arrow_status.h"
#include "pipeline/tables/dialect.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;

/// The first bytes of a file, as they lie on the disk.
std::string first_bytes(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) throw InputError(fmt::format("{}: no such file", path.string()));
  if (fs::is_directory(path, error))
    throw InputError(fmt::format("{}: is a directory, expected a file", path.string()));
  std::string start(4, '\0');
  graph::InputFile file(path);  // a pipe would wait, a device never end
  start.resize(file.read(start.data(), start.size()));
  return start;
}

arrow::Compression::type packing_of(std::string_view start) {
  if (start.starts_with("\x1f\x8b")) return arrow::Compression::GZIP;
  if (start.starts_with("\x28\xb5\x2f\xfd")) return arrow::Compression::ZSTD;
  return arrow::Compression::UNCOMPRESSED;
}

/// What a file is that starts like this and is no text; null: nothing is known against it.
const char* other_kind(std::string_view start) {
  if (start.starts_with("PAR1")) return "Parquet";
  if (start.starts_with("PK\x03\x04")) return "zip";
  if (start.starts_with("BZh")) return "bzip2";
  if (start.starts_with("\xFD"
                        "7zX"))
    return "xz";
  if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF")) return "UTF-16";
  return nullptr;
}

std::shared_ptr<arrow::io::InputStream> open_unpacked(const fs::path& path,
                                                      arrow::Compression::type packing) {
  const auto file = take(arrow::io::ReadableFile::Open(path.string()), path);
  if (packing == arrow::Compression::UNCOMPRESSED) return file;
  // The stream keeps a pointer to its codec: both live in one owner.
  std::shared_ptr<arrow::util::Codec> codec = take(arrow::util::Codec::Create(packing), path);
  auto stream = take(arrow::io::CompressedInputStream::Make(codec.get(), file), path);
  auto* raw = stream.get();
  return {raw, [codec, stream = std::move(stream)](arrow::io::InputStream*) {}};
}

}  // namespace

struct TextLines::Impl {
  fs::path path;
  std::shared_ptr<arrow::io::InputStream> stream;
  std::string bytes;  ///< read and not yet handed out, from `next` on
  std::size_t next = 0;
  bool at_end = false;

  /// Reads on; what was handed out goes.
  void fill() {
    bytes.erase(0, next);
    next = 0;
    const std::size_t size = bytes.size();
    bytes.resize(size + kPiece);
    const std::int64_t read =
        take(stream->Read(static_cast<std::int64_t>(kPiece), bytes.data() + size), path);
    bytes.resize(size + static_cast<std::size_t>(read));
    at_end = read == 0;
  }
};

TextLines::TextLines(const fs::path& path) : impl_(std::make_unique<Impl>()) {
  const std::string start = first_bytes(path);
  if (start.empty()) throw InputError(fmt::format("{}: the file is empty", path.string()));
  if (const char* kind = other_kind(start)) {
    throw InputError(
        fmt::format("{}: is a {} file, expected text in UTF-8, plain or packed by gzip or zstd",
                    path.string(), kind));
  }
  impl_->path = path;
  impl_->stream = open_unpacked(path, packing_of(start));
  impl_->fill();
  if (impl_->bytes.starts_with(kByteOrderMark)) impl_->next = kByteOrderMark.size();
}

TextLines::~TextLines() = default;

bool TextLines::next(std::string_view& line) {
  Impl& impl = *impl_;
  std::size_t seen = 0;  // bytes of the line that were looked at
  for (;;) {
    const std::size_t end = impl.bytes.find_first_of("\r\n", impl.next + seen);
    // The LF of a CR LF may not be read yet.
    const bool whole = end != std::string::npos &&
                       (impl.bytes[end] == '\n' || end + 1 < impl.bytes.size() || impl.at_end);
    if (whole) {
      line = std::string_view(impl.bytes).substr(impl.next, end - impl.next);
      const bool two =
          impl.bytes[end] == '\r' && end + 1 < impl.bytes.size() && impl.bytes[end + 1] == '\n';
      impl.next = end + (two ? 2 : 1);
      return true;
    }
    if (impl.at_end) {
      line = std::string_view(impl.bytes).substr(impl.next);
      impl.next = impl.bytes.size();
      return !line.empty();
    }
    seen = (end == std::string::npos ? impl.bytes.size() : end) - impl.next;
    impl.fill();
  }
}

bool holds_nothing(const fs::path& path) {
  const std::string start = first_bytes(path);
  if (start.empty() || start == kByteOrderMark) return true;
  const auto packing = packing_of(start);
  if (packing == arrow::Compression::UNCOMPRESSED) return false;
  std::array<char, 4> bytes{};
  const std::int64_t read =
      take(open_unpacked(path, packing)->Read(bytes.size(), bytes.data()), path);
  const std::string_view unpacked(bytes.data(), static_cast<std::size_t>(read));
  return unpacked.empty() || unpacked == kByteOrderMark;
}

}  // namespace penchant::pipeline
