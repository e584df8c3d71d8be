// SPDX-License-Identifier: Apache-2.0
#include "pipeline/serve/served_model.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/export/list_json.h"
#include "pipeline/model/list_checks.h"

namespace penchant::pipeline {

using graph::NodeId;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using nlohmann::json;

namespace {

/// Of list makers and choices of items that are kept for the next request of the same kind.
constexpr std::size_t kMostKept = 32;
constexpr std::int64_t kMostKeptBytes = std::int64_t{256} << 20;
constexpr std::size_t kMostKeptVectors = 16'384;

/// A list is the beginning of any longer one: so few makers serve all lengths.
std::int64_t rounded_length(std::int64_t k) {
  for (std::int64_t unit = 10;; unit *= 10) {
    for (const std::int64_t factor : {1, 2, 5}) {
      if (k <= factor * unit) return factor * unit;
    }
  }
}

std::vector<float> host_row(const FloatMatrix& matrix, kernels::Backend& backend) {
  kernels::Download<float> download;
  const ConstFloatView row = download(matrix.view(), backend);
  return {row.row(0), row.row(0) + row.cols};
}

/// `from` behind the rows of `to`; of both the same is known.
void append_histories(const Histories& from, Histories& to) {
  const std::int64_t base = to.offsets.back();
  for (std::int64_t row = 1; row <= from.size(); ++row)
    to.offsets.push_back(base + from.offsets[static_cast<std::size_t>(row)]);
  to.items.insert(to.items.end(), from.items.begin(), from.items.end());
  to.events.insert(to.events.end(), from.events.begin(), from.events.end());
  to.gap_buckets.insert(to.gap_buckets.end(), from.gap_buckets.begin(), from.gap_buckets.end());
}

std::string dump_json(const json& body) {
  return body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

RequestError unknown_of(const graph::Dictionary& ids, const std::string& raw, const char* kind) {
  return {404, fmt::format("unknown_{}", kind), unknown_id_alone(ids, raw, kind)};
}

}  // namespace

ServedModel::ServedModel(const Config& config, const std::string& data, const std::string& model)
    : config_(config),
      loaded_(answer_by_one_version(
          data, model,
          [&] { return std::make_unique<Loaded>(config, data, model, DatasetUse::everything); })),
      known_of_events_(known_of_events(loaded_->dataset)) {
  if (dataset().num_items() == 0) throw InputError(fmt::format("{}: has no items to serve", data));
  warm();
}

/// Makes what first look-ups make.
void ServedModel::warm() {
  const bool has_vectors = model().layout().width() > 0;
  ListRequest request;
  request.k = 1;
  const NodeId first = 0;
  for (const Ranking ranking : {Ranking::vectors, Ranking::full}) {
    if (dataset().num_users() == 0 || (ranking == Ranking::vectors && !has_vectors)) continue;
    request.user.emplace();
    request.ranking = ranking;
    lists_for(request).make({&first, 1});
  }
  if (has_vectors && dataset().num_items() > 1) {
    request.user.reset();
    request.item.emplace();
    lists_for(request).make({&first, 1});
  }
  if (dataset().num_users() > 0 && model().has_interest()) model().score({&first, 1}, {&first, 1});
  try {
    const Histories one = history_of_items({&first, 1});
    if (has_vectors) model().history_vectors(one);
    if (model().has_scorer()) model().history_scores(one);
  } catch (const InputError&) {
    // A model that knows only its own users says so when it is asked.
  }
}

NodeId ServedModel::find(const graph::Dictionary& ids, const std::string& raw,
                         const char* kind) const {
  const NodeId id = ids.find(raw);
  if (id == graph::kNoNode) throw unknown_of(ids, raw, kind);
  return id;
}

/// Of users, or of histories, who have no vector that was learned.
Ranking ServedModel::ranking_of(const ListRequest& request) const {
  if (request.ranking) return *request.ranking;
  const bool known = request.user && dataset().users.find(*request.user) != graph::kNoNode;
  return known || request.item ? chosen_ranking("", config_) : chosen_history_ranking("", config_);
}

SeenItems ServedModel::seen_of(const ListRequest& request) const {
  return request.seen.value_or(config_.evaluate.seen_items);
}

/// Throws RequestError for a list longer than the catalogue; returns that of the maker.
std::int64_t ServedModel::checked_length(const ListRequest& request) const {
  const std::int64_t limit = dataset().num_items() - (request.item ? 1 : 0);
  require_list_length(request.k, limit,
                      request.item ? "there are besides this one" : "the catalogue has");
  return std::min(limit, rounded_length(request.k));
}

std::string ServedModel::key_of(const ListRequest& request) const {
  const std::int64_t k = checked_length(request);
  if (request.item) return fmt::format("item {} {}", k, request.filter_key);
  return fmt::format("user {} {} {} {}", enum_name(ranking_of(request)),
                     enum_name(seen_of(request)), k, request.filter_key);
}

const ItemChoice& ServedModel::choice_for(const ListRequest& request) {
  const auto found = std::find_if(kept_choices_.begin(), kept_choices_.end(),
                                  [&](const auto& kept) { return kept.key == request.filter_key; });
  if (found != kept_choices_.end()) {
    kept_choices_.splice(kept_choices_.begin(), kept_choices_, found);
  } else {
    if (request.filter.unknown == UnknownRawIds::error) {
      for (const auto* ids : {&request.filter.only_ids, &request.filter.exclude_ids}) {
        if (!*ids) continue;
        for (const std::string& raw : **ids) find(dataset().items, raw, "item");
      }
    }
    try {
      kept_choices_.push_front({request.filter_key, choose_items(dataset(), request.filter)});
    } catch (const NoItemPasses&) {
      throw;
    } catch (const InputError& error) {
      throw RequestError(422, "filter", error.what());
    }
    if (kept_choices_.size() > kMostKept) kept_choices_.pop_back();
  }
  return kept_choices_.front().choice;
}

ListMaker& ServedModel::lists_for(const ListRequest& request) {
  const std::string key = key_of(request);
  const auto found =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.key == key; });
  if (found != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, found);
    return *kept_.front().lists;
  }
  const std::int64_t k = checked_length(request);
  ItemChoice choice = choice_for(request);
  kept_.push_front({key, request.item
                             ? similar_lists(model(), k, std::move(choice))
                             : user_lists(model(), {k, seen_of(request), ranking_of(request)},
                                          std::move(choice))});
  std::int64_t bytes = 0;
  std::size_t count = 0;
  for (auto kept = kept_.begin(); kept != kept_.end();) {
    bytes += kept->lists->memory();
    const bool goes = count > 0 && (bytes > kMostKeptBytes || count >= kMostKept);
    ++count;
    kept = goes ? kept_.erase(kept) : std::next(kept);
  }
  return *kept_.front().lists;
}

