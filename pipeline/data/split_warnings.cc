// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/split_warnings.h"

#include <string>

#include <fmt/core.h>

#include "graph/enum_names.h"

namespace penchant::pipeline {

using graph::SplitMethod;

namespace {

bool leaves_last(graph::SplitMethod method) {
  return method == SplitMethod::leave_one_out || method == SplitMethod::leave_last_session;
}

/// Why `name` got no row of a split that was to give it `fraction`.
std::string cause(graph::SplitMethod method, const char* name, double fraction) {
  if (method == SplitMethod::global_time) {
    return fmt::format("{} of the rows are to be the latest, and rows of one time stay together",
                       fraction);
  }
  if (method == SplitMethod::hidden_items && std::string_view(name) == "test")
    return fmt::format("{} of so few items are none", fraction);
  return fmt::format("of a user's n events round({} n) are taken, and no user has enough of them",
                     fraction);
}

}  // namespace

void warn_of_empty_parts(const graph::SplitInteractions& split, const graph::SplitOptions& options,
                         Progress& progress) {
  const graph::SplitMethod method = options.method;
  if (leaves_last(method)) {
    const bool no_test = split.test.empty();
    if (!no_test && !split.validation.empty()) return;
    progress.warn(fmt::format(
        "the {} part{} empty (data.split.method is {}): no user has {} events{}",
        no_test ? "test part and the validation" : "validation", no_test ? "s are" : " is",
        enum_name(method), no_test && method == SplitMethod::leave_last_session ? "two" : "three",
        no_test && method == SplitMethod::leave_one_out ? ", or two baskets" : ""));
    return;
  }
  const auto tell = [&](const char* name, double fraction) {
    progress.warn(fmt::format("the {} part is empty (data.split.method is {}): {}", name,
                              enum_name(method), cause(method, name, fraction)));
  };
  if (method != SplitMethod::given && options.test_fraction > 0.0 && split.test.empty())
    tell("test", options.test_fraction);
  if (options.validation_fraction > 0.0 && split.validation.empty())
    tell("validation", options.validation_fraction);
}

void warn_of_cut_sessions(const graph::CutSessions& sessions, const graph::SplitOptions& options,
                          Progress& progress) {
  if (sessions.cut == 0) return;
  progress.warn(
      fmt::format("{} of the {} sessions with a held-out row have rows in another part as well: "
                  "data.split.method {} goes by {}; leave_last_session keeps sessions whole",
                  sessions.cut, sessions.all, enum_name(options.method),
                  options.method == SplitMethod::global_time    ? "time alone"
                  : options.method == SplitMethod::hidden_items ? "items"
                                                                : "what the files say"));
}

}  // namespace penchant::pipeline
