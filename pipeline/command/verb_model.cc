// SPDX-License-Identifier: Apache-2.0
// penchant train, evaluate, embed, recommend, similar.
#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/exit_codes.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/command/verbs.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

using nlohmann::json;

void print_evaluation(const Evaluated& evaluated, bool as_json) {
  print(as_json ? evaluated_json(evaluated).dump(2) + "\n" : evaluated_text(evaluated));
}

void add_ranking_option(CLI::App& verb, std::string& text) {
  verb.add_option("--ranking", text,
                  "vectors: inner products of what embed writes; full: with the filter, repeats or "
                  "mixture that the model adds to them; without it evaluate.ranking (vectors)");
}

void add_train_verb(CLI::App& program, Invocation& invocation) {
  const auto flags = std::make_shared<TrainFlags>();
  auto* verb = program.add_subcommand(
      "train", "Train a model on a data set; without --config by the default recipe");
  add_common_options(*verb, invocation);
  verb->add_option("data", flags->data, "Data set (X.data)")->required();
  verb->add_option("--out", flags->out, "Model to write, such as shop.model");
  verb->add_option("--seed", flags->seed, "Seed of initial values and sampling");
  verb->add_option("--budget", flags->budget,
                   "model.kind auto: time to plan for, such as 90s, 5m or 1h");
  verb->add_flag("--resume", flags->resume, "Go on from the model's checkpoint");
  verb->callback([flags, &invocation] {
    Config config = invocation.config();
    apply_flags(*flags, config);
    invocation.check(config, "train");
    TerminalProgress progress = invocation.progress();
    const Trained trained = train_on(*flags, config, progress);
    const TrainReport& report = trained.report;
    if (invocation.json) {
      print(trained_json(trained, config.model_out).dump(2) + "\n");
    } else if (!report.chosen.empty()) {
      print_text(fmt::format("model {}\n  {}\n  {:.1f} s on {}\n", config.model_out.string(),
                             report.chosen, report.seconds, trained.device));
    } else if (!report.interrupted) {
      print_text(fmt::format("model {}\n  {} epochs in {:.1f} s on {}; final loss {:.4f}\n",
                             config.model_out.string(), report.epochs_run, report.seconds,
                             trained.device, report.final_loss) +
                 (report.validated ? fmt::format("  validation {} {:.4f} after epoch {}\n",
                                                 report.validation_metric, report.best_validation,
                                                 report.best_epoch)
                                   : ""));
    }
    if (report.interrupted) invocation.exit_code = kExitInterrupted;
  });
}

