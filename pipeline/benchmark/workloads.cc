// SPDX-License-Identifier: Apache-2.0
#include "pipeline/benchmark/workloads.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <utility>

#include <fmt/core.h>
#include <omp.h>

#include "graph/error.h"
#include "graph/random.h"
#include "kernels/transfer.h"
#include "models/gcn.h"
#include "models/lightgcn.h"
#include "models/loss_log.h"
#include "models/optimiser.h"
#include "models/ranking_loss.h"
#include "pipeline/benchmark/graph.h"
#include "pipeline/benchmark/oracle.h"
#include "pipeline/benchmark/stages.h"

namespace penchant::pipeline {

using graph::CsrView;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;

namespace {

constexpr std::int64_t kSampledRows = 64;

/// Uniform in [-1, 1); element (i, j) depends on seed and place only.
void fill_uniform(FloatView x, graph::Seed seed, std::uint64_t substream, Backend& backend) {
  const graph::Random random(seed, graph::Stream::initialization, substream);
  std::vector<float> memory;
  FloatView host = x;
  if (x.device != kernels::Device::cpu) {
    memory.resize(static_cast<std::size_t>(x.rows * x.cols));
    host = {memory.data(), x.rows, x.cols, x.cols, kernels::Device::cpu};
  }
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < host.rows; ++i) {
    for (std::int64_t j = 0; j < host.cols; j += 4) {
      const auto word = random.words(static_cast<std::uint64_t>((i * host.cols + j) / 4));
      for (std::int64_t k = j; k < std::min(j + 4, host.cols); ++k)
        host(i, k) =
            static_cast<float>(static_cast<std::int32_t>(word[static_cast<std::size_t>(k - j)])) *
            0x1.0p-31F;
    }
  }
  if (x.device != kernels::Device::cpu) backend.copy(ConstFloatView(host), x);
}

FloatMatrix uniform_matrix(std::int64_t rows, std::int64_t cols, const BenchContext& context,
                           std::uint64_t substream) {
  FloatMatrix x = context.backend.matrix<float>(rows, cols);
  fill_uniform(x.view(), context.options.seed, substream, context.backend);
  return x;
}

/// Host copies for the oracle.
class HostCopy {
 public:
  HostCopy(ConstFloatView x, Backend& backend) : view_(download_(x, backend)) {}
  operator ConstFloatView() const { return view_; }  // NOLINT(google-explicit-constructor)

 private:
  kernels::Download<float> download_;
  ConstFloatView view_;
};

double csr_bytes(const CsrView& a) {
  return 8.0 * static_cast<double>(a.offsets.size()) + 4.0 * static_cast<double>(a.columns.size()) +
         4.0 * static_cast<double>(a.values.size());
}

/// Base of the workloads over a graph and a table of embeddings.
class GraphWorkload : public Workload {
 public:
  explicit GraphWorkload(const BenchContext& context)
      : context_(context),
        backend_(context.backend),
        a_(context.graph.adjacency.view()),
        dim_(context.what.dim) {}

 protected:
  /// `products` of the matrix with a table, each reading and writing `tables` tables of float32 in
  /// all, `x_bytes` an element gathered.
  BenchWork propagation(double products, double tables, double x_bytes = 4.0) const {
    const auto terms = static_cast<double>(a_.num_entries()) * static_cast<double>(dim_);
    const double table = 4.0 * static_cast<double>(a_.num_rows) * static_cast<double>(dim_);
    return {"edges", products * static_cast<double>(a_.num_entries()), 2.0 * products * terms,
            products * terms * x_bytes, products * csr_bytes(a_) + tables * table};
  }
  std::int64_t checked_column() const { return dim_ / 2; }
  void require_layer_mean(const char* what, ConstFloatView x, ConstFloatView got) const {
    const HostCopy host_x(x, backend_);
    const HostCopy host_got(got, backend_);
    require_column(
        what, host_got, checked_column(),
        layer_mean(a_, column_of(host_x, checked_column()), context_.options.layers, 1.0));
  }
  std::string one_column() const {
    return fmt::format("all {} rows of column {}", a_.num_rows, checked_column());
  }

