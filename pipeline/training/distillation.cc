// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/distillation.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <numbers>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include "kernels/list_softmax.h"
#include "kernels/transfer.h"
#include "models/workspace.h"
#include "pipeline/training/on_host.h"
#include "pipeline/training/row_length.h"
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

std::int64_t batch_size(std::int64_t num_users) {
  return std::clamp(num_users / kStepsPerEpoch, kSmallestBatch, kLargestBatch);
}

std::int64_t steps_of(std::int64_t num_users) {
  const std::int64_t size = batch_size(num_users);
  return (num_users + size - 1) / size;
}

/// Of `matrix` in host memory, times a factor that makes the rows' mean length 1, or 1.
enum class Lengths { one, as_they_are };
FloatMatrix starting_rows(const FloatMatrix& matrix, Lengths lengths, Backend& from,
                          Backend& host) {
  kernels::Download<float> download;
  const ConstFloatView rows = download(matrix.view(), from);
  FloatMatrix copy = host.matrix<float>(rows.rows, rows.cols);
  const double length = lengths == Lengths::one ? mean_row_length(rows) : 1.0;
  host.axpby(length > 0.0 ? static_cast<float>(1.0 / length) : 1.0F, rows, 0.0F, copy.view());
  return copy;
}

IdView ids(const std::vector<NodeId>& list) {
  return {list.data(), static_cast<std::int64_t>(list.size()), kernels::Device::cpu};
}

/// Rows first to first + count of `seen`, or none of them where seen items are ranked.
graph::Csr seen_of(const TaughtLists& taught, std::int64_t first, std::int64_t count) {
  if (taught.ranks_seen) return {0, taught.seen.num_cols, {0}, {}, {}};
  std::vector<NodeId> rows(at(count));
  std::iota(rows.begin(), rows.end(), static_cast<NodeId>(first));
  return graph::select_rows(taught.seen.view(), rows);
}

class Distillation {
 public:
  Distillation(const TaughtLists& taught, const graph::UserItemGraph& graph,
               const DistillationOptions& options, Backend& backend, Progress& progress)
      : taught_(taught),
        options_(options),
        backend_(backend),
        on_host_(backend),
        host_(on_host_.backend()),
        progress_(progress),
        softmax_(host_),
        negatives_(negative_weights(graph, options.negative_power)) {}

  bool run(Vectors& vectors) {
    const Lengths lengths = options_.goes_on != nullptr ? Lengths::as_they_are : Lengths::one;
    FloatMatrix all_users = starting_rows(vectors.users, lengths, backend_, host_);
    user_.value = host_.matrix<float>(num_users(), all_users.cols());
    host_.gather_rows(all_users.view(), ids(taught_.users), user_.value.view());
    item_.value = starting_rows(vectors.items, lengths, backend_, host_);
    moves_all_ = moved_items(options_, num_users(), item_.value.rows()) == item_.value.rows();
    item_gradient_ = host_.matrix<float>(item_.value.rows(), item_.value.cols());
    for (Side* side : {&user_, &item_}) {
      side->first = host_.matrix<float>(side->value.rows(), side->value.cols());
      side->second = host_.matrix<float>(side->value.rows(), side->value.cols());
    }
    if (taught_.new_items)
      new_items_.emplace(*taught_.new_items, item_.value.view(), options_, host_);
    if (!learn()) return false;
    for (std::int64_t row = 0; row < num_users(); ++row) {
      std::copy_n(user_.value.view().row(row), all_users.cols(),
                  all_users.view().row(taught_.users[at(row)]));
    }
    if (new_items_) new_items_->finish(all_users.view(), item_.value.view());
    give_back(std::move(all_users), vectors.users);
    give_back(std::move(item_.value), vectors.items);
    return true;
  }

 private:
  /// Vectors and the moments of Adam.
  struct Side {
    FloatMatrix value, first, second;
  };

  std::int64_t num_users() const { return static_cast<std::int64_t>(taught_.users.size()); }

