// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/training_phase.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/normalize.h"
#include "graph/propagation_graph.h"
#include "models/optimiser.h"
#include "models/safetensors.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/training/node_order.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Csr;
using graph::NodeId;
using kernels::Backend;
using kernels::FloatMatrix;
using models::Parameter;

namespace {

/// Parameters with a row, or an element, a node.
bool is_node_table(const Parameter& parameter) { return parameter.name == "embeddings"; }
bool is_node_vector(const Parameter& parameter) { return parameter.name.ends_with(".alpha"); }

constexpr const char* kMoments[] = {".first_moment", ".second_moment"};
constexpr const char* kAverage = ".average";

bool has_tensor(const models::TensorFile& file, const std::string& name) {
  return std::any_of(file.tensors.begin(), file.tensors.end(),
                     [&](const models::LoadedTensor& tensor) { return tensor.name == name; });
}

}  // namespace

/// Tensors of a file, with the host memory that they are views of.
class TrainingPhase::TensorList {
 public:
  explicit TensorList(TrainingPhase& phase) : phase_(phase) {}

  void add(const Parameter& parameter, const std::string& name, const FloatMatrix& matrix) {
    const kernels::ConstFloatView value = downloads_.emplace_back()(matrix.view(), phase_.backend_);
    const std::span<const NodeId> places = phase_.places();
    models::NamedTensor tensor{name, value};
    if (!places.empty() && is_node_table(parameter)) tensor.rows = places;
    if (!places.empty() && is_node_vector(parameter)) {
      std::vector<float>& ordered = ordered_.emplace_back();
      for (const NodeId place : places) ordered.push_back(value(0, place));
      tensor.value = {ordered.data(), 1, value.cols, value.cols, kernels::Device::cpu};
    }
    tensors_.push_back(std::move(tensor));
  }
  void write(const fs::path& path, const std::map<std::string, std::string>& metadata) const {
    write_file_atomically(
        path, [&](std::ostream& out) { models::write_safetensors(out, tensors_, metadata); });
  }

 private:
  TrainingPhase& phase_;
  std::vector<models::NamedTensor> tensors_;
  std::deque<kernels::Download<float>> downloads_;
  std::deque<std::vector<float>> ordered_;
};

void TrainingPhase::read_matrix(const models::TensorFile& file, const std::string& name,
                                const fs::path& path, const Parameter& parameter, FloatMatrix& to) {
  const std::int64_t cols = to.cols();
  kernels::ConstFloatView stored = file.find_finite(name, to.rows(), cols, path).view();
  const std::span<const NodeId> nodes = places();
  std::vector<float> ordered;
  if (!nodes.empty() && (is_node_table(parameter) || is_node_vector(parameter))) {
    // A vector's elements are moved like the rows of a table of one column.
    const std::int64_t width = is_node_table(parameter) ? cols : 1;
    ordered.resize(nodes.size() * static_cast<std::size_t>(width));
    for (std::size_t node = 0; node < nodes.size(); ++node)
      std::copy_n(stored.data + static_cast<std::int64_t>(node) * width, width,
                  ordered.data() + nodes[node] * width);
    stored = {ordered.data(), to.rows(), cols, cols, kernels::Device::cpu};
  }
  backend_.copy(stored, to.view());
}

void TrainingPhase::write_weights(const fs::path& path) {
  TensorList list(*this);
  visit_parameters(
      [&](Parameter& parameter) { list.add(parameter, parameter.name, parameter.value); });
  list.write(path, {{"format", "penchant weights"}});
}

void TrainingPhase::write_average(const fs::path& path) {
  TensorList list(*this);
  visit_parameters(
      [&](Parameter& parameter) { list.add(parameter, parameter.name, parameter.average); });
  list.write(path, {{"format", "penchant weights"}});
}

void TrainingPhase::read_weights(const fs::path& path) {
  const models::TensorFile file = models::read_safetensors(path);
  visit_parameters([&](Parameter& parameter) {
    read_matrix(file, parameter.name, path, parameter, parameter.value);
  });
}

void TrainingPhase::start_from(const fs::path& path, const NodeRows& known) {
  const models::TensorFile file = models::read_safetensors(path);
  std::vector<NodeId> dense;  // of each node its row in the file
  const auto add = [&](const std::vector<NodeId>& rows, std::int64_t first) {
    for (const NodeId row : rows)
      dense.push_back(row == graph::kNoNode ? row : static_cast<NodeId>(first + row));
  };
  const std::int64_t users = has_users() ? known.num_users : 0;
  if (has_users()) add(known.users, 0);
  add(known.items, users);
  // A network without the item graph has no hubs, then as now.
  const bool has_hubs = adjacency().num_rows > static_cast<std::int64_t>(dense.size());
  if (has_hubs) add(known.hubs, users + known.num_items);
  std::vector<NodeId> rows(dense.size());  // in the order of memory
  for (std::size_t node = 0; node < dense.size(); ++node)
    rows[places().empty() ? node : static_cast<std::size_t>(places()[node])] = dense[node];
  const std::int64_t then = users + known.num_items + (has_hubs ? known.num_hubs : 0);
  visit_parameters([&](Parameter& parameter) {
    // Such as time gaps, which all were equal then.
    if (!has_tensor(file, parameter.name)) return;
    if (!is_node_table(parameter) && !is_node_vector(parameter)) {
      read_matrix(file, parameter.name, path, parameter, parameter.value);
      return;
    }
    const bool is_table = is_node_table(parameter);
    const std::int64_t width = is_table ? parameter.value.cols() : 1;
    const models::LoadedTensor& stored =
        file.find_finite(parameter.name, is_table ? then : 1, is_table ? width : then, path);
    kernels::Download<float> download;
    const kernels::ConstFloatView before = download(parameter.value.view(), backend_);
    std::vector<float> now;
    for (std::int64_t i = 0; i < before.rows; ++i)
      now.insert(now.end(), before.row(i), before.row(i) + before.cols);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (rows[row] != graph::kNoNode)
        std::copy_n(stored.view().data + rows[row] * width, width,
                    now.data() + static_cast<std::int64_t>(row) * width);
    }
    if (is_table) {
      fill_from_neighbours(
          adjacency(), rows, ZeroRows::stay,
          {now.data(), parameter.value.rows(), width, width, kernels::Device::cpu});
    }
    backend_.copy(
        kernels::ConstFloatView(now.data(), parameter.value.rows(), parameter.value.cols(),
                                parameter.value.cols(), kernels::Device::cpu),
        parameter.value.view());
  });
}

