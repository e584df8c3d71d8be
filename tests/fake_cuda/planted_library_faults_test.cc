// SPDX-License-Identifier: Apache-2.0
// Mistakes of a host program, one each, that hardware would answer with a fault, wrong numbers or
// only sometimes with right ones: the stand-in must see every one of them. Here those of
// calls of cuBLAS, cuSPARSE and cuDNN.
#include <cublasLt.h>
#include <cublas_v2.h>
#include <cudnn.h>
#include <cusparse.h>

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fake_cuda/two_streams.h"

namespace penchant::fake_cuda {
namespace {

class PlantedLibraryFault : public TwoStreams {};
PENCHANT_INSTANTIATE_ORDERS(PlantedLibraryFault);

/// One product c = a b of 8 x 8 matrices with a bias, planned with one bias, done with another.
class BiasedProduct {
 public:
  BiasedProduct(cudaStream_t stream, const float* planned_bias) : stream_(stream) {
    check(cublasLtCreate(handle_.receive()));
    check(cublasLtMatmulDescCreate(product_.receive(), CUBLAS_COMPUTE_32F, CUDA_R_32F));
    const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
    check(cublasLtMatmulDescSetAttribute(product_.get(), CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                         sizeof epilogue));
    set_bias(planned_bias);
    check(cublasLtMatrixLayoutInit(&layout_, CUDA_R_32F, 8, 8, 8));
    kernels::cuda::ProductPreference preference;
    check(cublasLtMatmulPreferenceCreate(preference.receive()));
    int found = 0;
    cublasLtMatmulHeuristicResult_t best{};
    check(cublasLtMatmulAlgoGetHeuristic(handle_.get(), product_.get(), &layout_, &layout_,
                                         &layout_, &layout_, preference.get(), 1, &best, &found));
    algorithm_ = best.algo;
  }
  void set_bias(const float* bias) {
    check(cublasLtMatmulDescSetAttribute(product_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                         sizeof bias));
  }
  void run(const float* a, float* c) {
    const float one = 1.0F;
    const float zero = 0.0F;
    check(cublasLtMatmul(handle_.get(), product_.get(), &one, a, &layout_, a, &layout_, &zero, c,
                         &layout_, c, &layout_, &algorithm_, nullptr, 0, stream_));
  }
  /// From here on products of 4 x 4 matrices.
  void narrow() { check(cublasLtMatrixLayoutInit(&layout_, CUDA_R_32F, 4, 4, 8)); }

