// SPDX-License-Identifier: Apache-2.0
#include "pipeline/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/bench_graph.h"
#include "pipeline/bench_names.h"
#include "pipeline/bench_stages.h"
#include "pipeline/bench_workloads.h"
#include "pipeline/memory.h"

namespace penchant::pipeline {

using kernels::DeviceChoice;
using kernels::SpmmVariant;

namespace {

constexpr std::int64_t kMostIterations = 1'000'000;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void require_range(const char* key, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value < least || value > most)
    throw InputError(fmt::format("bench: {} is {}, expected {} to {}", key, value, least, most));
}

void check(const BenchOptions& options) {
  for (const std::int64_t dim : options.dims) require_range("--dim", dim, 1, 65536);
  for (const std::int64_t parts : options.parts) require_range("--parts", parts, 1, 1 << 30);
  require_range("--layers", options.layers, 0, 100);
  require_range("--batch", options.batch, 1, 1 << 24);
  require_range("--k", options.k, 1, 1 << 20);
  require_range("--events", options.events, 100, std::int64_t{1} << 31);
  require_range("--repetitions", options.repetitions, 1, 100000);
  require_range("--warmup", options.warmup, 0, 100000);
}

/// Why a combination has no meaning, or empty.
std::string no_meaning(const BenchCase& what) {
  const WorkloadTraits traits = traits_of(what.workload);
  const std::string name = enum_name(what.workload);
  if (what.type == BenchType::bf16 && !traits.takes_bf16)
    return fmt::format("{} has no bf16 form", name);
  if (what.device == DeviceChoice::cuda && !traits.on_device)
    return fmt::format("{} runs on the CPU only", name);
  if (what.variant != SpmmVariant::own && what.device != DeviceChoice::cuda)
    return fmt::format("variant {} needs --device cuda", enum_name(what.variant));
  return {};
}

/// One element that stands for "does not matter", where a workload has no such choice.
template <typename T>
std::vector<T> choices(bool matters, const std::vector<T>& all, T none) {
  return matters ? all : std::vector<T>{none};
}

void finish_plan(const BenchOptions& options, const GraphSource* source, BenchCase& what) {
  if (source != nullptr) {
    what.arrays = graph_arrays(*source, what.order);
    what.num_nodes = source->extent.num_nodes;
    what.num_entries = source->extent.num_entries;
    what.exact_size = source->extent.exact;
  } else {
    what.num_entries = options.events;
    what.exact_size = true;
  }
  for (BenchArray& array : workload_arrays(options, what)) what.arrays.push_back(std::move(array));
  std::int64_t graph = 0;
  std::int64_t phases[4] = {};
  for (const BenchArray& array : what.arrays) {
    if (array.phase == BenchPhase::graph)
      graph += array.bytes;
    else
      phases[static_cast<int>(array.phase)] += array.bytes;
  }
  what.total_bytes = graph + *std::max_element(std::begin(phases), std::end(phases));
}

/// Owner of what neighbouring cases share: graph, backend, sparse matrix. At most one of each.
class Bench {
 public:
  Bench(const BenchOptions& options, Progress& progress)
      : options_(options), progress_(progress), sources_(graph_sources(options)) {}

  BenchRow run(const BenchCase& what) {
    reset_peak_memory();
    prepare_backend(what);
    const WorkloadTraits traits = traits_of(what.workload);
    if (traits.needs_graph) prepare_graph(what);
    if (what.workload == BenchWorkload::graph_build) prepare_events(what);
    if (traits.needs_symmetric && !symmetric())
      throw InputError(fmt::format("bench: {} needs a symmetric matrix, {} is not",
                                   enum_name(what.workload), what.graph));
    const auto workload =
        make_workload({options_, what, graph_, sparse_.get(), events_ ? &*events_ : nullptr,
                       num_users_, num_items_, *backend_});
    BenchRow row;
    row.what = what;
    row.device = backend_->description();
    row.rates = *rates_;
    row.verified = workload->verify();
    row.order_seconds = traits.needs_graph ? order_seconds_ : 0.0;
    row.num_nodes = traits.needs_graph ? graph_.adjacency.num_rows : 0;
    row.num_entries =
        traits.needs_graph ? static_cast<std::int64_t>(graph_.adjacency.columns.size()) : 0;
    measure(*workload, row);
    rate(*workload, row);
    row.note = workload->note();
    row.peak_bytes = peak_memory();
    return row;
  }

