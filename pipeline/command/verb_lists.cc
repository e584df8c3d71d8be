// SPDX-License-Identifier: Apache-2.0
// penchant recommend, similar: one list to look at, or the lists of many users or items as a file.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/command/single_list.h"
#include "pipeline/command/verbs.h"
#include "pipeline/data/item_filter.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/lists.h"
#include "pipeline/model/model.h"
#include "pipeline/workflow/given_key.h"
#include "pipeline/workflow/many_lists.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

namespace {

/// Options that both verbs have.
struct ListFlags {
  std::string data, model, owner, owners_file, out, only_items, exclude, unknown = "error", key;
  bool all = false;
  std::int64_t k = 20;
  ItemFilterOptions filter;
};

/// `one`: "user" or "item".
void add_list_options(CLI::App& verb, ListFlags& flags, const std::string& one) {
  verb.add_option("data", flags.data, "Data set (X.data)")->required();
  verb.add_option("model", flags.model, "Model (X.model)")->required();
  verb.add_option("--" + one, flags.owner, fmt::format("Raw {} id", one));
  verb.add_flag(
      "--all-" + one + "s", flags.all,
      fmt::format("Instead of --{}: a list for every {} of the data set, into --out", one, one));
  verb.add_option(
      "--" + one + "s", flags.owners_file,
      fmt::format("Instead of --{}: a file with one raw {} id a line; lists into --out", one, one));
  verb.add_option("--out", flags.out,
                  "Of many lists: a .parquet, .arrow, .csv or .jsonl file, one row an item");
  verb.add_option("--unknown", flags.unknown,
                  "Ids in files that are not in the data set: error, or skip (leave out, count)")
      ->capture_default_str();
  verb.add_option("--k", flags.k, "How many items")->capture_default_str();
  verb.add_option("--only-items", flags.only_items,
                  "File with the raw ids, one a line, of the only items that may be listed");
  verb.add_option("--exclude", flags.exclude,
                  "File with the raw ids, one a line, of items that may not be listed");
  verb.add_option(
      "--where", flags.filter.where,
      "Which items may be listed, by their attributes, such as 'category = \"Dairy\" and "
      "not brand in (\"a\", \"b\") or price < 5'");
  verb.add_option("--at-most", flags.filter.at_most,
                  "Such as brand=2: at most so many items of one value of an attribute a list; may "
                  "be given several times. Items without a value are not counted")
      ->allow_extra_args(false);
  add_key_option(verb, flags.key);
}

/// What is given by raw ids, with the key of the data set's pseudonyms.
void take_filter(ListFlags& flags) {
  flags.filter.key = given_key(flags.key, flags.data);
  flags.filter.only_items = flags.only_items;
  flags.filter.exclude = flags.exclude;
  flags.filter.unknown = parse_enum<UnknownRawIds>(flags.unknown, "--unknown");
}

/// Whether the lists of many are asked for. Throws InputError for options that exclude each other;
/// `others`: further options that say whose list it is.
bool wants_many(const CLI::App& verb, const ListFlags& flags, const std::string& one,
                const std::vector<std::string>& others = {}) {
  std::vector<std::string> owners = {"--" + one};
  owners.insert(owners.end(), others.begin(), others.end());
  const std::size_t num_single = owners.size();
  owners.insert(owners.end(), {"--" + one + "s", "--all-" + one + "s"});
  std::size_t given = 0, which = 0;
  std::string names;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    names += fmt::format("{}{}", i == 0 ? "" : i + 1 == owners.size() ? " or " : ", ", owners[i]);
    if (verb.get_option(owners[i])->empty()) continue;
    ++given;
    which = i;
  }
  if (given != 1) {
    throw InputError(fmt::format("{}: expected either {}", verb.get_name(), names));
  }
  const bool many = which >= num_single;
  if (many && flags.out.empty()) {
    throw InputError(
        fmt::format("{}: {} writes a file, expected --out with a name that ends in "
                    ".parquet, .arrow, .csv or .jsonl",
                    verb.get_name(), owners[which]));
  }
  if (many && !is_ranked_name(flags.out)) {
    throw InputError(fmt::format(
        "--out is '{}', expected a name that ends in .parquet, .arrow, .csv or .jsonl", flags.out));
  }
  if (!many && !flags.out.empty()) {
    throw InputError(
        fmt::format("{}: --out is for {}s or {}", verb.get_name(), "--" + one, owners.back()));
  }
  return many;
}

/// Lists that are about to be made, beside what they are made of.
struct OpenedLists {
  std::unique_ptr<Loaded> loaded;
  ManyLists many;
};

std::string owner_of(const ListFlags& flags, const graph::Dictionary& known, const char* one) {
  return known_id(known, flags.owner, one, flags.filter.key.get());
}