  const BenchContext context_;
  Backend& backend_;
  CsrView a_;
  std::int64_t dim_;
};

/// Tables that the layers of one LayerMean::apply read and write: x, addends, outputs.
double layer_tables(std::int64_t layers) {
  // The first layer gathers x and adds it, the others gather one table and add x; each writes one.
  return layers == 0 ? 2.0 : 2.0 + 3.0 * static_cast<double>(layers - 1);
}

class Spmm final : public GraphWorkload {
 public:
  explicit Spmm(const BenchContext& context)
      : GraphWorkload(context),
        x_(uniform_matrix(a_.num_cols, dim_, context, 0)),
        y_(backend_.matrix<float>(a_.num_rows, dim_)) {
    if (context.what.type == BenchType::f32) return;
    narrow_ = backend_.matrix<kernels::Bf16>(a_.num_cols, dim_);
    backend_.convert(ConstFloatView(x_.view()), narrow_.view());
    backend_.convert(kernels::MatrixView<const kernels::Bf16>(narrow_.view()), x_.view());
  }
  void run() override {
    if (context_.what.type == BenchType::bf16) {
      backend_.spmm(*context_.sparse, kernels::MatrixView<const kernels::Bf16>(narrow_.view()),
                    y_.view(), {});
    } else {
      backend_.spmm(*context_.sparse, ConstFloatView(x_.view()), y_.view(), {});
    }
  }
  std::string verify() override {
    run();
    const HostCopy x(x_.view(), backend_);
    const HostCopy y(y_.view(), backend_);
    const std::vector<std::int64_t> rows = sampled_rows(a_, kSampledRows);
    for (const std::int64_t row : rows) require_row("spmm", y, row, product_row(a_, x, row));
    return fmt::format("{} rows", rows.size());
  }
  BenchWork work() const override {
    const bool narrow = context_.what.type == BenchType::bf16;
    return propagation(1.0, narrow ? 1.5 : 2.0, narrow ? 2.0 : 4.0);
  }

 private:
  FloatMatrix x_, y_;
  kernels::Matrix<kernels::Bf16> narrow_;
};

class GcnLayerWork final : public GraphWorkload {
 public:
  explicit GcnLayerWork(const BenchContext& context)
      : GraphWorkload(context),
        x_(uniform_matrix(a_.num_rows, dim_, context, 0)),
        layer_{models::Parameter("weight", dim_, dim_, backend_),
               models::Parameter("bias", 1, dim_, backend_), kernels::Activation::leaky_relu},
        cache_{backend_.matrix<float>(a_.num_rows, dim_),
               backend_.matrix<float>(a_.num_rows, dim_),
               {},
               {}} {
    fill_uniform(layer_.weight.value.view(), context.options.seed, 1, backend_);
    fill_uniform(layer_.bias.value.view(), context.options.seed, 2, backend_);
  }
  void run() override { layer_.forward(backend_, *context_.sparse, x_.view(), cache_); }
  std::string verify() override {
    run();
    const HostCopy x(x_.view(), backend_);
    const HostCopy output(cache_.output.view(), backend_);
    const HostCopy weight(layer_.weight.value.view(), backend_);
    const HostCopy bias(layer_.bias.value.view(), backend_);
    const std::vector<std::int64_t> rows = sampled_rows(a_, kSampledRows);
    for (const std::int64_t row : rows)
      require_row("gcn_layer", output, row, dense_row(product_row(a_, x, row), weight, bias));
    return fmt::format("{} rows", rows.size());
  }
  // The sparse product, and the GEMM that ends its tiles with bias and activation: each reads a
  // table and writes one.
  BenchWork work() const override {
    BenchWork work = propagation(1.0, 4.0);
    work.compulsory_bytes += 4.0 * static_cast<double>(dim_ * dim_ + dim_);
    work.flops += 2.0 * static_cast<double>(a_.num_rows) * static_cast<double>(dim_ * dim_);
    return work;
  }

 private:
  FloatMatrix x_;
  models::GcnLayer layer_;
  models::GcnLayer::Cache cache_;
};

class LightGcnForward : public GraphWorkload {
 public:
  explicit LightGcnForward(const BenchContext& context)
      : GraphWorkload(context),
        x_(uniform_matrix(a_.num_rows, dim_, context, 0)),
        total_(backend_.matrix<float>(a_.num_rows, dim_)),
        mean_(context.options.layers, 1.0F, dim_, *context.sparse, backend_) {}
  void run() override { mean_.apply(backend_, x_.view(), total_.view()); }
  std::string verify() override {
    run();
    require_layer_mean("lightgcn_forward", x_.view(), total_.view());
    return one_column();
  }
  BenchWork work() const override {
    return propagation(static_cast<double>(context_.options.layers),
                       layer_tables(context_.options.layers));
  }