 private:
  void prepare_backend(const BenchCase& what) {
    if (backend_ != nullptr && device_ == what.device && variant_ == what.variant) return;
    sparse_.reset();
    const bool same_device = backend_ != nullptr && device_ == what.device;
    backend_.reset();
    kernels::BackendOptions chosen;
    chosen.device = what.device;
    chosen.num_threads = options_.num_threads;
    chosen.cuda.spmm = what.variant;
    backend_ = kernels::make_backend(chosen);
    device_ = what.device;
    variant_ = what.variant;
    if (same_device) return;
    progress_.update(0, 0, "triad and GEMM");
    rates_ = measure_machine(*backend_);
  }

  void prepare_graph(const BenchCase& what) {
    const std::int64_t order_parts = what.order == NodeOrder::metis ? what.parts : 0;
    if (graph_index_ != what.graph_index || order_ != what.order || order_parts_ != order_parts) {
      sparse_.reset();
      graph_ = {};
      symmetric_.reset();
      const GraphSource& source = sources_[what.graph_index];
      progress_.update(0, 0, fmt::format("{}: loading", source.name));
      graph_ = load_graph(source, options_);
      order_seconds_ = order_nodes(graph_, what.order, order_parts, options_.seed);
      graph_index_ = what.graph_index;
      order_ = what.order;
      order_parts_ = order_parts;
    }
    if (sparse_ == nullptr && traits_of(what.workload).on_device)
      sparse_ = backend_->sparse(graph_.adjacency.view());
  }

  void prepare_events(const BenchCase& what) {
    if (events_ && events_of_ == what.graph_index) return;
    events_.reset();
    events_.emplace(generated_events(options_, num_users_, num_items_));
    events_of_ = what.graph_index;
  }

  /// Generated and read graphs are; a matrix in .npy files may be anything.
  bool symmetric() {
    if (!symmetric_) {
      const GraphSource& source = sources_[*graph_index_];
      symmetric_ = source.kind != GraphSource::Kind::file ||
                   graph::graph_format_of(source.path) != graph::GraphFormat::npy ||
                   graph::is_symmetric(graph_.adjacency.view(), 1e-6F);
    }
    return *symmetric_;
  }

  double time_runs(Workload& workload, std::int64_t iterations) {
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t k = 0; k < iterations; ++k) workload.run();
    backend_->sync();
    return seconds_since(start) / static_cast<double>(iterations);
  }

  void measure(Workload& workload, BenchRow& row) {
    const double once = time_runs(workload, 1);
    row.iterations = std::clamp<std::int64_t>(
        static_cast<std::int64_t>(std::ceil(options_.min_seconds / std::max(once, 1e-9))), 1,
        kMostIterations);
    for (std::int64_t k = 0; k < options_.warmup; ++k) time_runs(workload, row.iterations);
    std::vector<double> seconds;
    for (std::int64_t k = 0; k < options_.repetitions && !progress_.stop_requested(); ++k) {
      seconds.push_back(time_runs(workload, row.iterations));
      progress_.update(k + 1, options_.repetitions,
                       fmt::format("{} on {}", enum_name(row.what.workload), row.what.graph));
    }
    if (seconds.empty()) seconds.push_back(once);
    std::sort(seconds.begin(), seconds.end());
    const auto quantile = [&](double q) {
      const double place = q * static_cast<double>(seconds.size() - 1);
      const auto below = static_cast<std::size_t>(place);
      const auto above = std::min(below + 1, seconds.size() - 1);
      return seconds[below] +
             (place - static_cast<double>(below)) * (seconds[above] - seconds[below]);
    };
    row.repetitions = static_cast<std::int64_t>(seconds.size());
    row.median_seconds = quantile(0.5);
    row.minimum_seconds = seconds.front();
    row.maximum_seconds = seconds.back();
    row.spread = (quantile(0.75) - quantile(0.25)) / row.median_seconds;
  }

  void rate(const Workload& workload, BenchRow& row) const {
    const BenchWork work = workload.work();
    row.unit = work.unit;
    row.rate = work.count / row.median_seconds;
    row.flops = work.flops / row.median_seconds;
    row.gathered_bytes = work.gathered_bytes / row.median_seconds;
    row.compulsory_bytes = work.compulsory_bytes / row.median_seconds;
    row.roofline =
        attainable_seconds(*rates_, work.compulsory_bytes, work.flops) / row.median_seconds;
  }

