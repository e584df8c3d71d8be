// SPDX-License-Identifier: Apache-2.0
#include "pipeline/command/single_list.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/command/verbs.h"
#include "pipeline/export/list_json.h"

namespace penchant::pipeline {

using nlohmann::json;

namespace {

void print_users(const Answer& answer, bool as_json) {
  const graph::Dictionary& users = answer.loaded->dataset.users;
  json list = json::array();
  std::string text = answer.title;
  for (std::size_t i = 0; i < answer.items.size(); ++i) {
    const ScoredItem& user = answer.items[i];
    list.push_back(
        {{"rank", i + 1}, {"user", std::string(users.raw(user.item))}, {"score", user.score}});
    text += fmt::format("{:>4}  {:<16}{:>8.4f}\n", i + 1,
                        printable(users.raw(user.item), kWholeText), user.score);
  }
  if (as_json)
    print(json{{"users", list}}.dump(2) + "\n");
  else
    print_text(text);
}

}  // namespace

void print_answer(const Answer& answer, bool as_json) {
  if (answer.listed == Listed::users) return print_users(answer, as_json);
  const Dataset& dataset = answer.loaded->dataset;
  const std::vector<ScoredItem>& items = answer.items;
  if (as_json) {
    print(json{{"items", list_to_json(dataset, items)}}.dump(2) + "\n");
    return;
  }
  std::string text = answer.title;
  for (std::size_t i = 0; i < items.size(); ++i) {
    text += fmt::format("{:>4}  {:<16}{:>8.4f}  {}\n", i + 1,
                        printable(dataset.items.raw(items[i].item), kWholeText), items[i].score,
                        printable(item_label(dataset, items[i].item), kWholeText));
  }
  print_text(text);
}

namespace {

/// `a,"b, c",d` -> a; b, c; d, quoted as in CSV: a quote within quotes is written twice. Nothing
/// for an empty text.
std::vector<std::string> split_ids(std::string_view text) {
  std::vector<std::string> ids;
  for (std::size_t place = 0; place < text.size(); ++place) {
    std::string& id = ids.emplace_back();
    if (text[place] == '"') {
      bool closed = false;
      for (++place; place < text.size() && !closed; ++place) {
        const bool quote = text[place] == '"';
        const bool doubled = quote && place + 1 < text.size() && text[place + 1] == '"';
        if (!quote || doubled) id += text[place];
        if (doubled) ++place;
        closed = quote && !doubled;
      }
      if (!closed || (place < text.size() && text[place] != ','))
        throw InputError(fmt::format(
            "--history is '{}', expected a comma behind each closing quote; an id that holds "
            "quotes can be given as a --history of its own",
            text));
      continue;
    }
    const std::size_t last = std::min(text.find(',', place), text.size());
    id = text.substr(place, last - place);
    place = last;
  }
  return ids;
}

}  // namespace

std::vector<std::string> history_items(const std::vector<std::string>& texts,
                                       const graph::Dictionary& items) {
  std::vector<std::string> ids;
  for (const std::string& text : texts) {
    if (items.find(text) != graph::kNoNode) {
      ids.push_back(text);
      continue;
    }
    for (std::string& id : split_ids(text)) ids.push_back(std::move(id));
  }
  return ids;
}

}  // namespace penchant::pipeline
