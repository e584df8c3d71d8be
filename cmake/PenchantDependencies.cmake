# SPDX-License-Identifier: Apache-2.0
# Every third-party library in one place. All but Arrow are Debian packages (see cmake/setup.sh, which installs them);
# Arrow's C++ libraries are the ones that the pyarrow wheel carries, or a system Arrow.
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(hwy REQUIRED CONFIG)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)

# The OpenMP flavour of OpenBLAS shares our thread pool; the pthread flavour would run a second one beside it.
find_library(OPENBLAS_LIBRARY openblas PATH_SUFFIXES openblas-openmp REQUIRED)
find_path(OPENBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES x86_64-linux-gnu/openblas-openmp openblas-openmp openblas REQUIRED)
add_library(penchant_openblas INTERFACE)
target_include_directories(penchant_openblas SYSTEM INTERFACE ${OPENBLAS_INCLUDE_DIR})
target_link_libraries(penchant_openblas INTERFACE $<BUILD_INTERFACE:${OPENBLAS_LIBRARY}>)

file(STRINGS ${OPENBLAS_INCLUDE_DIR}/openblas_config.h openblas_version REGEX "define OPENBLAS_VERSION")
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" OPENBLAS_VERSION "${openblas_version}")

find_library(ONEDNN_LIBRARY dnnl REQUIRED)
find_path(ONEDNN_INCLUDE_DIR dnnl.h REQUIRED)
add_library(penchant_onednn INTERFACE)
target_include_directories(penchant_onednn SYSTEM INTERFACE ${ONEDNN_INCLUDE_DIR})
target_link_libraries(penchant_onednn INTERFACE $<BUILD_INTERFACE:${ONEDNN_LIBRARY}>)

# A static library, which leaves BLAS and LAPACK to whoever links it: OpenBLAS has both.
find_library(FAISS_LIBRARY faiss REQUIRED)
find_path(FAISS_INCLUDE_DIR faiss/IndexPQ.h REQUIRED)
add_library(penchant_faiss INTERFACE)
target_include_directories(penchant_faiss SYSTEM INTERFACE ${FAISS_INCLUDE_DIR})
target_link_libraries(penchant_faiss INTERFACE $<BUILD_INTERFACE:${FAISS_LIBRARY}> $<BUILD_INTERFACE:${OPENBLAS_LIBRARY}>)

find_library(METIS_LIBRARY metis REQUIRED)
find_path(METIS_INCLUDE_DIR metis.h REQUIRED)
file(STRINGS ${METIS_INCLUDE_DIR}/metis.h metis_versions REGEX "define METIS_VER_")
string(REGEX REPLACE "[^0-9]+" "." METIS_VERSION "${metis_versions}")
string(REGEX REPLACE "^\\.|\\.$" "" METIS_VERSION "${METIS_VERSION}")
find_library(XXHASH_LIBRARY xxhash REQUIRED)
# Not OpenSSL: Arrow's wheel exports one of its own, which would take the place of the system's (findings/pyarrow_exports_openssl.sh).
find_library(SODIUM_LIBRARY sodium REQUIRED)
find_path(SODIUM_INCLUDE_DIR sodium.h REQUIRED)
add_library(penchant_sodium INTERFACE)
target_include_directories(penchant_sodium SYSTEM INTERFACE ${SODIUM_INCLUDE_DIR})
target_link_libraries(penchant_sodium INTERFACE $<BUILD_INTERFACE:${SODIUM_LIBRARY}>)
find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)

include(PenchantHeaders)
# Arrow: the wheel in the project's own virtual environment first, then whatever find_package(Arrow) knows.
set(PENCHANT_PYTHON "${PROJECT_SOURCE_DIR}/build/venv/bin/python" CACHE FILEPATH "Python that has pyarrow installed")
if(SKBUILD)  # the interpreter that the wheel is for
  set(PENCHANT_PYTHON "${Python_EXECUTABLE}")
endif()
add_library(penchant_arrow INTERFACE)
if(EXISTS "${PENCHANT_PYTHON}")
  execute_process(COMMAND "${PENCHANT_PYTHON}" -c "import importlib.util as util, os
for name in ('pyarrow', 'plotly', 'assorthead'):
  spec = util.find_spec(name)
  print(f'set({name}_folder \"{os.path.dirname(spec.origin)}\")' if spec else '')"
                  OUTPUT_VARIABLE python_packages ERROR_QUIET)
  cmake_language(EVAL CODE "${python_packages}")
  set(PYARROW_DIR "${pyarrow_folder}")
endif()
if(PYARROW_DIR)
  file(GLOB ARROW_LIBRARY "${PYARROW_DIR}/libarrow.so.*")
  file(GLOB PARQUET_LIBRARY "${PYARROW_DIR}/libparquet.so.*")
  penchant_headers(${PYARROW_DIR}/include arrow_headers)
  target_include_directories(penchant_arrow SYSTEM INTERFACE ${arrow_headers})
  target_link_libraries(penchant_arrow INTERFACE $<BUILD_INTERFACE:${ARROW_LIBRARY}> $<BUILD_INTERFACE:${PARQUET_LIBRARY}>)
else()
  find_package(Arrow REQUIRED)
  find_package(Parquet REQUIRED)
  target_link_libraries(penchant_arrow INTERFACE Arrow::arrow_shared Parquet::parquet_shared)
endif()

# The script that draws the charts of `penchant report`, from the plotly wheel in the same environment.
if(EXISTS "${plotly_folder}/package_data/plotly.min.js")
  set(PLOTLY_SCRIPT "${plotly_folder}/package_data/plotly.min.js")
endif()

# umappp and what it includes: headers that the assorthead package holds, in the same environment or elsewhere.
if(assorthead_folder)
  penchant_headers(${assorthead_folder}/include umappp_headers)
endif()
find_path(UMAPPP_INCLUDE_DIR umappp/umappp.hpp HINTS "${umappp_headers}" REQUIRED)
add_library(penchant_umappp INTERFACE)
target_include_directories(penchant_umappp SYSTEM INTERFACE ${UMAPPP_INCLUDE_DIR})