  const BenchOptions& options_;
  Progress& progress_;
  std::vector<GraphSource> sources_;
  std::unique_ptr<kernels::Backend> backend_;
  DeviceChoice device_ = DeviceChoice::automatic;
  SpmmVariant variant_ = SpmmVariant::own;
  std::optional<MachineRates> rates_;
  std::optional<std::size_t> graph_index_;
  NodeOrder order_ = NodeOrder::none;
  std::int64_t order_parts_ = 0;
  double order_seconds_ = 0;
  BenchGraph graph_;
  std::optional<bool> symmetric_;
  std::unique_ptr<kernels::SparseMatrix> sparse_;
  std::optional<graph::TrainingPart> events_;
  std::size_t events_of_ = 0;
  std::int64_t num_users_ = 0, num_items_ = 0;
};

}  // namespace

std::vector<BenchCase> plan_bench(const BenchOptions& options, std::vector<std::string>& skipped) {
  check(options);
  std::vector<BenchCase> cases;
  const auto add = [&](BenchCase what, const GraphSource* source) {
    const std::string reason = no_meaning(what);
    if (reason.empty()) {
      finish_plan(options, source, what);
      cases.push_back(std::move(what));
    } else if (std::find(skipped.begin(), skipped.end(), reason) == skipped.end()) {
      skipped.push_back(reason);
    }
  };
  const auto sweep = [&](BenchCase what, const GraphSource* source) {
    const WorkloadTraits traits = traits_of(what.workload);
    const bool parts = what.workload == BenchWorkload::partition || what.order == NodeOrder::metis;
    for (const std::int64_t num_parts : choices<std::int64_t>(parts, options.parts, 0)) {
      what.parts = num_parts;
      for (const BenchType type : options.types) {
        what.type = type;
        for (const std::int64_t dim : choices<std::int64_t>(traits.has_dim, options.dims, 0)) {
          what.dim = dim;
          add(what, source);
        }
      }
    }
  };
  const std::vector<GraphSource> sources = graph_sources(options);
  for (std::size_t index = 0; index < sources.size(); ++index) {
    for (const NodeOrder order : options.orders) {
      for (const DeviceChoice device : options.devices) {
        for (const SpmmVariant variant : options.variants) {
          for (const BenchWorkload workload : options.workloads) {
            if (!traits_of(workload).needs_graph) continue;
            BenchCase what;
            what.workload = workload;
            what.graph = sources[index].name;
            what.graph_index = index;
            what.order = order;
            what.device = device;
            what.variant = variant;
            sweep(what, &sources[index]);
          }
        }
      }
    }
  }
  for (const BenchWorkload workload : options.workloads) {
    if (traits_of(workload).needs_graph) continue;
    BenchCase what;
    what.workload = workload;
    what.graph = fmt::format("shop of {} events", options.events);
    what.device = DeviceChoice::cpu;
    sweep(what, nullptr);
  }
  if (cases.empty())
    throw InputError(fmt::format("bench: nothing to run: {}",
                                 skipped.empty() ? "no workload" : skipped.front()));
  return cases;
}

void require_memory(const std::vector<BenchCase>& cases, std::int64_t available) {
  for (const BenchCase& what : cases) {
    if (what.total_bytes <= available) continue;
    std::string largest;
    std::int64_t bytes = 0;
    for (const BenchArray& array : what.arrays) {
      if (array.bytes <= bytes) continue;
      bytes = array.bytes;
      largest = array.name;
    }
    throw NotEnoughMemory(fmt::format(
        "bench: {} on {}{} needs {}, {} may be taken (largest array: {}, {}); --plan lists all",
        enum_name(what.workload), what.graph,
        what.dim > 0 ? fmt::format(" at width {}", what.dim) : "", bytes_text(what.total_bytes),
        bytes_text(available), largest, bytes_text(bytes)));
  }
}

bool run_bench(const BenchOptions& options, const std::vector<BenchCase>& cases,
               const std::function<void(const BenchRow&)>& emit, Progress& progress) {
  Bench bench(options, progress);
  for (const BenchCase& what : cases) {
    if (progress.stop_requested()) return false;
    emit(bench.run(what));
  }
  return !progress.stop_requested();
}

}  // namespace penchant::pipeline
