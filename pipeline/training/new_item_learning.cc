// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/new_item_learning.h"

#include <algorithm>
#include <cmath>

#include "kernels/transfer.h"
#include "models/attribute_regression.h"
#include "models/new_item_scores.h"
#include "pipeline/model/taught_lists.h"
#include "pipeline/training/distillation.h"
#include "pipeline/training/on_host.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;
using kernels::Transpose;

namespace {

constexpr std::int64_t kMostTaught = 8192;
/// A list holds one in so many of them, but kFewestTaught at least.
constexpr std::int64_t kTaughtPerListed = 40;
/// Of the scores of a list, in their standard deviations: flatter than lists of touched items.
constexpr float kNewItemListTemperature = 2.0F;
constexpr std::int64_t kTileOfUsers = 256;
/// Of the gradient of the users' vectors, beside that of what they are taught of touched items
/// (docs/decisions/0040-new-items-in-the-vectors.md).
constexpr float kShareOfNewItems = 0.25F;
/// Substreams of Stream::distillation; lower ones are those of distillation.cc and width_curve.cc.
constexpr std::uint64_t kPoolSubstream = std::uint64_t{1} << 34;
constexpr std::uint64_t kNegativesSubstream = std::uint64_t{1} << 35;

std::vector<NodeId> fresh_items(const models::Touched& touched) {
  std::vector<NodeId> items;
  for (std::size_t item = 0; item < touched.fresh.size(); ++item) {
    if (touched.fresh[item] == 1.0F) items.push_back(static_cast<NodeId>(item));
  }
  return items;
}

/// So many of `items`, ascending.
std::vector<NodeId> drawn(const std::vector<NodeId>& items, std::int64_t count, graph::Seed seed) {
  const graph::Permutation order(seed, graph::Stream::distillation, kPoolSubstream, items.size());
  std::vector<NodeId> chosen;
  for (std::int64_t i = 0; i < count; ++i)
    chosen.push_back(items[order(static_cast<std::uint64_t>(i))]);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

/// Sum of the squares of all inner products of a row of `x` and a row of `y`.
double squared_products(ConstFloatView x, ConstFloatView y, Backend& host) {
  FloatMatrix of_x = host.matrix<float>(x.cols, x.cols);
  FloatMatrix of_y = host.matrix<float>(y.cols, y.cols);
  host.gemm(Transpose::yes, Transpose::no, 1.0F, x, x, 0.0F, of_x.view());
  host.gemm(Transpose::yes, Transpose::no, 1.0F, y, y, 0.0F, of_y.view());
  double sum = 0.0;
  for (std::int64_t i = 0; i < x.cols; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j)
      sum += static_cast<double>(of_x.view()(i, j)) * static_cast<double>(of_y.view()(i, j));
  }
  return sum;
}

}  // namespace

std::optional<NewItemLists> read_new_item_lists(
    const VectorViews& vectors, const NewItemWeights& weights, const graph::UserItemGraph& graph,
    const graph::ItemGraph& item_graph, const std::vector<NodeId>& users,
    const DistillationOptions& options, Backend& backend, Progress& progress) {
  NewItemLists taught;
  taught.links = models::attribute_links(item_graph);
  taught.touched = models::touched_items(graph, taught.links);
  if (!taught.touched.both) return std::nullopt;
  const std::vector<NodeId> fresh = fresh_items(taught.touched);
  const auto num_fresh = static_cast<std::int64_t>(fresh.size());
  if (num_fresh < kFewestTaught) return std::nullopt;
  const std::int64_t num_taught = std::min(num_fresh, kMostTaught);
  taught.pool = drawn(fresh, num_taught, options.seed);

  const OnHost on_host(backend);
  Backend& host = on_host.backend();
  kernels::Download<float> download_users;
  kernels::Download<float> download_items;
  models::NewItemScores teacher(
      graph, taught.links,
      models::weighted_by_rarity(taught.links, models::landmark_values(item_graph),
                                 weights.content),
      taught.pool, download_users(vectors.users, backend), download_items(vectors.items, backend),
      weights.regression, host);
  const auto num_users = static_cast<std::int64_t>(users.size());
  const std::int64_t list_size =
      std::min(std::max(kFewestTaught, num_taught / kTaughtPerListed), options.list_size);
  taught.lists = host.matrix<NodeId>(num_users, list_size);
  taught.shares = host.matrix<float>(num_users, list_size);
  FloatMatrix scores = host.matrix<float>(num_taught, std::min(kTileOfUsers, num_users));
  FloatMatrix top = host.matrix<float>(std::min(kTileOfUsers, num_users), list_size);
  for (std::int64_t first = 0; first < num_users; first += kTileOfUsers) {
    if (progress.stop_requested()) return std::nullopt;
    progress.update(first, num_users, "lists of new items");
    const std::int64_t count = std::min(kTileOfUsers, num_users - first);
    const FloatView tile = scores.view().cols_of(0, count);
    teacher.score({users.data() + first, count, kernels::Device::cpu}, tile);
    const auto lists = taught.lists.view().rows_of(first, count);
    host.topk_scores(tile, {}, lists, top.view().rows_of(0, count));
    for (std::int64_t i = 0; i < count; ++i) {
      list_shares({top.view().row(i), at(list_size)}, kNewItemListTemperature,
                  {taught.shares.view().row(first + i), at(list_size)});
    }
  }
  return taught;
}

