// SPDX-License-Identifier: Apache-2.0
#include "pipeline/explain/explainer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/degrees.h"
#include "graph/error.h"
#include "models/graph_filter.h"
#include "models/linear_filter.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/item_filter.h"
#include "pipeline/data/mapped_rows.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/explain/explainer_impl.h"
#include "pipeline/explain/reasons.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/people_vectors.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;
using models::ModelKind;
using nlohmann::json;

namespace {

/// Leads are over so many: with the item itself, as many as a filter answers for at a time
/// (models/user_blocks.h).
constexpr std::int64_t kMostOthers = 15;

/// Of the training and validation rows of a data set that was read for look-ups, oldest first.
std::vector<PersonEvent> mapped_events(const Dataset& dataset, NodeId user) {
  std::vector<PersonEvent> events;
  for (const char* part : {"train", "validation"}) {
    const MappedRows rows(dataset, part);
    const std::span<const NodeId> users = rows.users.values();
    const auto [first, last] = std::equal_range(users.begin(), users.end(), user);
    for (auto row = static_cast<std::size_t>(first - users.begin());
         row < static_cast<std::size_t>(last - users.begin()); ++row) {
      const NodeId item = rows.items.values()[row];
      if (item < 0 || item >= dataset.num_items()) {
        throw InputError(fmt::format("{}: damaged: a row has item {} of {}",
                                     dataset.directory.string(), item, dataset.num_items()));
      }
      events.push_back({item, rows.times().empty() ? graph::kNoTime : rows.times()[row], 0});
    }
  }
  std::stable_sort(events.begin(), events.end(), [](const PersonEvent& a, const PersonEvent& b) {
    return a.time_ms < b.time_ms;
  });
  return events;
}

/// Distinct items of the events, the latest last.
void number_items(Person& person) {
  std::map<NodeId, std::size_t> last;
  for (std::size_t event = 0; event < person.events.size(); ++event)
    last[person.events[event].item] = event;
  std::vector<std::pair<std::size_t, NodeId>> order;
  for (const auto& [item, event] : last) order.emplace_back(event, item);
  std::sort(order.begin(), order.end());
  std::map<NodeId, std::size_t> places;
  for (const auto& [event, item] : order) {
    places[item] = person.items.size();
    person.items.push_back({item});
  }
  for (const PersonEvent& event : person.events) {
    const std::size_t place = places[event.item];
    HistoryShare& item = person.items[place];
    if (item.events == 0) item.first_ms = event.time_ms;
    item.last_ms = event.time_ms;
    ++item.events;
    person.item_of.push_back(place);
  }
}

/// A row [1 x I] of the graph as shares of the person's items.
void add_row_shares(const graph::CsrView& row, const std::vector<double>& shares, double weight,
                    const Person& person, std::vector<double>& to) {
  std::map<NodeId, double> by_item;
  for (std::size_t k = 0; k < row.columns.size(); ++k) by_item[row.columns[k]] = shares[k];
  for (std::size_t place = 0; place < person.items.size(); ++place) {
    const auto found = by_item.find(person.items[place].item);
    if (found != by_item.end()) to[place] += weight * found->second;
  }
}

double weight_of(std::span<const ScoreTerm> terms, TermKind kind) {
  for (const ScoreTerm& term : terms) {
    if (term.kind == kind) return term.weight;
  }
  return 0.0;
}

/// Of a list of one item; 0 where it may not be listed.
double score_of(const std::vector<ScoredItem>& list) {
  return list.empty() ? 0.0 : static_cast<double>(list.front().score);
}

/// Whether histories are read by a network, which takes types and gaps of events.
bool reads_sequences(const ModelFacts& facts, const json& manifest) {
  return facts.network.has_value() || (facts.kind == ModelKind::automatic &&
                                       network_of(members_of(manifest.at("model"))) != nullptr);
}

}  // namespace

