// SPDX-License-Identifier: Apache-2.0
// penchant serve: a model behind HTTP (docs/serve.md).
#include <memory>
#include <string>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/command/verbs.h"
#include "pipeline/serve/server.h"

namespace penchant::pipeline {

namespace {

void require_between(const char* flag, double value, double least, double most) {
  if (value < least || value > most)
    throw InputError(fmt::format("{} is {:g}, expected {:g} to {:g}", flag, value, least, most));
}

void check_serve_options(const ServeOptions& options) {
  require_between("--port", options.address.port, 0, 65535);
  require_between("--max-body", static_cast<double>(options.http.max_body), 1024, 1 << 30);
  require_between("--max-history", static_cast<double>(options.requests.max_history), 1,
                  static_cast<double>(kLongestHistory));
  require_between("--max-k", static_cast<double>(options.requests.max_k), 1, 100'000);
  require_between("--max-connections", static_cast<double>(options.http.max_connections), 1,
                  100'000);
  require_between("--max-events", static_cast<double>(options.max_events), 1, 1e9);
  require_between("--rate", options.http.rate, 0, 1e9);
}

}  // namespace

void add_serve_verb(CLI::App& program, Invocation& invocation) {
  const auto options = std::make_shared<ServeOptions>();
  auto* verb = program.add_subcommand(
      "serve", "Answer recommend, similar, score and vectors over HTTP, and take events");
  add_common_options(*verb, invocation);
  verb->add_option("data", options->data, "Data set (X.data)")->required();
  verb->add_option("model", options->model, "Model (X.model)")->required();
  verb->add_option("--host", options->address.host,
                   "Address to listen on; other machines reach it only at another than this")
      ->capture_default_str();
  verb->add_option("--port", options->address.port, "Port; 0: one that is free")
      ->capture_default_str();
  verb->add_option("--token-file", options->token_file,
                   "File whose first line requests have to name: Authorization: Bearer TOKEN");
  verb->add_option("--events", options->events,
                   "Folder of the log of events, made where it is missing; without it POST /events "
                   "is refused");
  verb->add_option("--max-body", options->http.max_body, "Bytes of a request's body")
      ->capture_default_str();
  verb->add_option("--max-history", options->requests.max_history,
                   "Events of a history or a post, pairs, vectors")
      ->capture_default_str();
  verb->add_option("--max-k", options->requests.max_k, "Items of a list")->capture_default_str();
  verb->add_option("--max-connections", options->http.max_connections,
                   "Connections at a time; further ones are answered with 503")
      ->capture_default_str();
  verb->add_option("--max-events", options->max_events,
                   "Events held that the data set does not have yet; further ones are refused")
      ->capture_default_str();
  verb->add_option("--rate", options->http.rate,
                   "Requests a second of one address; 0: as many as come")
      ->capture_default_str();
  verb->callback([options, &invocation] {
    check_serve_options(*options);
    const Config config = invocation.config_for("serve");
    TerminalProgress progress = invocation.progress();
    progress.begin("serve");
    serve(config, *options, progress, [&](const std::string& url) {
      if (invocation.json) return print(nlohmann::json{{"url", url}}.dump() + "\n");
      print(fmt::format("serving {} at {}\n", options->model, url));
    });
  });
}

}  // namespace penchant::pipeline
