// SPDX-License-Identifier: Apache-2.0
#include "pipeline/serve/request_json.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <set>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/ingest/time_parse.h"

namespace penchant::pipeline {

using nlohmann::json;

namespace {

constexpr std::int64_t kMostLetters = 4096;  ///< of an id or the name of an event type
constexpr int kDeepest = 16;

[[noreturn]] void refuse_body(const std::string& message) {
  throw RequestError(400, "bad_request", message);
}

/// Before it is parsed: brackets within brackets would otherwise take memory by the byte.
void require_flat(std::string_view body) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t place = 0; place < body.size(); ++place) {
    const char letter = body[place];
    if (quoted) {
      if (letter == '\\')
        ++place;
      else if (letter == '"')
        quoted = false;
    } else if (letter == '"') {
      quoted = true;
    } else if (letter == '[' || letter == '{') {
      if (++depth > kDeepest)
        refuse_body(fmt::format("the body has more than {} brackets within each other", kDeepest));
    } else if (letter == ']' || letter == '}') {
      --depth;
    }
  }
}

/// Two values of one key: which of them counts would be a matter of taste.
json::parser_callback_t refuse_repeated_keys() {
  return [keys = std::vector<std::set<std::string>>()](int, json::parse_event_t event,
                                                       json& value) mutable {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      refuse_body(fmt::format("the key '{}' is given twice", printable(value.get<std::string>())));
    return true;
  };
}

json parse_object(std::string_view body, std::initializer_list<std::string_view> keys) {
  require_flat(body);
  json parsed;
  try {
    parsed = json::parse(body, refuse_repeated_keys());
  } catch (const json::exception& error) {
    refuse_body(fmt::format("the body is no JSON: {}", error.what()));
  }
  if (!parsed.is_object()) refuse_body("the body is expected to be an object of JSON");
  for (const auto& [key, value] : parsed.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      std::string all;
      for (const std::string_view known : keys) all.append(all.empty() ? "" : ", ").append(known);
      refuse_body(fmt::format("'{}' is no key of this request, expected {}", printable(key), all));
    }
  }
  return parsed;
}

/// The value of a key; null: it is not there, or null.
const json* found(const json& object, const char* key) {
  const auto place = object.find(key);
  return place == object.end() || place->is_null() ? nullptr : &*place;
}

void require_letters(std::string_view text, const std::string& name) {
  const auto count = std::count_if(text.begin(), text.end(),
                                   [](char letter) { return (letter & '\xC0') != '\x80'; });
  if (count > kMostLetters)
    refuse_body(fmt::format("{} has {} letters, expected at most {}", name, count, kMostLetters));
}

std::string id_of(const json& value, const std::string& name) {
  std::string id;
  if (value.is_string())
    id = value.get<std::string>();
  else if (value.is_number_integer())
    id = value.dump();
  else
    refuse_body(fmt::format("{} is {}, expected a raw id: a text or a whole number", name,
                            printable(value.dump().substr(0, 80))));
  if (id.empty()) refuse_body(fmt::format("{} is empty, expected a raw id", name));
  require_letters(id, name);
  return id;
}

std::string text_of(const json& value, const std::string& name) {
  if (!value.is_string()) refuse_body(fmt::format("{} is expected to be a text", name));
  return value.get<std::string>();
}

/// Name of an event type.
std::string event_type_of(const json& value, const std::string& name) {
  std::string type = text_of(value, name);
  if (type.empty())
    refuse_body(name + " is empty, expected the name of an event type, or none given");
  require_letters(type, name);
  return type;
}

const json& array_of(const json& value, const std::string& name, std::int64_t most) {
  if (!value.is_array()) refuse_body(fmt::format("{} is expected to be an array", name));
  if (std::cmp_greater(value.size(), most))
    throw RequestError(
        400, "too_many",
        fmt::format("{} has {} elements, expected at most {}", name, value.size(), most));
  return value;
}

std::vector<std::string> ids_of(const json& value, const std::string& name, std::int64_t most) {
  std::vector<std::string> ids;
  for (const json& one : array_of(value, name, most))
    ids.push_back(id_of(one, fmt::format("{}[{}]", name, ids.size())));
  return ids;
}

/// As ingest reads times: Unix time in seconds, milliseconds from 1e11 on, or ISO 8601.
std::int64_t time_of(const json& value, const std::string& name) {
  const TimeParser parse("auto");
  const std::string text = value.is_string()           ? value.get<std::string>()
                           : value.is_number_integer() ? value.dump()
                           : value.is_number()         ? fmt::format("{:.3f}", value.get<double>())
                                                       : std::string();
  const auto time_ms = parse(text);
  if (!time_ms)
    refuse_body(fmt::format("{} is {}, expected {}", name, printable(value.dump().substr(0, 80)),
                            parse.expectation()));
  return *time_ms;
}

