// SPDX-License-Identifier: Apache-2.0
// Losses of the rows of the steps since they were last asked for. They stay on the device until
// then, so that a step need not wait for it.
#pragma once

#include <deque>
#include <vector>

#include "kernels/backend.h"
#include "models/workspace.h"

namespace penchant::models {

class LossLog {
 public:
  /// Memory for the losses of `size` rows of the step that is being enqueued; they count `weight`
  /// times.
  kernels::VectorView<float> next(kernels::Backend& backend, std::int64_t size,
                                  double weight = 1.0) {
    if (used_ == entries_.size()) entries_.emplace_back();
    Entry& entry = entries_[used_++];
    entry.size = size;
    entry.weight = weight;
    return entry.losses.view(backend, size);
  }
  /// Adds what the steps lost to `sum`, one after another, and forgets them: the bits do not depend
  /// on how often somebody asks. Waits.
  void add_to(double& sum, kernels::Backend& backend) {
    for (std::size_t k = 0; k < used_; ++k) {
      Entry& entry = entries_[k];
      host_.resize(static_cast<std::size_t>(entry.size));
      backend.copy(kernels::VectorView<const float>(entry.losses.view(backend, entry.size)),
                   {host_.data(), entry.size, kernels::Device::cpu});
      double rows = 0.0;
      for (const float loss : host_) rows += static_cast<double>(loss);
      sum += entry.weight * rows;
    }
    used_ = 0;
  }

 private:
  struct Entry {
    DeviceArray<float> losses;
    std::int64_t size = 0;
    double weight = 1.0;
  };
  std::deque<Entry> entries_;
  std::size_t used_ = 0;
  std::vector<float> host_;
};

}  // namespace penchant::models