  bool learn() {
    const std::int64_t epochs = distillation_epochs(options_, num_users());
    const std::int64_t total = distillation_steps(options_, num_users());
    std::int64_t step = 0;
    for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
      double loss = 0.0;
      const graph::Permutation order(options_.seed, graph::Stream::distillation,
                                     static_cast<std::uint64_t>(epoch) + 1, taught_.users.size());
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
    const std::int64_t list_size = taught_.lists.cols();
    const FloatView users = batch_users_.view(host_, size, width);
    const FloatView d_users = batch_gradient_.view(host_, size, width);
    const kernels::MatrixView<NodeId> lists = batch_lists_.view(host_, size, list_size);
    const FloatView shares = batch_shares_.view(host_, size, list_size);
    const kernels::VectorView<float> losses = losses_.view(host_, size);
    host_.gather_rows(user_.value.view(), ids(rows), users);
    host_.gather_rows(taught_.shares.view(), ids(rows), shares);
    for (std::int64_t b = 0; b < size; ++b)
      std::copy_n(taught_.lists.view().row(rows[at(b)]), list_size, lists.row(b));
    graph::Csr seen;
    if (!taught_.ranks_seen) seen = graph::select_rows(taught_.seen.view(), rows);
    const std::vector<NodeId> negatives = draw_negatives(step);
    kernels::ListSoftmaxBatch batch = {users, lists, shares, ids(negatives), {}};
    if (!taught_.ranks_seen) batch.excluded = seen.view();
    std::vector<NodeId> touched;
    if (moves_all_) {
      host_.fill(item_gradient_.view(), 0.0F);
    } else {
      touched = touched_items(rows, negatives);
      for (const NodeId item : touched) std::fill_n(item_gradient_.view().row(item), width, 0.0F);
    }
    softmax_.add_gradients(batch, item_.value.view(), options_.temperature, losses, d_users,
                           item_gradient_.view());
    if (new_items_) new_items_->learn_from(rows, users, step, rate, d_users);

    kernels::AdamOptions adam;
    adam.learning_rate = rate;
    adam.beta2 = kSecondMoment;
    adam.epsilon = 1e-10F;
    adam.step = step;
    move_items(adam, touched);
    // A user's row moves once an epoch.
    adam.step = epoch + 1;
    move_rows(adam, rows, d_users, user_);
    return std::accumulate(losses.data, losses.data + size, 0.0);
  }

  /// All items, or those that have a gradient; known ones of vectors that go on by less.
  void move_items(kernels::AdamOptions adam, const std::vector<NodeId>& touched) {
    const GoesOn* const goes_on = options_.goes_on;
    const std::int64_t width = item_.value.cols();
    std::vector<NodeId> new_items;
    FloatView before;
    if (goes_on != nullptr && goes_on->known_items_rate != 1.0F) {
      adam.learning_rate *= goes_on->known_items_rate;
      if (moves_all_) {
        new_items = goes_on->new_items;
      } else {
        std::set_intersection(touched.begin(), touched.end(), goes_on->new_items.begin(),
                              goes_on->new_items.end(), std::back_inserter(new_items));
      }
      before = new_before_.view(host_, static_cast<std::int64_t>(new_items.size()), width);
      host_.gather_rows(item_.value.view(), ids(new_items), before);
    }
    if (moves_all_) {
      host_.adam_step(adam, item_gradient_.view(), item_.value.view(), item_.first.view(),
                      item_.second.view());
    } else {
      const auto num_touched = static_cast<std::int64_t>(touched.size());
      const FloatView d_items = touched_gradient_.view(host_, num_touched, width);
      host_.gather_rows(item_gradient_.view(), ids(touched), d_items);
      move_rows(adam, touched, d_items, item_);
    }
    // A step of Adam is linear in its rate: new items go as far as they would at the whole one.
    for (std::size_t i = 0; i < new_items.size(); ++i) {
      const float* const from = before.row(static_cast<std::int64_t>(i));
      float* const to = item_.value.view().row(new_items[i]);
      for (std::int64_t j = 0; j < width; ++j)
        to[j] = from[j] + (to[j] - from[j]) / goes_on->known_items_rate;
    }
  }

