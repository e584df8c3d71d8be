// SPDX-License-Identifier: Apache-2.0
// The choice of the backend, and the check that no op reads an operand of another device.
#include "kernels/backend.h"

#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;
using testing::HasSubstr;

/// An environment variable for one scope.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value, 1);
  }
  ~Variable() { before_.empty() ? unsetenv(name_) : setenv(name_, before_.c_str(), 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
};
struct DeviceVariable : Variable {
  explicit DeviceVariable(const char* value) : Variable("PENCHANT_DEVICE", value) {}
};

BackendOptions options_for(DeviceChoice device, int num_threads = 0) {
  BackendOptions options;
  options.device = device;
  options.num_threads = num_threads;
  return options;
}

TEST(MakeBackend, DescriptionNamesWhatRuns) {
  const auto backend = make_backend(options_for(DeviceChoice::cpu, 2));
  EXPECT_EQ(backend->device(), Device::cpu);
  EXPECT_THAT(backend->description(), HasSubstr(cpu_instruction_set()));
  EXPECT_THAT(backend->description(), HasSubstr("2 threads"));
  EXPECT_THAT(make_backend(options_for(DeviceChoice::cpu, 1))->description(),
              testing::EndsWith("1 thread"));
}

TEST(MakeBackend, RefusesNumbersOfThreadsThatNoMachineHas) {
  for (const int threads : {-1, 100'000, std::numeric_limits<int>::max()})
    EXPECT_THROW(make_backend(options_for(DeviceChoice::cpu, threads)), InputError) << threads;
}

TEST(MakeBackend, EnvironmentDecidesWhatTheCallerLeavesOpen) {
  {
    const DeviceVariable device("cpu");
    EXPECT_EQ(make_backend(options_for(DeviceChoice::automatic))->device(), Device::cpu);
  }
  {
    const DeviceVariable device("auto");
    EXPECT_NO_THROW(make_backend(options_for(DeviceChoice::automatic)));
  }
  {
    const DeviceVariable device("gpu");
    EXPECT_THROW(make_backend(options_for(DeviceChoice::automatic)), InputError);
    EXPECT_NO_THROW(make_backend(options_for(DeviceChoice::cpu))) << "a stated choice wins";
  }
}

TEST(MakeBackend, RefusesCudaOptionsThatItDoesNotKnow) {
  for (const auto& [name, value] :
       {std::pair("PENCHANT_SPMM", "alg4"), std::pair("PENCHANT_CONVOLUTION", "fft"),
        std::pair("PENCHANT_TF32", "yes"), std::pair("PENCHANT_SPARSE_BYTES", "1G"),
        std::pair("PENCHANT_TABLE_BYTES", "-1"), std::pair("PENCHANT_STREAM_TABLES", "on"),
        std::pair("PENCHANT_CUDA_GRAPHS", "2"), std::pair("PENCHANT_RANKING_QUERIES", "0"),
        std::pair("PENCHANT_RANKING_ITEMS", "many")}) {
    const Variable variable(name, value);
    try {
      make_backend(options_for(DeviceChoice::automatic));
      FAIL() << "expected an InputError";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::AllOf(HasSubstr(name), HasSubstr(value)));
    }
  }
  const Variable variable("PENCHANT_SPMM", "alg2");
  EXPECT_NO_THROW(make_backend(options_for(DeviceChoice::automatic)));
}

TEST(MakeBackend, CudaThatIsNotThereSaysWhy) {
  if (cuda_status() == "available") GTEST_SKIP() << "this machine has a GPU";
  const DeviceVariable device("cuda");
  for (const DeviceChoice choice : {DeviceChoice::cuda, DeviceChoice::automatic}) {
    try {
      make_backend(options_for(choice));
      FAIL() << "expected a DeviceError";
    } catch (const DeviceError& error) {
      EXPECT_THAT(error.what(), HasSubstr(cuda_status()));
    }
  }
}

class Devices : public support::BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(Devices);

/// The same memory under the other device's name.
template <typename View>
View elsewhere(View view) {
  view.device = view.device == Device::cpu ? Device::cuda : Device::cpu;
  return view;
}

// "operands live on the backend's device and have the stated shapes; both are checked first": here
// for the inputs, one at a time.
TEST_P(Devices, EveryOpRefusesAnInputOfAnotherDevice) {
  const Guarded<float> x(backend(), Dense(4, 4, 1.0));
  const Guarded<float> y(backend(), Dense(4, 4, 1.0));
  const Guarded<float> row(backend(), Dense(1, 4, 1.0));
  const Guarded<NodeId> id_row(backend(), Dense(1, 4, 1.0));
  const Guarded<NodeId> id_matrix(backend(), 4, 4);
  const graph::Csr a = support::random_sets(4, 4, 2, 1);
  const auto sparse = backend().sparse(a.view());
  const graph::Csr targets{4, 4, {0, 1, 2, 3, 4}, {0, 1, 2, 3}, {}};
  Matrix<Bf16> half = backend().matrix<Bf16>(4, 4);

  const ConstFloatView in = x.view();
  const ConstFloatView foreign = elsewhere(in);
  const FloatView out = y.view();
  const VectorView<float> vec = row.vector();
  const VectorView<const float> foreign_vec = elsewhere(VectorView<const float>(vec));
  const IdView ids = id_row.vector();
  Backend& b = backend();
  const std::vector<std::int64_t> all_rows = {0, 4};
  const PackedSequences steps{all_rows};
  const Segments segments{all_rows};
  const auto state = b.recurrent_state({Cell::rnn, Activation::tanh, 4, 4});
  const Guarded<float> one(backend(), Dense(1, 4, 1.0));
  const Guarded<NodeId> one_id(backend(), Dense(1, 4, 1.0));
  const std::vector<std::pair<const char*, std::function<void()>>> calls = {
      {"convert", [&] { b.convert(foreign, half.view()); }},
      {"convert bf16", [&] { b.convert(elsewhere(MatrixView<const Bf16>(half.view())), out); }},
      {"spmm", [&] { b.spmm(*sparse, foreign, out, {}); }},
      {"spmm bf16",
       [&] { b.spmm(*sparse, elsewhere(MatrixView<const Bf16>(half.view())), out, {}); }},
      {"spmm bias",
       [&] {
         SpmmOptions options;
         options.bias = foreign_vec;
         b.spmm(*sparse, in, out, options);
       }},
      {"gemm a", [&] { b.gemm(Transpose::no, Transpose::no, 1.0F, foreign, in, 0.0F, out); }},
      {"gemm b", [&] { b.gemm(Transpose::no, Transpose::no, 1.0F, in, foreign, 0.0F, out); }},
      {"linear x", [&] { b.linear(foreign, in, vec, Activation::relu, out); }},
      {"linear weight", [&] { b.linear(in, foreign, vec, Activation::relu, out); }},
      {"linear bias", [&] { b.linear(in, in, foreign_vec, Activation::relu, out); }},
      {"axpby", [&] { b.axpby(1.0F, foreign, 0.0F, out); }},
      {"add_bias x", [&] { b.add_bias(foreign, vec, out); }},
      {"add_bias bias", [&] { b.add_bias(in, foreign_vec, out); }},
      {"add_column_sums", [&] { b.add_column_sums(foreign, vec); }},
      {"scale_rows x", [&] { b.scale_rows(foreign, vec, out); }},
      {"scale_rows scale", [&] { b.scale_rows(in, foreign_vec, out); }},
      {"add_row_dots x", [&] { b.add_row_dots(foreign, in, vec); }},
      {"add_row_dots y", [&] { b.add_row_dots(in, foreign, vec); }},
      {"activation", [&] { b.activation(Activation::relu, foreign, out); }},
      {"activation_backward y", [&] { b.activation_backward(Activation::relu, foreign, in, out); }},
      {"activation_backward d_y",
       [&] { b.activation_backward(Activation::relu, in, foreign, out); }},
      {"normalize_rows", [&] { b.normalize_rows(foreign, out, vec); }},
      {"normalize_rows_backward y", [&] { b.normalize_rows_backward(foreign, vec, in, out); }},
      {"normalize_rows_backward norms",
       [&] { b.normalize_rows_backward(in, foreign_vec, in, out); }},
      {"gather_rows table", [&] { b.gather_rows(foreign, ids, out); }},
      {"gather_rows ids", [&] { b.gather_rows(in, elsewhere(ids), out); }},
      {"scatter_add_rows x", [&] { b.scatter_add_rows(1.0F, foreign, ids, out); }},
      {"scatter_add_rows ids", [&] { b.scatter_add_rows(1.0F, in, elsewhere(ids), out); }},
      {"bpr users", [&] { b.bpr(foreign, in, in, vec, out, out, out); }},
      {"sampled_softmax negatives",
       [&] { b.sampled_softmax(in, in, foreign, {}, vec, out, out, out); }},
      {"adam_step gradient", [&] { b.adam_step({}, foreign, out, out, out); }},
      {"topk queries", [&] { b.topk(foreign, in, {}, id_matrix.view(), out); }},
      {"topk items", [&] { b.topk(in, foreign, {}, id_matrix.view(), out); }},
      {"topk_scores", [&] { b.topk_scores(foreign, {}, id_matrix.view(), out); }},
      {"rank_counts_scores",
       [&] {
         b.rank_counts_scores(foreign, {}, targets.view(), id_row.vector(), id_row.vector());
       }},
      {"symmetric_eigen", [&] { b.symmetric_eigen(foreign, vec, out); }},
      {"multiply x", [&] { b.multiply(1.0F, foreign, in, 0.0F, out); }},
      {"multiply y", [&] { b.multiply(1.0F, in, foreign, 0.0F, out); }},
      {"dropout", [&] { b.dropout({}, foreign, out); }},
      {"layer_norm x", [&] { b.layer_norm(foreign, vec, vec, out, vec, out); }},
      {"layer_norm gain", [&] { b.layer_norm(in, foreign_vec, vec, out, vec, out); }},
      {"layer_norm_backward d_y",
       [&] { b.layer_norm_backward(in, vec, vec, foreign, out, vec, vec); }},
      {"recurrent_forward x",
       [&] {
         b.recurrent_forward(*state, steps, foreign, {in, in, vec}, out);
       }},
      {"recurrent_forward W_h",
       [&] {
         b.recurrent_forward(*state, steps, in, {in, foreign, vec}, out);
       }},
      {"recurrent_backward d_h",
       [&] {
         b.recurrent_backward(*state, steps, in, {in, in, vec}, in, foreign, out, {out, out, vec});
       }},
      {"convolution_forward x", [&] { b.convolution_forward(segments, 1, foreign, in, vec, out); }},
      {"convolution_forward weight",
       [&] { b.convolution_forward(segments, 1, in, foreign, vec, out); }},
      {"convolution_backward d_y",
       [&] { b.convolution_backward(segments, 1, in, in, foreign, out, out, vec); }},
      {"segment_max", [&] { b.segment_max(segments, foreign, one.view(), one_id.view()); }},
      {"segment_max_backward",
       [&] { b.segment_max_backward(one_id.view(), elsewhere(ConstFloatView(one.view())), out); }},
      {"running_sum", [&] { b.running_sum(TimeOrder::forward, segments, 1.0F, foreign, out); }},
      {"binary_cross_entropy", [&] { b.binary_cross_entropy(foreign_vec, vec, vec, vec); }},
      {"squared_error", [&] { b.squared_error(vec, foreign_vec, vec, vec); }},
      {"rank_counts queries",
       [&] { b.rank_counts(foreign, in, {}, targets.view(), id_row.vector(), id_row.vector()); }},
  };
  for (const auto& [name, call] : calls) EXPECT_THROW(call(), InputError) << name;
}

}  // namespace
}  // namespace penchant::kernels
