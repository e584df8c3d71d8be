// SPDX-License-Identifier: Apache-2.0
// A graph encoder turns node parameters and the propagation graph into one embedding per node,
// exactly over the full graph.
#pragma once

#include <memory>
#include <span>

#include "graph/random.h"
#include "kernels/backend.h"
#include "models/model_options.h"
#include "models/parameter.h"

namespace penchant::models {

/// What a backward does with the gradients that are there.
enum class Gradients : bool { add, overwrite };

class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Final embeddings [N x D]; valid until the next forward. Rows that are not in `wanted` hold
  /// some finite numbers: a training step reads the rows of its batch alone.
  virtual kernels::ConstFloatView forward(kernels::Backend& backend, kernels::RowSet wanted) = 0;
  kernels::ConstFloatView forward(kernels::Backend& backend) { return forward(backend, {}); }
  /// Gives the gradients of all parameters, from dLoss/dFinal [N x D], whose rows that are not in
  /// `nonzero` are zero; those in it were wanted of the last forward, which saved what this uses.
  virtual void backward(kernels::Backend& backend, kernels::ConstFloatView d_final,
                        kernels::RowSet nonzero, Gradients gradients) = 0;
  /// Adds them.
  void backward(kernels::Backend& backend, kernels::ConstFloatView d_final) {
    backward(backend, d_final, {}, Gradients::add);
  }
  /// Calls visit once per parameter, always in the same order: the one list that optimiser,
  /// checkpoint and gradient test use.
  virtual void visit_parameters(const ParameterVisitor& visit) = 0;
};

/// Nodes in the order of the adjacency's rows. `initial_ids[node]` is the number that a node's
/// random initial values are drawn for, so that relabelling nodes does not change them;
/// `has_interactions[node]` false: the own embedding starts at zero and the vector comes from the
/// graph alone.
struct NodeInfo {
  std::span<const graph::NodeId> initial_ids;
  std::span<const std::uint8_t> has_interactions;
};

/// `adjacency` is symmetric and normalised (graph/normalize.h); for ModelKind::gcn it includes self
/// loops.
std::unique_ptr<Encoder> make_encoder(const ModelOptions& options,
                                      const kernels::SparseMatrix& adjacency, const NodeInfo& nodes,
                                      graph::Seed seed, kernels::Backend& backend);

/// Fills a parameter with independent normal numbers; row i draws for row_ids[i] (or i if empty).
void initialize_normal(Parameter& parameter, float standard_deviation,
                       std::span<const graph::NodeId> row_ids, graph::Seed seed,
                       std::uint64_t substream, kernels::Backend& backend);

/// The same with numbers uniform in [-bound, bound).
void initialize_uniform(Parameter& parameter, float bound, graph::Seed seed,
                        std::uint64_t substream, kernels::Backend& backend);

/// First substreams of graph::Stream::initialization of the parts of a model; node embeddings have
/// 0.
inline constexpr std::uint64_t kSequenceSubstream = 100;
inline constexpr std::uint64_t kFusionSubstream = 200;
inline constexpr std::uint64_t kRankingSubstream = 300;
inline constexpr std::uint64_t kEventSubstream = 400;

}  // namespace penchant::models
