// SPDX-License-Identifier: Apache-2.0
// The stand-in for the CUDA runtime: the functions that kernels/cuda/ calls, with CUDA's signatures
// and statuses. Stricter than CUDA where that costs nothing: memory is not allocated while a stream
// records, and nothing else that waits or allocates is done then.
#include <algorithm>
#include <cstring>
#include <utility>

#include "tests/fake_cuda/world.h"

using penchant::fake_cuda::Mark;
using penchant::fake_cuda::Operation;
using penchant::fake_cuda::Span;
using penchant::fake_cuda::Violation;
using penchant::fake_cuda::World;

struct CUevent_st {
  Mark mark;  ///< of the last record; no stream: none
};
struct CUgraph_st {
  std::vector<Operation> operations;
};
struct CUgraphExec_st {
  std::vector<Operation> operations;
};

namespace {

cudaError_t& last_error() {
  static cudaError_t error = cudaSuccess;
  return error;
}

/// Every status that is not success is also the last error.
cudaError_t noted(cudaError_t status) {
  if (status != cudaSuccess) last_error() = status;
  return status;
}

#define PENCHANT_RUNTIME_ANSWER                                                           \
  if (const int answer = penchant::fake_cuda::World::get().answer(__func__); answer != 0) \
  return noted(static_cast<cudaError_t>(answer))

World& world() { return World::get(); }

std::uint64_t digest(const Span& memory) {
  std::uint64_t sum = 1469598103934665603U;
  for (std::size_t row = 0; row < memory.rows; ++row) {
    const auto* bytes = static_cast<const unsigned char*>(memory.data) + row * memory.pitch;
    for (std::size_t k = 0; k < memory.bytes; ++k) sum = (sum ^ bytes[k]) * 1099511628211U;
  }
  return sum;
}

/// A copy of `rows` runs. Host memory that is read must hold then what it held at the call; pageable
/// memory that is written holds nothing of use until the copy has run.
cudaError_t copy(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                 std::size_t bytes, std::size_t rows, cudaStream_t stream, const char* name) {
  World& w = world();
  const Span source{from, bytes, rows, from_pitch};
  const Span target{to, bytes, rows, to_pitch};
  if (bytes == 0 || rows == 0) return cudaSuccess;
  Operation operation;
  operation.name = name;
  const bool from_host = w.place_of(from) != World::Place::device;
  const bool to_host = w.place_of(to) != World::Place::device;
  (w.place_of(from) == World::Place::paged ? operation.host : operation.operands).push_back(source);
  (w.place_of(to) == World::Place::paged ? operation.host : operation.operands).push_back(target);
  if (w.place_of(from) == World::Place::pinned) operation.host.push_back(source);
  if (w.place_of(to) == World::Place::pinned) operation.host.push_back(target);
  // Pinned memory that queued work writes has another content by then.
  const bool digested = from_host && !w.pending(from, (rows - 1) * from_pitch + bytes) && !to_host;
  const std::uint64_t sum = digested ? digest(source) : 0;
  if (w.place_of(to) == World::Place::paged && !w.pending(to, (rows - 1) * to_pitch + bytes)) {
    for (std::size_t row = 0; row < rows; ++row)
      std::memset(static_cast<char*>(to) + row * to_pitch, 0xFF, bytes);
  }
  operation.run = [=] {
    if (digested && digest(source) != sum)
      throw Violation(std::string(name) + ": host memory changed before the copy read it");
    for (std::size_t row = 0; row < rows; ++row)
      std::memcpy(static_cast<char*>(to) + row * to_pitch,
                  static_cast<const char*>(from) + row * from_pitch, bytes);
  };
  return noted(w.enqueue(w.stream_of(stream), std::move(operation)));
}

}  // namespace

extern "C" {

cudaError_t cudaGetLastError() { return std::exchange(last_error(), cudaSuccess); }

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorStreamCaptureImplicit:
      return "cudaErrorStreamCaptureImplicit";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
    default:
      return "cudaErrorOfTheStandIn";
  }
}

const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }

// --- devices

cudaError_t cudaDriverGetVersion(int* version) {
  PENCHANT_RUNTIME_ANSWER;
  *version = world().driver_version;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  PENCHANT_RUNTIME_ANSWER;
  *count = world().device_count;
  return noted(world().device_status);
}