  /// Items of the rows' lists and the negatives: distinct, ascending. The others have no gradient.
  std::vector<NodeId> touched_items(const std::vector<NodeId>& rows,
                                    const std::vector<NodeId>& negatives) {
    std::vector<NodeId> items = negatives;
    is_touched_.resize(at(item_.value.rows()), 0);
    for (const NodeId item : items) is_touched_[at(item)] = 1;
    for (const NodeId row : rows) {
      for (std::int64_t k = 0; k < taught_.lists.cols(); ++k) {
        const NodeId item = taught_.lists.view()(row, k);
        if (item == graph::kNoNode) break;
        if (is_touched_[at(item)] == 0) items.push_back(item);
        is_touched_[at(item)] = 1;
      }
    }
    for (const NodeId item : items) is_touched_[at(item)] = 0;
    std::sort(items.begin(), items.end());
    return items;
  }

  /// These alone; the moments of the others wait (as in TensorFlow's LazyAdam).
  void move_rows(const kernels::AdamOptions& adam, const std::vector<NodeId>& rows,
                 ConstFloatView gradient, Side& side) {
    const auto count = static_cast<std::int64_t>(rows.size());
    const std::int64_t width = gradient.cols;
    FloatMatrix* const matrices[] = {&side.value, &side.first, &side.second};
    FloatView gathered[3];
    for (std::size_t k = 0; k < 3; ++k) {
      gathered[k] = moved_[k].view(host_, count, width);
      host_.gather_rows(matrices[k]->view(), ids(rows), gathered[k]);
    }
    host_.adam_step(adam, gradient, gathered[0], gathered[1], gathered[2]);
    const FloatView back[] = {side.value.view(), side.first.view(), side.second.view()};
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < 3; ++k)
        std::copy_n(gathered[k].row(i), width, back[k].row(rows[at(i)]));
    }
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
    if (!on_host_.is_another()) {
      to = std::move(matrix);
      return;
    }
    to = backend_.matrix<float>(matrix.rows(), matrix.cols());
    backend_.copy(ConstFloatView(matrix.view()), to.view());
    backend_.sync();
  }

  const TaughtLists& taught_;
  DistillationOptions options_;
  Backend& backend_;
  OnHost on_host_;
  Backend& host_;  ///< computes on the CPU
  Progress& progress_;
  kernels::ListSoftmax softmax_;
  AliasTable negatives_;
  std::optional<NewItemLearner> new_items_;
  Side user_, item_;  ///< of the taught users and of all items
  FloatMatrix item_gradient_;
  bool moves_all_ = true;  ///< items, in each step; else those that have a gradient
  models::Workspace batch_users_, batch_gradient_, batch_shares_, touched_gradient_, new_before_,
      moved_[3];
  std::vector<char> is_touched_;  ///< [I]; 0 between steps
  models::MatrixWorkspace<NodeId> batch_lists_;
  models::DeviceArray<float> losses_;
};

}  // namespace

std::int64_t distillation_epochs(const DistillationOptions& options, std::int64_t num_users) {
  const std::int64_t steps = std::max<std::int64_t>(1, steps_of(num_users));
  const std::int64_t squared = std::max<std::int64_t>(1, num_users * num_users);
  const std::int64_t visits =
      std::min(options.most_epochs, options.epochs * kUsualUsers * kUsualUsers / squared);
  const std::int64_t epochs =
      std::max({options.epochs, visits, (kFewestSteps + steps - 1) / steps});
  const double share = options.goes_on != nullptr ? options.goes_on->epochs : 1.0;
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(share * static_cast<double>(epochs))));
}

std::int64_t distillation_steps(const DistillationOptions& options, std::int64_t num_users) {
  return distillation_epochs(options, num_users) * steps_of(num_users);
}

std::int64_t moved_items(const DistillationOptions& options, std::int64_t num_users,
                         std::int64_t num_items) {
  return std::min(num_items, batch_size(num_users) * options.list_size + options.num_negatives);
}