IdFile owners_of(const ListFlags& flags, const graph::Dictionary& known, const char* one) {
  return flags.all ? all_ids(known)
                   : read_id_file(flags.owners_file, known, one, flags.filter.unknown,
                                  flags.filter.key.get());
}

void write_and_say(OpenedLists& opened, const ListFlags& flags, Invocation& invocation) {
  TerminalProgress progress = invocation.progress();
  ManyLists& many = opened.many;
  const ListCounts counts = write_many(many, opened.loaded->dataset, flags.out, progress);
  if (invocation.json) return print(many_json(many, counts, flags.out).dump(2) + "\n");
  print_text(fmt::format("{}: {} lists, {} rows, score = {}\n", flags.out, counts.lists,
                         counts.rows, many.lists->score()));
  if (counts.short_lists > 0)
    print(fmt::format("  {} lists have fewer than {} items\n", counts.short_lists, flags.k));
  if (many.owners.num_unknown > 0)
    print(fmt::format("  {} unknown ids left out\n", many.owners.num_unknown));
}

struct RecommendFlags : ListFlags {
  std::string seen, ranking;
  std::vector<std::string> history;
};

void recommend_many(const Config& config, const RecommendFlags& flags, const ListOptions& options,
                    Invocation& invocation) {
  OpenedLists opened = answer_by_one_version(flags.data, flags.model, [&] {
    auto loaded = std::make_unique<Loaded>(config, flags.data, flags.model, DatasetUse::lookup);
    IdFile users = owners_of(flags, loaded->dataset.users, "user");
    ManyLists many = lists_of_users(loaded->model, options, flags.filter, std::move(users));
    return OpenedLists{std::move(loaded), std::move(many)};
  });
  write_and_say(opened, flags, invocation);
}

void recommend_one(const Config& config, const RecommendFlags& flags, const ListOptions& options,
                   bool by_history, Invocation& invocation) {
  const auto answer = [&] {
    auto loaded = std::make_unique<Loaded>(config, flags.data, flags.model, DatasetUse::lookup);
    const Model& model = loaded->model;
    const ItemChoice choice = choose_items(loaded->dataset, flags.filter);
    const char* seen = leaves_out_seen(loaded->dataset, options.seen_items)
                           ? "without what they have"
                           : "with what they have";
    if (!by_history) {
      const std::string user = owner_of(flags, loaded->dataset.users, "user");
      auto items = model.recommend(user, options.k, options.seen_items, options.ranking, choice);
      return Answer{std::move(loaded),
                    fmt::format("for user {}, {}\n", printable(user, kWholeText), seen),
                    std::move(items)};
    }
    std::vector<std::string> ids = history_items(flags.history, loaded->dataset.items);
    for (std::string& id : ids)
      id = known_id(loaded->dataset.items, id, "item", flags.filter.key.get());
    const std::vector<std::string_view> raw_items(ids.begin(), ids.end());
    auto items = model.recommend_for_history(raw_items, options.k, options.seen_items,
                                             options.ranking, choice);
    const std::string title = fmt::format(
        "for a history of {} items, {}, by {}\n", raw_items.size(), seen,
        options.ranking == Ranking::full && model.has_scorer() ? "the full score" : "vectors");
    return Answer{std::move(loaded), title, std::move(items)};
  };
  print_answer(answer_by_one_version(flags.data, flags.model, answer), invocation.json);
}

}  // namespace

void add_recommend_verb(CLI::App& program, Invocation& invocation) {
  const auto flags = std::make_shared<RecommendFlags>();
  auto* verb = program.add_subcommand("recommend",
                                      "The best items for one user, for someone new by what they "
                                      "had, or for many users, as a file");
  add_common_options(*verb, invocation);
  add_list_options(*verb, *flags, "user");
  auto* history_option = verb->add_option(
      "--history", flags->history,
      "Instead of --user: raw item ids, oldest first, separated by commas; may be given several "
      "times. An id that holds a comma is given as a --history of its own, or in quotes as in CSV. "
      "Ranked by all that the model knows unless --ranking or a configuration's evaluate.ranking "
      "says vectors");
  history_option->allow_extra_args(false);
  verb->add_option("--seen", flags->seen,
                   "Items that the user has: mask, keep, or auto (keep where the data set repeats "
                   "items); without it evaluate.seen_items");
  add_ranking_option(*verb, flags->ranking);
  verb->callback([flags, verb, history_option, &invocation] {
    const bool many = wants_many(*verb, *flags, "user", {"--history"});
    take_filter(*flags);
    const Config config = invocation.config_for("recommend");
    const bool by_history = !history_option->empty();
    ListOptions options;
    options.k = flags->k;
    options.seen_items = flags->seen.empty() ? config.evaluate.seen_items
                                             : parse_enum<SeenItems>(flags->seen, "--seen");
    options.ranking = by_history ? chosen_history_ranking(flags->ranking, config)
                                 : chosen_ranking(flags->ranking, config);
    if (many) return recommend_many(config, *flags, options, invocation);
    recommend_one(config, *flags, options, by_history, invocation);
  });
}

