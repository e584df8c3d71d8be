// SPDX-License-Identifier: Apache-2.0
// A library that is no CUDA module; see cuda_loader_test.cc.
extern "C" int penchant_foreign() { return 0; }