 protected:
  FloatMatrix x_, total_;
  models::LayerMean mean_;
};

class ForwardBackward final : public LightGcnForward {
 public:
  explicit ForwardBackward(const BenchContext& context)
      : LightGcnForward(context),
        d_total_(uniform_matrix(a_.num_rows, dim_, context, 1)),
        d_x_(backend_.matrix<float>(a_.num_rows, dim_)) {}
  void run() override {
    LightGcnForward::run();
    mean_.apply(backend_, d_total_.view(), d_x_.view());
  }
  std::string verify() override {
    run();
    require_layer_mean("the forward of forward_backward", x_.view(), total_.view());
    require_layer_mean("the backward of forward_backward", d_total_.view(), d_x_.view());
    return one_column() + ", forward and backward";
  }
  BenchWork work() const override {
    return propagation(2.0 * static_cast<double>(context_.options.layers),
                       2.0 * layer_tables(context_.options.layers));
  }

 private:
  FloatMatrix d_total_, d_x_;
};

class Embedding final : public LightGcnForward {
 public:
  explicit Embedding(const BenchContext& context)
      : LightGcnForward(context),
        unit_(backend_.matrix<float>(a_.num_rows, dim_)),
        norms_(backend_.vector<float>(a_.num_rows)) {}
  void run() override {
    LightGcnForward::run();
    backend_.normalize_rows(total_.view(), unit_.view(), norms_.view());
  }
  std::string verify() override {
    run();
    require_layer_mean("embedding", x_.view(), total_.view());
    const HostCopy total(total_.view(), backend_);
    const HostCopy unit(unit_.view(), backend_);
    const ConstFloatView vectors = total;
    for (const std::int64_t row : sampled_rows(a_, kSampledRows)) {
      double squares = 0;
      for (std::int64_t k = 0; k < dim_; ++k)
        squares += static_cast<double>(vectors(row, k)) * vectors(row, k);
      const double norm = std::max(std::sqrt(squares), 1e-12);
      Bounded want;
      for (std::int64_t k = 0; k < dim_; ++k) {
        want.value.push_back(vectors(row, k) / norm);
        want.bound.push_back(1e-5);
      }
      require_row("the unit vectors of embedding", unit, row, want);
    }
    return one_column() + fmt::format(", lengths of {} rows", kSampledRows);
  }
  BenchWork work() const override {
    BenchWork work = propagation(static_cast<double>(context_.options.layers),
                                 layer_tables(context_.options.layers) + 2.0);
    work.flops += 3.0 * static_cast<double>(a_.num_rows * dim_);
    return work;
  }

 private:
  FloatMatrix unit_;
  kernels::Vector<float> norms_;
};

/// BPR batches of edges drawn uniformly, a uniform negative for each; a new batch each step.
class TrainingStep final : public GraphWorkload {
 public:
  explicit TrainingStep(const BenchContext& context)
      : GraphWorkload(context),
        model_(context.options.layers, 1.0F, dim_, *context.sparse, backend_),
        loss_(loss_options()),
        d_final_(backend_.matrix<float>(a_.num_rows, dim_)) {
    model_.visit_parameters([&](models::Parameter& parameter) {
      fill_uniform(parameter.value.view(), context.options.seed, 0, backend_);
      backend_.axpby(0.0F, parameter.gradient.view(), 0.1F, parameter.value.view());
    });
    items_.reserve(static_cast<std::size_t>(a_.num_rows));
    for (NodeId node = 0; node < a_.num_rows; ++node) {
      if (is_item(node)) items_.push_back(node);
    }
  }

  void run() override {
    sample();
    const models::Batch batch{upload_[0](users_, backend_),
                              upload_[1](positives_, backend_),
                              upload_[2](negatives_, backend_),
                              {},
                              {}};
    final_ = model_.forward(backend_);
    backend_.fill(d_final_.view(), 0.0F);
    loss_.add_gradients(backend_, final_, batch, d_final_.view(),
                        losses_.next(backend_, batch.users.size));
    models::clear_gradients(model_, backend_);
    model_.backward(backend_, d_final_.view());
    models::adam_steps(model_, adam(), backend_);
    last_loss_ = 0.0;
    losses_.add_to(last_loss_, backend_);
  }

