// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda_options.h"

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::kernels {

namespace {

std::string_view variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::string_view() : text;
}

/// Sets `option` to what the variable names, if it is set.
template <typename T>
void read(const char* name, std::initializer_list<std::pair<std::string_view, T>> words,
          T& option) {
  const std::string_view text = variable(name);
  if (text.empty()) return;
  std::string known;
  for (const auto& [word, value] : words) {
    if (word == text) {
      option = value;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(word);
  }
  throw InputError(fmt::format("{} is '{}', expected one of {}", name, text, known));
}

void read_count(const char* name, std::int64_t least, std::string_view what, std::int64_t& count) {
  const std::string_view text = variable(name);
  if (text.empty()) return;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < least)
    throw InputError(fmt::format("{} is '{}', expected a number of {}{}", name, text, what,
                                 least > 0 ? fmt::format(", at least {}", least) : ""));
}

}  // namespace

CudaOptions cuda_options_from_environment() {
  CudaOptions options;
  read("PENCHANT_SPMM",
       {{"own", SpmmVariant::own},
        {"alg1", SpmmVariant::cusparse_alg1},
        {"alg2", SpmmVariant::cusparse_alg2},
        {"alg3", SpmmVariant::cusparse_alg3}},
       options.spmm);
  read("PENCHANT_CONVOLUTION",
       {{"unfolded", ConvolutionVariant::unfolded}, {"cudnn", ConvolutionVariant::cudnn}},
       options.convolution);
  read("PENCHANT_TF32", {{"0", false}, {"1", true}}, options.tf32);
  read("PENCHANT_CUDA_GRAPHS", {{"0", false}, {"1", true}}, options.graphs);
  read("PENCHANT_STREAM_TABLES", {{"0", TableStreaming::off}, {"1", TableStreaming::on}},
       options.table_streaming);
  read_count("PENCHANT_SPARSE_BYTES", 0, "bytes", options.sparse_bytes);
  read_count("PENCHANT_TABLE_BYTES", 0, "bytes", options.table_bytes);
  read_count("PENCHANT_RANKING_QUERIES", 1, "queries a tile", options.ranking_tiles.queries);
  read_count("PENCHANT_RANKING_ITEMS", 1, "items a tile", options.ranking_tiles.items);
  return options;
}

}  // namespace penchant::kernels