ServedModel::Way ServedModel::way_of(const ListRequest& request, const PostedEvents& posted) const {
  if (request.item) return Way::vectors;
  if (!request.user || posted.has(*request.user) ||
      dataset().users.find(*request.user) == graph::kNoNode)
    return Way::people;
  return ranking_of(request) == Ranking::vectors || !model().has_scorer() ? Way::vectors
                                                                          : Way::full_score;
}

/// What is known of the events of a history.
KnownOfEvents ServedModel::known_of(const ListRequest& request) const {
  if (!request.history) return known_of_events_;
  const AskedEvent& first = request.history->front();
  return {known_of_events_.types && !first.event.empty(),
          known_of_events_.times && first.time_ms.has_value()};
}

bool ServedModel::is_alike(const ListRequest& a, const ListRequest& b, Way way) const {
  if (a.filter_key != b.filter_key || a.item.has_value() != b.item.has_value()) return false;
  if (rounded_length(a.k) != rounded_length(b.k)) return false;
  const std::int64_t limit = dataset().num_items() - (a.item ? 1 : 0);
  if ((a.k > limit) != (b.k > limit)) return false;
  if (a.item) return true;
  if (ranking_of(a) != ranking_of(b) || seen_of(a) != seen_of(b)) return false;
  const KnownOfEvents of_a = known_of(a), of_b = known_of(b);
  return way != Way::people || (of_a.types == of_b.types && of_a.times == of_b.times);
}

