// SPDX-License-Identifier: Apache-2.0
// Graphs from the files that the field exchanges, as CSR. Text may be packed with gzip.
//   metis          .graph of METIS and the DIMACS challenge (METIS 5.1 manual, section 4.1.1)
//   matrix_market  coordinate matrices (Boisvert et al. 1996), such as SuiteSparse's
//   edge_list      "from to" a line, # or % comments, such as SNAP's; separated by blanks, tab or ,
//   npy            a folder with offsets.npy (int64), columns.npy (int32) and maybe values.npy
//                  (float32)
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>

#include "graph/enum_names.h"
#include "graph/csr.h"

namespace penchant::graph {

enum class GraphFormat : std::uint8_t { automatic, metis, matrix_market, edge_list, npy };
constexpr auto enum_words(GraphFormat) {
  return std::to_array<EnumWord<GraphFormat>>({{GraphFormat::automatic, "auto"},
       {GraphFormat::metis, "metis"},
       {GraphFormat::matrix_market, "matrix_market"},
       {GraphFormat::edge_list, "edge_list"},
       {GraphFormat::npy, "npy"}});
}

/// By the first bytes, the name, or being a folder; never `automatic`.
GraphFormat graph_format_of(const std::filesystem::path& path);

/// What a file is said to hold, without reading it whole. Entries are those of read_graph's result.
struct GraphExtent {
  std::int64_t num_nodes = 0;
  std::int64_t num_entries = 0;
  bool exact = false;  ///< false: estimated from the size of the file (edge lists), or before
                       ///< repeated entries are merged
  std::int64_t reading_bytes = 0;  ///< memory beside the result while it is read
};
GraphExtent graph_extent(const std::filesystem::path& path,
                         GraphFormat format = GraphFormat::automatic);

/// Text formats give the pattern of the undirected graph: symmetric, no self loops, each edge once,
/// weights left out (values empty). A rectangular matrix B becomes [[0, B], [B', 0]]. Nodes of an
/// edge list are numbered by ascending id; ids that no line has are left out. A folder of .npy is
/// taken as it is, values and all, and must be square. Throws InputError that names file and line.
Csr read_graph(const std::filesystem::path& path, GraphFormat format = GraphFormat::automatic);

}  // namespace penchant::graph