namespace {

/// Of similar: whose neighbours are users.
struct NearUsers {
  std::string user, users_file;
  bool all = false;
};

void add_user_options(CLI::App& verb, NearUsers& near) {
  verb.add_option("--user", near.user,
                  "Instead of --item: raw user id; lists the nearest users, such as people to "
                  "follow");
  verb.add_flag("--all-users", near.all, "Instead of --item: a list for every user, into --out");
  verb.add_option("--users", near.users_file,
                  "Instead of --item: a file with one raw user id a line; lists into --out");
}

/// Whether users are asked for. Throws InputError for options that are of items.
bool asks_for_users(const CLI::App& verb) {
  const auto given = [&](const char* name) { return !verb.get_option(name)->empty(); };
  if (!given("--user") && !given("--users") && !given("--all-users")) return false;
  for (const char* name :
       {"--item", "--items", "--all-items", "--only-items", "--exclude", "--where", "--at-most"}) {
    if (given(name))
      throw InputError(fmt::format(
          "similar: {} is for lists of items, and --user, --users and --all-users ask for users",
          name));
  }
  return true;
}

void run_near_users(const Config& config, const ListFlags& flags, bool many,
                    Invocation& invocation) {
  if (many) {
    OpenedLists opened = answer_by_one_version(flags.data, flags.model, [&] {
      auto loaded = std::make_unique<Loaded>(config, flags.data, flags.model, DatasetUse::lookup);
      IdFile users = owners_of(flags, loaded->dataset.users, "user");
      ManyLists near = lists_near_users(loaded->model, flags.k, std::move(users));
      return OpenedLists{std::move(loaded), std::move(near)};
    });
    return write_and_say(opened, flags, invocation);
  }
  const auto answer = [&] {
    auto loaded = std::make_unique<Loaded>(config, flags.data, flags.model, DatasetUse::lookup);
    const std::string user = owner_of(flags, loaded->dataset.users, "user");
    auto users = loaded->model.similar_users(user, flags.k);
    return Answer{std::move(loaded), fmt::format("near user {}\n", printable(user, kWholeText)),
                  std::move(users), Listed::users};
  };
  print_answer(answer_by_one_version(flags.data, flags.model, answer), invocation.json);
}

}  // namespace

void add_similar_verb(CLI::App& program, Invocation& invocation) {
  const auto flags = std::make_shared<ListFlags>();
  const auto near_users = std::make_shared<NearUsers>();
  auto* verb = program.add_subcommand(
      "similar",
      "The items nearest to an item by cosine, the users nearest to a user, or those near many, as "
      "a file");
  add_common_options(*verb, invocation);
  add_list_options(*verb, *flags, "item");
  add_user_options(*verb, *near_users);
  verb->callback([flags, near_users, verb, &invocation] {
    if (asks_for_users(*verb)) {
      flags->owner = near_users->user;
      flags->owners_file = near_users->users_file;
      flags->all = near_users->all;
      const bool many = wants_many(*verb, *flags, "user");
      take_filter(*flags);
      return run_near_users(invocation.config_for("similar"), *flags, many, invocation);
    }
    const bool many = wants_many(*verb, *flags, "item");
    take_filter(*flags);
    const Config config = invocation.config_for("similar");
    if (!many) {
      const auto answer = [&] {
        auto loaded =
            std::make_unique<Loaded>(config, flags->data, flags->model, DatasetUse::lookup);
        const Dataset& dataset = loaded->dataset;
        const ItemChoice choice = choose_items(dataset, flags->filter);
        const std::string item = owner_of(*flags, dataset.items, "item");
        auto items = loaded->model.similar(item, flags->k, choice);
        const std::string title =
            fmt::format("near item {}  {}\n", printable(item, kWholeText),
                        printable(item_label(dataset, dataset.items.find(item)), kWholeText));
        return Answer{std::move(loaded), title, std::move(items)};
      };
      return print_answer(answer_by_one_version(flags->data, flags->model, answer),
                          invocation.json);
    }
    OpenedLists opened = answer_by_one_version(flags->data, flags->model, [&] {
      auto loaded = std::make_unique<Loaded>(config, flags->data, flags->model, DatasetUse::lookup);
      IdFile items = owners_of(*flags, loaded->dataset.items, "item");
      ManyLists near = lists_near_items(loaded->model, flags->k, flags->filter, std::move(items));
      return OpenedLists{std::move(loaded), std::move(near)};
    });
    write_and_say(opened, *flags, invocation);
  });
}

}  // namespace penchant::pipeline
