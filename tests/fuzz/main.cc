// SPDX-License-Identifier: Apache-2.0
// penchant_fuzz [--seconds S] [--seed N] [--corpus FOLDER] [--findings FOLDER] [--json] [TARGET ...]
// Each target in turn, S seconds long; without any, all. `penchant_fuzz TARGET --input FILE` repeats a finding.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "tests/fuzz/engine.h"

int main(int argc, char** argv) {
  using namespace penchant::fuzz;
  CLI::App program{"Fuzzes what Penchant reads"};
  Options options;
  std::vector<std::string> names;
  std::string input;
  bool as_json = false;
  program.add_option("--seconds", options.seconds, "Of each target");
  program.add_option("--seed", options.seed, "Of the mutations");
  program.add_option("--corpus", options.corpus, "Folder with a folder for each target; grows");
  program.add_option("--findings", options.findings, "Where the input of a finding is written");
  program.add_option("--input", input, "Run one input instead");
  bool list = false;
  program.add_flag("--list", list, "Print the names of all targets");
  program.add_flag("--json", as_json, "Print one JSON object a line");
  program.add_option("targets", names, "Names of targets; none: all");
  CLI11_PARSE(program, argc, argv);
  for (const Target& target : targets()) {
    if (list) {
      std::puts(target.name);
      continue;
    }
    if (!names.empty() && std::find(names.begin(), names.end(), target.name) == names.end())
      continue;
    if (!input.empty()) {
      std::ifstream file(input, std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      target.run(bytes);
      continue;
    }
    const Result result = fuzz(target, options);
    if (as_json) {
      std::puts(nlohmann::json{{"target", target.name},
                               {"executions", result.executions},
                               {"inputs", result.inputs},
                               {"branches", result.branches},
                               {"seconds", result.seconds}}
                    .dump()
                    .c_str());
    } else {
      std::printf("%-15s %10llu executions, %6.0f a second, %5llu inputs, %6llu branches\n",
                  target.name, static_cast<unsigned long long>(result.executions),
                  static_cast<double>(result.executions) / result.seconds,
                  static_cast<unsigned long long>(result.inputs),
                  static_cast<unsigned long long>(result.branches));
    }
    std::fflush(stdout);
  }
  return 0;
}
