# SPDX-License-Identifier: Apache-2.0
# The program and the CUDA module are of one build if these headers are.
set(PENCHANT_CUDA_INTERFACE "")
foreach(header kernels/backend.h kernels/cuda_module.h kernels/cuda_options.h kernels/matrix.h kernels/pair_source.h graph/csr.h graph/enum_names.h graph/error.h graph/ids.h)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${header})
  file(SHA256 ${PROJECT_SOURCE_DIR}/${header} hash)
  string(APPEND PENCHANT_CUDA_INTERFACE ${hash})
endforeach()
string(SHA256 PENCHANT_CUDA_INTERFACE "${PENCHANT_CUDA_INTERFACE}")
string(SUBSTRING "${PENCHANT_CUDA_INTERFACE}" 0 16 PENCHANT_CUDA_INTERFACE)
configure_file(${PROJECT_SOURCE_DIR}/kernels/cuda_interface.h.in ${PROJECT_BINARY_DIR}/generated/kernels/cuda_interface.h @ONLY)