std::optional<TaughtLists> read_lists(models::Scorer& teacher, const graph::UserItemGraph& graph,
                                      bool ranks_seen, std::vector<NodeId> users,
                                      const DistillationOptions& options, Backend& backend,
                                      Progress& progress) {
  const OnHost on_host(backend);
  const std::int64_t num_items = graph.user_items.num_cols;
  const std::int64_t list_size = std::min(options.list_size, num_items);
  TaughtLists taught;
  taught.ranks_seen = ranks_seen;
  taught.users = std::move(users);
  std::erase_if(taught.users,
                [&](NodeId user) { return graph.user_items.view().row_size(user) == 0; });
  const auto num_users = static_cast<std::int64_t>(taught.users.size());
  taught.lists = on_host.backend().matrix<NodeId>(num_users, list_size);
  taught.shares = on_host.backend().matrix<float>(num_users, list_size);
  if (ranks_seen)
    taught.seen.num_cols = num_items;
  else
    taught.seen = graph::select_rows(graph.user_items.view(), taught.users);
  taught.seen.values.clear();
  const std::int64_t tile = std::min(kTile, num_users);
  FloatMatrix scores = backend.matrix<float>(num_items, tile);
  kernels::Matrix<NodeId> top = backend.matrix<NodeId>(tile, list_size);
  FloatMatrix top_scores = backend.matrix<float>(tile, list_size);
  kernels::Download<NodeId> download_ids;
  kernels::Download<float> download_scores;
  for (std::int64_t first = 0; first < num_users; first += kTile) {
    if (progress.stop_requested()) return std::nullopt;
    progress.update(first, num_users, "lists of what ranks");
    const std::int64_t count = std::min(kTile, num_users - first);
    const FloatView all = scores.view().cols_of(0, count);
    teacher.score({taught.users.data() + first, count, kernels::Device::cpu}, backend, all);
    backend.topk_scores(all, seen_of(taught, first, count).view(), top.view().rows_of(0, count),
                        top_scores.view().rows_of(0, count));
    const auto found = download_ids(top.view(), backend);
    const ConstFloatView values = download_scores(top_scores.view(), backend);
    for (std::int64_t i = 0; i < count; ++i) {
      std::copy_n(found.row(i), list_size, taught.lists.view().row(first + i));
      const auto length =
          at(std::find(found.row(i), found.row(i) + list_size, graph::kNoNode) - found.row(i));
      rank_shares({values.row(i), length}, options.list_temperature,
                  {taught.shares.view().row(first + i), length});
    }
  }
  return taught;
}

double list_agreement(const TaughtLists& taught, const Vectors& vectors, Backend& backend) {
  const auto num_users = static_cast<std::int64_t>(taught.users.size());
  const std::int64_t num_items = vectors.items.rows();
  const std::int64_t size = std::min({kAgreementItems, taught.lists.cols(), num_items});
  const std::int64_t count = std::min(kAgreementUsers, num_users);
  if (count == 0) return 1.0;
  std::vector<NodeId> places, judges;
  for (std::int64_t k = 0; k < count; ++k) {
    places.push_back(static_cast<NodeId>(k * num_users / count));
    judges.push_back(taught.users[at(places.back())]);
  }
  graph::Csr seen;
  if (!taught.ranks_seen) seen = graph::select_rows(taught.seen.view(), places);
  FloatMatrix users = backend.matrix<float>(count, vectors.users.cols());
  kernels::Matrix<NodeId> top = backend.matrix<NodeId>(count, size);
  FloatMatrix top_scores = backend.matrix<float>(count, size);
  kernels::Upload<NodeId> upload;
  kernels::Download<NodeId> download;
  backend.gather_rows(vectors.users.view(), upload(judges, backend), users.view());
  backend.topk(users.view(), vectors.items.view(), seen.view(), top.view(), top_scores.view());
  const auto found = download(kernels::MatrixView<const NodeId>(top.view()), backend);
  std::int64_t taught_items = 0, shared = 0;
  for (std::int64_t k = 0; k < count; ++k) {
    const NodeId* const list = taught.lists.view().row(places[at(k)]);
    const NodeId* const end = std::find(list, list + size, graph::kNoNode);
    taught_items += end - list;
    shared += std::count_if(list, end, [&](NodeId item) {
      return std::find(found.row(k), found.row(k) + size, item) != found.row(k) + size;
    });
  }
  return taught_items == 0 ? 1.0 : static_cast<double>(shared) / static_cast<double>(taught_items);
}

bool learn_lists(const TaughtLists& taught, const graph::UserItemGraph& graph,
                 const DistillationOptions& options, Backend& backend, Progress& progress,
                 Vectors& vectors) {
  if (taught.users.empty()) return true;
  return Distillation(taught, graph, options, backend, progress).run(vectors);
}

}  // namespace penchant::pipeline