NewItemLearner::NewItemLearner(const NewItemLists& taught, ConstFloatView items,
                               const DistillationOptions& options, Backend& host)
    : taught_(taught),
      options_(options),
      host_(host),
      pool_(graph::select_rows(taught.links.view(), taught.pool)),
      transposed_(graph::transpose(pool_.view())),
      forward_(host.sparse(pool_.view())),
      backward_(host.sparse(transposed_.view())),
      softmax_(host) {
  values_ = models::regress_on_attributes(taught.links, taught.touched.yes, items, host).of_values;
  for (FloatMatrix* matrix : {&gradient_, &first_, &second_})
    *matrix = host.matrix<float>(values_.rows(), values_.cols());
  for (FloatMatrix* matrix : {&items_, &d_items_})
    *matrix = host.matrix<float>(pool_.num_rows, values_.cols());
}

void NewItemLearner::learn_from(const std::vector<NodeId>& rows, ConstFloatView users,
                                std::int64_t step, float learning_rate, FloatView d_users) {
  const auto size = static_cast<std::int64_t>(rows.size());
  const std::int64_t list_size = taught_.lists.cols();
  const kernels::MatrixView<NodeId> lists = batch_lists_.view(host_, size, list_size);
  const FloatView shares = batch_shares_.view(host_, size, list_size);
  const FloatView gradient = batch_gradient_.view(host_, size, users.cols);
  host_.gather_rows(taught_.shares.view(), {rows.data(), size, kernels::Device::cpu}, shares);
  for (std::int64_t b = 0; b < size; ++b)
    std::copy_n(taught_.lists.view().row(rows[at(b)]), list_size, lists.row(b));
  const std::vector<NodeId> negatives = draw_negatives(step);
  const kernels::ListSoftmaxBatch batch = {
      users,
      lists,
      shares,
      {negatives.data(), static_cast<std::int64_t>(negatives.size()), kernels::Device::cpu},
      {}};
  host_.spmm(*forward_, values_.view(), items_.view(), {});
  host_.fill(d_items_.view(), 0.0F);
  softmax_.add_gradients(batch, items_.view(), options_.temperature, losses_.view(host_, size),
                         gradient, d_items_.view());
  host_.axpby(kShareOfNewItems, gradient, 1.0F, d_users);
  host_.spmm(*backward_, d_items_.view(), gradient_.view(), {});
  kernels::AdamOptions adam;
  adam.learning_rate = learning_rate;
  adam.beta2 = kSecondMoment;
  adam.epsilon = 1e-10F;
  adam.step = step;
  host_.adam_step(adam, gradient_.view(), values_.view(), first_.view(), second_.view());
}

void NewItemLearner::finish(ConstFloatView users, FloatView items) const {
  const models::Touched& touched = taught_.touched;
  FloatMatrix expected =
      models::predict_from_attributes(taught_.links, touched.yes, touched.fresh, items, host_);
  const std::vector<float> mean =
      models::center_rows(expected.view(), touched.fresh, host_, expected.view());
  FloatMatrix learnt = host_.matrix<float>(items.rows, items.cols);
  host_.spmm(*host_.sparse(taught_.links.view()), values_.view(), learnt.view(), {});
  models::center_rows(learnt.view(), touched.fresh, host_, learnt.view());
  const double spread = squared_products(users, learnt.view(), host_);
  const double factor =
      spread > 0.0 ? std::sqrt(squared_products(users, expected.view(), host_) / spread) : 0.0;
  for (std::int64_t item = 0; item < items.rows; ++item) {
    if (touched.fresh[at(item)] == 0.0F) continue;
    for (std::int64_t j = 0; j < items.cols; ++j)
      items.row(item)[j] = mean[at(j)] + static_cast<float>(factor) * learnt.view()(item, j);
  }
}

/// Distinct, ascending.
std::vector<NodeId> NewItemLearner::draw_negatives(std::int64_t step) const {
  const auto pool = static_cast<std::uint64_t>(taught_.pool.size());
  const graph::Permutation order(options_.seed, graph::Stream::distillation,
                                 kNegativesSubstream + static_cast<std::uint64_t>(step), pool);
  std::vector<NodeId> negatives;
  const auto count = std::min(pool, static_cast<std::uint64_t>(options_.num_negatives));
  for (std::uint64_t m = 0; m < count; ++m) negatives.push_back(static_cast<NodeId>(order(m)));
  std::sort(negatives.begin(), negatives.end());
  return negatives;
}

}  // namespace penchant::pipeline
