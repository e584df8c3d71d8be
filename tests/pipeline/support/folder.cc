// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/support/folder.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace penchant::testing {

namespace fs = std::filesystem;

namespace {

void append_little_endian(std::string& to, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i) & 0xFF);
}

std::uint32_t crc32(std::string_view text) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "penchant_test_XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error("cannot create a temporary folder");
  }
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

nlohmann::json manifest_of(const fs::path& artefact) {
  return nlohmann::json::parse(read_text(artefact / "manifest.json"));
}

void write_text(const fs::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

std::string as_gzip(std::string_view text) {
  constexpr std::size_t kBlock = 65535;
  std::string packed("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10);  // RFC 1952
  std::size_t first = 0;
  do {  // RFC 1951, 3.2.4: stored blocks
    const std::size_t size = std::min(kBlock, text.size() - first);
    append_little_endian(packed, first + size == text.size() ? 1 : 0, 1);
    append_little_endian(packed, size, 2);
    append_little_endian(packed, ~size, 2);
    packed += text.substr(first, size);
    first += size;
  } while (first < text.size());
  append_little_endian(packed, crc32(text), 4);
  append_little_endian(packed, text.size(), 4);
  return packed;
}

std::string as_zstd(std::string_view text) {
  constexpr std::size_t kBlock = 1 << 17;
  std::string packed("\x28\xb5\x2f\xfd\xe0", 5);  // RFC 8878: one segment, 8-byte content size
  append_little_endian(packed, text.size(), 8);
  std::size_t first = 0;
  do {  // raw blocks
    const std::size_t size = std::min(kBlock, text.size() - first);
    append_little_endian(packed, size << 3 | (first + size == text.size() ? 1U : 0U), 3);
    packed += text.substr(first, size);
    first += size;
  } while (first < text.size());
  return packed;
}

}  // namespace penchant::testing