  std::string verify() override {
    models::Parameter* embeddings = nullptr;
    model_.visit_parameters([&](models::Parameter& parameter) { embeddings = &parameter; });
    FloatMatrix before = backend_.matrix<float>(a_.num_rows, dim_);
    backend_.copy(ConstFloatView(embeddings->value.view()), before.view());
    run();
    require_layer_mean("the forward of training_step", before.view(), final_);
    const std::size_t rows = require_loss();
    require_layer_mean("the backward of training_step", d_final_.view(),
                       embeddings->gradient.view());
    require_adam(before.view(), *embeddings);
    return one_column() + fmt::format(
                              ", forward and backward; loss; gradient of the loss in {} "
                              "rows; Adam on {} rows",
                              rows, kSampledRows);
  }

  BenchWork work() const override {
    BenchWork work = propagation(2.0 * static_cast<double>(context_.options.layers),
                                 2.0 * layer_tables(context_.options.layers) + 9.0);
    return work;
  }
  std::string note() const override { return fmt::format("BPR, batch {}", context_.options.batch); }

 private:
  static models::ModelOptions loss_options() {
    models::ModelOptions options;
    options.loss = models::LossKind::bpr;
    options.normalize = false;
    return options;
  }
  bool is_item(NodeId node) const {
    const std::vector<std::uint8_t>& flags = context_.graph.is_item;
    return flags.empty() || flags[static_cast<std::size_t>(node)] != 0;
  }
  kernels::AdamOptions adam() const {
    kernels::AdamOptions options;
    options.l2 = 1e-5F;
    options.step = step_;
    return options;
  }

  void sample() {
    ++step_;
    const graph::Random random(context_.options.seed, graph::Stream::negatives,
                               static_cast<std::uint64_t>(step_));
    const std::int64_t batch = context_.options.batch;
    users_.clear();
    positives_.clear();
    negatives_.clear();
    const auto num_entries = static_cast<std::uint64_t>(a_.num_entries());
    for (std::int64_t b = 0; b < batch; ++b) {
      const auto position = static_cast<std::uint64_t>(2 * b);
      const auto entry = static_cast<std::int64_t>(random.below(position, num_entries));
      auto row = static_cast<NodeId>(std::upper_bound(a_.offsets.begin(), a_.offsets.end(), entry) -
                                     a_.offsets.begin() - 1);
      NodeId column = a_.columns[static_cast<std::size_t>(entry)];
      if (is_item(row) && !is_item(column)) std::swap(row, column);
      users_.push_back(row);
      positives_.push_back(column);
      negatives_.push_back(
          items_[static_cast<std::size_t>(random.below(position + 1, items_.size()))]);
    }
  }

  /// The loss, and its gradient in rows of the batch and in others, where it is 0; returns how
  /// many.
  std::size_t require_loss() const {
    const HostCopy final(final_, backend_);
    const HostCopy d_final(d_final_.view(), backend_);
    const BprBatch batch{users_, positives_, negatives_};
    require_bpr_loss(final, batch, last_loss_);
    std::set<std::int64_t> rows;
    for (const std::int64_t row : sampled_rows(a_, kSampledRows / 4)) rows.insert(row);
    for (const std::vector<NodeId>* ids : {&users_, &positives_, &negatives_}) {
      const auto count = static_cast<std::int64_t>(ids->size());
      for (std::int64_t k = 0; k < kSampledRows / 4; ++k)
        rows.insert((*ids)[static_cast<std::size_t>(k * (count - 1) / (kSampledRows / 4 - 1))]);
    }
    for (const std::int64_t row : rows)
      require_row("the gradient of training_step's loss", d_final, row,
                  bpr_gradient_row(final, batch, static_cast<NodeId>(row)));
    return rows.size();
  }

  // Kingma and Ba 2015, algorithm 1, first step: m / (1 - beta1) = g, v / (1 - beta2) = g^2.
  void require_adam(ConstFloatView device_before, models::Parameter& embeddings) const {
    PENCHANT_ASSERT(step_ == 1);
    const HostCopy before_copy(device_before, backend_);
    const HostCopy gradient_copy(embeddings.gradient.view(), backend_);
    const HostCopy after(embeddings.value.view(), backend_);
    const ConstFloatView before = before_copy;
    const ConstFloatView gradient = gradient_copy;
    const kernels::AdamOptions options = adam();
    const double rate = options.learning_rate;
    for (const std::int64_t row : sampled_rows(a_, kSampledRows)) {
      Bounded want;
      for (std::int64_t k = 0; k < dim_; ++k) {
        const double g = gradient(row, k) +
                         static_cast<double>(options.l2) * static_cast<double>(before(row, k));
        want.value.push_back(before(row, k) -
                             rate * g / (std::abs(g) + static_cast<double>(options.epsilon)));
        want.bound.push_back(1e-3 * rate + 1e-6 * std::abs(static_cast<double>(before(row, k))));
      }
      require_row("the Adam step of training_step", after, row, want);
    }
  }

