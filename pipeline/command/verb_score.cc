// SPDX-License-Identifier: Apache-2.0
// penchant score: any (user, item) pairs of a table.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/command/verbs.h"

namespace penchant::pipeline {

void add_score_verb(CLI::App& program, Invocation& invocation) {
  struct Flags : ScoreFlags {
    std::string data, model, pairs, out;
  };
  const auto flags = std::make_shared<Flags>();
  auto* verb = program.add_subcommand("score",
                                      "Score the (user, item) pairs of a table: probabilities of "
                                      "interest, else inner products of the model's vectors or, "
                                      "with --ranking full, the full score");
  add_common_options(*verb, invocation);
  verb->add_option("data", flags->data, "Data set (X.data)")->required();
  verb->add_option("model", flags->model, "Model (X.model)")->required();
  verb->add_option("--pairs", flags->pairs, "Table with raw ids (.csv, .tsv, .parquet, gzip, zstd)")
      ->required();
  verb->add_option("--out", flags->out, "Where to write: a .csv or .parquet file")->required();
  verb->add_option("--user-column", flags->user_column, "Column of user ids")
      ->capture_default_str();
  verb->add_option("--item-column", flags->item_column, "Column of item ids")
      ->capture_default_str();
  verb->add_option("--separator", flags->separator, "Of pairs: one character, tab or auto");
  verb->add_option("--quote", flags->quote,
                   "Of pairs: character around cells, none (quotes are text) or auto");
  verb->add_option("--escape", flags->escape,
                   "Of pairs: character that takes the meaning of the next one, none or auto");
  verb->add_option("--encoding", flags->encoding, "Of pairs: utf-8, latin-1 or windows-1252")
      ->capture_default_str();
  add_ranking_option(*verb, flags->ranking);
  verb->add_option(
          "--unknown", flags->unknown,
          "Rows whose user or item is not in the data set: error, skip (leave out) or zero "
          "(score 0)")
      ->capture_default_str();
  verb->callback([flags, &invocation] {
    const Config config = invocation.config_for("score");
    const ScoreOptions options = score_options(*flags, config);
    const Loaded loaded(config, flags->data, flags->model, DatasetUse::everything);
    TerminalProgress progress = invocation.progress();
    const ScoreReport report =
        score_table(loaded.model, flags->pairs, flags->out, options, progress);
    if (invocation.json) {
      print(nlohmann::json{{"out", flags->out},
                           {"score", report.score},
                           {"rows_read", report.rows_read},
                           {"rows_written", report.rows_written},
                           {"rows_unknown", report.rows_unknown}}
                .dump(2) +
            "\n");
      return;
    }
    print_text(
        fmt::format("{}: {} rows, score = {}\n", flags->out, report.rows_written, report.score));
    if (report.rows_unknown > 0) {
      print(fmt::format("  {} rows with unknown ids {}\n", report.rows_unknown,
                        options.unknown == UnknownIds::skip ? "left out" : "scored 0"));
    }
  });
}

}  // namespace penchant::pipeline
