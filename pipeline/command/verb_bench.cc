// SPDX-License-Identifier: Apache-2.0
// penchant bench: throughput on generated and on given graphs.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/exit_codes.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/benchmark/graph.h"
#include "pipeline/benchmark/output.h"
#include "pipeline/benchmark/stages.h"
#include "pipeline/benchmark/workloads.h"
#include "pipeline/command/verbs.h"

namespace penchant::pipeline {

namespace {

struct BenchFlags {
  BenchOptions options;
  std::vector<std::string> workloads, types, devices, variants, orders;
  std::string format = "auto";
  std::string output = "table";
  std::string memory;
  std::string export_folder;
  std::uint64_t seed = 42;
  bool plan = false;
};

template <typename Enum>
void parse_list(const std::vector<std::string>& words, const char* key, std::vector<Enum>& to) {
  if (words.empty()) return;
  to.clear();
  for (const std::string& word : words) to.push_back(parse_enum<Enum>(word, key));
}

/// What the flags that are words mean.
BenchOptions options_of(const BenchFlags& flags, const Config& config) {
  BenchOptions options = flags.options;
  parse_list(flags.workloads, "--workload", options.workloads);
  parse_list(flags.types, "--dtype", options.types);
  parse_list(flags.devices, "--device", options.devices);
  parse_list(flags.variants, "--variant", options.variants);
  parse_list(flags.orders, "--order", options.orders);
  options.format = parse_enum<graph::GraphFormat>(flags.format, "--format");
  options.seed = static_cast<graph::Seed>(flags.seed);
  options.num_threads = config.backend.num_threads;
  if (flags.devices.empty()) options.devices = {config.backend.device};
  if (!flags.memory.empty()) options.memory = parse_bytes(flags.memory, "--memory");
  options.memory = memory_limit(options);
  return options;
}

/// Flags that none of the workloads looks at are refused.
void check_flags(const CLI::App& verb, const BenchOptions& options) {
  using enum BenchWorkload;
  const std::vector<std::pair<const char*, std::vector<BenchWorkload>>> uses = {
      {"--layers", {lightgcn_forward, forward_backward, training_step, embedding}},
      {"--batch", {training_step, topk}},
      {"--k", {topk}},
      {"--events", {ingest, graph_build}}};
  for (const auto& [flag, workloads] : uses) {
    const bool used = std::any_of(
        options.workloads.begin(), options.workloads.end(), [&workloads = workloads](auto chosen) {
          return std::find(workloads.begin(), workloads.end(), chosen) != workloads.end();
        });
    if (used || verb.count(flag) == 0) continue;
    std::string names;
    for (const BenchWorkload workload : workloads)
      names += (names.empty() ? "" : ", ") + enum_name(workload);
    throw InputError(
        fmt::format("bench: {} has no effect: it goes with --workload {}", flag, names));
  }
}

void export_input(const BenchOptions& options, const std::vector<BenchCase>& cases,
                  const std::string& folder) {
  const bool events = options.workloads == std::vector{BenchWorkload::graph_build};
  const auto what = std::find_if(cases.begin(), cases.end(), [&](const BenchCase& each) {
    return events || traits_of(each.workload).needs_graph;
  });
  if (what == cases.end())
    throw InputError(
        "bench: nothing to --export, expected a workload on a graph or graph_build alone");
  require_export(*what, options.memory);
  if (events)
    export_events(options, folder);
  else
    export_graph(options, folder);
}

/// Runs what fits; throws NotEnoughMemory in the end if anything did not.
void run_cases(const BenchOptions& options, std::vector<BenchCase> cases,
               std::vector<std::string> skipped, BenchFormat format, Invocation& invocation) {
  const std::size_t planned = cases.size();
  const std::vector<std::string> too_large = take_out_too_large(cases, options.memory);
  skipped.insert(skipped.end(), too_large.begin(), too_large.end());
  TerminalProgress progress = invocation.progress();
  progress.begin("bench");
  if (!cases.empty()) {
    for (const std::string& reason : skipped) progress.warn("left out: " + reason);
    BenchOutput output(format);
    const bool finished = run_bench(
        options, cases, [&](const BenchRow& row) { print(output.add(row)); }, progress);
    print(output.finish(skipped));
    progress.end(fmt::format("{} cases", cases.size()));
    if (!finished) {
      invocation.exit_code = kExitInterrupted;
      return;
    }
  }
  if (!too_large.empty())
    throw NotEnoughMemory(fmt::format(
        "bench: {} of {} cases left out for want of memory; --plan lists all arrays\n  {}",
        too_large.size(), planned, fmt::join(too_large, "\n  ")));
}

void run_verb(const BenchFlags& flags, const CLI::App& verb, Invocation& invocation) {
  const BenchOptions options = options_of(flags, invocation.config());
  check_flags(verb, options);
  const BenchFormat format =
      invocation.json ? BenchFormat::json : parse_enum<BenchFormat>(flags.output, "-o");
  std::vector<std::string> skipped;
  std::vector<BenchCase> cases = plan_bench(options, skipped);
  if (flags.plan)
    print(plan_text(cases, options.memory, format));
  else if (!flags.export_folder.empty())
    export_input(options, cases, flags.export_folder);
  else
    run_cases(options, std::move(cases), std::move(skipped), format, invocation);
}

}  // namespace

void add_bench_verb(CLI::App& program, Invocation& invocation) {
  const auto flags = std::make_shared<BenchFlags>();
  BenchOptions& options = flags->options;
  auto* verb = program.add_subcommand(
      "bench", "Throughput on generated and on your own graphs; every result is verified first");
  verb->add_flag("--json", invocation.json, "The same as -o json");
  verb->add_flag("--quiet", invocation.quiet, "No progress, no warnings");
  verb->add_option("--threads", invocation.threads, "Number of threads; 0: all cores");
  const auto list = [&](const char* name, auto& values, const char* help) {
    verb->add_option(name, values, help)->delimiter(',')->take_all();
  };
  list("--workload,-w", flags->workloads,
       "spmm, gcn_layer, lightgcn_forward, forward_backward, training_step, embedding, topk, "
       "ingest, graph_build, partition (all of these are lists: a,b,c sweeps)");
  list("--graph,-g", options.graphs,
       "rmat, bipartite, lattice, or a path: METIS .graph, Matrix Market, edge list (plain or "
       "gzip), a folder of offsets/columns/values.npy, X.data");
  verb->add_option("--format", flags->format,
                   "Of --graph: auto, metis, matrix_market, edge_list or npy");
  list("--scale", options.scales, "Generated graphs have 2^scale nodes (16)");
  list("--edge-factor", options.edge_factors, "and draw this many edges a node (16)");
  list("--dim,-d", options.dims, "Width of the embeddings (64)");
  list("--dtype", flags->types, "Storage of the table that is gathered: f32, bf16");
  list("--device", flags->devices, "auto, cpu, cuda");
  list("--variant", flags->variants,
       "Sparse product on a GPU: own, cusparse, cusparse_alg1, cusparse_alg3");
  list("--order", flags->orders, "Node order: none, degree, metis");
  list("--parts", options.parts, "Parts of partition (CPU only) and of the METIS order (8)");
  verb->add_option("--layers", options.layers, "Propagations of a forward")->capture_default_str();
  verb->add_option("--batch", options.batch, "Rows of a training step, queries of topk")
      ->capture_default_str();
  verb->add_option("--k", options.k, "Of topk")->capture_default_str();
  verb->add_option("--events", options.events, "Of the generated shop: ingest, graph_build")
      ->capture_default_str();
  verb->add_option("--repetitions,-r", options.repetitions, "Repetitions; the median is shown")
      ->capture_default_str();
  verb->add_option("--warmup", options.warmup, "Repetitions that do not count")
      ->capture_default_str();
  verb->add_option("--min-time", options.min_seconds,
                   "Seconds that a repetition lasts at least, up to 3600")
      ->capture_default_str();
  verb->add_option("--seed", flags->seed, "Seed")->capture_default_str();
  verb->add_option(
      "--memory", flags->memory,
      "Memory that the process may have, such as 12G (what is available); what needs more is "
      "left out, with exit status 4 in the end");
  verb->add_option(
      "--export", flags->export_folder,
      "Write the graph as offsets.npy, columns.npy, values.npy into a folder and stop; "
      "graph_build: the events as user.npy, item.npy");
  verb->add_flag(
      "--plan", flags->plan,
      "Print the bytes of every array and whether they fit (table, json or jsonl); allocate "
      "nothing");
  verb->add_option("-o,--output", flags->output, "table, json, jsonl, csv or md")
      ->capture_default_str();
  verb->callback([flags, verb, &invocation] { run_verb(*flags, *verb, invocation); });
}

}  // namespace penchant::pipeline