namespace {

/// What a look-up prints.
struct Answer {
  std::unique_ptr<Loaded> loaded;
  std::string title;
  std::vector<ScoredItem> items;
};

/// An answer by one version of the data set and of the model, should these be exchanged meanwhile.
template <typename Answering>
Answer answer_by_one_version(const std::string& data, const std::string& model,
                             Answering answering) {
  return read_whole(data, [&] { return read_whole(model, answering); });
}

void print_answer(const Answer& answer, bool as_json) {
  const Dataset& dataset = answer.loaded->dataset;
  const std::vector<ScoredItem>& items = answer.items;
  if (as_json) {
    json list = json::array();
    for (std::size_t i = 0; i < items.size(); ++i) {
      list.push_back({{"rank", i + 1},
                      {"item", std::string(dataset.items.raw(items[i].item))},
                      {"score", items[i].score},
                      {"label", item_label(dataset, items[i].item)}});
    }
    print(json{{"items", list}}.dump(2) + "\n");
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

}  // namespace

void add_evaluate_verb(CLI::App& program, Invocation& invocation) {
  const auto flags = std::make_shared<EvaluateFlags>();
  auto* verb = program.add_subcommand("evaluate",
                                      "Rank all items for all users with held-out items by the "
                                      "model's vectors; print every metric beside the popularity "
                                      "baseline and, with --ranking full, the full score");
  add_common_options(*verb, invocation);
  verb->add_option("data", flags->data, "Data set (X.data)")->required();
  verb->add_option("model", flags->model, "Model (X.model)")->required();
  verb->add_option("--split", flags->part, "test or validation")
      ->check(CLI::IsMember({"test", "validation"}));
  add_ranking_option(*verb, flags->ranking);
  verb->add_flag(
      "--baselines", flags->baselines,
      "Also item-kNN (whole history, last item) and repeat purchases (most frequent, most "
      "recent first)");
  verb->add_option("--widths", flags->widths,
                   "Also quality against width: vectors of so many numbers each, such as "
                   "32,64,128,256, learn the model's full score and are judged alike; nothing is "
                   "kept")
      ->delimiter(',');
  verb->callback([flags, &invocation] {
    check_widths(flags->widths, "--widths");
    const Config config = invocation.config_for("evaluate");
    TerminalProgress progress = invocation.progress();
    print_evaluation(evaluate_by(*flags, config, progress), invocation.json);
  });
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

/// The items of all --history options. A text that is an item's raw id as a whole is that item,
/// whatever it holds.
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

}  // namespace

void add_embed_verbs(CLI::App& program, Invocation& invocation) {
  const auto embed_flags = std::make_shared<EmbedFlags>();
  auto* embed_verb = program.add_subcommand(
      "embed", "Write the embeddings of all items and users with their raw ids");
  add_common_options(*embed_verb, invocation);
  embed_verb->add_option("data", embed_flags->data, "Data set (X.data)")->required();
  embed_verb->add_option("model", embed_flags->model, "Model (X.model)")->required();
  embed_verb->add_option("--out", embed_flags->out, "Where to write, such as shop.embeddings");
  embed_verb->add_option("--format", embed_flags->formats, "npy, parquet or both")->delimiter(',');
  embed_verb->add_option("--type", embed_flags->type, "float32 or float16");
  embed_verb->callback([flags = embed_flags, &invocation] {
    Config config = invocation.config();
    apply_flags(*flags, config);
    invocation.check(config, "embed");
    TerminalProgress progress = invocation.progress();
    const json done = embed_by(*flags, config, progress);
    if (invocation.json)
      print(done.dump(2) + "\n");
    else
      print_text(fmt::format("{}: {} items, {} users, {} dimensions\n",
                             done["out"].get<std::string>(), done["num_items"].get<std::int64_t>(),
                             done["num_users"].get<std::int64_t>(),
                             done["dimension"].get<std::int64_t>()));
  });

  struct Flags {
    std::string data, model, user, item, seen, ranking;
    std::vector<std::string> history;
    std::int64_t k = 20;
  };
  const auto flags = std::make_shared<Flags>();
  auto* recommend_verb = program.add_subcommand(
      "recommend", "The best items for one user, or for someone new by what they had");
  add_common_options(*recommend_verb, invocation);
  recommend_verb->add_option("data", flags->data, "Data set (X.data)")->required();
  recommend_verb->add_option("model", flags->model, "Model (X.model)")->required();
  auto* user_option = recommend_verb->add_option("--user", flags->user, "Raw user id");
  auto* history_option = recommend_verb->add_option(
      "--history", flags->history,
      "Instead of --user: raw item ids, oldest first, separated by commas; may be given several "
      "times. An id that holds a comma is given as a --history of its own, or in quotes as in CSV. "
      "Ranked by all that the model knows unless --ranking or a configuration's evaluate.ranking "
      "says vectors");
  history_option->allow_extra_args(false);
  recommend_verb->add_option("--k", flags->k, "How many items")->capture_default_str();
  recommend_verb->add_option("--seen", flags->seen,
                             "Items that the user has: mask, keep, or auto (keep where the data "
                             "set repeats items); without it evaluate.seen_items");
  add_ranking_option(*recommend_verb, flags->ranking);
  recommend_verb->callback([flags, user_option, history_option, &invocation] {
    if (user_option->empty() == history_option->empty())
      throw InputError("recommend: expected either --user or --history");
    const Config config = invocation.config_for("recommend");
    const SeenItems seen_items = flags->seen.empty() ? config.evaluate.seen_items
                                                     : parse_enum<SeenItems>(flags->seen, "--seen");
    // Someone new has no vector that was learned: all that the model knows ranks best.
    const bool asked = !flags->ranking.empty() || config.given.contains("evaluate.ranking");
    const Ranking ranking =
        !history_option->empty() && !asked ? Ranking::full : chosen_ranking(flags->ranking, config);
    print_answer(
        answer_by_one_version(
            flags->data, flags->model,
            [&] {
              auto loaded =
                  std::make_unique<Loaded>(config, flags->data, flags->model, DatasetUse::lookup);
              const Model& model = loaded->model;
              const char* seen = leaves_out_seen(loaded->dataset, seen_items)
                                     ? "without what they have"
                                     : "with what they have";
              if (!user_option->empty()) {
                auto items = model.recommend(flags->user, flags->k, seen_items, ranking);
                return Answer{
                    std::move(loaded),
                    fmt::format("for user {}, {}\n", printable(flags->user, kWholeText), seen),
                    std::move(items)};
              }
              const std::vector<std::string> ids =
                  history_items(flags->history, loaded->dataset.items);
              const std::vector<std::string_view> raw_items(ids.begin(), ids.end());
              auto items = model.recommend_for_history(raw_items, flags->k, seen_items, ranking);
              const std::string title = fmt::format(
                  "for a history of {} items, {}, by {}\n", raw_items.size(), seen,
                  ranking == Ranking::full && model.has_scorer() ? "the full score" : "vectors");
              return Answer{std::move(loaded), title, std::move(items)};
            }),
        invocation.json);
  });

  auto* similar_verb = program.add_subcommand("similar", "The items nearest to an item by cosine");
  add_common_options(*similar_verb, invocation);
  similar_verb->add_option("data", flags->data, "Data set (X.data)")->required();
  similar_verb->add_option("model", flags->model, "Model (X.model)")->required();
  similar_verb->add_option("--item", flags->item, "Raw item id")->required();
  similar_verb->add_option("--k", flags->k, "How many items")->capture_default_str();
  similar_verb->callback([flags, &invocation] {
    const Config config = invocation.config_for("similar");
    print_answer(answer_by_one_version(
                     flags->data, flags->model,
                     [&] {
                       auto loaded = std::make_unique<Loaded>(config, flags->data, flags->model,
                                                              DatasetUse::lookup);
                       auto items = loaded->model.similar(flags->item, flags->k);
                       const Dataset& data = loaded->dataset;
                       const std::string title = fmt::format(
                           "near item {}  {}\n", printable(flags->item, kWholeText),
                           printable(item_label(data, data.items.find(flags->item)), kWholeText));
                       return Answer{std::move(loaded), title, std::move(items)};
                     }),
                 invocation.json);
  });
}

}  // namespace penchant::pipeline
