// SPDX-License-Identifier: Apache-2.0
// The kernels of kernels/cuda/ as a backend of the test suites, named "simt": every op runs its own
// kernels on the emulation, so that the op cases, oracles and tolerances of the CPU judge them.
// What the CUDA backend leaves to vendor libraries (products, eigenvectors, recurrence, sorting) is
// done on the host. Device memory is host memory of exactly the size asked for, which
// AddressSanitizer watches; scratch starts as NaN, so that a read before a write shows.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/simt/machine.h"
#include "tests/simt/scratch.h"

namespace penchant::simt {

// The names of backend_overrides.inc.
using kernels::Activation, kernels::AdamOptions, kernels::Bf16, kernels::ConstFloatView;
using kernels::DropoutOptions, kernels::FloatView, kernels::IdView, kernels::MatrixView;
using kernels::PackedSequences, kernels::PairDraw, kernels::PairSource, kernels::PairSourceOptions;
using kernels::RecurrentGradients, kernels::RecurrentOptions, kernels::RecurrentState;
using kernels::RecurrentWeights, kernels::RowSet, kernels::SampledSoftmaxOptions, kernels::Segments;
using kernels::SparseMatrix, kernels::SpmmOptions, kernels::TimeOrder, kernels::Transpose;
using kernels::VectorView;

class SimtBackend final : public kernels::Backend {
 public:
  explicit SimtBackend(Schedule schedule) : machine_(schedule), host_(1) {}

  kernels::Device device() const override { return kernels::Device::cuda; }
  std::string description() const override { return "SIMT emulation"; }

#include "kernels/backend_overrides.inc"
  void sync() override {}
  /// The opt-in variant of the CUDA backend; here its order is the schedule's.
  void scatter_add_rows_atomic(float alpha, ConstFloatView x, IdView ids, FloatView table);

  /// What a steady step must not do, counted since the backend was made.
  struct Interruptions {
    std::int64_t allocations = 0;
    std::int64_t uploads = 0;  ///< copies from host memory
    std::int64_t waits = 0;    ///< copies to host memory
    bool operator==(const Interruptions&) const = default;
  };
  const Interruptions& interruptions() const { return interruptions_; }
  Machine& machine() { return machine_; }

 protected:
  kernels::Memory allocate(std::int64_t bytes) override;

 private:
  /// Scratch of one call.
  Scratch scratch() const { return Scratch(machine_.memory()); }

  void count_copy(std::int64_t size, kernels::Device from, kernels::Device to);

  Machine machine_;
  kernels::CpuBackend host_;
  Interruptions interruptions_;
};

}  // namespace penchant::simt