DatasetUse use_of_explaining(const std::filesystem::path& model_directory) {
  const json manifest = read_manifest(model_directory, kModelArtifact);
  return reads_sequences(model_facts(model_directory, manifest), manifest) ? DatasetUse::everything
                                                                           : DatasetUse::lookup;
}

Explainer::Impl::Impl(const Model& explained) : model(explained) {
  if (model.directory().empty()) throw InputError("explain: a model in memory has no weights");
  vectors = std::make_unique<VectorShares>(model);
}

std::int64_t Explainer::Impl::length_of_list() const {
  return std::min(kMostOthers + 1, model.dataset().num_items());
}

Person Explainer::Impl::user_of(NodeId user) {
  const Dataset& dataset = model.dataset();
  const bool everything = dataset.use == DatasetUse::everything;
  Person person;
  person.user = user;
  if (everything || reads_sequences(vectors->facts(), vectors->manifest())) {
    if (!everything && !whole) whole = read_dataset(dataset.directory);
    const Dataset& data = everything ? dataset : *whole;
    person.events = events_of_user(data, user);
    person.known = known_of_events(data);
  } else {
    person.events = mapped_events(dataset, user);
    person.known.times =
        std::all_of(person.events.begin(), person.events.end(),
                    [](const PersonEvent& event) { return event.time_ms != graph::kNoTime; });
  }
  number_items(person);
  return person;
}

const graph::UserItemGraph& Explainer::Impl::links() {
  if (!known_links) {
    const ModelFacts& facts = vectors->facts();
    known_links = make_known_links(
        model.dataset(), facts.saw_validation ? KnownPart::train_and_validation : KnownPart::train,
        facts.graph_options);
  }
  return *known_links;
}

/// The person's row of the graph that the model was made of.
graph::Csr Explainer::Impl::row_of(const Person& person) {
  if (person.user == graph::kNoNode) {
    return rows_of_events(person.history(), model.dataset().num_items(),
                          vectors->facts().graph_options.user_item);
  }
  const NodeId users[] = {person.user};
  return graph::select_rows(links().user_items.view(), users);
}

bool Explainer::Impl::has_row(const Person& person) {
  if (person.user != graph::kNoNode && vectors->is_encoder())
    return vectors->hops().has_links(person.user);
  return !row_of(person).columns.empty();
}

/// The filter of the full score, and what its scores are to be multiplied by.
void Explainer::Impl::open_filter() {
  if (filter != nullptr) return;
  const json& manifest = vectors->manifest();
  const json& stored = manifest.at("model");
  const ModelKind kind = vectors->facts().kind;
  if (kind == ModelKind::graph_filter || kind == ModelKind::automatic) {
    const models::FilterOptions options = filter_from_json(stored.at("filter"));
    filter_power =
        options.kind == models::FilterKind::ridge ? 0.0 : 2.0 * static_cast<double>(options.power);
    filter = load_filter(model.directory(), stored, links(), model.backend(), model.dataset().use);
  } else {
    const FilterBlend blend = blend_from_json(manifest.at("blend"));
    filter_power = static_cast<double>(blend.options.signal_power) -
                   static_cast<double>(blend.options.item_power);
    scales_rows = true;
    filter = std::make_unique<models::LinearFilter>(links(), blend.options, model.backend());
  }
  item_degrees = graph::row_sums(links().item_users.view());
}

/// One application of the filter for all of them.
void Explainer::Impl::make_filter_shares(const Person& person, std::span<const NodeId> items) {
  open_filter();
  filtered.clear();
  const graph::Csr row = row_of(person);
  if (row.columns.empty()) return;
  const double scale = scales_rows ? 1.0 / std::sqrt(graph::row_sums(row.view()).front()) : 1.0;
  const std::vector<std::vector<double>> shares =
      filter_shares(*filter, row.view(), items, item_degrees, filter_power, model.backend());
  for (std::size_t k = 0; k < items.size(); ++k) {
    std::vector<double>& of_item = filtered[items[k]];
    of_item.assign(person.items.size(), 0.0);
    add_row_shares(row.view(), shares[k], scale, person, of_item);
  }
}

