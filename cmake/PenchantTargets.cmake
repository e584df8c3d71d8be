# SPDX-License-Identifier: Apache-2.0
# Compile options shared by every target, and penchant_library(), which creates one static library of a folder.
add_library(penchant_options INTERFACE)
target_compile_options(penchant_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wconversion -Wshadow>)
if(PENCHANT_WERROR)
  target_compile_options(penchant_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(PENCHANT_SANITIZE)
  target_compile_options(penchant_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
                                                   -fno-omit-frame-pointer)
  target_link_options(penchant_options INTERFACE -fsanitize=address,undefined)
endif()

# penchant_library(NAME SOURCES ... PUBLIC_LINKS ... PRIVATE_LINKS ...)
function(penchant_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC_LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  string(REPLACE "penchant_" "" short ${name})
  add_library(penchant::${short} ALIAS ${name})
  set_target_properties(${name} PROPERTIES EXPORT_NAME ${short})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                            $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/penchant>)
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC_LINKS} PRIVATE $<BUILD_INTERFACE:penchant_options> ${ARG_PRIVATE_LINKS})
  set_property(GLOBAL APPEND PROPERTY PENCHANT_LIBRARIES ${name})
endfunction()

# penchant_public_headers(HEADERS ...): headers of this folder for users of the library; all others stay here.
function(penchant_public_headers)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set_property(GLOBAL APPEND PROPERTY PENCHANT_PUBLIC_HEADERS ${ARGN})
endfunction()

# penchant_precompile(TARGET HEADERS ...): headers of other libraries that most files of a target include. Each file still includes what
# it uses; PENCHANT_PRECOMPILE=OFF compiles it so.
function(penchant_precompile name)
  if(PENCHANT_PRECOMPILE)
    target_precompile_headers(${name} PRIVATE ${ARGN})
    target_compile_options(${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)  # for ccache
  endif()
endfunction()
