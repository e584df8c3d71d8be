// SPDX-License-Identifier: Apache-2.0
// The program: verbs, common options, and the mapping of failures to exit codes.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/exit_codes.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/nearest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/artifact/version.h"
#include "pipeline/command/failure.h"
#include "pipeline/command/verbs.h"
#include "pipeline/config/setting_uses.h"

namespace penchant::pipeline {

void Invocation::check(const Config& config, std::string_view verb) const {
  TerminalProgress warnings = progress();
  warnings.begin(verb);
  check_settings(config, verb, warnings);
}

Config Invocation::config_for(std::string_view verb) const {
  Config result = config();
  check(result, verb);
  return result;
}

void add_common_options(CLI::App& verb, Invocation& invocation, UsesDevice uses_device) {
  verb.add_flag("--json", invocation.json, "Print JSON");
  verb.add_flag("--quiet", invocation.quiet, "No progress, no warnings");
  verb.add_option("--config", invocation.config_file, "Configuration (TOML)");
  verb.add_option("--set", invocation.settings,
                  "One setting, such as train.epochs=20; may be given several times")
      ->take_all();
  if (uses_device == UsesDevice::yes)
    verb.add_option("--device", invocation.device,
                    "auto, cpu, cuda, or cuda:N for one of several GPUs");
  verb.add_option("--threads", invocation.threads, "Number of threads; 0: all cores");
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    if (errno == EPIPE) _exit(kExitOk);  // the reader has seen enough
    throw InputError(fmt::format("cannot write to the standard output: {}", std::strerror(errno)));
  }
}

void print_text(const std::string& text) { print(printable_message(text)); }

namespace {

int run_program(int argc, char** argv) {
  CLI::App program{
      "Penchant learns what people are drawn to: from a shop's behaviour log and item table to "
      "embeddings of every item and user."};
  program.name("penchant");
  program.set_version_flag("--version", std::string("penchant ") + kVersion);
  program.require_subcommand(1);
  program.footer(
      "Exit status: 0 ok, 1 a fault of the program, 2 usage or input, 3 device, 4 out of memory or "
      "threads, 130 interrupted by a signal (SIGINT, SIGTERM, SIGHUP).\n"
      "A first run: penchant generate --out shop && penchant run shop/shop.toml");
  Invocation invocation;
  add_ingest_verb(program, invocation);
  add_append_verb(program, invocation);
  add_update_verb(program, invocation);
  add_replay_verb(program, invocation);
  add_forget_verb(program, invocation);
  add_pseudonym_verb(program, invocation);
  add_graph_verbs(program, invocation);
  add_train_verb(program, invocation);
  add_evaluate_verb(program, invocation);
  add_embed_verb(program, invocation);
  add_apply_verb(program, invocation);
  add_recommend_verb(program, invocation);
  add_similar_verb(program, invocation);
  add_audience_verb(program, invocation);
  add_tag_verb(program, invocation);
  add_compress_verb(program, invocation);
  add_score_verb(program, invocation);
  add_explain_verb(program, invocation);
  add_serve_verb(program, invocation);
  add_upgrade_verb(program, invocation);
  add_ablate_verb(program, invocation);
  add_bench_verb(program, invocation);
  add_report_verb(program, invocation);
  add_run_verb(program, invocation);
  add_generate_verb(program, invocation);
  add_info_verbs(program, invocation);
  std::vector<std::string> verbs;
  for (const CLI::App* verb : program.get_subcommands({})) verbs.push_back(verb->get_name());
  if (argc > 1 && argv[1][0] != '-' &&
      std::find(verbs.begin(), verbs.end(), argv[1]) == verbs.end()) {
    const std::string near = nearest(argv[1], verbs);
    throw InputError(fmt::format(
        "unknown verb '{}'{}", printable(argv[1]),
        near.empty() ? "; --help lists all" : fmt::format("; did you mean '{}'?", near)));
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream problem;
    const bool ok = program.exit(error, out, problem) == 0;  // --help and --version are no errors
    print(out.str());
    std::fputs(printable_message(problem.str()).c_str(), stderr);
    return ok ? kExitOk : kExitUsage;
  }
  return invocation.exit_code;
}

}  // namespace

}  // namespace penchant::pipeline

int main(int argc, char** argv) {
  using namespace penchant::pipeline;
  const FailureHandlers handlers;
  try {
    watch_for_signals();
    const int code = run_program(argc, argv);
    return code == kExitOk && interrupt_requested() ? kExitInterrupted : code;
  } catch (...) {
    return report_failure();
  }
}
