// SPDX-License-Identifier: Apache-2.0
// penchant replay: a log judged period by period, as life judges.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/exit_codes.h"
#include "pipeline/command/verbs.h"
#include "pipeline/ingest/time_parse.h"
#include "pipeline/workflow/replay.h"

namespace penchant::pipeline {

namespace {

struct ReplayFlags {
  std::string file, every = "week", from, page, work;
  std::int64_t periods = 0;
  bool no_retraining = false;
};

std::int64_t time_of(const std::string& text) {
  const std::optional<std::int64_t> time = TimeParser("iso8601")(text);
  if (!time)
    throw InputError(fmt::format("--from is '{}', expected a date such as 2011-11-07", text));
  return *time;
}

void run_replay(const ReplayFlags& flags, Invocation& invocation) {
  if (!invocation.config_file.empty())
    throw InputError(
        fmt::format("replay: the configuration is {}; --config has no effect", flags.file));
  invocation.config_file = flags.file;
  const Config config = invocation.config_for("replay");
  ReplayOptions options;
  parse_period(flags.every, options);
  if (!flags.from.empty()) options.from_ms = time_of(flags.from);
  if (flags.periods < 0)
    throw InputError(fmt::format("--periods is {}, expected 1 or more, or 0 for all", flags.periods));
  options.most_periods = flags.periods;
  options.retrain = !flags.no_retraining;
  options.work = flags.work.empty() ? std::filesystem::path(config.data_out.string() + ".replay")
                                    : std::filesystem::path(flags.work);
  TerminalProgress progress = invocation.progress();
  const ReplayReport report = replay(config, options, progress);
  if (report.interrupted) invocation.exit_code = kExitInterrupted;
  if (!flags.page.empty() && !report.periods.empty())
    write_file_atomically(flags.page, replay_page(report));
  if (invocation.json)
    print(replay_json(report).dump(2) + "\n");
  else
    print_text(replay_text(report) +
               (flags.page.empty() ? "" : fmt::format("page {}\n", flags.page)));
}

}  // namespace

void add_replay_verb(CLI::App& program, Invocation& invocation) {
  auto* verb = program.add_subcommand(
      "replay",
      "Go through a log period by period: recommend for the next one, reveal it, update; beside a "
      "model that is retrained from nothing and one that is frozen, with time and memory of each");
  add_common_options(*verb, invocation);
  verb->get_option("--config")->required(false);
  const auto flags = std::make_shared<ReplayFlags>();
  verb->add_option("file", flags->file, "Configuration (TOML) of a log with times")->required();
  verb->add_option("--every", flags->every,
                   "day, week or month, or a number of them such as '2 weeks' (week)");
  verb->add_option("--from", flags->from,
                   "Date of the first period, of what begins a day, week or month there; without it "
                   "60 % of the rows lie before it");
  verb->add_option("--periods", flags->periods, "At most so many; 0: to the end of the log");
  verb->add_flag("--no-retraining", flags->no_retraining,
                 "Leave out the models from nothing, which take most of the time");
  verb->add_option("--page", flags->page, "Write a page with the chart, such as replay.html");
  verb->add_option("--work", flags->work, "Folder for the models, emptied at the end (data.out.replay)");
  verb->callback([flags, &invocation] { run_replay(*flags, invocation); });
}

}  // namespace penchant::pipeline
