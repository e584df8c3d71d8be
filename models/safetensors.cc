// SPDX-License-Identifier: Apache-2.0
#include "models/safetensors.h"

#include <algorithm>
#include <cmath>
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

namespace penchant::models {

using nlohmann::json;

namespace {

constexpr std::uint64_t kLargestHeader = 100'000'000;  // the format's own limit
constexpr const char* kHashKey = "xxh3_64";

std::string finish(XXH3_state_t& state) {
  return fmt::format("{:016x}", XXH3_64bits_digest(&state));
}

}  // namespace

void write_safetensors(std::ostream& out, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  json header = json::object();
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  if (state == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset(state.get());
  std::int64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    PENCHANT_ASSERT(tensor.value.device == kernels::Device::cpu);
    PENCHANT_ASSERT(tensor.rows.empty() ||
                    static_cast<std::int64_t>(tensor.rows.size()) == tensor.value.rows);
    const std::int64_t bytes =
        tensor.value.rows * tensor.value.cols * static_cast<std::int64_t>(sizeof(float));
    header[tensor.name] = {{"dtype", "F32"},
                           {"shape", {tensor.value.rows, tensor.value.cols}},
                           {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
    for (std::int64_t i = 0; i < tensor.value.rows; ++i) {
      XXH3_64bits_update(state.get(), tensor.row(i),
                         static_cast<std::size_t>(tensor.value.cols) * sizeof(float));
    }
  }
  header["__metadata__"] = metadata;
  header["__metadata__"][kHashKey] = finish(*state);
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const auto length = static_cast<std::uint64_t>(text.size());
  out.write(reinterpret_cast<const char*>(&length), sizeof(length));
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const NamedTensor& tensor : tensors) {
    for (std::int64_t i = 0; i < tensor.value.rows; ++i) {
      out.write(reinterpret_cast<const char*>(tensor.row(i)),
                static_cast<std::streamsize>(tensor.value.cols *
                                             static_cast<std::int64_t>(sizeof(float))));
    }
  }
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const auto damaged = [&](const char* reason) {
    return InputError(fmt::format("{}: damaged: {}", path.string(), reason));
  };
  graph::InputFile file(path);
  std::uint64_t length = 0;
  if (file.read(reinterpret_cast<char*>(&length), sizeof(length)) != sizeof(length) ||
      length > kLargestHeader)
    throw damaged("not a safetensors file");
  if (length > file.size() - sizeof(length)) throw damaged("the header is cut off");
  std::string text(length, '\0');
  if (file.read(text.data(), length) != length) throw damaged("the header is cut off");
  TensorFile result;
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  if (state == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset(state.get());
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
    const auto data_bytes = static_cast<std::int64_t>(file.size() - sizeof(length) - length);
    std::int64_t read = 0;
    for (const auto& [begin, end, name] : places) {
      const json& entry = header.at(name);
      LoadedTensor tensor{name,
                          entry.at("shape").at(0).get<std::int64_t>(),
                          entry.at("shape").at(1).get<std::int64_t>(),
                          {}};
      if (begin != read || end < begin) throw damaged("the tensors overlap or leave gaps");
      if (end > data_bytes) throw damaged("the data is cut off");
      const std::int64_t bytes = end - begin;
      constexpr std::int64_t kSize = sizeof(float);
      const bool fits = tensor.rows >= 0 && tensor.cols >= 0 &&
                        (tensor.cols == 0 || tensor.rows <= data_bytes / kSize / tensor.cols);
      if (entry.at("dtype") != "F32" || !fits || bytes != tensor.rows * tensor.cols * kSize) {
        throw damaged("a tensor is not float32 of its stated shape");
      }
      read = end;
      tensor.data.resize(static_cast<std::size_t>(tensor.rows * tensor.cols));
      if (file.read(reinterpret_cast<char*>(tensor.data.data()), static_cast<std::size_t>(bytes)) !=
          static_cast<std::size_t>(bytes))
        throw damaged("the data is cut off");
      XXH3_64bits_update(state.get(), tensor.data.data(), static_cast<std::size_t>(bytes));
      result.tensors.push_back(std::move(tensor));
    }
    if (read != data_bytes) throw damaged("there are bytes behind the data");
  } catch (const json::exception&) {
    throw damaged("the header is not the JSON that was written");
  }
  const auto hash = result.metadata.find(kHashKey);
  if (hash == result.metadata.end() || hash->second != finish(*state))
    throw damaged("the hash of the data does not agree with the header");
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
  const auto bad = std::find_if_not(tensor.data.begin(), tensor.data.end(), finite);
  if (bad != tensor.data.end()) {
    throw InputError(fmt::format("{}: damaged: element {} of tensor '{}' is {}, not a number",
                                 path.string(), bad - tensor.data.begin(), name, *bad));
  }
  return tensor;
}

}  // namespace penchant::models