std::string ServedModel::list_body(const ListRequest& request,
                                   std::span<const ScoredItem> items) const {
  json body = {{"items", list_to_json(dataset(), items)}};
  if (request.user) body["user"] = *request.user;
  if (request.item) body["item"] = *request.item;
  return dump_json(body);
}

std::vector<ServedModel::Answered> ServedModel::lists(std::span<const ListRequest* const> requests,
                                                      Way way, const PostedEvents& posted) {
  return way == Way::people ? lists_of_people(requests, posted) : lists_of_owners(requests);
}

std::vector<ServedModel::Answered> ServedModel::lists_of_owners(
    std::span<const ListRequest* const> requests) {
  std::vector<Answered> answers(requests.size());
  std::vector<NodeId> owners;
  std::vector<std::size_t> places;
  for (std::size_t r = 0; r < requests.size(); ++r) {
    try {
      const ListRequest& request = *requests[r];
      owners.push_back(request.item ? find(dataset().items, *request.item, "item")
                                    : find(dataset().users, *request.user, "user"));
      places.push_back(r);
    } catch (...) {
      answers[r].wrong = std::current_exception();
    }
  }
  if (owners.empty()) return answers;
  try {
    ListMaker& maker = lists_for(*requests[places.front()]);
    const auto most = static_cast<std::size_t>(maker.block_size());
    for (std::size_t first = 0; first < owners.size(); first += most) {
      const std::size_t count = std::min(most, owners.size() - first);
      const ListBlock block = maker.make(std::span(owners).subspan(first, count));
      for (std::size_t j = 0; j < count; ++j) {
        const ListRequest& request = *requests[places[first + j]];
        answers[places[first + j]].body =
            list_body(request, list_of(block, static_cast<std::int64_t>(j), request.k));
      }
    }
  } catch (const NoItemPasses&) {
    for (const std::size_t place : places) answers[place].body = list_body(*requests[place], {});
  } catch (...) {
    for (const std::size_t place : places) answers[place] = {{}, std::current_exception()};
  }
  return answers;
}

std::vector<ServedModel::Answered> ServedModel::lists_of_people(
    std::span<const ListRequest* const> requests, const PostedEvents& posted) {
  std::vector<Answered> answers(requests.size());
  std::vector<Histories> people;
  std::vector<const ListRequest*> of_people;
  std::vector<std::size_t> places;
  for (std::size_t r = 0; r < requests.size(); ++r) {
    const ListRequest& request = *requests[r];
    try {
      std::optional<Histories> history =
          request.history ? asked_history(request) : history_with(*request.user, posted);
      if (!history) {  // none of the posted items is known
        find(dataset().users, *request.user, "user");
        answers[r] = std::move(lists_of_owners({&requests[r], 1}).front());
        continue;
      }
      people.push_back(std::move(*history));
      of_people.push_back(&request);
      places.push_back(r);
    } catch (...) {
      answers[r].wrong = std::current_exception();
    }
  }
  if (people.empty()) return answers;
  try {
    std::vector<std::vector<ScoredItem>> lists = ranked_people(of_people, people, posted);
    for (std::size_t j = 0; j < lists.size(); ++j) {
      const auto k = static_cast<std::size_t>(of_people[j]->k);
      answers[places[j]].body =
          list_body(*of_people[j], std::span(lists[j]).first(std::min(k, lists[j].size())));
    }
  } catch (const NoItemPasses&) {
    for (const std::size_t place : places) answers[place].body = list_body(*requests[place], {});
  } catch (...) {
    for (const std::size_t place : places) answers[place] = {{}, std::current_exception()};
  }
  return answers;
}

