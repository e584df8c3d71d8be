// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/distillation.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <omp.h>

#include "kernels/list_softmax.h"
#include "kernels/transfer.h"
#include "models/workspace.h"
#include "pipeline/training/sampler.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;
using kernels::IdView;

namespace {

constexpr std::int64_t kTile = 512;  ///< users that the teacher scores at once
constexpr std::int64_t kStepsPerEpoch = 32;
constexpr std::int64_t kSmallestBatch = 64;
constexpr std::int64_t kLargestBatch = 1024;
constexpr std::int64_t kFewestSteps = 640;
/// Few users move their items rarely: they come more often, so many times in all and at most.
constexpr std::int64_t kUserVisits = 327'680;
constexpr std::int64_t kMostEpochsForVisits = 80;
constexpr float kSecondMoment = 0.99F;  ///< Adam's beta2: a few hundred steps are all there are

std::int64_t batch_size(std::int64_t num_users) {
  return std::clamp(num_users / kStepsPerEpoch, kSmallestBatch, kLargestBatch);
}

std::int64_t steps_of(std::int64_t num_users) {
  const std::int64_t size = batch_size(num_users);
  return (num_users + size - 1) / size;
}

/// Of `matrix` in host memory, times a factor that makes the root mean square of the lengths of
/// the rows that are not 0 to 1.
FloatMatrix of_length_one(const FloatMatrix& matrix, Backend& from, Backend& host) {
  kernels::Download<float> download;
  const ConstFloatView rows = download(matrix.view(), from);
  FloatMatrix copy = host.matrix<float>(rows.rows, rows.cols);
  double sum = 0.0;
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    double square = 0.0;
    for (std::int64_t j = 0; j < rows.cols; ++j)
      square += static_cast<double>(rows(i, j)) * static_cast<double>(rows(i, j));
    sum += square;
    count += square > 0.0 ? 1 : 0;
  }
  const double factor = sum > 0.0 ? std::sqrt(static_cast<double>(count) / sum) : 1.0;
  host.axpby(static_cast<float>(factor), rows, 0.0F, copy.view());
  return copy;
}

class Distillation {
 public:
  Distillation(const graph::UserItemGraph& graph, bool ranks_seen, std::vector<NodeId> users,
               const DistillationOptions& options, Backend& backend, Progress& progress)
      : graph_(graph),
        ranks_seen_(ranks_seen),
        options_(options),
        backend_(backend),
        own_host_(backend.device() == kernels::Device::cpu
                      ? nullptr
                      : kernels::make_backend({.device = kernels::DeviceChoice::cpu,
                                               .num_threads = omp_get_max_threads()})),
        host_(own_host_ ? *own_host_ : backend),
        progress_(progress),
        softmax_(host_),
        negatives_(negative_weights(graph, options.negative_power)),
        users_(std::move(users)) {
    std::erase_if(users_, [&](NodeId user) { return graph.user_items.view().row_size(user) == 0; });
    list_size_ = std::min(options.list_size, graph.user_items.num_cols);
  }

  bool run(models::Scorer& teacher, Vectors& vectors) {
    if (users_.empty()) return true;
    if (!read_lists(teacher)) return false;
    FloatMatrix all_users = of_length_one(vectors.users, backend_, host_);
    user_.value = host_.matrix<float>(num_users(), all_users.cols());
    host_.gather_rows(all_users.view(), ids(users_), user_.value.view());
    item_.value = of_length_one(vectors.items, backend_, host_);
    item_gradient_ = host_.matrix<float>(item_.value.rows(), item_.value.cols());
    for (Side* side : {&user_, &item_}) {
      side->first = host_.matrix<float>(side->value.rows(), side->value.cols());
      side->second = host_.matrix<float>(side->value.rows(), side->value.cols());
    }
    if (!learn()) return false;
    for (std::int64_t row = 0; row < num_users(); ++row) {
      std::copy_n(user_.value.view().row(row), all_users.cols(),
                  all_users.view().row(users_[at(row)]));
    }
    give_back(std::move(all_users), vectors.users);
    give_back(std::move(item_.value), vectors.items);
    return true;
  }

 private:
  /// Vectors and the moments of Adam.
  struct Side {
    FloatMatrix value, first, second;
  };

  static IdView ids(const std::vector<NodeId>& list) {
    return {list.data(), static_cast<std::int64_t>(list.size()), kernels::Device::cpu};
  }
  std::int64_t num_users() const { return static_cast<std::int64_t>(users_.size()); }

