// SPDX-License-Identifier: Apache-2.0
// The pairs of the CUDA backend: uploaded once, drawn by sampling.cuh.
#include "kernels/cuda/sampling.cuh"

#include <span>

#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"

namespace penchant::kernels::cuda {

namespace {

class CudaPairSource final : public PairSource {
 public:
  CudaPairSource(const PairSourceOptions& options, const SharedStream& stream, Staging& staging)
      : offsets_(stream),
        items_(stream),
        thresholds_(stream),
        aliases_(stream),
        node_ids_(stream),
        item_bias_(stream) {
    const auto put = [&staging](Scratch& memory, auto values) {
      using T = std::remove_const_t<typename decltype(values)::element_type>;
      const auto count = static_cast<std::int64_t>(values.size());
      T* to = memory.reserve<T>(count);
      staging.upload(values.data(), to, count);
      return static_cast<const T*>(to);
    };
    pairs_ = {put(offsets_, options.user_items.offsets),
              put(items_, options.user_items.columns),
              put(thresholds_, options.thresholds),
              put(aliases_, options.aliases),
              put(node_ids_, options.node_ids),
              put(item_bias_, options.item_bias),
              options.user_items.num_rows,
              options.user_items.num_cols,
              options.user_items.num_entries(),
              options.seed};
  }
  std::int64_t num_pairs() const override { return pairs_.num_pairs; }
  const DevicePairs& pairs() const { return pairs_; }

 private:
  Scratch offsets_, items_, thresholds_, aliases_, node_ids_, item_bias_;
  DevicePairs pairs_;
};

}  // namespace

std::unique_ptr<PairSource> CudaBackend::pair_source(const PairSourceOptions& options) {
  check_pair_source(options);
  return std::make_unique<CudaPairSource>(options, stream_, staging_);
}

void CudaBackend::draw_pairs(const PairSource& source, const PairDraw& draw) {
  const auto* own = dynamic_cast<const CudaPairSource*>(&source);
  if (own == nullptr) refuse("draw_pairs", "the pairs were prepared by another backend");
  check_pair_draw(draw, own->num_pairs(), own->pairs().num_items, own->pairs().item_bias != nullptr,
                  Device::cuda);
  cuda::draw_pairs(own->pairs(), draw, stream_.get());
}

}  // namespace penchant::kernels::cuda