void require_keys(const json& object, const std::string& name,
                  std::initializer_list<std::string_view> keys) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      refuse_body(fmt::format("'{}' is no key of {}", printable(key), name));
  }
}

/// Elements are raw ids or objects of item, time and event.
AskedHistory history_of(const json& value, const RequestLimits& limits) {
  AskedHistory history;
  for (const json& one : array_of(value, "history", limits.max_history)) {
    const std::string name = fmt::format("history[{}]", history.size());
    AskedEvent& event = history.emplace_back();
    if (!one.is_object()) {
      event.item = id_of(one, name);
      continue;
    }
    require_keys(one, name, {"item", "time", "event"});
    const json* item = found(one, "item");
    if (item == nullptr) refuse_body(fmt::format("{} has no item", name));
    event.item = id_of(*item, name + ".item");
    if (const json* time = found(one, "time")) event.time_ms = time_of(*time, name + ".time");
    if (const json* type = found(one, "event")) event.event = event_type_of(*type, name + ".event");
  }
  if (history.empty()) refuse_body("history is empty, expected raw item ids, oldest first");
  const auto all_or_none = [&](const char* key, const auto& has) {
    const auto count = std::count_if(history.begin(), history.end(), has);
    if (count != 0 && std::cmp_not_equal(count, history.size()))
      refuse_body(fmt::format("history: {} is expected of all events or of none", key));
  };
  all_or_none("time", [](const AskedEvent& event) { return event.time_ms.has_value(); });
  all_or_none("event", [](const AskedEvent& event) { return !event.event.empty(); });
  // Events of one time stay in the order of the request.
  if (history.front().time_ms) {
    std::stable_sort(history.begin(), history.end(), [](const AskedEvent& a, const AskedEvent& b) {
      return *a.time_ms < *b.time_ms;
    });
  }
  return history;
}

template <typename Enum>
Enum word_of(const json& value, const std::string& name) {
  try {
    return parse_enum<Enum>(text_of(value, name), name);
  } catch (const InputError& error) {
    refuse_body(error.what());
  }
}

/// A number of things that are told, from 1 to the limit; `value` without it.
std::int64_t length_of(const json& body, const char* key, std::int64_t value, std::int64_t limit) {
  const json* given = found(body, key);
  if (given == nullptr) return value;
  const double number = given->is_number() ? given->get<double>() : 0.5;
  if (number != std::floor(number))
    refuse_body(fmt::format("{} is expected to be a whole number", key));
  value = static_cast<std::int64_t>(std::clamp(number, -1e15, 1e15));
  if (value < 1) refuse_body(fmt::format("{} is {}, expected at least 1", key, value));
  if (value > limit)
    throw RequestError(400, "too_many",
                       fmt::format("{} is {}, expected at most {}", key, value, limit));
  return value;
}

void parse_length_and_filter(const json& body, const RequestLimits& limits, ListRequest& request) {
  request.k = length_of(body, "k", request.k, limits.max_k);
  if (const json* unknown = found(body, "unknown"))
    request.unknown = word_of<UnknownRawIds>(*unknown, "unknown");
  ItemFilterOptions& filter = request.filter;
  json key = json::array();
  if (const json* where = found(body, "where")) filter.where = text_of(*where, "where");
  if (const json* most = found(body, "at_most")) {
    for (const json& one : array_of(*most, "at_most", 16))
      filter.at_most.push_back(text_of(one, fmt::format("at_most[{}]", filter.at_most.size())));
  }
  constexpr std::int64_t kMostFiltered = 100'000;
  if (const json* only = found(body, "only_items"))
    filter.only_ids = ids_of(*only, "only_items", kMostFiltered);
  if (const json* exclude = found(body, "exclude"))
    filter.exclude_ids = ids_of(*exclude, "exclude", kMostFiltered);
  filter.unknown = request.unknown;
  if (filter.empty()) return;
  key = {filter.where, filter.at_most, enum_name(filter.unknown)};
  key.push_back(filter.only_ids ? json(*filter.only_ids) : json());
  key.push_back(filter.exclude_ids ? json(*filter.exclude_ids) : json());
  request.filter_key = key.dump();
}

}  // namespace

ListRequest parse_recommend_request(std::string_view body, const RequestLimits& limits) {
  const json parsed = parse_object(body, {"user", "history", "k", "ranking", "seen", "where",
                                          "at_most", "only_items", "exclude", "unknown"});
  ListRequest request;
  if (const json* user = found(parsed, "user")) request.user = id_of(*user, "user");
  if (const json* history = found(parsed, "history"))
    request.history = history_of(*history, limits);
  if (request.user.has_value() == request.history.has_value())
    refuse_body("expected either user or history");
  if (const json* ranking = found(parsed, "ranking"))
    request.ranking = word_of<Ranking>(*ranking, "ranking");
  if (const json* seen = found(parsed, "seen")) request.seen = word_of<SeenItems>(*seen, "seen");
  parse_length_and_filter(parsed, limits, request);
  return request;
}

