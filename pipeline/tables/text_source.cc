// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/text_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <arrow/util/compression.h>
#include <fmt/core.h>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/tables/arrow_status.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

namespace {

constexpr std::size_t kStartBytes = 512;

/// First bytes of files that are something else than a table which we read.
struct OtherKind {
  std::string_view magic;
  std::string_view name;
  std::string_view way_out;
};

constexpr std::string_view kUnpack = "unpack it first";
constexpr std::string_view kWriteTable = "write it as Parquet or CSV";
constexpr std::string_view kWriteUtf8 = "write it as UTF-8";

constexpr OtherKind kOtherKinds[] = {
    {"\xFF\xFE\0\0"sv, "text in UTF-32", kWriteUtf8},
    {"\0\0\xFE\xFF"sv, "text in UTF-32", kWriteUtf8},
    {"\xFF\xFE"sv, "text in UTF-16", kWriteUtf8},
    {"\xFE\xFF"sv, "text in UTF-16", kWriteUtf8},
    {"PK\x05\x06"sv, "an empty zip archive", kUnpack},
    {"PK\x07\x08"sv, "a zip archive in parts", kUnpack},
    {"\xFD"
     "7zXZ\0"sv,
     "an xz file", kUnpack},
    {"7z\xBC\xAF\x27\x1C"sv, "a 7z archive", kUnpack},
    {"Rar!\x1A\x07"sv, "a rar archive", kUnpack},
    {"LZIP\x01"sv, "an lzip file", kUnpack},
    {"]\0\0\x80\0"sv, "an lzma file", kUnpack},
    {"\x1F\x9D"sv, "a file packed by compress", kUnpack},
    {"\xFF\x06\0\0sNaPpY"sv, "a Snappy file", kUnpack},
    {"PARE"sv, "an encrypted Parquet file", "write it without encryption"},
    {"ARROW1\0\0"sv, "an Arrow IPC file (Feather)", kWriteTable},
    {"FEA1"sv, "a Feather file", kWriteTable},
    {"\xFF\xFF\xFF\xFF"sv, "a stream of Arrow record batches", kWriteTable},
    {"Obj\x01"sv, "an Avro file", kWriteTable},
    {"SEQ\x06"sv, "a Hadoop sequence file", kWriteTable},
    {"RCF\x01"sv, "an RCFile", kWriteTable},
    {"SQLite format 3\0"sv, "an SQLite data base", kWriteTable},
    {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv, "an Excel workbook (.xls)", kWriteTable},
    {"\x89HDF\r\n\x1A\n"sv, "an HDF5 file", kWriteTable},
    {"\x93NUMPY"sv, "a NumPy array", kWriteTable},
    {"\x80\x04\x95"sv, "a Python pickle", kWriteTable},
    {"\x80\x05\x95"sv, "a Python pickle", kWriteTable},
    {"RDX2\n"sv, "an R data file", kWriteTable},
    {"RDX3\n"sv, "an R data file", kWriteTable},
    {"%PDF-"sv, "a PDF document", kWriteTable},
    {"<?xml"sv, "an XML document", kWriteTable},
    {"<!DOCTYPE"sv, "an HTML page", "fetch the file itself"},
    {"<!doctype"sv, "an HTML page", "fetch the file itself"},
    {"<html"sv, "an HTML page", "fetch the file itself"},
    {"version https://git-lfs.github.com"sv, "a pointer of Git LFS", "fetch it with git lfs pull"},
};

[[noreturn]] void refuse(const fs::path& path, std::string_view name, std::string_view way_out) {
  throw InputError(
      fmt::format("{}: is {}, expected delimited text (CSV, TSV; plain or packed with gzip, zstd, "
                  "bzip2 or LZ4) or Parquet; {}",
                  path.string(), name, way_out));
}

std::string_view without_byte_order_mark(std::string_view text) {
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}

/// Begins with an object, or with a list of objects.
bool is_json(std::string_view start) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto behind_blanks = [&](std::string_view text) {
    return text.substr(std::min(text.find_first_not_of(kBlanks), text.size()));
  };
  std::string_view text = behind_blanks(without_byte_order_mark(start));
  if (text.starts_with('[')) text = behind_blanks(text.substr(1));
  if (!text.starts_with('{')) return false;
  text = behind_blanks(text.substr(1));
  return text.starts_with('"') || text.starts_with('}');
}

