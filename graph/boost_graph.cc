// SPDX-License-Identifier: Apache-2.0
#include "graph/boost_graph.h"

#include "graph/error.h"

namespace penchant::graph {

namespace {

/// Input iterator over the (row, column) pairs of a CSR matrix, in row order.
class EntryIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = std::pair<NodeId, NodeId>;
  using difference_type = std::ptrdiff_t;
  using pointer = const value_type*;
  using reference = const value_type&;

  EntryIterator(const CsrView& matrix, EdgeOffset entry) : matrix_(&matrix), entry_(entry) {
    settle();
  }
  reference operator*() const { return edge_; }
  pointer operator->() const { return &edge_; }
  EntryIterator& operator++() {
    ++entry_;
    settle();
    return *this;
  }
  EntryIterator operator++(int) {
    EntryIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const EntryIterator& other) const { return entry_ == other.entry_; }

 private:
  void settle() {
    if (entry_ >= matrix_->num_entries()) return;
    while (matrix_->offsets[static_cast<std::size_t>(edge_.first) + 1] <= entry_) ++edge_.first;
    edge_.second = matrix_->columns[static_cast<std::size_t>(entry_)];
  }
  const CsrView* matrix_;
  EdgeOffset entry_;
  value_type edge_{0, 0};
};

}  // namespace

BoostGraph to_boost(const CsrView& square) {
  if (square.num_rows != square.num_cols) throw InputError("a graph needs a square matrix");
  return {boost::edges_are_sorted, EntryIterator(square, 0),
          EntryIterator(square, square.num_entries()), checked_cast<NodeId>(square.num_rows),
          square.num_entries()};
}

Csr take_csr(BoostGraph&& graph, std::int64_t num_rows, std::int64_t num_cols,
             NodeId column_offset) {
  Csr csr;
  csr.num_rows = num_rows;
  csr.num_cols = num_cols;
  csr.offsets = std::move(graph.m_forward.m_rowstart);
  csr.offsets.resize(static_cast<std::size_t>(num_rows) + 1);
  csr.columns = std::move(graph.m_forward.m_column);
  for (NodeId& column : csr.columns) column -= column_offset;
  const auto& weights = graph.m_forward.m_edge_properties;
  csr.values.reserve(weights.size());
  for (const WeightedEdge& edge : weights) csr.values.push_back(edge.weight);
  return csr;
}

}  // namespace penchant::graph
