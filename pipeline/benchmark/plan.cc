// SPDX-License-Identifier: Apache-2.0
// Which combinations a benchmark runs, the bytes that each takes, and the refusal of what does not
// fit.
#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/benchmark/bench.h"
#include "pipeline/benchmark/graph.h"
#include "pipeline/benchmark/memory_plan.h"
#include "pipeline/benchmark/workloads.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

using kernels::DeviceChoice;
using kernels::SpmmVariant;

namespace {

/// What the program comes to hold beside its arrays: code of the libraries that is read when it is
/// first used (Arrow's most of all) and buffers; stacks, heaps and packed tiles of each thread.
constexpr std::int64_t kLaterBytes = std::int64_t{48} << 20;
constexpr std::int64_t kLaterBytesAThread = std::int64_t{2} << 20;

template <typename T>
void require_range(const char* key, T value, T least, T most) {
  if (!(value >= least && value <= most))  // so that NaN is refused
    throw InputError(fmt::format("bench: {} is {}, expected {} to {}", key, value, least, most));
}

void check(const BenchOptions& options) {
  using Count = std::int64_t;
  for (const Count dim : options.dims) require_range<Count>("--dim", dim, 1, 65536);
  for (const Count parts : options.parts) require_range<Count>("--parts", parts, 1, 1 << 30);
  require_range<Count>("--layers", options.layers, 0, 100);
  require_range<Count>("--batch", options.batch, 1, 1 << 24);
  require_range<Count>("--k", options.k, 1, 1 << 20);
  require_range<Count>("--events", options.events, 100, Count{1} << 31);
  require_range<Count>("--repetitions", options.repetitions, 1, 100000);
  require_range<Count>("--warmup", options.warmup, 0, 100000);
  require_range<double>("--min-time", options.min_seconds, 0, 3600);
}

/// Why a combination has no meaning, or empty.
std::string no_meaning(const BenchCase& what) {
  if (what.type == BenchType::bf16 && !traits_of(what.workload).takes_bf16)
    return fmt::format("{} has no bf16 form", enum_name(what.workload));
  if (what.variant != SpmmVariant::own && what.device != DeviceChoice::cuda)
    return fmt::format("variant {} needs --device cuda", enum_name(what.variant));
  return {};
}

/// One element that stands for "does not matter", where a workload has no such choice.
template <typename T>
std::vector<T> choices(bool matters, const std::vector<T>& all, T none) {
  return matters ? all : std::vector<T>{none};
}

void add_sums(BenchCase& what) {
  std::int64_t phases[6] = {};
  for (const BenchArray& array : what.arrays) phases[static_cast<int>(array.phase)] += array.bytes;
  const auto of = [&](BenchPhase phase) { return phases[static_cast<int>(phase)]; };
  const std::int64_t prepared = std::max(of(BenchPhase::load), of(BenchPhase::order));
  const std::int64_t graph = of(BenchPhase::graph);
  what.export_bytes = of(BenchPhase::program) + graph + prepared;
  what.total_bytes =
      of(BenchPhase::program) +
      std::max(of(BenchPhase::rates), graph + std::max(prepared, of(BenchPhase::run)));
}

/// Collects the cases of a sweep.
class Planner {
 public:
  Planner(const BenchOptions& options, std::vector<std::string>& skipped)
      : options_(options),
        skipped_(skipped),
        program_bytes_(resident_memory() + kLaterBytes +
                       kLaterBytesAThread * thread_count(options)) {
    if (options.memory > 0) rates_ = sizes_within(options.memory - program_bytes_);
  }

  /// `what` has a workload, and a device if that matters. source: of its graph, or null.
  void sweep(BenchCase what, const GraphSource* source) {
    const WorkloadTraits traits = traits_of(what.workload);
    if (!traits.on_device) what.device = DeviceChoice::cpu;
    const bool parts = what.workload == BenchWorkload::partition || what.order == NodeOrder::metis;
    for (const std::int64_t num_parts : choices<std::int64_t>(parts, options_.parts, 0)) {
      what.parts = num_parts;
      for (const BenchType type : options_.types) {
        what.type = type;
        for (const std::int64_t dim : choices<std::int64_t>(traits.has_dim, options_.dims, 0)) {
          what.dim = dim;
          add(what, source);
        }
      }
    }
  }
  std::vector<BenchCase> take() { return std::move(cases_); }

 private:
  void add(BenchCase what, const GraphSource* source) {
    const std::string reason = no_meaning(what);
    if (reason.empty()) {
      plan(what, source);
      cases_.push_back(std::move(what));
    } else if (std::find(skipped_.begin(), skipped_.end(), reason) == skipped_.end()) {
      skipped_.push_back(reason);
    }
  }