ListRequest parse_similar_request(std::string_view body, const RequestLimits& limits) {
  const json parsed =
      parse_object(body, {"item", "k", "where", "at_most", "only_items", "exclude", "unknown"});
  ListRequest request;
  const json* item = found(parsed, "item");
  if (item == nullptr) refuse_body("expected item");
  request.item = id_of(*item, "item");
  parse_length_and_filter(parsed, limits, request);
  return request;
}

ScoreRequest parse_score_request(std::string_view body, const RequestLimits& limits) {
  const json parsed = parse_object(body, {"pairs", "ranking", "unknown"});
  ScoreRequest request;
  const json* pairs = found(parsed, "pairs");
  if (pairs == nullptr) refuse_body("expected pairs");
  for (const json& pair : array_of(*pairs, "pairs", limits.max_history)) {
    const std::string name = fmt::format("pairs[{}]", request.pairs.size());
    if (!pair.is_object()) refuse_body(name + " is expected to be an object of user and item");
    require_keys(pair, name, {"user", "item"});
    const json* user = found(pair, "user");
    const json* item = found(pair, "item");
    if (user == nullptr || item == nullptr) refuse_body(name + ": expected user and item");
    request.pairs.emplace_back(id_of(*user, name + ".user"), id_of(*item, name + ".item"));
  }
  if (const json* ranking = found(parsed, "ranking"))
    request.ranking = word_of<Ranking>(*ranking, "ranking");
  if (const json* unknown = found(parsed, "unknown")) {
    const std::string word = text_of(*unknown, "unknown");
    if (word != "error" && word != "zero")
      refuse_body(fmt::format("unknown is '{}', expected error or zero", printable(word)));
    request.unknown_is_zero = word == "zero";
  }
  return request;
}

VectorsRequest parse_vectors_request(std::string_view body, const RequestLimits& limits) {
  const json parsed = parse_object(body, {"users", "items", "history"});
  VectorsRequest request;
  if (const json* users = found(parsed, "users"))
    request.users = ids_of(*users, "users", limits.max_history);
  if (const json* items = found(parsed, "items"))
    request.items = ids_of(*items, "items", limits.max_history);
  if (const json* history = found(parsed, "history"))
    request.history = history_of(*history, limits);
  return request;
}

ExplainRequest parse_explain_request(std::string_view body, const RequestLimits& limits) {
  const json parsed = parse_object(body, {"item", "user", "history", "similar", "ranking", "top"});
  ExplainRequest request;
  const json* item = found(parsed, "item");
  if (item == nullptr) refuse_body("expected item");
  request.item = id_of(*item, "item");
  if (const json* user = found(parsed, "user")) request.user = id_of(*user, "user");
  if (const json* similar = found(parsed, "similar")) request.similar = id_of(*similar, "similar");
  if (const json* history = found(parsed, "history"))
    request.history = history_of(*history, limits);
  const int given = (request.user ? 1 : 0) + (request.similar ? 1 : 0) + (request.history ? 1 : 0);
  if (given != 1) refuse_body("expected either user, history or similar");
  if (const json* ranking = found(parsed, "ranking")) {
    if (request.similar) refuse_body("ranking has no effect with similar");
    request.ranking = word_of<Ranking>(*ranking, "ranking");
  }
  request.top = length_of(parsed, "top", request.top, limits.max_k);
  return request;
}

std::vector<PostedEvent> parse_events_request(std::string_view body, const RequestLimits& limits,
                                              std::int64_t now_ms) {
  const json parsed = parse_object(body, {"events"});
  const json* events = found(parsed, "events");
  if (events == nullptr) refuse_body("expected events");
  std::vector<PostedEvent> posted;
  for (const json& one : array_of(*events, "events", limits.max_history)) {
    const std::string name = fmt::format("events[{}]", posted.size());
    if (!one.is_object()) refuse_body(name + " is expected to be an object of user and item");
    require_keys(one, name, {"user", "item", "time", "event"});
    const json* user = found(one, "user");
    const json* item = found(one, "item");
    if (user == nullptr || item == nullptr) refuse_body(name + ": expected user and item");
    PostedEvent& event = posted.emplace_back();
    event.user = id_of(*user, name + ".user");
    event.item = id_of(*item, name + ".item");
    const json* time = found(one, "time");
    event.time_ms = time == nullptr ? now_ms : time_of(*time, name + ".time");
    if (const json* type = found(one, "event")) event.event = event_type_of(*type, name + ".event");
  }
  if (posted.empty()) refuse_body("events is empty, expected at least one");
  return posted;
}

}  // namespace penchant::pipeline