cudaError_t cudaGetDevice(int* device) {
  PENCHANT_RUNTIME_ANSWER;
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  PENCHANT_RUNTIME_ANSWER;
  return noted(device < 0 || device >= world().device_count ? cudaErrorInvalidDevice : cudaSuccess);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  PENCHANT_RUNTIME_ANSWER;
  if (device < 0 || device >= world().device_count) return noted(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "stand-in for a GPU, kernels by emulation");
  properties->major = 9;
  properties->minor = 0;
  properties->multiProcessorCount = 132;
  properties->totalGlobalMem = world().device_bytes;
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* /*function*/) {
  PENCHANT_RUNTIME_ANSWER;
  *attributes = {};
  return noted(world().code_status);
}

cudaError_t cudaDeviceSynchronize() {
  PENCHANT_RUNTIME_ANSWER;
  if (world().refused_by_recording()) return noted(cudaErrorStreamCaptureUnsupported);
  world().run_all();
  return cudaSuccess;
}

// --- memory

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  PENCHANT_RUNTIME_ANSWER;
  *free = world().free_bytes();
  *total = world().device_bytes;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, std::size_t bytes) {
  PENCHANT_RUNTIME_ANSWER;
  if (world().refused_by_recording()) return noted(cudaErrorStreamCaptureUnsupported);
  return noted(world().allocate(data, bytes, false, nullptr));
}

cudaError_t cudaFree(void* data) {
  PENCHANT_RUNTIME_ANSWER;
  if (data == nullptr) return cudaSuccess;
  if (world().refused_by_recording()) return noted(cudaErrorStreamCaptureUnsupported);
  world().run_all();
  return noted(world().release(data, nullptr));
}

cudaError_t cudaMallocAsync(void** data, std::size_t bytes, cudaStream_t stream) {
  PENCHANT_RUNTIME_ANSWER;
  World& w = world();
  if (w.stream_of(stream)->capture != cudaStreamCaptureStatusNone) {
    w.spoil_recordings();
    return noted(cudaErrorStreamCaptureUnsupported);
  }
  return noted(w.allocate(data, bytes, true, &w.stream_of(stream)));
}

cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  PENCHANT_RUNTIME_ANSWER;
  World& w = world();
  if (w.stream_of(stream)->capture != cudaStreamCaptureStatusNone) {
    w.spoil_recordings();
    return noted(cudaErrorStreamCaptureUnsupported);
  }
  return noted(w.release(data, &w.stream_of(stream)));
}

cudaError_t cudaMallocHost(void** data, std::size_t bytes) {
  PENCHANT_RUNTIME_ANSWER;
  if (world().refused_by_recording()) return noted(cudaErrorStreamCaptureUnsupported);
  return noted(world().pin(data, bytes));
}

cudaError_t cudaFreeHost(void* data) {
  PENCHANT_RUNTIME_ANSWER;
  if (data == nullptr) return cudaSuccess;
  return noted(world().unpin(data));
}

// The device's own pool is the only one.
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int /*device*/) {
  PENCHANT_RUNTIME_ANSWER;
  *pool = reinterpret_cast<cudaMemPool_t>(&world());
  return cudaSuccess;
}

/// It keeps what is given back, whatever its threshold: a backend asks for that.
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t /*pool*/, cudaMemPoolAttr /*attribute*/,
                                    void* /*value*/) {
  PENCHANT_RUNTIME_ANSWER;
  return cudaSuccess;
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t /*pool*/, cudaMemPoolAttr attribute,
                                    void* value) {
  PENCHANT_RUNTIME_ANSWER;
  const std::uint64_t bytes = attribute == cudaMemPoolAttrReservedMemCurrent
                                  ? world().pool_reserved()
                                  : world().pool_used();
  std::memcpy(value, &bytes, sizeof bytes);
  return cudaSuccess;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t /*pool*/, std::size_t /*bytes*/) {
  PENCHANT_RUNTIME_ANSWER;
  world().trim_pool();
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind /*kind*/,
                            cudaStream_t stream) {
  PENCHANT_RUNTIME_ANSWER;
  return copy(to, bytes, from, bytes, bytes, 1, stream, __func__);
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t bytes, std::size_t rows,
                              cudaMemcpyKind /*kind*/, cudaStream_t stream) {
  PENCHANT_RUNTIME_ANSWER;
  constexpr std::size_t kLargestPitch = (std::size_t{1} << 31) - 1;
  if (bytes > to_pitch || bytes > from_pitch || std::max(to_pitch, from_pitch) > kLargestPitch)
    return noted(cudaErrorInvalidPitchValue);
  return copy(to, to_pitch, from, from_pitch, bytes, rows, stream, __func__);
}