void Explainer::Impl::add_vectors(TermShares shares, double weight, Explanation& explanation) {
  for (std::size_t place = 0; place < shares.items.size(); ++place)
    explanation.history[place].vectors += weight * shares.items[place];
  for (std::size_t kind = 0; kind < kNumPartKinds; ++kind)
    explanation.parts[kind] += weight * shares.parts[kind];
  for (PathShare& path : shares.paths) {
    path.share *= weight;
    const auto same = std::find_if(
        explanation.paths.begin(), explanation.paths.end(), [&](const PathShare& other) {
          return other.relation == path.relation && other.value == path.value;
        });
    if (same == explanation.paths.end()) {
      explanation.paths.push_back(std::move(path));
    } else {
      same->share += path.share;
    }
  }
  if (shares.method != ShareMethod::exact) explanation.method = shares.method;
  explanation.num_unexplained = std::max(explanation.num_unexplained, shares.num_unexplained);
}

void Explainer::Impl::add_stored_popularity(const Person& person, NodeId item,
                                            Explanation& explanation) {
  const VectorLayout& layout = model.layout();
  if (!layout.popularity_column) return;
  const std::vector<float> vector = row_of_table(model.items(), item, model.backend());
  // People's vectors have ones there.
  const float own = person.user == graph::kNoNode
                        ? 1.0F
                        : row_of_table(model.users(), person.user, model.backend()).back();
  explanation.part(PartKind::popularity) +=
      static_cast<double>(own) * static_cast<double>(vector.back());
}

/// sqrt(d_u) (<u, i> of the members + a log(1 + users of i)): pipeline/model/auto_model.h.
void Explainer::Impl::add_mixture(const Person& person, NodeId item, VectorShares::Paths paths,
                                  Explanation& explanation) {
  const json& stored = vectors->manifest().at("model");
  const Mixture mixture = Mixture::from_json(stored.at("mixture"));
  if (!mixture.vectors) return;
  const double root = std::sqrt(static_cast<double>(row_of(person).columns.size()));
  const std::vector<MixtureMember> own = members_of(stored);
  if (members.empty()) {
    for (const MixtureMember& member : own) {
      member_models.push_back(std::make_unique<Model>(
          Model::open(model.directory() / member.folder, model.dataset(), model.backend())));
      members.push_back(std::make_unique<VectorShares>(*member_models.back()));
    }
  }
  for (std::size_t k = 0; k < own.size(); ++k)
    add_vectors(members[k]->of(person, item, paths), root * own[k].weight, explanation);
  const auto users = static_cast<double>(links().item_users.view().row_size(item));
  explanation.part(PartKind::popularity) += root * mixture.popularity_weight * std::log1p(users);
}

double Explainer::Impl::filter_weight() const {
  const ModelFacts& facts = vectors->facts();
  return facts.kind == ModelKind::graph_filter ? 1.0 : weight_of(facts.terms, TermKind::filter);
}

/// People who are not in the data have no links.
void Explainer::Impl::add_friends(const Person& person, NodeId item, double weight,
                                  Explanation& explanation) {
  if (weight == 0.0 || person.user == graph::kNoNode) return;
  if (friends == nullptr)
    friends = link_scorer(model.dataset(), vectors->facts().graph_options, links());
  if (friends == nullptr) return;
  const graph::Csr had = friends->rows_of({&person.user, 1, kernels::Device::cpu});
  const auto found = std::lower_bound(had.columns.begin(), had.columns.end(), item);
  if (found != had.columns.end() && *found == item) {
    explanation.part(PartKind::friends) +=
        weight * static_cast<double>(had.values[at(found - had.columns.begin())]);
  }
}

