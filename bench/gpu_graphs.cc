// SPDX-License-Identifier: Apache-2.0
// Timing, tables and graphs of gpu_bench.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "bench/gpu_bench.h"
#include "graph/error.h"
#include "graph/normalize.h"
#include "graph/random.h"
#include "graph/rmat.h"
#include "kernels/transfer.h"

namespace penchant::bench {

using graph::Csr;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

constexpr int kRounds = 11;
constexpr double kRoundSeconds = 0.01;

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

void emit(json line) {
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

json time_ms(Backend& backend, const std::function<void()>& call) {
  for (int warm_up = 0; warm_up < 3; ++warm_up) call();
  backend.sync();
  auto start = Clock::now();
  call();
  backend.sync();
  const double once = seconds_since(start);
  const int calls = std::clamp(static_cast<int>(kRoundSeconds / std::max(once, 1e-6)), 1, 1000);
  std::vector<double> times;
  for (int round = 0; round < kRounds; ++round) {
    start = Clock::now();
    for (int k = 0; k < calls; ++k) call();
    backend.sync();
    times.push_back(seconds_since(start) / calls * 1e3);
  }
  std::sort(times.begin(), times.end());
  return {{"median", times[kRounds / 2]},
          {"min", times.front()},
          {"max", times.back()},
          {"rounds", kRounds},
          {"calls", calls}};
}

std::unique_ptr<Backend> gpu(const kernels::CudaOptions& cuda) {
  kernels::BackendOptions options;
  options.device = kernels::DeviceChoice::cuda;
  options.cuda = cuda;
  return kernels::make_backend(options);
}

// From kDrawnRows on the rows repeat, as drawing them on the host takes longer than measuring.
FloatMatrix random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed,
                          Backend& backend) {
  constexpr std::int64_t kDrawnRows = 65536;
  const std::int64_t drawn = std::min(rows, kDrawnRows);
  const graph::Random random(graph::Seed{seed}, graph::Stream::generator);
  std::vector<float> host(static_cast<std::size_t>(drawn * cols));
  for (std::size_t k = 0; k < host.size(); k += 4) {
    const auto words = random.words(k / 4);
    for (std::size_t word = 0; word < std::min<std::size_t>(4, host.size() - k); ++word)
      host[k + word] = static_cast<float>(words[word]) * 0x1p-31F - 1.0F;
  }
  FloatMatrix matrix = backend.matrix<float>(rows, cols);
  const kernels::FloatView view = matrix.view();
  backend.copy(ConstFloatView(host.data(), drawn, cols, cols, kernels::Device::cpu),
               view.rows_of(0, drawn));
  for (std::int64_t row = drawn; row < rows; row += drawn) {
    const std::int64_t count = std::min(drawn, rows - row);
    backend.copy(ConstFloatView(view.rows_of(0, count)), view.rows_of(row, count));
  }
  return matrix;
}

double disagreement(ConstFloatView a, Backend& on_a, ConstFloatView b, Backend& on_b) {
  const std::int64_t rows = std::min<std::int64_t>(a.rows, 100'000);
  kernels::Download<float> download_a, download_b;
  const ConstFloatView x = download_a(a.rows_of(0, rows), on_a);
  const ConstFloatView y = download_b(b.rows_of(0, rows), on_b);
  double largest = 1e-30;
  double difference = 0.0;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      const double apart = std::abs(static_cast<double>(x(i, j)) - static_cast<double>(y(i, j)));
      if (!(apart < 1e30)) return HUGE_VAL;
      difference = std::max(difference, apart);
      largest = std::max(largest, std::abs(static_cast<double>(x(i, j))));
    }
  }
  return difference / largest;
}

double copy_tb_per_s(std::int64_t bytes) {
  const auto backend = gpu();
  kernels::Vector<float> from = backend->vector<float>(bytes / 4);
  kernels::Vector<float> to = backend->vector<float>(bytes / 4);
  const json time = time_ms(
      *backend, [&] { backend->copy(kernels::VectorView<const float>(from.view()), to.view()); });
  return 2.0 * static_cast<double>(bytes) / (time["median"].get<double>() * 1e-3) / 1e12;
}

std::vector<graph::Entry> Interactions::entries() const {
  std::vector<graph::Entry> entries;
  entries.reserve(2 * user.size());
  for (std::size_t e = 0; e < user.size(); ++e) {
    const auto node = static_cast<NodeId>(num_users + item[e]);
    entries.push_back({user[e], node, 1.0F});
    entries.push_back({node, user[e], 1.0F});
  }
  return entries;
}

Csr Interactions::adjacency() const {
  const std::int64_t nodes = num_users + num_items;
  const Csr counts =
      graph::csr_from_entries(nodes, nodes, entries(), graph::Duplicates::keep_first);
  return graph::normalize_symmetric(counts.view(), graph::SelfLoops::no);
}

Interactions read_lightgcn(const std::string& path) {
  Interactions read;
  std::ifstream file(path);
  if (!file) throw InputError(path + " cannot be read");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    NodeId user = 0;
    words >> user;
    for (NodeId item = 0; words >> item;) {
      read.user.push_back(user);
      read.item.push_back(item);
      read.num_users = std::max<std::int64_t>(read.num_users, user + 1);
      read.num_items = std::max<std::int64_t>(read.num_items, item + 1);
    }
  }
  return read;
}

Interactions power_law(std::int64_t users, std::int64_t items, std::int64_t events) {
  Interactions drawn{users, items, {}, {}};
  const graph::Random random(graph::Seed{3}, graph::Stream::generator);
  const auto pick = [&](std::uint64_t position, std::int64_t count) {
    const double u = random.uniform(position);  // density falls as rank^-0.75
    return static_cast<NodeId>(static_cast<double>(count) * u * u * u * u);
  };
  for (std::int64_t e = 0; e < events; ++e) {
    const auto position = static_cast<std::uint64_t>(2 * e);
    drawn.user.push_back(
        static_cast<NodeId>(random.below(position, static_cast<std::uint64_t>(users))));
    drawn.item.push_back(pick(position + 1, items));
  }
  return drawn;
}

Csr rmat(int scale, std::int64_t edge_factor) {
  graph::RmatOptions options;
  options.scale = scale;
  options.edge_factor = edge_factor;
  Csr matrix = graph::generate_rmat(options);
  return graph::normalize_symmetric(matrix.view(), graph::SelfLoops::no);
}

}  // namespace penchant::bench
