// SPDX-License-Identifier: Apache-2.0
// penchant pseudonym: the pseudonyms of raw ids, for who has the key, and new keys.
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "pipeline/command/verbs.h"
#include "pipeline/workflow/given_key.h"

namespace penchant::pipeline {

namespace {

void read_standard_input(PseudonymFlags& flags) {
  if (flags.ids_file != "-") return;
  flags.ids_file.clear();
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) flags.ids.push_back(line);
  }
}

}  // namespace

void add_key_option(CLI::App& verb, std::string& key) {
  verb.add_option(
      "--key", key,
      "File with the key of the data set's pseudonyms (data.pseudonymise): raw ids that "
      "are given are looked up by theirs; without it ids are given as pseudonyms");
}

void add_pseudonym_verb(CLI::App& program, Invocation& invocation) {
  const auto flags = std::make_shared<PseudonymFlags>();
  auto* verb = program.add_subcommand(
      "pseudonym",
      "The pseudonyms that raw ids have by a key (data.pseudonymise), a line each, or a new key");
  add_common_options(*verb, invocation, UsesDevice::no);
  verb->add_option("ids", flags->ids, "Raw ids");
  verb->add_option("--key", flags->key,
                   "File with the key, 32 bytes or more, that its owner alone may read");
  verb->add_option("--ids", flags->ids_file,
                   "File with one raw id a line, after those given; -: of standard input");
  verb->add_option("--kind", flags->kind, "Of what the ids are: user, item or session")
      ->capture_default_str();
  verb->add_option("--new-key", flags->new_key,
                   "Write a new key of 256 random bits to this file, which must not be there, for "
                   "its owner alone to read");
  verb->callback([flags, &invocation] {
    invocation.config_for("pseudonym");
    if (!flags->key.empty() && flags->new_key.empty()) read_standard_input(*flags);
    const std::vector<std::string> pseudonyms = pseudonyms_by(*flags);
    if (invocation.json) {
      const nlohmann::json said =
          flags->new_key.empty() ? nlohmann::json{{"kind", flags->kind}, {"pseudonyms", pseudonyms}}
                                 : nlohmann::json{{"new_key", flags->new_key}};
      return print(said.dump(2) + "\n");
    }
    if (!flags->new_key.empty())
      return print_text(flags->new_key +
                        ": a new key; without it nobody can say whose the "
                        "pseudonyms are, so keep a copy in a safe place\n");
    std::string text;
    for (const std::string& pseudonym : pseudonyms) text += pseudonym + "\n";
    print_text(text);
  });
}

}  // namespace penchant::pipeline