void Explainer::Impl::add_full(const Person& person, NodeId item, VectorShares::Paths paths,
                               Explanation& explanation) {
  const ModelFacts& facts = vectors->facts();
  const json& manifest = vectors->manifest();
  if (facts.kind == ModelKind::automatic) {
    add_mixture(person, item, paths, explanation);
  } else if (facts.kind != ModelKind::graph_filter) {
    add_vectors(vectors->of(person, item, paths), 1.0, explanation);
    if (filter_weight() == 0.0) add_stored_popularity(person, item, explanation);
  }
  if (const auto shares = filtered.find(item); shares != filtered.end()) {
    for (std::size_t place = 0; place < person.items.size(); ++place)
      explanation.history[place].filter += filter_weight() * shares->second[place];
  }
  add_friends(person, item, weight_of(facts.terms, TermKind::links), explanation);
  if (const double weight = weight_of(facts.terms, TermKind::repeats); weight != 0.0) {
    const json& from = facts.kind == ModelKind::automatic ? manifest.at("model") : manifest;
    const RepeatBlend repeats = repeats_from_json(from.at("repeats"));
    const graph::Csr counted =
        repeat_scores(person.history(), model.dataset().num_items(), repeats.decay, repeats.power);
    for (std::size_t k = 0; k < counted.columns.size(); ++k) {
      if (counted.columns[k] != item) continue;
      for (HistoryShare& had : explanation.history)
        if (had.item == item) had.repeats += weight * static_cast<double>(counted.values[k]);
    }
  }
}

/// Values of the item that items of the person's have too.
void Explainer::Impl::add_attributes(NodeId item, Explanation& explanation) {
  for (const graph::Attribute& attribute : catalog().attributes) {
    const graph::CsrView values = attribute.item_values.view();
    if (values.num_rows == 0) continue;
    for (const NodeId value : values.row(item)) {
      AttributeShare shared = {attribute.name, value_text(attribute, value, model.dataset()), 0,
                               0.0};
      for (const HistoryShare& had : explanation.history) {
        const std::span<const NodeId> own = values.row(had.item);
        if (had.item == item || std::find(own.begin(), own.end(), value) == own.end()) continue;
        ++shared.items;
        shared.share += had.share();
      }
      if (shared.items > 0) explanation.attributes.push_back(std::move(shared));
    }
  }
}

const graph::Catalog& Explainer::Impl::catalog() {
  if (model.dataset().use == DatasetUse::everything) return model.dataset().catalog;
  if (!read) read = read_catalog(model.dataset());
  return *read;
}

/// Shares of all terms of somebody who has a row.
void Explainer::Impl::add_terms(const Person& person, NodeId item, bool full,
                                VectorShares::Paths paths, Explanation& explanation) {
  explanation.item = item;
  explanation.history = person.items;
  if (full) {
    add_full(person, item, paths, explanation);
  } else {
    add_vectors(vectors->of(person, item, paths), 1.0, explanation);
    add_stored_popularity(person, item, explanation);
  }
}

