// SPDX-License-Identifier: Apache-2.0
// From the vectors of a user's events to one vector per event that says what the user is after at
// that time. It depends on the event and those before it, never on later ones. Three choices:
//   rnn   h_t = act(x_t W_x + h_(t-1) W_h + b)                 Elman 1990
//   lstm  kernels/backend.h, Cell::lstm                        Hochreiter and Schmidhuber 1997
//   cnn   for each width w: c_t = relu(b + sum_k x_(t-k) W_k), then the maximum of c over the last
//         kPoolingWindow events; the widths side by side       Caser, Tang and Wang, WSDM 2018,
//         section 3.2. Deviation: Caser sees a fixed number of events and has vertical filters too;
//         here the window slides, so that every event of a sequence is a training example.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "graph/random.h"
#include "kernels/backend.h"
#include "kernels/quantized_recurrent.h"
#include "models/model_options.h"
#include "models/parameter.h"

namespace penchant::models {

/// Sequences of one batch, one after another and longest first, S events in all. Ids live on the
/// backend's device, offsets in host memory.
struct SequenceBatch {
  kernels::Segments segments;
  kernels::PackedSequences packed;  ///< the same events by time step
  kernels::IdView packed_rows;      ///< [S] event of each packed row
  kernels::IdView event_rows;       ///< [S] packed row of each event
};

/// Dropout of one training step; rate 0 outside training. `site` numbers the places of a model.
struct StepDropout {
  float rate = 0.0F;
  graph::Seed seed{0};
  std::uint64_t step = 0;

  /// A substream of its own for each step below 2^44 and site below 4096; the 8 bits above them are
  /// the stream's (graph/random.cc).
  kernels::DropoutOptions at(std::uint64_t site) const {
    return {rate, seed, step * 16 + site % 16 + (site / 16 << 48)};
  }
};

class SequenceEncoder {
 public:
  virtual ~SequenceEncoder() = default;
  virtual std::int64_t output_dim() const = 0;  ///< H
  /// x [S x F], y [S x H].
  virtual void forward(kernels::Backend& backend, const SequenceBatch& batch,
                       kernels::ConstFloatView x, const StepDropout& dropout,
                       kernels::FloatView y) = 0;
  /// For the batch of the last forward: d_x is overwritten, parameter gradients accumulate.
  virtual void backward(kernels::Backend& backend, const SequenceBatch& batch,
                        kernels::ConstFloatView d_y, kernels::FloatView d_x) = 0;
  virtual void visit_parameters(const ParameterVisitor& visit) = 0;

  /// forward() outside training, without a backward behind it, by products of 8 bits after
  /// quantize().
  virtual void infer(kernels::Backend& backend, const SequenceBatch& batch,
                     kernels::ConstFloatView x, kernels::FloatView y) {
    forward(backend, batch, x, {}, y);
  }
  /// Widens the ranges, one a layer that can be quantised, by the activations of the last forward().
  virtual void widen_ranges(kernels::Backend&, std::vector<kernels::RecurrentRanges>&) {}
  /// With ranges that widen_ranges gave. Throws InputError for another number of them.
  virtual void quantize(kernels::Backend& backend,
                        std::span<const kernels::RecurrentRanges> ranges);
};

/// Null for SequenceKind::none. Throws InputError for sizes below 1.
std::unique_ptr<SequenceEncoder> make_sequence_encoder(const InterestOptions& options,
                                                       std::int64_t input_dim, graph::Seed seed,
                                                       kernels::Backend& backend);

}  // namespace penchant::models