  void plan(BenchCase& what, const GraphSource* source) const {
    what.rates = rates_;
    what.arrays = {
        {"the program, its libraries, threads", program_bytes_, BenchPhase::program},
        {"triad and GEMM", std::max(triad_bytes(rates_), gemm_bytes(rates_)), BenchPhase::rates}};
    if (source != nullptr) {
      for (BenchArray& array : graph_arrays(*source, what.order))
        what.arrays.push_back(std::move(array));
      what.num_nodes = source->extent.num_nodes;
      what.num_entries = source->extent.num_entries;
      what.exact_size = source->extent.exact;
    } else {
      what.num_entries = options_.events;
      what.exact_size = true;
    }
    for (BenchArray& array : workload_arrays(options_, what))
      what.arrays.push_back(std::move(array));
    add_sums(what);
  }

  const BenchOptions& options_;
  std::vector<std::string>& skipped_;
  std::int64_t program_bytes_;
  MachineSizes rates_;
  std::vector<BenchCase> cases_;
};

/// What `bytes` of a case are for, beside the limit.
std::string needs(const BenchCase& what, std::int64_t bytes, std::int64_t limit) {
  std::string text = fmt::format("{} on {}", enum_name(what.workload), what.graph);
  if (what.dim > 0) text += fmt::format(" at width {}", what.dim);
  if (what.order != NodeOrder::none) text += fmt::format(" in {} order", enum_name(what.order));
  if (what.parts > 0) text += fmt::format(" with {} parts", what.parts);
  const auto largest =
      std::max_element(what.arrays.begin(), what.arrays.end(),
                       [](const BenchArray& a, const BenchArray& b) { return a.bytes < b.bytes; });
  return text + fmt::format(" needs {}, {} may be taken (largest array: {}, {})", bytes_text(bytes),
                            bytes_text(limit), largest->name, bytes_text(largest->bytes));
}

}  // namespace

// What runs on a device comes first in each order of a graph, so that the device is kept.
std::vector<BenchCase> plan_bench(const BenchOptions& options, std::vector<std::string>& skipped) {
  check(options);
  Planner planner(options, skipped);
  const std::vector<GraphSource> sources = graph_sources(options);
  for (std::size_t index = 0; index < sources.size(); ++index) {
    BenchCase what;
    what.graph = sources[index].name;
    what.graph_index = index;
    const auto sweep_workloads = [&](bool on_device) {
      for (const BenchWorkload workload : options.workloads) {
        const WorkloadTraits traits = traits_of(workload);
        if (!traits.needs_graph || traits.on_device != on_device) continue;
        what.workload = workload;
        planner.sweep(what, &sources[index]);
      }
    };
    for (const NodeOrder order : options.orders) {
      what.order = order;
      for (const DeviceChoice device : options.devices) {
        what.device = device;
        for (const SpmmVariant variant : options.variants) {
          what.variant = variant;
          sweep_workloads(true);
        }
      }
      what.variant = SpmmVariant::own;
      sweep_workloads(false);
    }
  }
  for (const BenchWorkload workload : options.workloads) {
    if (traits_of(workload).needs_graph) continue;
    BenchCase what;
    what.workload = workload;
    what.graph = fmt::format("shop of {} events", options.events);
    planner.sweep(what, nullptr);
  }
  std::vector<BenchCase> cases = planner.take();
  if (cases.empty())
    throw InputError(fmt::format("bench: nothing to run: {}",
                                 skipped.empty() ? "no workload" : skipped.front()));
  return cases;
}

std::int64_t memory_limit(const BenchOptions& options) {
  return options.memory > 0 ? options.memory : available_memory() + resident_memory();
}

std::vector<std::string> take_out_too_large(std::vector<BenchCase>& cases, std::int64_t limit) {
  std::vector<std::string> reasons;
  std::vector<BenchCase> kept;
  for (BenchCase& what : cases) {
    if (what.total_bytes > limit)
      reasons.push_back(needs(what, what.total_bytes, limit));
    else
      kept.push_back(std::move(what));
  }
  cases = std::move(kept);
  return reasons;
}

void require_export(const BenchCase& what, std::int64_t limit) {
  if (what.export_bytes > limit)
    throw NotEnoughMemory(fmt::format("bench: --export of {}; --plan lists all arrays",
                                      needs(what, what.export_bytes, limit)));
}

}  // namespace penchant::pipeline