  bool read_lists(models::Scorer& teacher) {
    lists_ = host_.matrix<NodeId>(num_users(), list_size_);
    shares_ = host_.matrix<float>(num_users(), list_size_);
    if (!ranks_seen_) seen_ = graph::select_rows(graph_.user_items.view(), users_);
    seen_.values.clear();
    const std::int64_t num_items = graph_.user_items.num_cols;
    const std::int64_t tile = std::min(kTile, num_users());
    FloatMatrix scores = backend_.matrix<float>(num_items, tile);
    kernels::Matrix<NodeId> top = backend_.matrix<NodeId>(tile, list_size_);
    FloatMatrix top_scores = backend_.matrix<float>(tile, list_size_);
    kernels::Download<NodeId> download_ids;
    kernels::Download<float> download_scores;
    for (std::int64_t first = 0; first < num_users(); first += kTile) {
      if (progress_.stop_requested()) return false;
      progress_.update(first, num_users(), "lists of what ranks");
      const std::int64_t count = std::min(kTile, num_users() - first);
      const FloatView all = scores.view().cols_of(0, count);
      teacher.score({users_.data() + first, count, kernels::Device::cpu}, backend_, all);
      backend_.topk_scores(all, seen_of(first, count).view(), top.view().rows_of(0, count),
                           top_scores.view().rows_of(0, count));
      const auto found = download_ids(top.view(), backend_);
      const ConstFloatView values = download_scores(top_scores.view(), backend_);
      for (std::int64_t i = 0; i < count; ++i) {
        std::copy_n(found.row(i), list_size_, lists_.view().row(first + i));
        share(values.row(i), lists_.view().row(first + i), shares_.view().row(first + i));
      }
    }
    return true;
  }

  /// Rows of seen_; none of them where seen items are ranked.
  graph::Csr seen_of(std::int64_t first, std::int64_t count) const {
    if (ranks_seen_) return {0, graph_.user_items.num_cols, {0}, {}, {}};
    std::vector<NodeId> rows(at(count));
    std::iota(rows.begin(), rows.end(), static_cast<NodeId>(first));
    return graph::select_rows(seen_.view(), rows);
  }

  /// exp(score / (T standard deviation of the list)), as shares of 1.
  void share(const float* scores, NodeId* list, float* shares) const {
    const std::int64_t length = std::find(list, list + list_size_, graph::kNoNode) - list;
    double mean = 0.0;
    for (std::int64_t k = 0; k < length; ++k) mean += static_cast<double>(scores[k]);
    mean /= static_cast<double>(std::max<std::int64_t>(1, length));
    double variance = 0.0;
    for (std::int64_t k = 0; k < length; ++k)
      variance += std::pow(static_cast<double>(scores[k]) - mean, 2);
    const double unit =
        static_cast<double>(options_.list_temperature) *
        std::sqrt(variance / static_cast<double>(std::max<std::int64_t>(1, length)));
    double sum = 0.0;
    for (std::int64_t k = 0; k < length; ++k) {
      const double behind = static_cast<double>(scores[0]) - static_cast<double>(scores[k]);
      shares[k] = unit > 0.0 ? static_cast<float>(std::exp(-behind / unit)) : 1.0F;
      sum += static_cast<double>(shares[k]);
    }
    for (std::int64_t k = 0; k < length; ++k)
      shares[k] = static_cast<float>(static_cast<double>(shares[k]) / sum);
  }

