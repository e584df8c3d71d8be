// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/known_graphs.h"

#include <utility>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

graph::ItemGraphOptions possible_item_options(const graph::Interactions& log,
                                              graph::ItemGraphOptions options) {
  if (log.time_ms.empty() && log.session.empty()) options.cooccurrence = false;
  if (log.session.empty()) options.cooccurrence_options.scope = graph::CooccurrenceScope::window;
  return options;
}

Graphs make_known_graphs(const Dataset& dataset, KnownPart known, const GraphOptions& options) {
  const bool both = known == KnownPart::train_and_validation;
  if (dataset.use == DatasetUse::everything) {
    return make_graphs(both ? train_and_validation(dataset) : dataset.split.train, dataset,
                       options);
  }
  const bool by_session = options.item.cooccurrence && options.item.cooccurrence_options.scope ==
                                                           graph::CooccurrenceScope::session;
  if (by_session) {
    const Dataset whole = read_dataset(dataset.directory);
    if (whole.hash != dataset.hash) {
      throw InputError(
          fmt::format("{}: was replaced while it was in use", dataset.directory.string()));
    }
    return make_known_graphs(whole, known, options);
  }
  Graphs graphs;
  graphs.options = options;
  graphs.user_item = make_known_links(dataset, known, options);
  graph::SplitInteractions split = read_known_rows(dataset);
  const graph::TrainingPart rows =
      both ? train_and_validation(split, dataset.num_users()) : std::move(split.train);
  graphs.item = graph::build_item_graph(rows, read_catalog(dataset),
                                        possible_item_options(rows.interactions, options.item));
  graphs.links = make_link_relations(dataset, options);
  return graphs;
}

}  // namespace penchant::pipeline