void TrainingPhase::write_state(const fs::path& path,
                                const std::map<std::string, std::string>& metadata) {
  TensorList list(*this);
  visit_parameters([&](Parameter& parameter) {
    list.add(parameter, parameter.name, parameter.value);
    list.add(parameter, parameter.name + kMoments[0], parameter.first_moment);
    list.add(parameter, parameter.name + kMoments[1], parameter.second_moment);
    if (parameter.average.rows() > 0)
      list.add(parameter, parameter.name + kAverage, parameter.average);
  });
  list.write(path, metadata);
}

void TrainingPhase::read_state(const models::TensorFile& file, const fs::path& path) {
  visit_parameters([&](Parameter& parameter) {
    read_matrix(file, parameter.name, path, parameter, parameter.value);
    read_matrix(file, parameter.name + kMoments[0], path, parameter, parameter.first_moment);
    read_matrix(file, parameter.name + kMoments[1], path, parameter, parameter.second_moment);
    if (!has_tensor(file, parameter.name + kAverage)) return;
    parameter.average = backend_.matrix<float>(parameter.value.rows(), parameter.value.cols());
    read_matrix(file, parameter.name + kAverage, path, parameter, parameter.average);
  });
}

GraphPhase::GraphPhase(const Graphs& graphs, const TrainOptions& options, Backend& backend)
    : TrainingPhase(backend),
      options_(options),
      num_users_(graphs.user_item.num_users),
      num_items_(graphs.user_item.num_items),
      user_item_(graphs.user_item),
      item_graph_(graphs.item),
      steps_per_epoch_(pipeline::steps_per_epoch(graphs.user_item, options)),
      loss_(options.model),
      repeated_step_(backend.repeated_step()) {
  Csr adjacency = model_adjacency(propagation_graph(graphs), options.model.kind);
  order_ = node_order(adjacency, options);
  new_id_ = graph::invert_permutation(order_);
  adjacency_ = graph::reorder_symmetric(adjacency.view(), order_);
  adjacency = {};
  sparse_ = backend.sparse(adjacency_.view());
  const auto num_ids = static_cast<std::size_t>(num_users_ + num_items_);
  sampler_ =
      std::make_unique<Sampler>(user_item_, options, std::span(new_id_).first(num_ids), backend);
  std::vector<std::uint8_t> active(order_.size(), 1);
  for (std::size_t node = 0; node < order_.size(); ++node) {
    const std::int64_t item_id = order_[node] - num_users_;
    if (item_id >= 0 && item_id < num_items_)
      active[node] = user_item_.item_users.view().row_size(item_id) > 0;
  }
  encoder_ = models::make_encoder(options.model, *sparse_, {order_, active}, options.seed, backend);
  d_final_ = backend.matrix<float>(adjacency_.num_rows, options.model.embedding_dim);
  batch_nodes_ = backend.vector<std::uint32_t>(kernels::row_set_words(adjacency_.num_rows));
}

void GraphPhase::step(std::int64_t epoch, std::int64_t step, std::int64_t adam_step,
                      float learning_rate) {
  const kernels::PairDraw draw = sampler_->batch(epoch, step);
  batch_rows_ = draw.users.size;
  const models::Batch batch{draw.users, draw.positives, draw.negatives, draw.positive_bias,
                            draw.negative_bias};
  const kernels::VectorView<float> losses = losses_.next(backend_, batch_rows_);
  kernels::AdamOptions adam;
  adam.learning_rate = learning_rate;
  adam.l2 = options_.l2;
  adam.step = adam_step;
  repeated_step_->run([&] {
    sampler_->draw(draw);
    backend_.fill_rows(batch_nodes_.view(), 0.0F, d_final_.view());  // of the step before
    const kernels::IdView nodes[] = {batch.users, batch.positives, batch.negatives};
    backend_.mark_rows(nodes, adjacency_.num_rows, batch_nodes_.view());
    const kernels::ConstFloatView final = encoder_->forward(backend_, batch_nodes_.view());
    loss_.add_gradients(backend_, final, batch, d_final_.view(), losses);
    encoder_->backward(backend_, d_final_.view(), batch_nodes_.view(),
                       models::Gradients::overwrite);
    models::adam_steps(*encoder_, adam, backend_);
  });
}

void GraphPhase::embeddings(FloatMatrix& users, FloatMatrix& items) {
  const kernels::ConstFloatView final = encoder_->forward(backend_);
  users = backend_.matrix<float>(num_users_, final.cols);
  items = backend_.matrix<float>(num_items_, final.cols);
  kernels::Upload<NodeId> upload;
  const kernels::IdView ids = upload(new_id_, backend_);
  backend_.gather_rows(final, ids.sub(0, num_users_), users.view());
  backend_.gather_rows(final, ids.sub(num_users_, num_items_), items.view());
  finish_vectors(user_item_, item_graph_, options_.model, backend_, users, items);
}

}  // namespace penchant::pipeline
