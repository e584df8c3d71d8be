// SPDX-License-Identifier: Apache-2.0
#include "models/sequence_encoder.h"

#include <fmt/core.h>

#include "graph/error.h"
#include "models/convolution_encoder.h"
#include "models/recurrent_encoder.h"

namespace penchant::models {

void SequenceEncoder::quantize(kernels::Backend&, std::span<const kernels::RecurrentRanges>) {
  throw InputError("only recurrent layers (rnn, lstm) have products that are quantised");
}

std::unique_ptr<SequenceEncoder> make_sequence_encoder(const InterestOptions& options,
                                                       std::int64_t input_dim, graph::Seed seed,
                                                       kernels::Backend& backend) {
  const auto require = [](bool holds, const char* message) {
    if (!holds) throw InputError(message);
  };
  require(options.hidden_dim >= 1, "model.hidden_dim must be at least 1");
  require(options.sequence_layers >= 1, "model.sequence_layers must be at least 1");
  switch (options.sequence) {
    case SequenceKind::none:
      return nullptr;
    case SequenceKind::rnn:
    case SequenceKind::lstm:
      return std::make_unique<RecurrentEncoder>(options, input_dim, seed, backend);
    case SequenceKind::cnn:
      break;
  }
  require(!options.cnn_widths.empty(), "model.cnn_widths must name at least one width");
  require(options.hidden_dim >= static_cast<std::int64_t>(options.cnn_widths.size()),
          "model.hidden_dim must be at least the number of model.cnn_widths");
  for (std::size_t k = 0; k < options.cnn_widths.size(); ++k) {
    require(options.cnn_widths[k] >= 1, "model.cnn_widths must be at least 1");
    for (std::size_t other = 0; other < k; ++other)
      require(options.cnn_widths[k] != options.cnn_widths[other],
              "model.cnn_widths must differ from each other");
  }
  return std::make_unique<ConvolutionEncoder>(options, input_dim, seed, backend);
}

}  // namespace penchant::models
