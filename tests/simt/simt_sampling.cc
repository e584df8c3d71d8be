// SPDX-License-Identifier: Apache-2.0
// Batches of pairs of the emulated backend.
#include <vector>

#include "kernels/cuda/check.h"
#include "kernels/cuda/sampling.cuh"
#include "tests/simt/simt_backend.h"

namespace penchant::simt {

namespace cuda = kernels::cuda;

namespace {

template <typename T>
std::vector<T> copied(std::span<const T> values) {
  return {values.begin(), values.end()};
}

/// The device's copies: exactly as large as they must be.
class SimtPairSource final : public PairSource {
 public:
  explicit SimtPairSource(const PairSourceOptions& options)
      : offsets_(copied(options.user_items.offsets)),
        items_(copied(options.user_items.columns)),
        thresholds_(copied(options.thresholds)),
        aliases_(copied(options.aliases)),
        node_ids_(copied(options.node_ids)),
        item_bias_(copied(options.item_bias)),
        pairs_{offsets_.data(),
               items_.data(),
               thresholds_.data(),
               aliases_.data(),
               node_ids_.empty() ? nullptr : node_ids_.data(),
               item_bias_.empty() ? nullptr : item_bias_.data(),
               options.user_items.num_rows,
               options.user_items.num_cols,
               options.user_items.num_entries(),
               options.seed} {}
  std::int64_t num_pairs() const override { return pairs_.num_pairs; }
  const cuda::DevicePairs& pairs() const { return pairs_; }

 private:
  std::vector<graph::EdgeOffset> offsets_;
  std::vector<graph::NodeId> items_;
  std::vector<double> thresholds_;
  std::vector<graph::NodeId> aliases_, node_ids_;
  std::vector<float> item_bias_;
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
  kernels::check_pair_draw(draw, own->num_pairs(), own->pairs().item_bias != nullptr,
                           kernels::Device::cuda);
  cuda::draw_pairs(own->pairs(), draw, &machine_);
}

}  // namespace penchant::simt
