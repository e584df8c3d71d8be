// SPDX-License-Identifier: Apache-2.0
// penchant audience: who is likely to want some items next, or is most like the people of a seed.
#include <memory>
#include <string>

#include "graph/enum_names.h"
#include "pipeline/command/verbs.h"
#include "pipeline/workflow/audience.h"

namespace penchant::pipeline {

namespace {

struct AudienceWords : AudienceFlags {
  std::string seed, interest, interest_items, exclude, user_table, unknown = "error";
  bool keep_seed = false;
};

void add_audience_options(CLI::App& verb, AudienceWords& flags) {
  verb.add_option("data", flags.data, "Data set (X.data)")->required();
  verb.add_option("model", flags.model, "Model (X.model)")->required();
  verb.add_option("--seed", flags.seed,
                  "People most like these: a file with one raw user id a line, 20 at least");
  verb.add_option("--interest", flags.interest,
                  "People likely to want these items next, by attributes: 'category = \"Dairy\"'");
  verb.add_option("--interest-items", flags.interest_items,
                  "The same, of a file with one raw item id a line");
  verb.add_option("--size", flags.options.size, "How many people");
  verb.add_option("--share", flags.share,
                  "Instead of --size: such as 5%, of those who may be in the audience");
  verb.add_option("--out", flags.out,
                  "A .parquet, .arrow, .csv or .jsonl file: user_id, rank, probability, lift")
      ->required();
  verb.add_flag("--keep-seed", flags.keep_seed,
                "Keep the people of the seed, or those who had the items; else they are left out");
  verb.add_option("--exclude", flags.exclude,
                  "File with the raw ids, one a line, of people who may not be in it");
  verb.add_option("--user-table", flags.user_table,
                  "Table of what is known of users (.csv, .tsv, .parquet, gzip, zstd)");
  verb.add_option("--user-key", flags.options.user_key, "Its column of raw user ids");
  verb.add_option("--where-users", flags.options.where_users,
                  "Who may be in it, by columns of that table: 'income = \"50-74K\" and age < 30'");
  add_key_option(verb, flags.key);
  verb.add_option("--min-size", flags.options.min_size, "No audience of fewer people is written")
      ->capture_default_str();
  verb.add_option("--unknown", flags.unknown,
                  "Ids in lists that are not in the data set: error, or skip (leave out, count)")
      ->capture_default_str();
}

}  // namespace

void add_audience_verb(CLI::App& program, Invocation& invocation) {
  const auto flags = std::make_shared<AudienceWords>();
  auto* verb = program.add_subcommand(
      "audience", "People for an advertisement: likely to want some items next, or like a seed");
  add_common_options(*verb, invocation);
  add_audience_options(*verb, *flags);
  verb->callback([flags, &invocation] {
    AudienceOptions& options = flags->options;
    options.seed_file = flags->seed;
    options.interest.where = flags->interest;
    options.interest.items_file = flags->interest_items;
    options.exclude_file = flags->exclude;
    options.user_table = flags->user_table;
    options.known = flags->keep_seed ? KnownPeople::keep : KnownPeople::leave_out;
    options.unknown = parse_enum<UnknownRawIds>(flags->unknown, "--unknown");
    options.interest.unknown = options.unknown;
    const Config config = invocation.config_for("audience");
    TerminalProgress progress = invocation.progress();
    const nlohmann::json said = audience_by(*flags, config, nullptr, progress);
    if (invocation.json) return print(said.dump(2) + "\n");
    print_text(audience_text(said));
  });
}

}  // namespace penchant::pipeline
