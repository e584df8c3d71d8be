// SPDX-License-Identifier: Apache-2.0
// penchant train, evaluate.
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
#include "pipeline/workflow/verb_calls.h"

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
  verb->add_option("--epsilon", flags->epsilon,
                   "A private model: what it publishes tells little of any one user "
                   "(privacy.epsilon, with model.kind private)");
  verb->add_option("--delta", flags->delta, "The same: below 1 / users (privacy.delta)");
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

}  // namespace penchant::pipeline
