// SPDX-License-Identifier: Apache-2.0
// A CUDA module whose libraries lack a function; see cuda_loader_test.cc.
extern "C" const char* penchant_no_library_has_this();

extern "C" const char* penchant_cuda_interface() { return penchant_no_library_has_this(); }
extern "C" const void* penchant_cuda_module() { return nullptr; }
