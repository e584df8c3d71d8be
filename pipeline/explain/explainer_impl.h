// SPDX-License-Identifier: Apache-2.0
// What an Explainer holds, for the files that implement it: explainer.cc of users and histories,
// similar_explainer.cc of two items.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "graph/catalog.h"
#include "graph/user_item_graph.h"
#include "models/link_scorer.h"
#include "models/scorer.h"
#include "pipeline/explain/explainer.h"
#include "pipeline/explain/vector_shares.h"

namespace penchant::pipeline {

struct Explainer::Impl {
  const Model& model;
  std::unique_ptr<VectorShares> vectors = {};
  std::vector<std::unique_ptr<Model>> member_models = {};  ///< of a mixture's full score
  std::vector<std::unique_ptr<VectorShares>> members = {};
  std::optional<graph::UserItemGraph> known_links = {};
  std::unique_ptr<models::Scorer> filter = {};  ///< of the full score; null until it is needed
  double filter_power = 0.0;                    ///< filter_shares()
  bool scales_rows = false;  ///< by the root of their sums, as models/linear_filter.h does
  std::vector<double> item_degrees = {};
  std::shared_ptr<models::LinkScorer> friends = {};  ///< null until it is needed
  /// Of the items that are being explained: shares of the person's items in the filter's score.
  std::map<graph::NodeId, std::vector<double>> filtered = {};
  std::optional<Dataset> whole = {};        ///< of one read for look-ups, for networks
  std::optional<graph::Catalog> read = {};  ///< of a data set read for look-ups

  explicit Impl(const Model& explained);
  std::int64_t length_of_list() const;
  Person user_of(graph::NodeId user);
  const graph::UserItemGraph& links();
  graph::Csr row_of(const Person& person);
  /// Whether that has an entry; of an encoder's user without making the graph of all.
  bool has_row(const Person& person);
  const graph::Catalog& catalog();
  void open_filter();
  void make_filter_shares(const Person& person, std::span<const graph::NodeId> items);
  void add_vectors(TermShares shares, double weight, Explanation& explanation);
  void add_stored_popularity(const Person& person, graph::NodeId item, Explanation& explanation);
  void add_mixture(const Person& person, graph::NodeId item, VectorShares::Paths paths,
                   Explanation& explanation);
  void add_full(const Person& person, graph::NodeId item, VectorShares::Paths paths,
                Explanation& explanation);
  void add_terms(const Person& person, graph::NodeId item, bool full, VectorShares::Paths paths,
                 Explanation& explanation);
  double filter_weight() const;
  void add_friends(const Person& person, graph::NodeId item, double weight,
                   Explanation& explanation);
  void add_attributes(graph::NodeId item, Explanation& explanation);
  /// `best` are the items of the person's list.
  Explanation explain(const Person& person, graph::NodeId item, Ranking ranking, double score,
                      std::span<const ScoredItem> best);
};

}  // namespace penchant::pipeline
