// SPDX-License-Identifier: Apache-2.0
#include "models/safetensors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <ostream>
#include <tuple>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "graph/error.h"
#include "graph/files.h"
#include "graph/half.h"

namespace penchant::models {

using nlohmann::json;

namespace {

constexpr std::uint64_t kLargestHeader = 100'000'000;  // the format's own limit
constexpr const char* kHashKey = "xxh3_64";

std::string finish(XXH3_state_t& state) {
  return fmt::format("{:016x}", XXH3_64bits_digest(&state));
}

}  // namespace

namespace {

/// Calls `take(bytes)` for each row of a tensor as it is written.
template <typename Take>
void for_each_row(const NamedTensor& tensor, const TensorWriting& writing, Take take) {
  constexpr std::int64_t kRowsPerBlock = 16384;
  const auto cols = static_cast<std::size_t>(tensor.value.cols);
  std::vector<std::uint16_t> halves(writing.half ? cols : 0);
  for (std::int64_t i = 0; i < tensor.value.rows; ++i) {
    const float* const row = tensor.row(i);
    if (writing.half) {
      std::transform(row, row + cols, halves.begin(), graph::to_half);
      take(std::string_view(reinterpret_cast<const char*>(halves.data()),
                            cols * sizeof(std::uint16_t)));
    } else {
      take(std::string_view(reinterpret_cast<const char*>(row), cols * sizeof(float)));
    }
    if (writing.watch && i % kRowsPerBlock == 0) writing.watch(i);
  }
}

}  // namespace

void write_safetensors(std::ostream& out, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  write_safetensors(out, tensors, metadata, {});
}

void write_safetensors(std::ostream& out, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata,
                       const TensorWriting& writing) {
  json header = json::object();
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  if (state == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset(state.get());
  const std::size_t size = writing.half ? sizeof(std::uint16_t) : sizeof(float);
  std::int64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    PENCHANT_ASSERT(tensor.value.device == kernels::Device::cpu);
    PENCHANT_ASSERT(tensor.rows.empty() ||
                    static_cast<std::int64_t>(tensor.rows.size()) == tensor.value.rows);
    const std::int64_t bytes =
        tensor.value.rows * tensor.value.cols * static_cast<std::int64_t>(size);
    header[tensor.name] = {{"dtype", writing.half ? "F16" : "F32"},
                           {"shape", {tensor.value.rows, tensor.value.cols}},
                           {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
    for_each_row(tensor, writing, [&](std::string_view row) {
      XXH3_64bits_update(state.get(), row.data(), row.size());
    });
  }
  header["__metadata__"] = metadata;
  header["__metadata__"][kHashKey] = finish(*state);
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const auto length = static_cast<std::uint64_t>(text.size());
  out.write(reinterpret_cast<const char*>(&length), sizeof(length));
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const NamedTensor& tensor : tensors) {
    for_each_row(tensor, writing, [&](std::string_view row) {
      out.write(row.data(), static_cast<std::streamsize>(row.size()));
    });
  }
}

namespace {

InputError damaged(const std::filesystem::path& path, const char* reason) {
  return InputError(fmt::format("{}: damaged: {}", path.string(), reason));
}

/// Length of the header that a file of `size` bytes begins with.
std::uint64_t header_length(const char* start, std::uint64_t size,
                            const std::filesystem::path& path) {
  std::uint64_t length = 0;
  std::memcpy(&length, start, sizeof(length));
  if (length > kLargestHeader) throw damaged(path, "not a safetensors file");
  if (length > size - sizeof(length)) throw damaged(path, "the header is cut off");
  return length;
}

/// Metadata and tensors without their data, in its order.
TensorFile parse_header(std::string_view text, std::uint64_t size,
                        const std::filesystem::path& path) {
  TensorFile result;
  try {
    const json header = json::parse(text);
    result.metadata = header.at("__metadata__").get<std::map<std::string, std::string>>();
    // Begin, end, name: in the order of the data, tensors without data before the one they share an
    // offset with.
    std::vector<std::tuple<std::int64_t, std::int64_t, std::string>> places;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") continue;
      const json& offsets = entry.at("data_offsets");
      places.emplace_back(offsets.at(0).get<std::int64_t>(), offsets.at(1).get<std::int64_t>(),
                          name);
    }
    std::sort(places.begin(), places.end());
    const auto data_bytes = static_cast<std::int64_t>(size);
    std::int64_t read = 0;
    for (const auto& [begin, end, name] : places) {
      const json& entry = header.at(name);
      LoadedTensor tensor{name,
                          entry.at("shape").at(0).get<std::int64_t>(),
                          entry.at("shape").at(1).get<std::int64_t>(),
                          {}};
      if (begin != read || end < begin) throw damaged(path, "the tensors overlap or leave gaps");
      if (end > data_bytes) throw damaged(path, "the data is cut off");
      constexpr std::int64_t kSize = sizeof(float);
      const bool fits = tensor.rows >= 0 && tensor.cols >= 0 &&
                        (tensor.cols == 0 || tensor.rows <= data_bytes / kSize / tensor.cols);
      if (entry.at("dtype") != "F32" || !fits || end - begin != tensor.rows * tensor.cols * kSize)
        throw damaged(path, "a tensor is not float32 of its stated shape");
      read = end;
      result.tensors.push_back(std::move(tensor));
    }
    if (read != data_bytes) throw damaged(path, "there are bytes behind the data");
  } catch (const json::exception&) {
    throw damaged(path, "the header is not the JSON that was written");
  }
  return result;
}

}  // namespace

TensorFile read_safetensors(const std::filesystem::path& path) {
  graph::InputFile file(path);
  std::array<char, sizeof(std::uint64_t)> start{};
  if (file.read(start.data(), start.size()) != start.size())
    throw damaged(path, "not a safetensors file");
  std::string text(header_length(start.data(), file.size(), path), '\0');
  if (file.read(text.data(), text.size()) != text.size())
    throw damaged(path, "the header is cut off");
  TensorFile result = parse_header(text, file.size() - start.size() - text.size(), path);
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  if (state == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset(state.get());
  for (LoadedTensor& tensor : result.tensors) {
    tensor.data.resize(static_cast<std::size_t>(tensor.rows * tensor.cols));
    const std::size_t bytes = tensor.data.size() * sizeof(float);
    if (file.read(reinterpret_cast<char*>(tensor.data.data()), bytes) != bytes)
      throw damaged(path, "the data is cut off");
    XXH3_64bits_update(state.get(), tensor.data.data(), bytes);
  }
  const auto hash = result.metadata.find(kHashKey);
  if (hash == result.metadata.end() || hash->second != finish(*state))
    throw damaged(path, "the hash of the data does not agree with the header");
  return result;
}

TensorFile map_safetensors(const std::filesystem::path& path) {
  const auto file = std::make_shared<const graph::MappedFile>(path);
  const std::string_view bytes = file->bytes();
  if (bytes.size() < sizeof(std::uint64_t)) throw damaged(path, "not a safetensors file");
  const std::size_t first = sizeof(std::uint64_t) + header_length(bytes.data(), bytes.size(), path);
  if (first % alignof(float) != 0) throw damaged(path, "its data is not aligned");
  TensorFile result =
      parse_header(bytes.substr(sizeof(std::uint64_t), first - sizeof(std::uint64_t)),
                   bytes.size() - first, path);
  const auto* next = reinterpret_cast<const float*>(bytes.data() + first);
  for (LoadedTensor& tensor : result.tensors) {
    tensor.mapped = next;
    next += tensor.rows * tensor.cols;
  }
  result.file = file;
  return result;
}

PlainTensorFile map_any_safetensors(const std::filesystem::path& path) {
  PlainTensorFile result{std::make_shared<const graph::MappedFile>(path), {}};
  const std::string_view bytes = result.file->bytes();
  constexpr std::size_t kStart = sizeof(std::uint64_t);
  if (bytes.size() < kStart) throw damaged(path, "not a safetensors file");
  const std::size_t length = header_length(bytes.data(), bytes.size(), path);
  const std::string_view data = bytes.substr(kStart + length);
  try {
    const json header = json::parse(bytes.substr(kStart, length));
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") continue;
      const auto begin = entry.at("data_offsets").at(0).get<std::uint64_t>();
      const auto end = entry.at("data_offsets").at(1).get<std::uint64_t>();
      if (begin > end || end > data.size()) throw damaged(path, "the data is cut off");
      result.tensors.push_back({name, entry.at("dtype").get<std::string>(),
                                entry.at("shape").get<std::vector<std::int64_t>>(),
                                data.substr(begin, end - begin)});
    }
  } catch (const json::exception&) {
    throw damaged(path, "the header is not the JSON of a safetensors file");
  }
  return result;
}

const LoadedTensor& TensorFile::find(const std::string& name, std::int64_t rows, std::int64_t cols,
                                     const std::filesystem::path& path) const {
  for (const LoadedTensor& tensor : tensors) {
    if (tensor.name != name) continue;
    if (tensor.rows != rows || tensor.cols != cols) {
      throw InputError(fmt::format("{}: tensor '{}' is {} x {}, expected {} x {}", path.string(),
                                   name, tensor.rows, tensor.cols, rows, cols));
    }
    return tensor;
  }
  throw InputError(fmt::format("{}: has no tensor '{}'", path.string(), name));
}

const LoadedTensor& TensorFile::find_finite(const std::string& name, std::int64_t rows,
                                            std::int64_t cols,
                                            const std::filesystem::path& path) const {
  const LoadedTensor& tensor = find(name, rows, cols, path);
  const auto finite = [](float value) { return std::isfinite(value); };
  const float* const first = tensor.view().data;
  const float* const last = first + rows * cols;
  const float* const bad = std::find_if_not(first, last, finite);
  if (bad != last) {
    throw InputError(fmt::format("{}: damaged: element {} of tensor '{}' is {}, not a number",
                                 path.string(), bad - first, name, *bad));
  }
  return tensor;
}

}  // namespace penchant::models