  models::LightGcn model_;
  models::RankingLoss loss_;
  ConstFloatView final_;  ///< the model's, of the last step
  FloatMatrix d_final_;
  std::vector<NodeId> items_, users_, positives_, negatives_;
  kernels::Upload<NodeId> upload_[3];
  std::int64_t step_ = 0;
  double last_loss_ = 0;
  models::LossLog losses_;
};

class Topk final : public Workload {
 public:
  explicit Topk(const BenchContext& context)
      : context_(context),
        backend_(context.backend),
        queries_(uniform_matrix(context.options.batch, context.what.dim, context, 0)),
        items_(uniform_matrix(num_items(context.graph), context.what.dim, context, 1)),
        ids_(backend_.matrix<NodeId>(context.options.batch, context.options.k)),
        scores_(backend_.matrix<float>(context.options.batch, context.options.k)) {
    if (context.options.k > items_.rows())
      throw InputError(
          fmt::format("bench: topk of {} among {} items", context.options.k, items_.rows()));
  }
  void run() override {
    backend_.topk(queries_.view(), items_.view(), {}, ids_.view(), scores_.view());
  }
  std::string verify() override {
    run();
    constexpr std::int64_t kQueries = 16;
    const std::int64_t count = std::min(kQueries, queries_.rows());
    const HostCopy queries(ConstFloatView(queries_.view()).rows_of(0, count), backend_);
    const HostCopy items(items_.view(), backend_);
    const HostCopy scores(ConstFloatView(scores_.view()).rows_of(0, count), backend_);
    kernels::Download<NodeId> download;
    require_topk(
        queries, items,
        download(kernels::MatrixView<const NodeId>(ids_.view()).rows_of(0, count), backend_),
        scores);
    return fmt::format("{} queries, all items", count);
  }
  BenchWork work() const override {
    const auto queries = static_cast<double>(queries_.rows());
    const auto items = static_cast<double>(items_.rows());
    const auto dim = static_cast<double>(context_.what.dim);
    return {"scores", queries * items, 2.0 * queries * items * dim, 0.0,
            4.0 * dim * (queries + items)};
  }
  std::string note() const override {
    return fmt::format("{} queries x {} items, K = {}", queries_.rows(), items_.rows(),
                       context_.options.k);
  }

 private:
  static std::int64_t num_items(const BenchGraph& graph) {
    return graph.is_item.empty()
               ? graph.adjacency.num_rows
               : std::count(graph.is_item.begin(), graph.is_item.end(), std::uint8_t{1});
  }

  const BenchContext context_;
  Backend& backend_;
  FloatMatrix queries_, items_;
  kernels::Matrix<NodeId> ids_;
  FloatMatrix scores_;
};

}  // namespace

WorkloadTraits traits_of(BenchWorkload workload) {
  switch (workload) {
    case BenchWorkload::spmm:
      return {true, true, true, false, true};
    case BenchWorkload::gcn_layer:
    case BenchWorkload::lightgcn_forward:
    case BenchWorkload::embedding:
      return {true, true, true, false, false};
    case BenchWorkload::forward_backward:
    case BenchWorkload::training_step:
      return {true, true, true, true, false};
    case BenchWorkload::topk:
      return {true, true, true, false, false};
    case BenchWorkload::partition:
      return {true, false, false, true, false};
    case BenchWorkload::ingest:
    case BenchWorkload::graph_build:
      break;
  }
  return {false, false, false, false, false};
}

std::int64_t thread_count(const BenchOptions& options) {
  return options.num_threads > 0 ? options.num_threads : omp_get_num_procs();
}

namespace {

/// As CpuBackend allocates a matrix: rows of whole cache lines, large ones of whole huge pages.
std::int64_t table_bytes(std::int64_t rows, std::int64_t cols, std::int64_t element_bytes) {
  constexpr std::int64_t kLine = 64;
  constexpr std::int64_t kHugePage = std::int64_t{2} << 20;
  const std::int64_t bytes = rows * ((cols * element_bytes + kLine - 1) / kLine * kLine);
  return bytes < 2 * kHugePage ? bytes : (bytes + kHugePage - 1) / kHugePage * kHugePage;
}

/// As kernels/cpu/topk.cc: a thread has 128 queries' scores of 768 items, the items of a last tile
/// that is filled up, and the best of each query, whose list is copied as it grows.
std::int64_t topk_threads_bytes(const BenchOptions& options, std::int64_t dim) {
  constexpr std::int64_t kItems = 768;
  const std::int64_t queries = std::min<std::int64_t>(options.batch, 128);
  return thread_count(options) * (4 * kItems * (queries + dim) + 16 * queries * options.k);
}

}  // namespace

