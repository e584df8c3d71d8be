// SPDX-License-Identifier: Apache-2.0
#include "pipeline/explain/explanation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <span>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/artifact/printable.h"

namespace penchant::pipeline {

using graph::NodeId;
using nlohmann::json;

namespace {

/// Of the reasons a sentence names as many as hold this much of what has a positive lead.
constexpr double kNamedShare = 0.6;
constexpr std::size_t kNamedValues = 2;

/// Times of sequences and of numbered rows are places, which are far below any date's milliseconds.
bool is_date(std::int64_t time_ms) { return time_ms >= 10'000'000'000; }

std::chrono::year_month_day day_of(std::int64_t time_ms) {
  return std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(time_ms)));
}

std::string date_text(std::int64_t time_ms) {
  const std::chrono::year_month_day day = day_of(time_ms);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

std::string month_text(std::int64_t time_ms) {
  static constexpr const char* kMonths[] = {"January",   "February", "March",    "April",
                                            "May",       "June",     "July",     "August",
                                            "September", "October",  "November", "December"};
  const std::chrono::year_month_day day = day_of(time_ms);
  return fmt::format("{} {}", kMonths[static_cast<unsigned>(day.month()) - 1],
                     static_cast<int>(day.year()));
}

/// "A", "A and B", "A, B and C".
std::string listed(std::span<const std::string> names) {
  std::string text;
  for (std::size_t k = 0; k < names.size(); ++k)
    text += (k == 0 ? "" : k + 1 == names.size() ? " and " : ", ") + names[k];
  return text;
}

/// The reasons that say most of it.
std::vector<const HistoryShare*> named_items(const Explanation& explanation) {
  double positive = 0.0;
  for (const HistoryShare& had : explanation.history) positive += std::max(had.lead, 0.0);
  std::vector<const HistoryShare*> named;
  double sum = 0.0;
  for (const HistoryShare& had : explanation.history) {
    if (had.lead <= 0.0 || !had.reason || sum >= kNamedShare * positive) break;
    named.push_back(&had);
    sum += had.lead;
  }
  return named;
}

/// ", from March 2024" or ", from March 2024 to May 2024"; nothing without times.
std::string months_of(std::span<const HistoryShare* const> items) {
  std::int64_t first = graph::kNoTime, last = graph::kNoTime;
  for (const HistoryShare* had : items) {
    if (!is_date(had->last_ms)) return "";
    first = first == graph::kNoTime ? had->last_ms : std::min(first, had->last_ms);
    last = last == graph::kNoTime ? had->last_ms : std::max(last, had->last_ms);
  }
  if (first == graph::kNoTime) return "";
  const std::string from = month_text(first), to = month_text(last);
  return from == to ? ", from " + from : fmt::format(", from {} to {}", from, to);
}

/// The attribute values that most of the shares go with: "brand C".
std::string values_of(std::span<const AttributeShare> attributes, bool with_shares) {
  std::vector<std::string> values;
  for (const AttributeShare& shared : attributes) {
    if (values.size() == kNamedValues || (with_shares && shared.share <= 0.0)) break;
    values.push_back(shared.attribute + " " + shared.value);
  }
  return values.empty() ? "" : "; " + listed(values);
}

/// The named reason beside the user's history that weighs most, in words.
std::string largest_part(const Explanation& explanation) {
  std::size_t largest = 0;
  for (std::size_t kind = 1; kind < kNumPartKinds; ++kind) {
    if (explanation.parts[kind] > explanation.parts[largest]) largest = kind;
  }
  if (explanation.parts[largest] <= 0.0) return "";
  return part_text(static_cast<PartKind>(largest));
}

std::string json_item(const Dataset& dataset, NodeId item) {
  return std::string(dataset.items.raw(item));
}

/// Of a share in the score; nothing of a score of 0.
json of_score(double share, double score) { return score == 0.0 ? json() : json(share / score); }

std::string percent(double share, double score) {
  return score == 0.0 ? "" : fmt::format("{:.0f} %", 100.0 * share / score);
}

template <typename Entry>
std::span<const Entry> first_of(const std::vector<Entry>& entries, std::int64_t top) {
  return std::span(entries).first(
      std::min(entries.size(), static_cast<std::size_t>(std::max<std::int64_t>(top, 0))));
}

json paths_json(const std::vector<PathShare>& paths, double score, std::int64_t top) {
  json list = json::array();
  for (const PathShare& path : first_of(paths, top)) {
    list.push_back({{"relation", path.relation},
                    {"value", path.value.empty() ? json() : json(path.value)},
                    {"share", path.share},
                    {"of_score", of_score(path.share, score)}});
  }
  return list;
}

std::string line_of(double share, double score, const std::string& what) {
  return fmt::format("{:>10.4f} {:>7}  {}\n", share, percent(share, score), what);
}

std::string path_text(const PathShare& path) {
  return path.value.empty() ? path.relation : fmt::format("{} = {}", path.relation, path.value);
}

}  // namespace

const char* part_text(PartKind kind) {
  switch (kind) {
    case PartKind::popularity:
      return "its popularity";
    case PartKind::new_items:
      return "attributes of what the user had";
    case PartKind::own_vector:
      return "what was learned for the user alone";
    case PartKind::no_history:
      return "what the network says of anybody";
    case PartKind::friends:
      return "what friends had";
    case PartKind::mean_user:
      return "what users like on average";
    case PartKind::beyond_history:
      return "what the user's vector learned beyond single items";
  }
  return "";
}

double Explanation::explained() const {
  const double had =
      std::accumulate(history.begin(), history.end(), 0.0,
                      [](double sum, const HistoryShare& share) { return sum + share.share(); });
  return std::accumulate(parts.begin(), parts.end(), had);
}

std::string value_text(const graph::Attribute& attribute, graph::NodeId value,
                       const Dataset& dataset) {
  const std::string_view raw = attribute.values.raw(value);
  const graph::NodeId landmark =
      attribute.content.width > 0 ? dataset.items.find(raw) : graph::kNoNode;
  return landmark == graph::kNoNode ? std::string(raw) : "like " + item_label(dataset, landmark);
}

std::string sentence(const Explanation& explanation, const Dataset& dataset) {
  if (!explanation.known) return "nothing is known of this item";
  const std::vector<const HistoryShare*> items = named_items(explanation);
  if (items.empty()) {
    const std::string part = largest_part(explanation);
    return part.empty() ? "nothing speaks for it" : "because of " + part;
  }
  std::vector<std::string> names;
  double sum = 0.0;
  for (const HistoryShare* had : items) {
    names.push_back(item_label(dataset, had->item));
    sum += had->share();
  }
  std::string text =
      "because of " + listed(names) + months_of(items) + values_of(explanation.attributes, true);
  const double largest = *std::max_element(explanation.parts.begin(), explanation.parts.end());
  if (largest > sum) text += "; and of " + largest_part(explanation);
  return text;
}

std::string sentence(const SimilarExplanation& explanation, const Dataset&) {
  std::string text;
  if (explanation.num_shared_users > 0)
    text = fmt::format("because {} {} both", explanation.num_shared_users,
                       explanation.num_shared_users == 1 ? "user had" : "users had");
  const std::string values = values_of(explanation.attributes, false);
  if (text.empty() && values.empty())
    return "nobody had both, and they share no attribute value: their neighbours are alike";
  return text.empty() ? "because both have " + values.substr(2) : text + values;
}

json explanation_json(const Explanation& explanation, const Dataset& dataset, std::int64_t top) {
  const double score = explanation.score;
  json history = json::array();
  const auto time = [](std::int64_t time_ms) {
    return is_date(time_ms) ? json(date_text(time_ms)) : json();
  };
  for (const HistoryShare& had : first_of(explanation.history, top)) {
    history.push_back({{"item", json_item(dataset, had.item)},
                       {"label", item_label(dataset, had.item)},
                       {"events", had.events},
                       {"first", time(had.first_ms)},
                       {"last", time(had.last_ms)},
                       {"share", had.share()},
                       {"of_score", of_score(had.share(), score)},
                       {"lead", had.lead},
                       {"reason", had.reason},
                       {"vectors", had.vectors},
                       {"filter", had.filter},
                       {"repeats", had.repeats}});
  }
  json parts = json::object();
  for (std::size_t kind = 0; kind < kNumPartKinds; ++kind) {
    parts[std::string(enum_name(static_cast<PartKind>(kind)))] = explanation.parts[kind];
  }
  json attributes = json::array();
  for (const AttributeShare& shared : first_of(explanation.attributes, top)) {
    attributes.push_back({{"attribute", shared.attribute},
                          {"value", shared.value},
                          {"items", shared.items},
                          {"share", shared.share},
                          {"of_score", of_score(shared.share, score)}});
  }
  return {{"user", explanation.user.empty() ? json() : json(explanation.user)},
          {"item", json_item(dataset, explanation.item)},
          {"label", item_label(dataset, explanation.item)},
          {"score", score},
          {"ranking", enum_name(explanation.ranking)},
          {"meaning", explanation.meaning},
          {"sentence", sentence(explanation, dataset)},
          {"method", enum_name(explanation.method)},
          {"history", std::move(history)},
          {"items_of_history", explanation.history.size()},
          {"items_led", explanation.num_others},
          {"items_unexplained", explanation.num_unexplained},
          {"parts", std::move(parts)},
          {"residual", explanation.residual},
          {"paths", paths_json(explanation.paths, score, top)},
          {"attributes", std::move(attributes)},
          {"seen", explanation.seen},
          {"listed", explanation.listed},
          {"known", explanation.known}};
}

json explanation_json(const SimilarExplanation& explanation, const Dataset& dataset,
                      std::int64_t top) {
  json attributes = json::array();
  for (const AttributeShare& shared : first_of(explanation.attributes, top))
    attributes.push_back({{"attribute", shared.attribute}, {"value", shared.value}});
  return {{"item", json_item(dataset, explanation.item)},
          {"label", item_label(dataset, explanation.item)},
          {"similar", json_item(dataset, explanation.other)},
          {"similar_label", item_label(dataset, explanation.other)},
          {"score", explanation.cosine},
          {"meaning", "cosine"},
          {"sentence", sentence(explanation, dataset)},
          {"paths", paths_json(explanation.paths, explanation.cosine, top)},
          {"parts", {{"new_items", explanation.new_items}, {"popularity", explanation.popularity}}},
          {"residual", explanation.residual},
          {"attributes", std::move(attributes)},
          {"shared_users", explanation.num_shared_users}};
}

std::string explanation_text(const Explanation& explanation, const Dataset& dataset,
                             std::int64_t top) {
  const auto label = [&](NodeId item) { return printable(item_label(dataset, item), kWholeText); };
  const double score = explanation.score;
  std::string text = fmt::format(
      "{}, item {}  {}\n{} {:.4f}: {}\n",
      explanation.user.empty() ? std::string("for this history")
                               : "for user " + printable(explanation.user, kWholeText),
      printable(dataset.items.raw(explanation.item), kWholeText), label(explanation.item),
      explanation.meaning, score, printable(sentence(explanation, dataset), kWholeText));
  if (!explanation.listed)
    text += "the user had it, and lists of this data set leave out what users had\n";
  text += "\n     share  of all       lead  what the user had\n";
  double shown = 0.0;
  const auto history = first_of(explanation.history, top);
  for (const HistoryShare& had : history) {
    std::string when = is_date(had.last_ms) ? date_text(had.last_ms) : "";
    if (had.events > 1) when += fmt::format("{}{} times", when.empty() ? "" : ", ", had.events);
    const std::string last = when.empty() ? "" : "  (" + when + ")";
    text +=
        line_of(had.share(), score, fmt::format("{:>9.4f}  {}", had.lead, label(had.item) + last));
    shown += had.share();
  }
  double rest = explanation.residual;
  for (const double part : explanation.parts) rest += part;
  if (history.size() < explanation.history.size()) {
    text += line_of(
        score - rest - shown, score,
        fmt::format("{:>9}  {} other items", "", explanation.history.size() - history.size()));
  }
  for (std::size_t kind = 0; kind < kNumPartKinds; ++kind) {
    if (explanation.parts[kind] != 0.0)
      text += line_of(explanation.parts[kind], score,
                      fmt::format("{:>9}  {}", "", part_text(static_cast<PartKind>(kind))));
  }
  if (explanation.num_unexplained > 0)
    text += fmt::format("{:>19}{} earlier items are in it\n", "", explanation.num_unexplained);
  if (std::abs(explanation.residual) > 1e-4 * std::abs(score))
    text += line_of(explanation.residual, score, fmt::format("{:>9}  not explained", ""));
  if (explanation.num_others > 0) {
    text += fmt::format("lead: over the mean share in the scores of the {} best other items\n",
                        explanation.num_others);
  }
  if (!explanation.attributes.empty())
    text += "\n     share  of all  through the user's items of\n";
  for (const AttributeShare& shared : first_of(explanation.attributes, top)) {
    text += line_of(
        shared.share, score,
        printable(fmt::format("{} = {}  ({} items)", shared.attribute, shared.value, shared.items),
                  kWholeText));
  }
  if (!explanation.paths.empty()) text += "\n     share  of all  the item's vector, by\n";
  for (const PathShare& path : first_of(explanation.paths, top))
    text += line_of(path.share, score, printable(path_text(path), kWholeText));
  return text;
}

std::string explanation_text(const SimilarExplanation& explanation, const Dataset& dataset,
                             std::int64_t top) {
  const auto label = [&](NodeId item) {
    return printable(fmt::format("{}  {}", dataset.items.raw(item), item_label(dataset, item)),
                     kWholeText);
  };
  std::string text = fmt::format("item {}\nnear {}\ncosine {:.4f}: {}\n\n", label(explanation.item),
                                 label(explanation.other), explanation.cosine,
                                 printable(sentence(explanation, dataset), kWholeText));
  for (const PathShare& path : first_of(explanation.paths, top))
    text += line_of(path.share, explanation.cosine, printable(path_text(path), kWholeText));
  if (explanation.paths.size() > first_of(explanation.paths, top).size()) {
    double rest = 0.0;
    for (std::size_t k = first_of(explanation.paths, top).size(); k < explanation.paths.size(); ++k)
      rest += explanation.paths[k].share;
    text += line_of(rest, explanation.cosine, "other ways");
  }
  if (explanation.new_items != 0.0)
    text += line_of(explanation.new_items, explanation.cosine, "columns of new items");
  if (explanation.popularity != 0.0)
    text += line_of(explanation.popularity, explanation.cosine, "both are popular");
  if (std::abs(explanation.residual) > 1e-4)
    text += line_of(explanation.residual, explanation.cosine, "not explained");
  return text;
}

}  // namespace penchant::pipeline
