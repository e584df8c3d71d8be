// SPDX-License-Identifier: Apache-2.0
// Scores and vectors of people by what they had.
#include <utility>

#include <nlohmann/json.hpp>

#include "kernels/transfer.h"
#include "models/fold_in.h"
#include "models/graph_filter.h"
#include "models/new_items.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/model_impl.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/taught_lists.h"

namespace penchant::pipeline {

using kernels::FloatMatrix;

/// By which vectors of people are found beside those of items: what both have learned from.
const PeopleVectors& Model::Impl::vectors_of_people() {
  if (people_vectors != nullptr) return *people_vectors;
  const VectorViews vectors = {users.view(backend), items.view(backend), layout};
  float temperature = kTaughtTemperature;
  std::unique_ptr<models::ItemProfiles> profiles;
  if (!is_taught()) {
    models::ModelOptions trained;
    if (!directory.empty()) trained = model_from_json(manifest.at("model"));
    if (layout.new_item_columns > 0) {
      require_same();
      const Graphs graphs = make_graphs_of(all_of_it());
      profiles = std::make_unique<models::ItemProfiles>(graphs.user_item, graphs.item,
                                                        trained.new_item_columns, backend);
    }
    // A loss by pairs has no temperature.
    temperature = trained.loss == models::LossKind::sampled_softmax ? trained.temperature : 1.0F;
  }
  people_vectors =
      std::make_unique<PeopleVectors>(vectors, temperature, std::move(profiles), backend);
  return *people_vectors;
}

/// Whose singular vectors are the model's.
const models::GraphFilter& Model::Impl::filter_alone() {
  if (filter == nullptr) {
    require_same();
    filter = load_filter(directory, manifest.at("model"), make_links(), backend, dataset.use);
    require_same();
  }
  return *filter;
}

namespace {

/// The rows of `of`, a matrix of all people, or each of its own.
template <typename Of>
FloatMatrix encoded(const Histories& people, Encoding encoding, kernels::Backend& backend,
                    const Of& of) {
  if (encoding == Encoding::together || people.size() == 1) return of(people);
  FloatMatrix all;
  for (std::int64_t person = 0; person < people.size(); ++person) {
    const auto row = static_cast<graph::NodeId>(person);
    const FloatMatrix own = of(select_histories(people, {&row, 1}));
    if (own.rows() == 0) return {};
    if (person == 0) all = backend.matrix<float>(people.size(), own.cols());
    backend.copy(own.view(), all.view().rows_of(person, 1));
    backend.sync();
  }
  return all;
}

}  // namespace

/// What people's scores take of vectors; without columns where they take none.
FloatMatrix Model::Impl::member_vectors(const Histories& people) {
  if (is_automatic()) {
    if (!opened_members(kPeople).empty()) return members->history_vectors(people);
  } else if (layout.width() > 0 &&
             (directory.empty() || has_term(facts.terms, TermKind::vectors))) {
    return history_vectors(people);
  }
  return {};
}

FloatMatrix Model::Impl::history_scores(const Histories& people, Encoding encoding) {
  models::Scorer* const scores_of = scorer_of(kPeople);
  PENCHANT_ASSERT(scores_of != nullptr);
  const graph::Csr rows =
      rows_of_events(people, dataset.num_items(), facts.graph_options.user_item);
  const FloatMatrix vectors = encoded(people, encoding, backend,
                                      [&](const Histories& some) { return member_vectors(some); });
  FloatMatrix scores = backend.matrix<float>(dataset.num_items(), people.size());
  scores_of->score_people(
      {rows.view(), people.offsets, people.items, std::as_const(vectors).view()}, backend,
      scores.view());
  return scores;
}

FloatMatrix Model::Impl::history_vectors(const Histories& people) {
  require_finite(graph::kNoNode);
  const graph::Csr rows =
      rows_of_events(people, dataset.num_items(), facts.graph_options.user_item);
  if (private_items) return private_user_vectors(*private_items, rows.view(), backend);
  if (is_taught()) return taught_vectors(people, rows);
  if (is_automatic() && has_term(facts.terms, TermKind::vectors))
    return first_members_vectors(people);
  if (InterestScorer* const network = made_interest())
    return network->user_vectors(people, backend);
  if (!directory.empty() && !has_term(facts.terms, TermKind::vectors))
    return filter_alone().vectors_of(rows.view(), layout.width(), backend);
  return vectors_of_people().of(rows.view(), {}, backend);
}

/// By the lists that the model's score has for them, which is how the users' were taught.
FloatMatrix Model::Impl::taught_vectors(const Histories& people, const graph::Csr& rows) {
  graph::CsrView seen = rows.view();
  seen.values = {};
  if (!leaves_out_seen(dataset, SeenItems::automatic)) seen = {0, rows.num_cols, {}, {}, {}};
  const bool networks = network_of(members_of(manifest.at("model"))) != nullptr;
  const graph::Csr lists =
      shares_of_lists(history_scores(people, Encoding::together).view(), seen,
                      networks ? kNetworkListTemperature : kListTemperature, backend);
  return vectors_of_people().of(lists.view(), seen, backend);
}

/// The model's own are the first member's and, it may be, popularity.
FloatMatrix Model::Impl::first_members_vectors(const Histories& people) {
  const Model& first = opened_members(kPeople).first();
  const FloatMatrix own = first.history_vectors(people);
  FloatMatrix vectors = backend.matrix<float>(people.size(), layout.width());
  backend.fill(vectors.view(), 1.0F);
  const std::int64_t columns = layout.embedding_dim + layout.new_item_columns;
  backend.copy(own.view().cols_of(0, columns), vectors.view().cols_of(0, columns));
  backend.sync();
  return vectors;
}

FloatMatrix Model::history_scores(const Histories& people) const {
  return impl_->history_scores(people, Encoding::together);
}
FloatMatrix Model::history_scores_one_by_one(const Histories& people) const {
  return impl_->history_scores(people, Encoding::one_by_one);
}
FloatMatrix Model::history_vectors(const Histories& people) const {
  return impl_->history_vectors(people);
}
FloatMatrix Model::history_vectors_one_by_one(const Histories& people) const {
  return encoded(people, Encoding::one_by_one, impl_->backend,
                 [&](const Histories& some) { return impl_->history_vectors(some); });
}

}  // namespace penchant::pipeline