std::vector<BenchArray> workload_arrays(const BenchOptions& options, const BenchCase& what) {
  const std::int64_t nodes = what.num_nodes;
  const std::int64_t table = table_bytes(nodes, what.dim, 4);
  const std::int64_t layers = std::clamp<std::int64_t>(options.layers - 1, 0, 2);
  const std::int64_t oracle = 3 * 16 * nodes;
  std::vector<BenchArray> arrays;
  const auto add = [&](const char* name, std::int64_t bytes, BenchPhase phase = BenchPhase::run) {
    if (bytes > 0) arrays.push_back({name, bytes, phase});
  };
  switch (what.workload) {
    case BenchWorkload::spmm:
      add("x [N x D]", table);
      add("y [N x D]", table);
      if (what.type == BenchType::bf16) add("x in bf16", table_bytes(nodes, what.dim, 2));
      break;
    case BenchWorkload::gcn_layer:
      add("H [N x D]", table);
      add("A H [N x D]", table);
      add("H' [N x D]", table);
      add("W with gradient and moments", 4 * table_bytes(what.dim, what.dim, 4));
      break;
    case BenchWorkload::lightgcn_forward:
    case BenchWorkload::embedding:
    case BenchWorkload::forward_backward:
      add("E [N x D]", table);
      add("mean of the layers [N x D]", table);
      add("layers in turn", layers * table);
      if (what.workload == BenchWorkload::embedding) add("unit vectors [N x D]", table + 4 * nodes);
      if (what.workload == BenchWorkload::forward_backward)
        add("gradients of both [N x D]", 2 * table);
      add("oracle, one column", oracle);
      break;
    case BenchWorkload::training_step:
      add("E, its gradient and moments", 4 * table);
      add("mean of the layers, its gradient", 2 * table);
      add("layers in turn", layers * table);
      add("copy while verifying", table);
      add("items, int32 [I]", 4 * nodes);
      add("batch", 6 * table_bytes(options.batch, what.dim, 4) + 64 * options.batch);
      add("oracle, one column", oracle);
      break;
    case BenchWorkload::topk:
      add("items [I x D]", table);
      add("queries [B x D]", table_bytes(options.batch, what.dim, 4));
      add("ids and scores [B x K]", 2 * table_bytes(options.batch, options.k, 4));
      add("tiles and best of each thread", topk_threads_bytes(options, what.dim));
      add("oracle, scores of one query", 16 * nodes);
      break;
    case BenchWorkload::partition:
      add("METIS' copy", 12 * nodes + 4 * what.num_entries);
      add("METIS itself, about", metis_bytes(what.num_entries, nodes));
      break;
    case BenchWorkload::ingest:
      // Blocks as docs/formats.md has them; columns and their check measured with up to 10^6
      // events.
      add("blocks and columns, about",
          (std::int64_t{15} << 20) * (thread_count(options) + 2) + 150 * options.events);
      break;
    case BenchWorkload::graph_build:
      add("events", 20 * what.num_entries, BenchPhase::graph);
      add("events in the order of time", 9 * what.num_entries, BenchPhase::load);
      add("two graphs and the work on them, about", 80 * what.num_entries);
      break;
  }
  return arrays;
}

std::unique_ptr<Workload> make_workload(const BenchContext& context) {
  switch (context.what.workload) {
    case BenchWorkload::spmm:
      return std::make_unique<Spmm>(context);
    case BenchWorkload::gcn_layer:
      return std::make_unique<GcnLayerWork>(context);
    case BenchWorkload::lightgcn_forward:
      return std::make_unique<LightGcnForward>(context);
    case BenchWorkload::forward_backward:
      return std::make_unique<ForwardBackward>(context);
    case BenchWorkload::training_step:
      return std::make_unique<TrainingStep>(context);
    case BenchWorkload::embedding:
      return std::make_unique<Embedding>(context);
    case BenchWorkload::topk:
      return std::make_unique<Topk>(context);
    case BenchWorkload::ingest:
    case BenchWorkload::graph_build:
    case BenchWorkload::partition:
      break;
  }
  return make_stage_workload(context);
}

}  // namespace penchant::pipeline
