// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/private_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <ostream>
#include <string>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "models/safetensors.h"
#include "pipeline/artifact/bounds.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/privacy/ledger.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::at;
using graph::NodeId;
using kernels::Backend;
using kernels::FloatMatrix;
using nlohmann::json;

namespace {

constexpr const char* kItemVectors = "item_vectors";
constexpr const char* kPopularity = "popularity";
constexpr const char* kRawIdsName = "items.ids.jsonl";

/// Host memory as a matrix of the backend's device.
FloatMatrix on_device(const std::vector<float>& values, std::int64_t rows, std::int64_t cols,
                      Backend& backend) {
  FloatMatrix matrix = backend.matrix<float>(rows, cols);
  backend.copy({values.data(), rows, cols, cols, kernels::Device::cpu}, matrix.view());
  backend.sync();
  return matrix;
}

}  // namespace

std::vector<NodeId> by_raw_id(const graph::Dictionary& items) {
  std::vector<NodeId> order(at(items.size()));
  std::iota(order.begin(), order.end(), NodeId{0});
  std::sort(order.begin(), order.end(),
            [&](NodeId a, NodeId b) { return items.raw(a) < items.raw(b); });
  return order;
}

void write_private_items(const fs::path& model_directory, const PrivateItems& items,
                         const graph::Dictionary& raw_ids) {
  const auto num_items = static_cast<std::int64_t>(items.popularity.size());
  const std::int64_t width = items.width + 1;
  const std::vector<models::NamedTensor> tensors = {
      {kItemVectors, {items.vectors.data(), num_items, width, width, kernels::Device::cpu}},
      {kPopularity, {items.popularity.data(), num_items, 1, 1, kernels::Device::cpu}}};
  write_file_atomically(model_directory / kModelWeights, [&](std::ostream& out) {
    models::write_safetensors(out, tensors, {{"format", "penchant weights"}});
  });
  write_file_atomically(model_directory / kRawIdsName, [&](std::ostream& out) {
    for (const NodeId item : by_raw_id(raw_ids)) {
      out << json(std::string(raw_ids.raw(item)))
                 .dump(-1, ' ', false, json::error_handler_t::replace)
          << '\n';
    }
  });
}

void check_private_model(const json& model) {
  check_bounds("model.embedding_dim", model.at("embedding_dim").get<std::int64_t>(), "damaged");
  check_bounds("privacy.item_power", model.at("item_power").get<double>(), "damaged");
}

PrivateItems read_private_items(const fs::path& model_directory, const json& model,
                                const Dataset& dataset) {
  PrivateItems items;
  take_values(model_directory / kManifestName, [&] {
    items.width = model.at("embedding_dim").get<std::int64_t>();
    items.item_power = model.at("item_power").get<double>();
  });
  const fs::path path = model_directory / kModelWeights;
  const models::TensorFile file = models::read_safetensors(path);
  const std::int64_t num_items = dataset.num_items();
  const std::int64_t width = items.width + 1;
  const kernels::ConstFloatView vectors =
      file.find_finite(kItemVectors, num_items, width, path).view();
  const kernels::ConstFloatView popularity =
      file.find_finite(kPopularity, num_items, 1, path).view();
  items.vectors.resize(at(num_items * width));
  items.popularity.resize(at(num_items));
  const std::vector<NodeId> order = by_raw_id(dataset.items);
  for (std::int64_t row = 0; row < num_items; ++row) {
    const NodeId item = order[at(row)];
    items.popularity[at(item)] = popularity(row, 0);
    if (!(popularity(row, 0) > 0.0F))
      throw InputError(fmt::format("{}: damaged: popularity of row {} is {}, expected above 0",
                                   path.string(), row, popularity(row, 0)));
    std::copy_n(vectors.row(row), width, items.vectors.begin() + item * width);
  }
  return items;
}

void require_private_data(const fs::path& model_directory, const json& manifest,
                          const Dataset& dataset) {
  std::string release;
  take_values(model_directory / kManifestName,
              [&] { manifest.at("privacy").at("release").get_to(release); });
  const fs::path file = ledger_file(dataset.directory);
  for (const LedgerEntry& entry : read_ledger(file).releases) {
    if (entry.release != release) continue;
    if (entry.data_hash == dataset.hash) return;
    throw InputError(fmt::format("{}: was trained on another data set (hash {}, this one is {})",
                                 model_directory.string(), entry.data_hash, dataset.hash));
  }
  throw InputError(
      fmt::format("{}: is release {}, of which the privacy ledger {} knows nothing: it was trained "
                  "on another data set, or the ledger did not move with its data set",
                  model_directory.string(), release, file.string()));
}

FloatMatrix private_item_vectors(const PrivateItems& items, Backend& backend) {
  return on_device(items.vectors, static_cast<std::int64_t>(items.popularity.size()),
                   items.width + 1, backend);
}

FloatMatrix private_user_vectors(const PrivateItems& items, const graph::CsrView& rows,
                                 Backend& backend) {
  const std::int64_t width = items.width + 1;
  std::vector<float> users(at(rows.num_rows * width), 0.0F);
  std::vector<double> sum(at(items.width));
  for (std::int64_t user = 0; user < rows.num_rows; ++user) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (auto e = rows.offsets[at(user)]; e < rows.offsets[at(user) + 1]; ++e) {
      const NodeId item = rows.columns[at(e)];
      const double weight =
          std::pow(static_cast<double>(items.popularity[at(item)]), -items.item_power);
      for (std::int64_t j = 0; j < items.width; ++j)
        sum[at(j)] += weight * static_cast<double>(items.vectors[at(item * width + j)]);
    }
    double squares = 0.0;
    for (const double value : sum) squares += value * value;
    const double scale = squares > 0.0 ? 1.0 / std::sqrt(squares) : 0.0;
    for (std::int64_t j = 0; j < items.width; ++j)
      users[at(user * width + j)] = static_cast<float>(sum[at(j)] * scale);
    users[at(user * width + items.width)] = 1.0F;
  }
  return on_device(users, rows.num_rows, width, backend);
}

}  // namespace penchant::pipeline
