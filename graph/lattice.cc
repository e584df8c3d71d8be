// SPDX-License-Identifier: Apache-2.0
#include "graph/lattice.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::graph {

namespace {

struct Step {
  std::int64_t lines, places;
};

/// The steps to a node's neighbours, in the order of their ids.
std::vector<Step> nearest_steps(std::int64_t edge_factor) {
  // A square of this reach holds more than enough: its half has 2 reach (reach + 1) steps, and
  // those within the circle inside it are three quarters of them.
  std::int64_t reach = 1;
  while (reach * reach < edge_factor + 1) ++reach;
  ++reach;
  std::vector<Step> half;
  for (std::int64_t lines = 0; lines <= reach; ++lines) {
    for (std::int64_t places = lines == 0 ? 1 : -reach; places <= reach; ++places)
      half.push_back({lines, places});
  }
  std::sort(half.begin(), half.end(), [](const Step& a, const Step& b) {
    const auto key = [](const Step& step) {
      return std::tuple(step.lines * step.lines + step.places * step.places, step.lines,
                        step.places);
    };
    return key(a) < key(b);
  });
  half.resize(static_cast<std::size_t>(edge_factor));
  std::vector<Step> steps = half;
  for (const Step& step : half) steps.push_back({-step.lines, -step.places});
  std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
    return std::tuple(a.lines, a.places) < std::tuple(b.lines, b.places);
  });
  return steps;
}

}  // namespace

Csr generate_lattice(const LatticeOptions& options) {
  if (options.scale < 0 || options.scale > 30)
    throw InputError(fmt::format("lattice scale {}, expected 0 to 30", options.scale));
  if (options.edge_factor < 0 || options.edge_factor > 1024)
    throw InputError(
        fmt::format("lattice edge factor {}, expected 0 to 1024", options.edge_factor));
  const std::int64_t num_lines = std::int64_t{1} << (options.scale / 2);
  const std::int64_t num_places = std::int64_t{1} << (options.scale - options.scale / 2);
  const std::vector<Step> steps = nearest_steps(options.edge_factor);
  /// Calls visit(neighbour) for each in ascending order.
  const auto visit_neighbours = [&](std::int64_t node, auto visit) {
    const std::int64_t line = node / num_places;
    const std::int64_t place = node % num_places;
    for (const Step& step : steps) {
      const std::int64_t to_line = line + step.lines;
      const std::int64_t to_place = place + step.places;
      if (to_line < 0 || to_line >= num_lines || to_place < 0 || to_place >= num_places) continue;
      visit(static_cast<NodeId>(to_line * num_places + to_place));
    }
  };

  Csr graph;
  graph.num_rows = graph.num_cols = num_lines * num_places;
  graph.offsets.assign(static_cast<std::size_t>(graph.num_rows) + 1, 0);
#pragma omp parallel for
  for (std::int64_t node = 0; node < graph.num_rows; ++node) {
    EdgeOffset count = 0;
    visit_neighbours(node, [&](NodeId) { ++count; });
    graph.offsets[static_cast<std::size_t>(node) + 1] = count;
  }
  for (std::size_t row = 1; row < graph.offsets.size(); ++row)
    graph.offsets[row] += graph.offsets[row - 1];
  graph.columns.resize(static_cast<std::size_t>(graph.offsets.back()));
#pragma omp parallel for
  for (std::int64_t node = 0; node < graph.num_rows; ++node) {
    auto place = static_cast<std::size_t>(graph.offsets[static_cast<std::size_t>(node)]);
    visit_neighbours(node, [&](NodeId neighbour) { graph.columns[place++] = neighbour; });
  }
  return graph;
}

}  // namespace penchant::graph
