// SPDX-License-Identifier: Apache-2.0
#include "pipeline/benchmark/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <optional>

#include <fmt/core.h>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/benchmark/graph.h"
#include "pipeline/benchmark/stages.h"
#include "pipeline/benchmark/workloads.h"

namespace penchant::pipeline {

using kernels::DeviceChoice;
using kernels::SpmmVariant;

namespace {

constexpr std::int64_t kMostIterations = 1'000'000;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Owner of what neighbouring cases share: graph, backend, sparse matrix. At most one of each.
class Bench {
 public:
  Bench(const BenchOptions& options, Progress& progress)
      : options_(options), progress_(progress), sources_(graph_sources(options)) {}

  /// Of each device that the cases run on; before anything else takes memory.
  void measure_machines(const std::vector<BenchCase>& cases) {
    for (const BenchCase& what : cases) {
      if (rates_.count(what.device) > 0) continue;
      prepare_backend(what);
      progress_.update(0, 0, "triad and GEMM");
      rates_[what.device] = measure_machine(*backend_, what.rates);
      if (what.rates.triad_elements < MachineSizes().triad_elements)
        progress_.warn(fmt::format(
            "for want of memory the triad runs over {} instead of {}: caches may hold it, and "
            "the rate is then not that of the memory",
            bytes_text(triad_bytes(what.rates)), bytes_text(triad_bytes({}))));
    }
  }

  BenchRow run(const BenchCase& what) {
    const WorkloadTraits traits = traits_of(what.workload);
    release_unneeded(what);
    prepare_backend(what);
    release_freed_memory();
    reset_peak_memory();
    if (traits.needs_graph) prepare_graph(what);
    if (what.workload == BenchWorkload::graph_build && !events_)
      events_.emplace(generated_events(options_, num_users_, num_items_));
    if (traits.needs_symmetric && !symmetric())
      throw InputError(fmt::format("bench: {} needs a symmetric matrix, {} is not",
                                   enum_name(what.workload), what.graph));
    release_freed_memory();
    const auto workload =
        make_workload({options_, what, graph_, sparse_.get(), events_ ? &*events_ : nullptr,
                       num_users_, num_items_, *backend_});
    BenchRow row;
    row.what = what;
    row.device = backend_->description();
    row.ran_on = backend_->device();
    row.rates = rates_.at(what.device);
    row.verified = workload->verify();
    row.order_seconds = traits.needs_graph ? order_seconds_ : 0.0;
    row.num_nodes = traits.needs_graph ? graph_.adjacency.num_rows : 0;
    row.num_entries = traits.needs_graph ? graph_.adjacency.view().num_entries() : 0;
    measure(*workload, row);
    rate(*workload, row);
    row.note = workload->note();
    row.peak_bytes = peak_memory();
    return row;
  }

 private:
  static std::int64_t order_parts(const BenchCase& what) {
    return what.order == NodeOrder::metis ? what.parts : 0;
  }

  bool holds_graph_of(const BenchCase& what) const {
    return traits_of(what.workload).needs_graph && graph_index_ == what.graph_index &&
           order_ == what.order && order_parts_ == order_parts(what);
  }

  /// What an earlier case left and this one has no use for would count as its memory.
  void release_unneeded(const BenchCase& what) {
    if (!holds_graph_of(what)) {
      sparse_.reset();
      graph_ = {};
      symmetric_.reset();
      graph_index_.reset();
    }
    if (what.workload != BenchWorkload::graph_build) events_.reset();
  }

  void prepare_backend(const BenchCase& what) {
    if (backend_ != nullptr && device_ == what.device && variant_ == what.variant) return;
    sparse_.reset();
    backend_.reset();
    kernels::BackendOptions chosen;
    chosen.device = what.device;
    chosen.num_threads = options_.num_threads;
    chosen.cuda = kernels::cuda_options_from_environment();
    chosen.cuda->spmm = what.variant;
    backend_ = kernels::make_backend(chosen);
    device_ = what.device;
    variant_ = what.variant;
  }

  void prepare_graph(const BenchCase& what) {
    if (!holds_graph_of(what)) {
      const GraphSource& source = sources_[what.graph_index];
      progress_.update(0, 0, fmt::format("{}: loading", source.name));
      graph_ = load_graph(source, options_);
      release_freed_memory();
      order_parts_ = order_parts(what);
      order_seconds_ = order_nodes(graph_, what.order, order_parts_, options_.seed);
      graph_index_ = what.graph_index;
      order_ = what.order;
    }
    if (sparse_ == nullptr && traits_of(what.workload).on_device)
      sparse_ = backend_->sparse(graph_.adjacency.view());
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

  static void rate(const Workload& workload, BenchRow& row) {
    const BenchWork work = workload.work();
    row.unit = work.unit;
    row.rate = work.count / row.median_seconds;
    row.flops = work.flops / row.median_seconds;
    row.gathered_bytes = work.gathered_bytes / row.median_seconds;
    row.compulsory_bytes = work.compulsory_bytes / row.median_seconds;
    row.roofline =
        attainable_seconds(row.rates, work.compulsory_bytes, work.flops) / row.median_seconds;
  }

  const BenchOptions& options_;
  Progress& progress_;
  std::vector<GraphSource> sources_;
  std::unique_ptr<kernels::Backend> backend_;
  DeviceChoice device_ = DeviceChoice::automatic;
  SpmmVariant variant_ = SpmmVariant::own;
  std::map<DeviceChoice, MachineRates> rates_;
  std::optional<std::size_t> graph_index_;
  NodeOrder order_ = NodeOrder::none;
  std::int64_t order_parts_ = 0;
  double order_seconds_ = 0;
  BenchGraph graph_;
  std::optional<bool> symmetric_;
  std::unique_ptr<kernels::SparseMatrix> sparse_;
  std::optional<graph::TrainingPart> events_;
  std::int64_t num_users_ = 0, num_items_ = 0;
};

}  // namespace

bool run_bench(const BenchOptions& options, const std::vector<BenchCase>& cases,
               const std::function<void(const BenchRow&)>& emit, Progress& progress) {
  Bench bench(options, progress);
  bench.measure_machines(cases);
  for (const BenchCase& what : cases) {
    if (progress.stop_requested()) return false;
    emit(bench.run(what));
  }
  return !progress.stop_requested();
}

}  // namespace penchant::pipeline
