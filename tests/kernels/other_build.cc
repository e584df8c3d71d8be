// SPDX-License-Identifier: Apache-2.0
// A CUDA module of another build; see cuda_loader_test.cc.
#include <cstdlib>

extern "C" const char* penchant_cuda_interface() { return "interface-of-another-build"; }
extern "C" const void* penchant_cuda_module() { std::abort(); }
