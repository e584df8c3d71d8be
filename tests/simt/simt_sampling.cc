// SPDX-License-Identifier: Apache-2.0
// Batches of pairs of the emulated backend.
#include "kernels/cuda/check.h"
#include "kernels/cuda/sampling.cuh"
#include "tests/simt/simt_backend.h"

namespace penchant::simt {

namespace cuda = kernels::cuda;

namespace {

/// The device's copies: exactly as large as they must be.
class SimtPairSource final : public PairSource {
 public:
  explicit SimtPairSource(const PairSourceOptions& options)
      : arrays_(options),
        pairs_{arrays_.offsets.data(),
               arrays_.items.data(),
               arrays_.thresholds.data(),
               arrays_.aliases.data(),
               arrays_.node_ids.empty() ? nullptr : arrays_.node_ids.data(),
               arrays_.item_bias.empty() ? nullptr : arrays_.item_bias.data(),
               options.user_items.num_rows,
               options.user_items.num_cols,
               options.user_items.num_entries(),
               options.seed} {}
  std::int64_t num_pairs() const override { return pairs_.num_pairs; }
  const cuda::DevicePairs& pairs() const { return pairs_; }

 private:
  kernels::PairArrays arrays_;
  cuda::DevicePairs pairs_;
};

}  // namespace

std::unique_ptr<PairSource> SimtBackend::pair_source(const PairSourceOptions& options) {
  kernels::check_pair_source(options);
  return std::make_unique<SimtPairSource>(options);
}

void SimtBackend::draw_pairs(const PairSource& source, const PairDraw& draw) {
  const auto* own = dynamic_cast<const SimtPairSource*>(&source);
  if (own == nullptr) cuda::refuse("draw_pairs", "the pairs were prepared by another backend");
  kernels::check_pair_draw(draw, own->num_pairs(), own->pairs().num_items,
                           own->pairs().item_bias != nullptr, kernels::Device::cuda);
  cuda::draw_pairs(own->pairs(), draw, &machine_);
}

}  // namespace penchant::simt