/// Longer lists than the requests want.
std::vector<std::vector<ScoredItem>> ServedModel::ranked_people(
    std::span<const ListRequest* const> requests, std::span<const Histories> people,
    const PostedEvents& posted) {
  const ListRequest& first = *requests.front();
  const std::int64_t k = checked_length(first);
  const ItemChoice& choice = choice_for(first);
  Histories all;
  for (const Histories& one : people) append_histories(one, all);
  if (ranking_of(first) == Ranking::full && model().has_scorer())
    return model().recommend_for_people(all, k, seen_of(first), Ranking::full, choice);
  require_vectors(model(), "recommend --history --ranking vectors");
  kernels::Backend& backend = model().backend();
  const auto count = static_cast<std::int64_t>(people.size());
  const std::int64_t width = model().layout().width();
  FloatMatrix queries = backend.matrix<float>(count, width);
  for (std::size_t j = 0; j < people.size(); ++j) {
    const std::vector<float> vector = requests[j]->user
                                          ? vector_with(*requests[j]->user, people[j], posted)
                                          : host_row(model().history_vectors(people[j]), backend);
    backend.copy(ConstFloatView(vector.data(), 1, width, width, kernels::Device::cpu),
                 queries.view().rows_of(static_cast<std::int64_t>(j), 1));
  }
  const graph::Csr seen = seen_of_people(dataset(), all, seen_of(first));
  const std::vector<NodeId> owners(people.size(), graph::kNoNode);
  ListSelector selector(dataset().num_items(), k, choice, backend);
  const ListBlock block = selector.by_vectors(queries.view(), model().items(), seen.view(), owners);
  std::vector<std::vector<ScoredItem>> lists;
  for (std::int64_t person = 0; person < count; ++person)
    lists.push_back(list_of(block, person, k));
  return lists;
}

std::vector<PersonEvent> ServedModel::asked_events(const ListRequest& request) const {
  std::vector<PersonEvent> events;
  for (const AskedEvent& one : *request.history) {
    const NodeId item = dataset().items.find(one.item);
    if (item == graph::kNoNode) {
      if (request.unknown == UnknownRawIds::skip) continue;
      throw unknown_of(dataset().items, one.item, "item");
    }
    check_type(one.event);
    const auto& names = dataset().event_names;
    const auto type = std::find(names.begin(), names.end(), one.event);
    events.push_back({item, one.time_ms.value_or(graph::kNoTime),
                      static_cast<std::uint8_t>(type == names.end() ? 0 : type - names.begin())});
  }
  if (events.empty())
    throw RequestError(404, "unknown_item", "the data set has none of the history's items");
  return events;
}

Histories ServedModel::asked_history(const ListRequest& request) const {
  return history_of_events(asked_events(request), known_of(request));
}

void ServedModel::check_type(const std::string& event) const {
  const auto& names = dataset().event_names;
  if (event.empty() || names.empty() || std::find(names.begin(), names.end(), event) != names.end())
    return;
  std::string all;
  for (const std::string& name : names) all.append(all.empty() ? "" : ", ").append(name);
  throw RequestError(422, "unknown_event",
                     fmt::format("event is '{}', expected one of the data set's: {}",
                                 printable(event), printable(all)));
}

std::string ServedModel::default_type() const {
  return dataset().event_names.empty() ? "" : dataset().event_names.front();
}

bool ServedModel::knows(const PostedEvent& event) const {
  const NodeId user = dataset().users.find(event.user);
  const NodeId item = dataset().items.find(event.item);
  if (user == graph::kNoNode || item == graph::kNoNode || !known_of_events_.times) return false;
  const std::vector<PersonEvent> known = events_of_user(dataset(), user);
  return std::any_of(known.begin(), known.end(), [&](const PersonEvent& one) {
    return one.item == item && one.time_ms == event.time_ms;
  });
}

std::optional<Histories> ServedModel::history_with(const std::string& user,
                                                   const PostedEvents& posted) const {
  const std::vector<PersonEvent> events = events_with(user, posted);
  if (events.empty()) return std::nullopt;
  return history_of_events(events, known_of_events_);
}

