// SPDX-License-Identifier: Apache-2.0
// METIS 5.1 as Debian packages it has 32-bit ids and is dependable for 2 to N parts of a graph that
// has nodes; the caller (partition_nodes) answers every other request itself. With few nodes a part
// it may leave parts empty: the caller counts them (measure_quality). Removable when Debian ships
// 5.2.
#include "partition/metis.h"

#include <csignal>
#include <iterator>
#include <limits>

#include <fmt/core.h>
#include <metis.h>

#include "graph/error.h"

namespace penchant::partition {

namespace {

/// METIS 5.1 catches SIGTERM and SIGABRT while it runs, to leave its depths when memory is short, and
/// puts the handlers before it back by signal(), which there means once: the next signal is handled,
/// the one after it ends the process. This puts them back as they were. A SIGTERM that comes while
/// METIS runs is METIS_ERROR.
class SignalHandlers {
 public:
  SignalHandlers() {
    for (std::size_t k = 0; k < std::size(kSignals); ++k)
      sigaction(kSignals[k], nullptr, &before_[k]);
  }
  ~SignalHandlers() {
    for (std::size_t k = 0; k < std::size(kSignals); ++k)
      sigaction(kSignals[k], &before_[k], nullptr);
  }
  SignalHandlers(const SignalHandlers&) = delete;
  SignalHandlers& operator=(const SignalHandlers&) = delete;

 private:
  static constexpr int kSignals[] = {SIGTERM, SIGABRT};
  struct sigaction before_[std::size(kSignals)];
};

int run_metis(idx_t num_nodes, std::vector<idx_t>& offsets, std::vector<idx_t>& neighbours,
              idx_t num_parts, real_t imbalance, std::vector<idx_t>& options,
              std::vector<idx_t>& parts) {
  const SignalHandlers handlers;
  idx_t num_constraints = 1;
  idx_t cut = 0;
  return METIS_PartGraphKway(&num_nodes, &num_constraints, offsets.data(), neighbours.data(),
                             nullptr, nullptr, nullptr, &num_parts, nullptr, &imbalance,
                             options.data(), &cut, parts.data());
}

}  // namespace

std::vector<graph::NodeId> partition_with_metis(const graph::CsrView& symmetric,
                                                const PartitionOptions& options) {
  constexpr auto kLimit = static_cast<std::int64_t>(std::numeric_limits<idx_t>::max());
  if (symmetric.num_rows > kLimit || symmetric.num_entries() > kLimit) {
    throw InputError(
        fmt::format("METIS here counts with {}-bit ids: {} nodes and {} entries are too many",
                    8 * sizeof(idx_t), symmetric.num_rows, symmetric.num_entries()));
  }
  std::vector<idx_t> offsets = {0};
  std::vector<idx_t> neighbours;
  offsets.reserve(symmetric.offsets.size());
  neighbours.reserve(symmetric.columns.size());
  for (std::int64_t node = 0; node < symmetric.num_rows; ++node) {
    for (const graph::NodeId neighbour : symmetric.row(node)) {
      if (neighbour != node) neighbours.push_back(neighbour);
    }
    offsets.push_back(static_cast<idx_t>(neighbours.size()));
  }

  const auto num_nodes = static_cast<idx_t>(symmetric.num_rows);
  const auto num_parts = static_cast<idx_t>(options.num_parts);
  const auto imbalance = static_cast<real_t>(options.imbalance);
  std::vector<idx_t> metis_options(METIS_NOPTIONS);
  METIS_SetDefaultOptions(metis_options.data());
  metis_options[METIS_OPTION_SEED] =
      static_cast<idx_t>(static_cast<std::uint64_t>(options.seed) & 0x7FFFFFFF);
  metis_options[METIS_OPTION_NUMBERING] = 0;
  std::vector<idx_t> parts(static_cast<std::size_t>(num_nodes), -1);
  const int status =
      run_metis(num_nodes, offsets, neighbours, num_parts, imbalance, metis_options, parts);
  if (status == METIS_ERROR_MEMORY) throw std::bad_alloc();
  if (status != METIS_OK) {
    throw DeviceError(
        fmt::format("METIS_PartGraphKway failed with status {} on {} nodes in {} parts", status,
                    num_nodes, num_parts));
  }
  for (std::size_t node = 0; node < parts.size(); ++node) {
    if (parts[node] < 0 || parts[node] >= num_parts) {
      throw DeviceError(fmt::format("METIS_PartGraphKway put node {} into part {} of {}", node,
                                    parts[node], num_parts));
    }
  }
  return {parts.begin(), parts.end()};
}

}  // namespace penchant::partition