cudaError_t cudaMemsetAsync(void* data, int value, std::size_t bytes, cudaStream_t stream) {
  PENCHANT_RUNTIME_ANSWER;
  World& w = world();
  Operation operation;
  operation.name = __func__;
  operation.operands = {{data, bytes}};
  if (w.place_of(data) == World::Place::pinned) operation.host = operation.operands;
  operation.run = [=] { std::memset(data, value, bytes); };
  return noted(w.enqueue(w.stream_of(stream), std::move(operation)));
}

// --- streams and events

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  PENCHANT_RUNTIME_ANSWER;
  *stream = new CUstream_st{world().make_stream((flags & cudaStreamNonBlocking) == 0)};
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  PENCHANT_RUNTIME_ANSWER;
  return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  PENCHANT_RUNTIME_ANSWER;
  world().drop_stream(stream->state);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  PENCHANT_RUNTIME_ANSWER;
  World& w = world();
  if (w.stream_of(stream)->capture != cudaStreamCaptureStatusNone) {
    w.spoil_recordings();
    return noted(cudaErrorStreamCaptureUnsupported);
  }
  if (w.is_legacy(w.stream_of(stream)) && w.legacy_forbidden()) {
    w.spoil_recordings();
    return noted(cudaErrorStreamCaptureImplicit);
  }
  w.run_until(w.mark(w.stream_of(stream)));
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned /*flags*/) {
  PENCHANT_RUNTIME_ANSWER;
  if (event->mark.stream == nullptr) return cudaSuccess;
  World& w = world();
  if (w.stream_of(stream)->capture != cudaStreamCaptureStatusNone) {
    w.spoil_recordings();
    return noted(cudaErrorStreamCaptureIsolation);
  }
  Operation wait;
  wait.name = __func__;
  wait.waits = true;
  wait.mark = event->mark;
  return noted(w.enqueue(w.stream_of(stream), std::move(wait)));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
  PENCHANT_RUNTIME_ANSWER;
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;  // whatever it answers
  PENCHANT_RUNTIME_ANSWER;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  PENCHANT_RUNTIME_ANSWER;
  World& w = world();
  if (w.stream_of(stream)->capture != cudaStreamCaptureStatusNone) {
    w.spoil_recordings();
    return noted(cudaErrorStreamCaptureUnsupported);
  }
  event->mark = w.mark(w.stream_of(stream));
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  PENCHANT_RUNTIME_ANSWER;
  if (world().refused_by_recording()) return noted(cudaErrorStreamCaptureUnsupported);
  if (event->mark.stream != nullptr) world().run_until(event->mark);
  return cudaSuccess;
}

// --- recordings and graphs

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode /*mode*/) {
  PENCHANT_RUNTIME_ANSWER;
  const auto& on = world().stream_of(stream);
  if (world().is_legacy(on)) return noted(cudaErrorStreamCaptureUnsupported);
  if (on->capture != cudaStreamCaptureStatusNone) return noted(cudaErrorIllegalState);
  on->capture = cudaStreamCaptureStatusActive;
  on->recorded.clear();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  PENCHANT_RUNTIME_ANSWER;
  *graph = nullptr;
  const auto& on = world().stream_of(stream);
  const auto status = std::exchange(on->capture, cudaStreamCaptureStatusNone);
  if (status == cudaStreamCaptureStatusNone) return noted(cudaErrorIllegalState);
  auto recorded = std::exchange(on->recorded, {});
  if (status == cudaStreamCaptureStatusInvalidated) return noted(cudaErrorStreamCaptureInvalidated);
  *graph = new CUgraph_st{std::move(recorded)};
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  PENCHANT_RUNTIME_ANSWER;
  const auto& on = world().stream_of(stream);
  if (world().is_legacy(on) && world().legacy_forbidden())
    return noted(cudaErrorStreamCaptureImplicit);
  *status = on->capture;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long /*flags*/) {
  PENCHANT_RUNTIME_ANSWER;
  *executable = new CUgraphExec_st{graph->operations};
  return cudaSuccess;
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t executable, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* /*info*/) {
  PENCHANT_RUNTIME_ANSWER;
  const auto same = [](const Operation& a, const Operation& b) { return a.name == b.name; };
  if (!std::equal(executable->operations.begin(), executable->operations.end(),
                  graph->operations.begin(), graph->operations.end(), same))
    return noted(cudaErrorGraphExecUpdateFailure);
  executable->operations = graph->operations;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  PENCHANT_RUNTIME_ANSWER;
  for (const Operation& operation : executable->operations) {
    const cudaError_t status = world().enqueue(world().stream_of(stream), operation);
    if (status != cudaSuccess) return noted(status);
  }
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  PENCHANT_RUNTIME_ANSWER;
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  PENCHANT_RUNTIME_ANSWER;
  delete executable;
  return cudaSuccess;
}

}  // extern "C"