std::vector<PersonEvent> ServedModel::events_with(const std::string& user,
                                                  const PostedEvents& posted) const {
  const NodeId known_user = dataset().users.find(user);
  std::vector<PersonEvent> events;
  if (known_user != graph::kNoNode) events = events_of_user(dataset(), known_user);
  const std::size_t num_known = events.size();
  const auto& names = dataset().event_names;
  for (const PostedEvent& one : posted.of(user)) {
    const NodeId item = dataset().items.find(one.item);
    if (item == graph::kNoNode) continue;
    const auto type = std::find(names.begin(), names.end(), one.event);
    events.push_back({item, one.time_ms,
                      static_cast<std::uint8_t>(type == names.end() ? 0 : type - names.begin())});
  }
  if (events.size() == num_known) return {};
  // Without times the posted events are the last. Times of sequences are places, which none of
  // these has.
  const auto first = known_of_events_.times
                         ? events.begin()
                         : events.begin() + static_cast<std::ptrdiff_t>(num_known);
  std::stable_sort(first, events.end(), [](const PersonEvent& a, const PersonEvent& b) {
    return a.time_ms < b.time_ms;
  });
  if (std::cmp_greater(events.size(), kLongestHistory))
    events.erase(events.begin(), events.end() - kLongestHistory);
  return events;
}

const std::vector<float>& ServedModel::vector_with(const std::string& user,
                                                   const Histories& history,
                                                   const PostedEvents& posted) {
  const std::uint64_t version = posted.version_of(user);
  const auto found = kept_vectors_.find(user);
  if (found != kept_vectors_.end() && found->second.version == version) return found->second.vector;
  if (found == kept_vectors_.end() && kept_vectors_.size() >= kMostKeptVectors)
    kept_vectors_.clear();
  std::vector<float> vector = host_row(model().history_vectors(history), model().backend());
  return kept_vectors_.insert_or_assign(user, KeptVector{version, std::move(vector)})
      .first->second.vector;
}

std::string ServedModel::scores(const ScoreRequest& request, const PostedEvents& posted) {
  const Ranking ranking = request.ranking.value_or(chosen_ranking("", config_));
  kernels::Backend& backend = model().backend();
  std::vector<NodeId> users, items;  // of pairs that the model answers by itself
  std::vector<std::size_t> places;   // of these
  std::vector<float> all(request.pairs.size(), 0.0F);
  // Pairs of users with posted events, by user.
  std::unordered_map<std::string, std::vector<std::pair<std::size_t, NodeId>>> with_events;
  for (std::size_t p = 0; p < request.pairs.size(); ++p) {
    const auto& [raw_user, raw_item] = request.pairs[p];
    const NodeId user = dataset().users.find(raw_user);
    const NodeId item = dataset().items.find(raw_item);
    const bool has_events = posted.has(raw_user);
    if (item == graph::kNoNode || (user == graph::kNoNode && !has_events)) {
      if (request.unknown_is_zero) continue;
      throw item == graph::kNoNode ? unknown_of(dataset().items, raw_item, "item")
                                   : unknown_of(dataset().users, raw_user, "user");
    }
    if (has_events) {
      with_events[raw_user].emplace_back(p, item);
    } else {
      users.push_back(user);
      items.push_back(item);
      places.push_back(p);
    }
  }
  const bool by_pairs =
      model().has_interest() && model().interest()->pair_score() != PairScore::none;
  for (const auto& [raw_user, pairs] : with_events) {
    const std::optional<Histories> history = history_with(raw_user, posted);
    if (!history) {
      const NodeId user = dataset().users.find(raw_user);
      for (const auto& [place, item] : pairs) {
        if (user == graph::kNoNode) {
          if (request.unknown_is_zero) continue;
          throw unknown_of(dataset().users, raw_user, "user");
        }
        users.push_back(user);
        items.push_back(item);
        places.push_back(place);
      }
      continue;
    }
    std::vector<NodeId> own_items;
    for (const auto& [place, item] : pairs) own_items.push_back(item);
    std::vector<float> own;
    if (by_pairs) {
      const std::vector<NodeId> rows(own_items.size(), 0);
      own = model().interest()->pair_scores(*history, rows, own_items, backend);
    } else if (ranking == Ranking::full && model().has_scorer()) {
      kernels::Download<float> download;
      const FloatMatrix table = model().history_scores(*history);
      const ConstFloatView host = download(table.view(), backend);
      for (const NodeId item : own_items) own.push_back(host(item, 0));
    } else {
      require_vectors(model(), "score --ranking vectors");
      const std::vector<float>& vector = vector_with(raw_user, *history, posted);
      FloatMatrix rows = backend.matrix<float>(static_cast<std::int64_t>(own_items.size()),
                                               static_cast<std::int64_t>(vector.size()));
      kernels::Upload<NodeId> upload;
      backend.gather_rows(model().items(), upload(own_items, backend), rows.view());
      kernels::Download<float> download;
      const ConstFloatView host = download(rows.view(), backend);
      for (std::int64_t row = 0; row < host.rows; ++row) {
        float sum = 0.0F;
        for (std::int64_t j = 0; j < host.cols; ++j)
          sum += vector[static_cast<std::size_t>(j)] * host(row, j);
        own.push_back(sum);
      }
    }
    for (std::size_t j = 0; j < pairs.size(); ++j) all[pairs[j].first] = own[j];
  }
  const std::vector<float> own = model().score(users, items, ranking);
  for (std::size_t j = 0; j < places.size(); ++j) all[places[j]] = own[j];
  return dump_json({{"score", model().score_meaning(ranking)}, {"scores", all}});
}