 private:
  cudaStream_t stream_;
  kernels::cuda::ProductHandle handle_;
  kernels::cuda::ProductDescriptor product_;
  cublasLtMatrixLayoutOpaque_t layout_{};
  cublasLtMatmulAlgo_t algorithm_{};
};

TEST_P(PlantedLibraryFault, ABiasLessAlignedThanTheHeuristicSaw) {
  const float* bias = uploaded(std::vector<float>(12, 1.0F));
  float* a = uploaded(std::vector<float>(64, 1.0F));
  float* c = device(64);
  BiasedProduct unseen(stream_.get(), nullptr);
  unseen.set_bias(bias);
  EXPECT_THAT([&] { unseen.run(a, c); }, violation("chosen for the bias aligned to 256 bytes"));
  BiasedProduct aligned(stream_.get(), bias);
  aligned.set_bias(bias + 1);
  EXPECT_THAT([&] { aligned.run(a, c); }, violation("chosen for the bias aligned to 16 bytes"));
  aligned.set_bias(bias + 4);
  aligned.run(a, c);
  BiasedProduct product(stream_.get(), bias + 1);
  product.run(a, c);
  EXPECT_EQ(downloaded(c, 64), std::vector<float>(64, 9.0F));
}

TEST_P(PlantedLibraryFault, AnOperandLessAlignedThanTheHeuristicWasTold) {
  const float* bias = uploaded(std::vector<float>(8, 1.0F));
  float* a = uploaded(std::vector<float>(65, 1.0F));
  BiasedProduct product(stream_.get(), bias);
  EXPECT_THAT([&] { product.run(a + 1, device(64)); }, violation("misaligned address"));
}

TEST_P(PlantedLibraryFault, AnAlgorithmThatWasChosenForAnotherShape) {
  const float* bias = uploaded(std::vector<float>(8, 1.0F));
  float* a = uploaded(std::vector<float>(64, 1.0F));
  BiasedProduct product(stream_.get(), bias);
  product.narrow();
  EXPECT_THAT([&] { product.run(a, device(64)); }, violation("neither chosen nor checked"));
}

TEST_P(PlantedLibraryFault, CublasWithoutAWorkspaceOfItsOwn) {
  kernels::cuda::BlasHandle blas;
  check(cublasCreate(blas.receive()));
  float* a = uploaded({1.0F, 2.0F});
  float* workspace = device(64);
  float* turned = device(2);
  const float one = 1.0F;
  const float zero = 0.0F;
  const auto turn = [&] {
    check(cublasSgeam_64(blas.get(), CUBLAS_OP_T, CUBLAS_OP_N, 2, 1, &one, a, 1, &zero, turned, 2,
                         turned, 2));
  };
  check(cublasSetWorkspace(blas.get(), workspace, 256));
  check(cublasSetStream(blas.get(), stream_.get()));  // forgets it
  EXPECT_THAT(turn, violation("no workspace"));
  check(cublasSetWorkspace(blas.get(), workspace, 256));
  turn();
  EXPECT_EQ(downloaded(turned, 2), (std::vector<float>{1.0F, 2.0F}));
}

/// The matrix (1 0; 2 3) times a table of 2 x 4.
class SparseProduct {
 public:
  SparseProduct(cudaStream_t stream, void* offsets, void* columns, float* values, float* x,
                float* y) {
    check(cusparseCreate(handle.receive()));
    check(cusparseSetStream(handle.get(), stream));
    check(cusparseCreateCsr(a.receive(), 2, 2, 3, offsets, columns, values, CUSPARSE_INDEX_32I,
                            CUSPARSE_INDEX_32I, CUSPARSE_INDEX_BASE_ZERO, CUDA_R_32F));
    check(cusparseCreateDnMat(table.receive(), 2, 4, 4, x, CUDA_R_32F, CUSPARSE_ORDER_ROW));
    check(cusparseCreateDnMat(out.receive(), 2, 4, 4, y, CUDA_R_32F, CUSPARSE_ORDER_ROW));
  }
  void prepare(cusparseSpMMAlg_t algorithm, void* buffer) {
    check(cusparseSpMM_preprocess(handle.get(), kPlain, kPlain, &one, a.get(), table.get(), &zero,
                                  out.get(), CUDA_R_32F, algorithm, buffer));
  }
  void multiply(void* buffer) {
    check(cusparseSpMM(handle.get(), kPlain, kPlain, &one, a.get(), table.get(), &zero, out.get(),
                       CUDA_R_32F, CUSPARSE_SPMM_CSR_ALG3, buffer));
  }
  static constexpr cusparseOperation_t kPlain = CUSPARSE_OPERATION_NON_TRANSPOSE;
  float one = 1.0F;
  float zero = 0.0F;
  kernels::cuda::SparseHandle handle;
  kernels::cuda::SparseDescriptor a;
  kernels::cuda::DenseDescriptor table, out;
};

TEST_P(PlantedLibraryFault, AnUnpreparedBufferOfASparseProduct) {
  const std::vector<std::int32_t> ids = {0, 1, 3, 0, 0, 1};
  float* arrays = device(12);
  auto* offsets = reinterpret_cast<std::int32_t*>(arrays);
  check(cudaMemcpyAsync(offsets, ids.data(), 12, cudaMemcpyDefault, stream_.get()));
  check(cudaMemcpyAsync(offsets + 4, ids.data() + 3, 12, cudaMemcpyDefault, stream_.get()));
  float* values = uploaded({1.0F, 2.0F, 3.0F});
  float* x = uploaded({1, 2, 3, 4, 5, 6, 7, 8});
  float* y = device(9);
  float* buffer = device(512);
  float* other_buffer = device(512);
  SparseProduct product(stream_.get(), offsets, offsets + 4, values, x, y);
  const auto not_prepared = violation("not prepared for this product");
  EXPECT_THAT([&] { product.multiply(buffer); }, not_prepared);
  product.prepare(CUSPARSE_SPMM_CSR_ALG2, buffer);
  EXPECT_THAT([&] { product.multiply(buffer); }, not_prepared) << "for another algorithm";
  product.prepare(CUSPARSE_SPMM_CSR_ALG3, other_buffer);
  EXPECT_THAT([&] { product.multiply(buffer); }, not_prepared) << "another is the active one";
  product.prepare(CUSPARSE_SPMM_CSR_ALG3, buffer);
  product.multiply(buffer);
  EXPECT_EQ(downloaded(y, 8), (std::vector<float>{1, 2, 3, 4, 17, 22, 27, 32}));
  check(cusparseDnMatSetValues(product.out.get(), y + 1));
  EXPECT_THAT([&] { product.multiply(buffer); }, violation("misaligned address: rows of y"));
  check(cusparseDnMatSetValues(product.out.get(), y));
  check(cudaMemsetAsync(buffer, 0, 16, stream_.get()));
  product.multiply(buffer);
  EXPECT_THAT([&] { wait(); }, violation("written over"));
}

/// An LSTM of one input, one hidden number, over sequences of the lengths that are given.
class Lstm {
 public:
  Lstm(cudaStream_t stream, const std::vector<int>& lengths) {
    check(cudnnCreate(handle.receive()));
    check(cudnnSetStream(handle.get(), stream));
    check(cudnnCreateDropoutDescriptor(dropout.receive()));
    check(cudnnSetDropoutDescriptor(dropout.get(), handle.get(), 0.0F, nullptr, 0, 0));
    check(cudnnCreateRNNDescriptor(rnn.receive()));
    check(cudnnSetRNNDescriptor_v8(
        rnn.get(), CUDNN_RNN_ALGO_STANDARD, CUDNN_LSTM, CUDNN_RNN_SINGLE_INP_BIAS,
        CUDNN_UNIDIRECTIONAL, CUDNN_LINEAR_INPUT, CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT,
        CUDNN_FMA_MATH, 1, 1, 1, 1, dropout.get(), CUDNN_RNN_PADDED_IO_DISABLED));
    check(cudnnCreateRNNDataDescriptor(rows.receive()));
    float fill = 0.0F;
    described = cudnnSetRNNDataDescriptor(
        rows.get(), CUDNN_DATA_FLOAT, CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED, lengths.front(),
        static_cast<int>(lengths.size()), 1, lengths.data(), &fill);
  }
  void forward(float* x, float* h, float* weights, float* workspace, float* reserve) {
    check(cudnnRNNForward(handle.get(), rnn.get(), CUDNN_FWD_MODE_TRAINING, nullptr, rows.get(), x,
                          rows.get(), h, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, 48,
                          weights, 400, workspace, 400, reserve));
  }
  void backward_data(float* h, float* d_h, float* d_x, float* weights, float* workspace,
                     float* reserve) {
    check(cudnnRNNBackwardData_v8(handle.get(), rnn.get(), nullptr, rows.get(), h, d_h, rows.get(),
                                  d_x, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                                  nullptr, nullptr, 48, weights, 400, workspace, 400, reserve));
  }
  void backward_weights(float* x, float* h, float* d_weights, float* workspace, float* reserve) {
    check(cudnnRNNBackwardWeights_v8(handle.get(), rnn.get(), CUDNN_WGRAD_MODE_ADD, nullptr,
                                     rows.get(), x, nullptr, nullptr, rows.get(), h, 48, d_weights,
                                     400, workspace, 400, reserve));
  }
  kernels::cuda::DnnHandle handle;
  kernels::cuda::DropoutDescriptor dropout;
  kernels::cuda::RnnDescriptor rnn;
  kernels::cuda::RnnDataDescriptor rows;
  cudnnStatus_t described;
};

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// Gates i, f, g, o of x = 1 before their functions: 0.1, 0.2, 0.3, 0.4; h = o tanh(i g).
TEST_P(PlantedLibraryFault, GatesInAWrongOrder) {
  Lstm lstm(stream_.get(), {1});
  float* x = uploaded({1.0F});
  float* h = device(1);
  float* workspace = device(100);
  float* reserve = device(100);
  const auto run = [&](std::vector<float> gates) {
    gates.resize(12, 0.0F);  // recurrent matrices and biases
    lstm.forward(x, h, uploaded(gates), workspace, reserve);
    return static_cast<double>(downloaded(h, 1)[0]);
  };
  const double want = sigmoid(0.4) * std::tanh(sigmoid(0.1) * std::tanh(0.3));
  EXPECT_NEAR(run({0.1F, 0.2F, 0.3F, 0.4F}), want, 1e-6);
  EXPECT_GT(std::abs(run({0.1F, 0.2F, 0.4F, 0.3F}) - want), 1e-3) << "i, f, o, g";
  EXPECT_GT(std::abs(run({0.3F, 0.2F, 0.1F, 0.4F}) - want), 1e-3) << "g, f, i, o";
}

TEST_P(PlantedLibraryFault, GradientsOfARecurrentLayerInAWrongOrder) {
  Lstm lstm(stream_.get(), {2});
  float* x = uploaded({1.0F, 1.0F});
  float* d = uploaded({1.0F, 1.0F});
  float* weights = uploaded(std::vector<float>(12, 0.1F));
  float* gradients = uploaded(std::vector<float>(12, 0.0F));
  float* h = device(2);
  float* workspace = device(100);
  float* reserve = device(100);
  const auto missing = violation("what must come before it");
  const auto data = [&] {
    lstm.backward_data(h, d, x, weights, workspace, reserve);
    wait();
  };
  const auto weights_first = [&] {
    lstm.backward_weights(x, h, gradients, workspace, reserve);
    wait();
  };
  EXPECT_THAT(data, missing) << "no forward";
  lstm.forward(x, h, weights, workspace, reserve);
  EXPECT_THAT(weights_first, missing) << "no data before the weights";
  data();
  EXPECT_THAT(data, missing) << "a second time";
  weights_first();
}

TEST_P(PlantedLibraryFault, SequencesThatDoNotDescend) {
  EXPECT_EQ(Lstm(stream_.get(), {3, 2}).described, CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(Lstm(stream_.get(), {2, 3}).described, CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(Lstm(stream_.get(), {3, 1, 2}).described, CUDNN_STATUS_BAD_PARAM);
}

}  // namespace
}  // namespace penchant::fake_cuda
