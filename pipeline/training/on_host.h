// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include <omp.h>

#include "kernels/backend.h"

namespace penchant::pipeline {

/// The backend if it computes on the CPU, else one of its own that does.
class OnHost {
 public:
  explicit OnHost(kernels::Backend& backend)
      : own_(backend.device() == kernels::Device::cpu
                 ? nullptr
                 : kernels::make_backend({.device = kernels::DeviceChoice::cpu,
                                          .num_threads = omp_get_max_threads()})),
        backend_(own_ ? *own_ : backend) {}
  kernels::Backend& backend() const { return backend_; }
  bool is_another() const { return own_ != nullptr; }

 private:
  std::unique_ptr<kernels::Backend> own_;
  kernels::Backend& backend_;
};

}  // namespace penchant::pipeline
