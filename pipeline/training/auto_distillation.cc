// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/auto_distillation.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "graph/error.h"
#include "models/spectral.h"
#include "pipeline/data/histories.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/auto_model.h"

namespace penchant::pipeline {

using graph::NodeId;
using kernels::Backend;

namespace {

Vectors copy_of(const Vectors& vectors, Backend& backend) {
  Vectors copy;
  for (const auto& [from, to] :
       {std::pair(&vectors.users, &copy.users), std::pair(&vectors.items, &copy.items)}) {
    *to = backend.matrix<float>(from->rows(), from->cols());
    backend.copy(from->view(), to->view());
  }
  return copy;
}

}  // namespace

VectorViews MemberVectors::member(std::size_t place) const {
  PENCHANT_ASSERT(place < widths.size());
  const std::int64_t before = std::accumulate(
      widths.begin(), widths.begin() + static_cast<std::ptrdiff_t>(place), std::int64_t{0});
  return {sum.users.view().cols_of(before, widths[place]),
          sum.items.view().cols_of(before, widths[place]),
          {widths[place], 0, false, false}};
}

std::vector<VectorViews> new_item_members(const MixtureParts& parts, const Vectors& vectors) {
  if (parts.trained == nullptr)
    return {{vectors.users.view(), vectors.items.view(), {vectors.users.cols(), 0, false, false}}};
  std::vector<VectorViews> members;
  for (std::size_t place = 0; place < parts.trained->widths.size(); ++place)
    members.push_back(parts.trained->member(place));
  return members;
}

Vectors first_vectors(const MixtureParts& parts, const AutoState& state, std::int64_t width,
                      Backend& backend) {
  Vectors vectors;
  if (parts.trained == nullptr) {
    models::GraphFilter(parts.filter, *state.filter, backend)
        .vectors(width, backend, vectors.users, vectors.items);
    return vectors;
  }
  const std::int64_t columns = parts.trained->first.layout.embedding_dim;
  const FinishedVectors& sum = parts.trained->sum;
  if (sum.layout.embedding_dim > columns) {
    models::Factors factors =
        models::leading_factors(sum.users.view(), sum.items.view(), width, backend);
    // A sum that has no more directions than a member is told by the member.
    if (factors.left.cols() == width) return {std::move(factors.left), std::move(factors.right)};
  }
  for (const auto& [from, to] : {std::pair(&parts.trained->first.users, &vectors.users),
                                 std::pair(&parts.trained->first.items, &vectors.items)}) {
    *to = backend.matrix<float>(from->rows(), columns);
    backend.copy(from->view().cols_of(0, columns), to->view());
  }
  return vectors;
}

std::vector<NodeId> distilled_users(const std::vector<NodeId>& of_task, std::int64_t count,
                                    const Dataset& dataset, graph::Seed seed) {
  std::vector<NodeId> users = of_task;
  const auto all = static_cast<std::uint64_t>(dataset.num_users());
  const graph::Permutation order(seed, graph::Stream::distillation, 0, all);
  for (std::uint64_t i = 0; i < all && static_cast<std::int64_t>(users.size()) < count; ++i) {
    const auto user = static_cast<NodeId>(order(i));
    if (!std::binary_search(of_task.begin(), of_task.end(), user)) users.push_back(user);
  }
  std::sort(users.begin(), users.end());
  return users;
}

std::optional<DistilledVectors> distil_mixture(const MixtureParts& parts, const AutoState& state,
                                               const Dataset& dataset, const Graphs& graphs,
                                               std::vector<NodeId> users, std::int64_t most_epochs,
                                               const TrainOptions& options, Backend& backend,
                                               Progress& progress, const EarlierVectors* earlier) {
  const Mixture& mixture = *state.mixture;
  std::shared_ptr<models::GraphFilter> filter;
  if (mixture.filter_weight != 0.0)
    filter = std::make_shared<models::GraphFilter>(parts.filter, *state.filter, backend);
  const bool goes_on = earlier != nullptr && state.learns;
  Vectors vectors = goes_on ? copy_of(earlier->vectors, backend)
                            : first_vectors(parts, state, options.model.embedding_dim, backend);
  if (!state.learns) return DistilledVectors{std::move(vectors), false, {}, false};
  VectorViews trained;
  if (parts.trained != nullptr) {
    const FinishedVectors& sum = parts.trained->sum;
    trained = {sum.users.view(), sum.items.view(), sum.layout};
  }
  Histories histories;
  if (state.repeats->weight != 0.0F) {
    histories = known_histories(dataset, parts.known, std::numeric_limits<std::int64_t>::max());
  }
  const std::unique_ptr<models::Scorer> teacher =
      mixed_scorer(trained, mixture, filter, *state.repeats,
                   link_terms(state.links, dataset, graphs.options, graphs.user_item),
                   graphs.user_item, histories, backend);
  DistillationOptions distillation;
  distillation.seed = options.seed;
  distillation.most_epochs = most_epochs;
  if (parts.trained != nullptr && parts.trained->network)
    distillation.list_temperature = kNetworkListTemperature;
  std::optional<TaughtLists> taught =
      read_lists(*teacher, graphs.user_item, !leaves_out_seen(dataset, SeenItems::automatic),
                 std::move(users), distillation, backend, progress);
  if (!taught) return std::nullopt;
  const NewItemTeacher by = state.new_items.value_or(NewItemTeacher{});
  taught->new_items = read_new_item_lists(new_item_members(parts, vectors).at(by.member),
                                          {by.weight, by.content}, graphs.user_item, graphs.item,
                                          taught->users, distillation, backend, progress);
  const auto learn_as = [&](const GoesOn* how) -> std::optional<DistilledVectors> {
    distillation.goes_on = how;
    Vectors learnt = goes_on ? copy_of(vectors, backend) : std::move(vectors);
    if (progress.stop_requested() ||
        !learn_lists(*taught, graphs.user_item, distillation, backend, progress, learnt))
      return std::nullopt;
    const double agreement = list_agreement(*taught, learnt, backend);
    return DistilledVectors{std::move(learnt), taught->new_items.has_value(), agreement, false};
  };
  std::optional<DistilledVectors> distilled = learn_as(goes_on ? &earlier->how : nullptr);
  if (goes_on && distilled && *distilled->agreement < earlier->least_agreement) {
    distilled = learn_as(&earlier->further);
    if (distilled) distilled->went_further = true;
  }
  return distilled;
}

}  // namespace penchant::pipeline