  bool learn() {
    const std::int64_t epochs = distillation_epochs(options_, num_users());
    const std::int64_t total = distillation_steps(options_, num_users());
    std::int64_t step = 0;
    for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
      double loss = 0.0;
      const graph::Permutation order(options_.seed, graph::Stream::distillation,
                                     static_cast<std::uint64_t>(epoch) + 1, users_.size());
      for (std::int64_t first = 0; first < num_users(); first += batch_size(num_users())) {
        if (progress_.stop_requested()) return false;
        std::vector<NodeId> rows;
        const std::int64_t last = std::min(first + batch_size(num_users()), num_users());
        for (std::int64_t i = first; i < last; ++i)
          rows.push_back(static_cast<NodeId>(order(static_cast<std::uint64_t>(i))));
        const double done = static_cast<double>(step) / static_cast<double>(total);
        const double decay = 0.5 * (1.0 + std::cos(std::numbers::pi * done));
        ++step;
        loss += learn_from(rows, epoch, step, static_cast<float>(decay) * options_.learning_rate);
      }
      progress_.update(epoch + 1, epochs,
                       fmt::format("vectors that rank alike, epoch {}/{}, loss {:.4f}", epoch + 1,
                                   epochs, loss / static_cast<double>(num_users())));
    }
    return true;
  }

  /// Returns the sum of the rows' losses.
  double learn_from(const std::vector<NodeId>& rows, std::int64_t epoch, std::int64_t step,
                    float rate) {
    const auto size = static_cast<std::int64_t>(rows.size());
    const std::int64_t width = item_.value.cols();
    const FloatView users = batch_users_.view(host_, size, width);
    const FloatView d_users = batch_gradient_.view(host_, size, width);
    const kernels::MatrixView<NodeId> lists = batch_lists_.view(host_, size, list_size_);
    const FloatView shares = batch_shares_.view(host_, size, list_size_);
    const kernels::VectorView<float> losses = losses_.view(host_, size);
    host_.gather_rows(user_.value.view(), ids(rows), users);
    host_.gather_rows(shares_.view(), ids(rows), shares);
    for (std::int64_t b = 0; b < size; ++b)
      std::copy_n(lists_.view().row(rows[at(b)]), list_size_, lists.row(b));
    graph::Csr seen;
    if (!ranks_seen_) seen = graph::select_rows(seen_.view(), rows);
    const std::vector<NodeId> negatives = draw_negatives(step);
    kernels::ListSoftmaxBatch batch = {users, lists, shares, ids(negatives), {}};
    if (!ranks_seen_) batch.excluded = seen.view();
    host_.fill(item_gradient_.view(), 0.0F);
    softmax_.add_gradients(batch, item_.value.view(), options_.temperature, losses, d_users,
                           item_gradient_.view());

    kernels::AdamOptions adam;
    adam.learning_rate = rate;
    adam.beta2 = kSecondMoment;
    adam.epsilon = 1e-10F;
    adam.step = step;
    host_.adam_step(adam, item_gradient_.view(), item_.value.view(), item_.first.view(),
                    item_.second.view());
    // A user's row moves once an epoch.
    adam.step = epoch + 1;
    const FloatView first = batch_first_.view(host_, size, width);
    const FloatView second = batch_second_.view(host_, size, width);
    host_.gather_rows(user_.first.view(), ids(rows), first);
    host_.gather_rows(user_.second.view(), ids(rows), second);
    host_.adam_step(adam, d_users, users, first, second);
    for (std::int64_t b = 0; b < size; ++b) {
      const NodeId row = rows[at(b)];
      std::copy_n(users.row(b), width, user_.value.view().row(row));
      std::copy_n(first.row(b), width, user_.first.view().row(row));
      std::copy_n(second.row(b), width, user_.second.view().row(row));
    }
    return std::accumulate(losses.data, losses.data + size, 0.0);
  }

  /// Distinct, ascending.
  std::vector<NodeId> draw_negatives(std::int64_t step) const {
    const graph::Random random(options_.seed, graph::Stream::distillation,
                               (std::uint64_t{1} << 32) + static_cast<std::uint64_t>(step));
    std::vector<NodeId> drawn;
    for (std::int64_t m = 0; m < options_.num_negatives; ++m) {
      const auto position = 2 * static_cast<std::uint64_t>(m);
      const std::size_t slot = random.below(position, negatives_.thresholds.size());
      drawn.push_back(random.uniform(position + 1) < negatives_.thresholds[slot]
                          ? static_cast<NodeId>(slot)
                          : negatives_.aliases[slot]);
    }
    std::sort(drawn.begin(), drawn.end());
    drawn.erase(std::unique(drawn.begin(), drawn.end()), drawn.end());
    return drawn;
  }

  void give_back(FloatMatrix matrix, FloatMatrix& to) const {
    if (own_host_ == nullptr) {
      to = std::move(matrix);
      return;
    }
    to = backend_.matrix<float>(matrix.rows(), matrix.cols());
    backend_.copy(ConstFloatView(matrix.view()), to.view());
    backend_.sync();
  }

  const graph::UserItemGraph& graph_;
  bool ranks_seen_;
  DistillationOptions options_;
  Backend& backend_;
  std::unique_ptr<Backend> own_host_;
  Backend& host_;  ///< computes on the CPU
  Progress& progress_;
  kernels::ListSoftmax softmax_;
  AliasTable negatives_;
  std::vector<NodeId> users_;
  std::int64_t list_size_ = 0;
  graph::Csr seen_;                ///< [users_ x I]; empty where seen items are ranked
  kernels::Matrix<NodeId> lists_;  ///< [users_ x K]
  FloatMatrix shares_;             ///< [users_ x K]
  Side user_, item_;               ///< of users_ and of all items
  FloatMatrix item_gradient_;
  models::Workspace batch_users_, batch_gradient_, batch_shares_, batch_first_, batch_second_;
  models::MatrixWorkspace<NodeId> batch_lists_;
  models::DeviceArray<float> losses_;
};

}  // namespace

std::int64_t distillation_epochs(const DistillationOptions& options, std::int64_t num_users) {
  const std::int64_t steps = std::max<std::int64_t>(1, steps_of(num_users));
  const std::int64_t visits =
      std::min(kMostEpochsForVisits, kUserVisits / std::max<std::int64_t>(1, num_users));
  return std::max({options.epochs, visits, (kFewestSteps + steps - 1) / steps});
}

std::int64_t distillation_steps(const DistillationOptions& options, std::int64_t num_users) {
  return distillation_epochs(options, num_users) * steps_of(num_users);
}

bool distil(models::Scorer& teacher, const graph::UserItemGraph& graph, bool ranks_seen,
            std::vector<NodeId> users, const DistillationOptions& options, Backend& backend,
            Progress& progress, Vectors& vectors) {
  return Distillation(graph, ranks_seen, std::move(users), options, backend, progress)
      .run(teacher, vectors);
}

}  // namespace penchant::pipeline
