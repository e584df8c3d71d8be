// SPDX-License-Identifier: Apache-2.0
// Softmax over lists and shared negatives with its gradients. See the kernel's comment below.
#include "kernels/list_softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "kernels/check.h"
#include "kernels/cpu/rows.h"

namespace penchant::kernels {

using graph::at;
using graph::NodeId;

namespace {

void add(float alpha, const float* x, std::int64_t size, float* y) {
#pragma omp simd
  for (std::int64_t j = 0; j < size; ++j) y[j] += alpha * x[j];
}

void grow(Backend& backend, std::int64_t rows, std::int64_t cols, FloatMatrix& matrix) {
  if (matrix.rows() >= rows && matrix.cols() >= cols) return;
  matrix = backend.matrix<float>(std::max(rows, matrix.rows()), std::max(cols, matrix.cols()));
}

}  // namespace

ListSoftmax::ListSoftmax(Backend& backend) : backend_(backend) {
  if (backend.device() != Device::cpu) throw InputError("list_softmax: computes on the CPU");
}

// list_softmax: one loss per row against its list and M shared negatives, and the gradients of the
// mean.
// Computes    s_bk = <u_b, i_k> / t over the list, s_bm = <u_b, n_m> / t over the negatives that are
//             neither in the list nor excluded; Z_b = sum exp(s); losses_b = log Z_b - sum_k share_bk
//             s_bk; P = exp(s) / Z; d_u = (sum_k (P_bk - share_bk) i_k + sum_m P_bm n_m) / (t B),
//             d_i_k += sum_b (P_bk - share_bk) u_b / (t B), d_n_m += sum_b P_bm u_b / (t B)
// Shapes      users [B x D], items [I x D], lists, shares [B x K], negatives [M], float32 row-major
// Mapping     negatives by the backend's gemm; then a thread owns rows of the batch for scores,
//             exponentials and the lists' part of d_u; then a thread owns items of the lists, which
//             are sorted by item, so that their sums run in the order of the rows
// Memory      B x M scores are held; lists gather 8 B K D bytes
// Regime      B and M of about 1,000, K of about 100, D up to 512
// Numerics    float32; exponential accurate to 1 ulp of Highway's Exp; deterministic; bound (M + K + D
//             + 16) eps sum|terms|
// Edge cases  a row without a list has loss 0 and no gradients; M = 0: the list alone
// Source      listwise cross entropy: Cao et al. 2007, "Learning to rank: from pairwise approach to
//             listwise approach", section 4, over a sampled softmax
// Measured    docs/decisions/0035-distillation.md
void ListSoftmax::add_gradients(const ListSoftmaxBatch& batch, ConstFloatView items,
                                float temperature, VectorView<float> losses, FloatView d_users,
                                FloatView d_items) {
  check(batch, items, temperature, losses, d_users, d_items);
  const std::int64_t rows = batch.users.rows;
  const std::int64_t width = items.cols;
  const std::int64_t count = batch.negatives.size;
  grow(backend_, count, width, negatives_);
  grow(backend_, count, width, d_negatives_);
  grow(backend_, rows, count, scores_);
  grow(backend_, rows, batch.lists.cols, weights_);
  const FloatView negatives = negatives_.view().rows_of(0, count).cols_of(0, width);
  const FloatView scores = scores_.view().rows_of(0, rows).cols_of(0, count);
  const FloatView weights = weights_.view().rows_of(0, rows);
  backend_.gather_rows(items, batch.negatives, negatives);
  backend_.gemm(Transpose::no, Transpose::yes, 1.0F, batch.users, negatives, 0.0F, scores);
  places_.resize(static_cast<std::size_t>(items.rows), graph::kNoNode);
  for (std::int64_t m = 0; m < count; ++m) places_[at(batch.negatives[m])] = static_cast<NodeId>(m);

  const float scale = 1.0F / temperature;
  const float share = rows > 0 ? scale / static_cast<float>(rows) : 0.0F;
#pragma omp parallel for schedule(dynamic, 16)
  for (std::int64_t b = 0; b < rows; ++b) {
    const NodeId* list = batch.lists.row(b);
    const std::int64_t length = std::find(list, list + batch.lists.cols, graph::kNoNode) - list;
    const float* user = batch.users.row(b);
    float* negative = scores.row(b);
    float* weight = weights.row(b);
    float* gradient = d_users.row(b);
    std::fill_n(gradient, width, 0.0F);
    losses[b] = 0.0F;
    if (length == 0) {
      std::fill_n(negative, count, 0.0F);
      continue;
    }
    const auto leave_out = [&](NodeId item) {
      if (const NodeId place = places_[at(item)]; place != graph::kNoNode)
        negative[place] = -std::numeric_limits<float>::infinity();
    };
    if (batch.excluded.num_rows > 0) {
      for (const NodeId item : batch.excluded.row(b)) leave_out(item);
    }
    float maximum_and_sum[2] = {-std::numeric_limits<float>::infinity(), 0.0F};
    float mean = 0.0F;
    for (std::int64_t k = 0; k < length; ++k) {
      leave_out(list[k]);
      weight[k] = scale * dot(user, items.row(list[k]), width);
      maximum_and_sum[0] = std::max(maximum_and_sum[0], weight[k]);
      mean += batch.shares(b, k) * weight[k];
    }
    exponentiate_row(negative, count, scale, nullptr, maximum_and_sum);
    float list_maximum_and_sum[2] = {maximum_and_sum[0], 0.0F};
    exponentiate_row(weight, length, 1.0F, nullptr, list_maximum_and_sum);
    const float normalizer = maximum_and_sum[1] + list_maximum_and_sum[1];
    losses[b] = std::log(normalizer) + maximum_and_sum[0] - mean;
    for (std::int64_t m = 0; m < count; ++m) negative[m] *= share / normalizer;
    for (std::int64_t k = 0; k < length; ++k) {
      weight[k] = share * (weight[k] / normalizer - batch.shares(b, k));
      add(weight[k], items.row(list[k]), width, gradient);
    }
  }

  backend_.gemm(Transpose::no, Transpose::no, 1.0F, scores, negatives, 1.0F, d_users);
  const FloatView d_negatives = d_negatives_.view().rows_of(0, count).cols_of(0, width);
  backend_.gemm(Transpose::yes, Transpose::no, 1.0F, scores, batch.users, 0.0F, d_negatives);
  backend_.scatter_add_rows(1.0F, d_negatives, batch.negatives, d_items);
  for (std::int64_t m = 0; m < count; ++m) places_[at(batch.negatives[m])] = graph::kNoNode;
  sort_by_item(batch, items.rows);
#pragma omp parallel for schedule(dynamic, 256)
  for (std::int64_t item = 0; item < items.rows; ++item) {
    for (graph::EdgeOffset e = first_pull_[at(item)]; e < first_pull_[at(item + 1)]; ++e)
      add(pulls_[at(e)].weight, batch.users.row(pulls_[at(e)].row), width, d_items.row(item));
  }
}

/// A counting sort of the entries of all lists with their weights.
void ListSoftmax::sort_by_item(const ListSoftmaxBatch& batch, std::int64_t num_items) {
  first_pull_.assign(static_cast<std::size_t>(num_items) + 1, 0);
  const auto each = [&](const auto& visit) {
    for (std::int64_t b = 0; b < batch.lists.rows; ++b) {
      for (std::int64_t k = 0; k < batch.lists.cols && batch.lists(b, k) != graph::kNoNode; ++k)
        visit(b, k, at(batch.lists(b, k)));
    }
  };
  each([&](std::int64_t, std::int64_t, std::size_t item) { ++first_pull_[item + 1]; });
  for (std::size_t i = 1; i < first_pull_.size(); ++i) first_pull_[i] += first_pull_[i - 1];
  pulls_.resize(at(first_pull_.back()));
  // Each item's first place moves to its end, which is the first of the next.
  each([&](std::int64_t b, std::int64_t k, std::size_t item) {
    pulls_[at(first_pull_[item]++)] = {static_cast<NodeId>(b), weights_.view()(b, k)};
  });
  std::rotate(first_pull_.begin(), first_pull_.end() - 1, first_pull_.end());
  first_pull_.front() = 0;
}

void ListSoftmax::check(const ListSoftmaxBatch& batch, ConstFloatView items, float temperature,
                        VectorView<float> losses, FloatView d_users, FloatView d_items) const {
  const char* op = "list_softmax";
  const std::int64_t rows = batch.users.rows;
  require_shape(Device::cpu, op, "users", batch.users, rows, items.cols);
  require_shape(Device::cpu, op, "lists", batch.lists, rows, batch.lists.cols);
  require_shape(Device::cpu, op, "shares", batch.shares, rows, batch.lists.cols);
  require_shape(Device::cpu, op, "d_users", d_users, rows, items.cols);
  require_shape(Device::cpu, op, "d_items", d_items, items.rows, items.cols);
  require_size(Device::cpu, op, "losses", losses, rows);
  if (batch.excluded.num_rows != 0 &&
      (batch.excluded.num_rows != rows || batch.excluded.num_cols != items.rows))
    refuse(op, "excluded does not fit users and items");
  if (!(temperature > 0.0F))
    refuse(op, "temperature is " + std::to_string(temperature) + ", expected more than 0");
  for (std::int64_t b = 0; b < rows; ++b) {
    for (std::int64_t k = 0; k < batch.lists.cols && batch.lists(b, k) != graph::kNoNode; ++k) {
      if (batch.lists(b, k) < 0 || batch.lists(b, k) >= items.rows)
        refuse(op, "a list holds an item out of range");
    }
  }
}

}  // namespace penchant::kernels