Explanation Explainer::Impl::explain(const Person& person, NodeId item, Ranking ranking,
                                     double score, std::span<const ScoredItem> best) {
  const Dataset& dataset = model.dataset();
  const bool full = ranking == Ranking::full && model.has_scorer();
  Explanation explanation;
  explanation.item = item;
  explanation.ranking = ranking;
  explanation.meaning = full ? "full score" : "inner product";
  explanation.score = score;
  explanation.history = person.items;
  explanation.seen = std::any_of(person.items.begin(), person.items.end(),
                                 [&](const HistoryShare& had) { return had.item == item; });
  explanation.listed = !(explanation.seen && leaves_out_seen(dataset, SeenItems::automatic));
  if (model.layout().width() > 0) {
    const std::vector<float> vector = row_of_table(model.items(), item, model.backend());
    explanation.known =
        full || std::any_of(vector.begin(), vector.end(), [](float x) { return x != 0.0F; });
  }
  // A network reads events itself; of everything else a user without a row is the mean of all.
  const bool is_mean =
      person.user != graph::kNoNode &&
      (person.items.empty() || (vectors->facts().kind != ModelKind::interest && !has_row(person)));
  if (is_mean) {
    explanation.part(PartKind::mean_user) = score;
  } else {
    std::vector<NodeId> items = {item};
    for (const ScoredItem& other : best) {
      if (other.item != item && std::cmp_less_equal(items.size(), kMostOthers))
        items.push_back(other.item);
    }
    if (full && filter_weight() != 0.0) make_filter_shares(person, items);
    add_terms(person, item, full, VectorShares::Paths::yes, explanation);
    const std::span<const NodeId> others = std::span(items).subspan(1);
    explanation.num_others = static_cast<std::int64_t>(others.size());
    for (HistoryShare& had : explanation.history) had.lead = had.share();
    for (const NodeId other : others) {
      Explanation foil;
      add_terms(person, other, full, VectorShares::Paths::no, foil);
      for (std::size_t place = 0; place < person.items.size(); ++place)
        explanation.history[place].lead -=
            foil.history[place].share() / static_cast<double>(others.size());
    }
    put_reasons_first(model, person, others, explanation);
  }
  explanation.residual = score - explanation.explained();
  add_attributes(item, explanation);
  const auto by_share = [](const auto& a, const auto& b) { return a.share > b.share; };
  std::stable_sort(explanation.paths.begin(), explanation.paths.end(), by_share);
  std::stable_sort(explanation.attributes.begin(), explanation.attributes.end(), by_share);
  return explanation;
}

Explainer::Explainer(const Model& model) : impl_(std::make_unique<Impl>(model)) {}
Explainer::~Explainer() = default;

Explanation Explainer::of_user(std::string_view raw_user, std::string_view raw_item,
                               Ranking ranking) {
  const Model& model = impl_->model;
  const NodeId user = find_raw(model.dataset().users, raw_user, "user");
  const NodeId item = find_raw(model.dataset().items, raw_item, "item");
  ItemChoice only;
  only.allowed = {item};
  const std::vector<ScoredItem> list = model.recommend(raw_user, 1, SeenItems::keep, ranking, only);
  const std::vector<ScoredItem> best =
      model.recommend(raw_user, impl_->length_of_list(), SeenItems::automatic, ranking);
  Explanation explanation =
      impl_->explain(impl_->user_of(user), item, ranking, score_of(list), best);
  explanation.user = raw_user;
  return explanation;
}

Explanation Explainer::of_history(std::span<const std::string_view> raw_items,
                                  std::string_view raw_item, Ranking ranking) {
  const Dataset& dataset = impl_->model.dataset();
  const NodeId item = find_raw(dataset.items, raw_item, "item");
  if (raw_items.empty() || std::cmp_greater(raw_items.size(), kLongestHistory)) {
    throw InputError(
        fmt::format("--history has {} items, expected 1 to {}", raw_items.size(), kLongestHistory));
  }
  std::vector<PersonEvent> events;
  for (const std::string_view raw : raw_items)
    events.push_back({find_raw(dataset.items, raw, "item")});
  return of_events(events, {}, item, ranking);
}

Explanation Explainer::of_events(std::span<const PersonEvent> events, KnownOfEvents known,
                                 NodeId item, Ranking ranking) {
  PENCHANT_ASSERT(!events.empty());
  Person person;
  person.events.assign(events.begin(), events.end());
  person.known = known;
  number_items(person);
  ItemChoice only;
  only.allowed = {item};
  const auto lists =
      impl_->model.recommend_for_people(person.history(), 1, SeenItems::keep, ranking, only);
  const auto best = impl_->model.recommend_for_people(person.history(), impl_->length_of_list(),
                                                      SeenItems::automatic, ranking);
  return impl_->explain(person, item, ranking, score_of(lists.front()), best.front());
}

}  // namespace penchant::pipeline