std::string ServedModel::explanation(const ExplainRequest& request, const PostedEvents& posted) {
  if (explainer_ == nullptr) explainer_ = std::make_unique<Explainer>(model());
  const NodeId item = find(dataset().items, request.item, "item");
  if (request.similar) {
    find(dataset().items, *request.similar, "item");
    return dump_json(explanation_json(explainer_->of_similar(request.item, *request.similar),
                                      dataset(), request.top));
  }
  ListRequest asked;
  asked.user = request.user;
  asked.history = request.history;
  asked.ranking = request.ranking;
  const Ranking ranking = ranking_of(asked);
  const std::vector<PersonEvent> events =
      request.history ? asked_events(asked) : events_with(*request.user, posted);
  if (request.user && events.empty()) {
    find(dataset().users, *request.user, "user");
    return dump_json(explanation_json(explainer_->of_user(*request.user, request.item, ranking),
                                      dataset(), request.top));
  }
  Explanation explanation = explainer_->of_events(
      events, request.history ? known_of(asked) : known_of_events_, item, ranking);
  explanation.user = request.user.value_or("");
  return dump_json(explanation_json(explanation, dataset(), request.top));
}

std::string ServedModel::vectors(const VectorsRequest& request, const PostedEvents& posted) {
  require_vectors(model(), "vectors");
  kernels::Backend& backend = model().backend();
  const auto row_json = [&](ConstFloatView table, NodeId id) {
    FloatMatrix row = backend.matrix<float>(1, table.cols);
    kernels::Upload<NodeId> upload;
    backend.gather_rows(table, upload(std::vector<NodeId>{id}, backend), row.view());
    return json(host_row(row, backend));
  };
  json body = {{"dimension", model().layout().width()}};
  if (!request.users.empty()) {
    json& users = body["users"] = json::array();
    for (const std::string& raw : request.users) {
      const std::optional<Histories> history =
          posted.has(raw) ? history_with(raw, posted) : std::nullopt;
      users.push_back(
          {{"user", raw},
           {"vector", history ? json(vector_with(raw, *history, posted))
                              : row_json(model().users(), find(dataset().users, raw, "user"))}});
    }
  }
  if (!request.items.empty()) {
    json& items = body["items"] = json::array();
    for (const std::string& raw : request.items) {
      items.push_back({{"item", raw},
                       {"vector", row_json(model().items(), find(dataset().items, raw, "item"))}});
    }
  }
  if (request.history) {
    ListRequest asked;
    asked.history = request.history;
    const Histories history = asked_history(asked);
    body["history"] = host_row(model().history_vectors(history), backend);
  }
  return dump_json(body);
}

}  // namespace penchant::pipeline