/// Text in UTF-16 without a byte order mark: every second byte is 0.
bool is_bare_utf16(std::string_view start) {
  std::array<std::size_t, 2> zeros{};
  for (std::size_t i = 0; i < start.size(); ++i) zeros[i % 2] += start[i] == '\0' ? 1 : 0;
  const std::size_t pairs = start.size() / 2;
  return pairs >= 4 && std::max(zeros[0], zeros[1]) > pairs * 3 / 4 &&
         std::min(zeros[0], zeros[1]) == 0;
}

bool is_bzip2(std::string_view start) {
  return start.size() >= 10 && start.starts_with("BZh") && start[3] >= '1' && start[3] <= '9' &&
         (start.substr(4, 6) == "1AY&SY" || start.substr(4, 6) == "\x17\x72\x45\x38\x50\x90");
}

arrow::Compression::type compression_of(FileKind kind) {
  switch (kind) {
    case FileKind::gzip:
      return arrow::Compression::GZIP;
    case FileKind::zstd:
      return arrow::Compression::ZSTD;
    case FileKind::bzip2:
      return arrow::Compression::BZ2;
    case FileKind::lz4:
      return arrow::Compression::LZ4_FRAME;
    case FileKind::text:
    case FileKind::parquet:
      break;
  }
  return arrow::Compression::UNCOMPRESSED;
}

/// Code points of 0x80 to 0x9F in Windows-1252; bytes without a meaning stay control characters.
constexpr std::array<std::uint16_t, 32> kWindows1252 = {
    0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021, 0x2C6,  0x2030, 0x160,
    0x2039, 0x152,  0x8D,   0x17D,  0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};

/// Appends a byte of a one-byte encoding as UTF-8: up to three bytes.
char* append_utf8(unsigned char byte, TextEncoding encoding, char* to) {
  unsigned code = byte;
  if (encoding == TextEncoding::windows1252 && byte >= 0x80 && byte < 0xA0)
    code = kWindows1252[byte - 0x80U];
  if (code < 0x80) {
    *to++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *to++ = static_cast<char>(0xC0 | code >> 6);
    *to++ = static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *to++ = static_cast<char>(0xE0 | code >> 12);
    *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3F));
    *to++ = static_cast<char>(0x80 | (code & 0x3F));
  }
  return to;
}

}  // namespace

void refuse_other_kinds(const fs::path& path, std::string_view start) {
  start = start.substr(0, kStartBytes);
  for (const OtherKind& kind : kOtherKinds) {
    if (start.starts_with(kind.magic)) refuse(path, kind.name, kind.way_out);
  }
  if (start.starts_with("PK\x03\x04")) {
    const bool workbook = start.find("[Content_Types].xml") != std::string_view::npos ||
                          start.find("xl/") != std::string_view::npos;
    refuse(path, workbook ? "an Excel workbook (.xlsx)" : "a zip archive",
           workbook ? kWriteTable : kUnpack);
  }
  if (start.size() >= 262 && start.substr(257, 5) == "ustar")
    refuse(path, "a tar archive", kUnpack);
  if (is_json(start)) refuse(path, "JSON", kWriteTable);
  if (is_bare_utf16(start)) refuse(path, "text in UTF-16", kWriteUtf8);
  if (start.starts_with("ORC") && start.find('\0') != std::string_view::npos)
    refuse(path, "an ORC file", kWriteTable);
}

FileKind file_kind(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) throw InputError(fmt::format("{}: no such file", path.string()));
  if (fs::is_directory(path, error))
    throw InputError(fmt::format("{}: is a directory, expected a file", path.string()));
  std::array<char, kStartBytes> bytes{};
  graph::InputFile file(path);
  const std::string_view start(bytes.data(), file.read(bytes.data(), bytes.size()));
  if (start.empty()) throw InputError(fmt::format("{}: the file is empty", path.string()));
  if (start.starts_with("\x1f\x8b")) return FileKind::gzip;
  // Behind a skippable frame, which some programs write first, comes an ordinary one.
  if (start.starts_with("\x28\xb5\x2f\xfd") ||
      (start.size() >= 4 && (start[0] & '\xF0') == '\x50' && start.substr(1, 3) == "\x2a\x4d\x18"))
    return FileKind::zstd;
  if (start.starts_with("\x04\x22\x4d\x18")) return FileKind::lz4;
  if (is_bzip2(start)) return FileKind::bzip2;
  if (start.starts_with("PAR1")) return FileKind::parquet;
  refuse_other_kinds(path, start);
  return FileKind::text;
}

