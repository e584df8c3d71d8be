// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/filter_model.h"

#include <memory>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "kernels/transfer.h"
#include "models/safetensors.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/model/model_manifest.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using models::FilterGraph;
using models::FilterKind;
using models::FilterOptions;
using models::GraphFilter;
using nlohmann::json;

namespace {

constexpr const char* kVectors = "singular_vectors";
constexpr const char* kSquared = "squared_singular_values";

}  // namespace

json filter_to_json(const FilterOptions& filter) {
  return {{"kind", enum_name(filter.kind)},
          {"power", filter.power},
          {"rank", filter.rank},
          {"low_pass", filter.low_pass},
          {"order", filter.order},
          {"flatness", filter.flatness},
          {"sharpening", filter.sharpening},
          {"sharpening_steps", filter.sharpening_steps},
          {"ridge", filter.ridge}};
}

FilterOptions filter_from_json(const json& stored) {
  FilterOptions filter;
  filter.kind = parse_enum<FilterKind>(stored.at("kind").get<std::string>(), "filter.kind");
  filter.power = stored.at("power").get<float>();
  filter.rank = stored.at("rank").get<std::int64_t>();
  filter.low_pass = stored.at("low_pass").get<float>();
  filter.order = stored.at("order").get<std::int64_t>();
  filter.flatness = stored.at("flatness").get<float>();
  filter.sharpening = stored.at("sharpening").get<float>();
  filter.sharpening_steps = stored.at("sharpening_steps").get<std::int64_t>();
  filter.ridge = stored.value("ridge", filter.ridge);  // models of before it was there
  models::check_filter_options(filter);
  return filter;
}

std::string describe(const FilterOptions& filter) {
  if (filter.kind == FilterKind::ridge)
    return fmt::format("ridge, lambda {:g} of rank {}", filter.ridge, filter.rank);
  std::string text = fmt::format("{}, power {:g}", enum_name(filter.kind), filter.power);
  if (filter.kind != FilterKind::linear)
    text += fmt::format(", low pass {:g} of rank {}", filter.low_pass, filter.rank);
  if (filter.kind == FilterKind::chebycf)
    text += fmt::format(", order {}, flatness {:g}", filter.order, filter.flatness);
  if (filter.kind == FilterKind::bspm) text += fmt::format(", sharpening {:g}", filter.sharpening);
  return text;
}

namespace {

/// Of each column 1, or -1 where it points away from the earlier one.
std::vector<float> signs_of(kernels::ConstFloatView vectors, const EarlierAxes& before) {
  const models::TensorFile file = models::read_safetensors(before.file);
  std::vector<float> signs(graph::at(vectors.cols), 1.0F);
  for (const models::LoadedTensor& tensor : file.tensors) {
    if (tensor.name != kVectors || tensor.rows != before.num_items) continue;
    for (std::int64_t j = 0; j < std::min(vectors.cols, tensor.cols); ++j) {
      double product = 0.0;
      for (std::size_t item = 0; item < before.items.size(); ++item) {
        if (before.items[item] == graph::kNoNode) continue;
        product += static_cast<double>(vectors(static_cast<std::int64_t>(item), j)) *
                   static_cast<double>(tensor.view()(before.items[item], j));
      }
      if (product < 0.0) signs[graph::at(j)] = -1.0F;
    }
  }
  return signs;
}

}  // namespace

void write_singular_vectors(const fs::path& path, const FilterGraph& graph, Backend& backend,
                            const EarlierAxes* before) {
  kernels::Download<float> download;
  const models::SingularVectors& singular = graph.singular();
  const auto rank = static_cast<std::int64_t>(singular.squared.size());
  kernels::ConstFloatView vectors = download(singular.view(), backend);
  std::vector<float> turned;
  if (before != nullptr) {
    const std::vector<float> signs = signs_of(vectors, *before);
    for (std::int64_t item = 0; item < vectors.rows; ++item) {
      for (std::int64_t j = 0; j < vectors.cols; ++j)
        turned.push_back(signs[graph::at(j)] * vectors(item, j));
    }
    vectors = {turned.data(), vectors.rows, vectors.cols, vectors.cols, kernels::Device::cpu};
  }
  const std::vector<models::NamedTensor> tensors = {
      {kVectors, vectors},
      {kSquared, {singular.squared.data(), 1, rank, rank, kernels::Device::cpu}}};
  write_file_atomically(path, [&](std::ostream& out) {
    models::write_safetensors(out, tensors, {{"format", "penchant weights"}});
  });
}

models::SingularVectors read_singular_vectors(const fs::path& path, std::int64_t num_items,
                                              Backend& backend, DatasetUse use) {
  const bool look_up = use == DatasetUse::lookup && backend.device() == kernels::Device::cpu;
  const models::TensorFile file =
      look_up ? models::map_safetensors(path) : models::read_safetensors(path);
  std::int64_t rank = 0;
  for (const models::LoadedTensor& tensor : file.tensors) {
    if (tensor.name == kSquared) rank = tensor.cols;
  }
  models::SingularVectors singular;
  const float* squared = file.find_finite(kSquared, 1, rank, path).view().data;
  singular.squared.assign(squared, squared + rank);
  if (look_up) {
    singular.lent = file.find(kVectors, num_items, rank, path).view();
    singular.lender = file.file;
    return singular;
  }
  singular.vectors = backend.matrix<float>(num_items, rank);
  backend.copy(file.find_finite(kVectors, num_items, rank, path).view(), singular.vectors.view());
  return singular;
}

std::int64_t filter_width(const json& model) {
  models::ModelOptions options;
  model.at("embedding_dim").get_to(options.embedding_dim);
  check_model_options(options);
  return options.embedding_dim;
}

std::unique_ptr<GraphFilter> load_filter(const fs::path& model_directory, const json& model,
                                         const graph::UserItemGraph& graph, Backend& backend,
                                         DatasetUse use) {
  const FilterOptions options = filter_from_json(model.at("filter"));
  return std::make_unique<GraphFilter>(
      std::make_shared<FilterGraph>(
          graph.user_items.view(),
          read_singular_vectors(model_directory / kModelWeights, graph.num_items, backend, use),
          backend, models::scaling_of(options.kind)),
      options, backend);
}

FinishedVectors filter_vectors(const GraphFilter& filter, const json& model, const Graphs& graphs,
                               Backend& backend) {
  FinishedVectors vectors;
  filter.vectors(filter_width(model), backend, vectors.users, vectors.items);
  finish_filter_vectors(graphs.user_item, graphs.item, backend, vectors.users, vectors.items);
  vectors.layout.embedding_dim = vectors.items.cols();
  return vectors;
}

}  // namespace penchant::pipeline