struct TextSource::Impl {
  Impl(const fs::path& file, FileKind kind, TextEncoding file_encoding)
      : path(file), encoding(file_encoding) {
    descriptor = graph::open_regular(path).release();
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (kind == FileKind::text) return;
    codec = take(arrow::util::Codec::Create(compression_of(kind)), path);
    unpacker = take(codec->MakeDecompressor(), path);
  }
  ~Impl() { close(descriptor); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::size_t read_file(char* to, std::size_t size) {
    for (;;) {
      const ssize_t got = ::read(descriptor, to, size);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0)
        throw InputError(fmt::format("{}: read error: {}", path.string(), std::strerror(errno)));
      hasher.update({to, static_cast<std::size_t>(got)});
      return static_cast<std::size_t>(got);
    }
  }

  bool refill() {
    packed.resize(std::size_t{1} << 18);
    packed_place = 0;
    packed_size = read_file(packed.data(), packed.size());
    return packed_size > 0;
  }

  std::size_t unpack(char* to, std::size_t size) {
    for (;;) {
      if (packed_place == packed_size && !output_waits && !refill()) {
        if (in_member)
          throw InputError(fmt::format("{}: the compressed file is cut off", path.string()));
        return 0;
      }
      if (!in_member) {  // archives on tape are padded with zeros
        while (packed_place < packed_size && packed[packed_place] == '\0') ++packed_place;
        if (packed_place == packed_size) continue;
        in_member = true;
      }
      const auto done =
          take(unpacker->Decompress(
                   static_cast<std::int64_t>(packed_size - packed_place),
                   reinterpret_cast<const std::uint8_t*>(packed.data()) + packed_place,
                   static_cast<std::int64_t>(size), reinterpret_cast<std::uint8_t*>(to)),
               path);
      packed_place += static_cast<std::size_t>(done.bytes_read);
      const auto written = static_cast<std::size_t>(done.bytes_written);
      output_waits = written == size;  // perhaps: the next call finds out
      if (unpacker->IsFinished()) {
        in_member = false;
        output_waits = false;
        check(unpacker->Reset(), path);
      } else if (written == 0 && done.bytes_read == 0 && packed_place < packed_size) {
        throw InputError(fmt::format("{}: damaged compressed file", path.string()));
      }
      if (written > 0) return written;
    }
  }

  std::size_t read_bytes(char* to, std::size_t size) {
    return unpacker == nullptr ? read_file(to, size) : unpack(to, size);
  }

  fs::path path;
  TextEncoding encoding;
  int descriptor = -1;
  Hasher hasher;
  std::unique_ptr<arrow::util::Codec> codec;
  std::shared_ptr<arrow::util::Decompressor> unpacker;
  std::vector<char> packed;
  std::size_t packed_place = 0;
  std::size_t packed_size = 0;
  bool in_member = false;
  bool output_waits = false;
  std::vector<char> single_bytes;  ///< text before it becomes UTF-8
};

TextSource::TextSource(const fs::path& path, FileKind kind, TextEncoding encoding)
    : impl_(std::make_unique<Impl>(path, kind, encoding)) {}
TextSource::~TextSource() = default;

std::size_t TextSource::read(char* to, std::size_t size) {
  Impl& impl = *impl_;
  constexpr std::size_t kLongestCode = 3;
  if (impl.encoding == TextEncoding::utf8 || size < kLongestCode) return impl.read_bytes(to, size);
  impl.single_bytes.resize(size / kLongestCode);
  const std::size_t count = impl.read_bytes(impl.single_bytes.data(), impl.single_bytes.size());
  char* end = to;
  for (std::size_t i = 0; i < count; ++i) {
    end = append_utf8(static_cast<unsigned char>(impl.single_bytes[i]), impl.encoding, end);
  }
  return static_cast<std::size_t>(end - to);
}

std::string TextSource::hash() const { return impl_->hasher.digest(); }

}  // namespace penchant::pipeline
