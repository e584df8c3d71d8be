# SPDX-License-Identifier: Apache-2.0
# Compile options shared by every target, and penchant_library(), which creates one static library of a folder, and with
# PENCHANT_SANITIZED_TESTS its twin with sanitizers (docs/decisions/0033-half-the-work.md).
# What is left out AddressSanitizer sees as well (null, object-size), or nothing here needs (vptr): a sixth of the time of compiling.
set(sanitizers -fsanitize=address,undefined -fno-sanitize=null,object-size,vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
add_library(penchant_options INTERFACE)
target_compile_options(penchant_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wconversion -Wshadow>)
if(PENCHANT_WERROR)
  target_compile_options(penchant_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(PENCHANT_SANITIZE)
  target_compile_options(penchant_options INTERFACE ${sanitizers})
  target_link_options(penchant_options INTERFACE -fsanitize=address,undefined)
endif()
if(PENCHANT_FUZZ)
  target_compile_options(penchant_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize-coverage=trace-pc,trace-cmp>)
endif()

# penchant_objects(TARGET VARIABLE): its property PENCHANT_OBJECTS, nothing for what has no twin.
function(penchant_objects name variable)
  set(${variable} "" PARENT_SCOPE)
  if(TARGET ${name})
    get_target_property(objects ${name} PENCHANT_OBJECTS)
    if(objects)
      set(${variable} "${objects}" PARENT_SCOPE)
    endif()
  endif()
endfunction()

function(penchant_copy_sources from to)
  get_target_property(sources ${from} SOURCES)
  get_target_property(folder ${from} SOURCE_DIR)
  foreach(source ${sources})
    if(NOT source MATCHES "TARGET_OBJECTS")
      cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${folder})
      target_sources(${to} PRIVATE ${source})
    endif()
  endforeach()
endfunction()

# penchant_twin(TARGET LINKS ...): TARGET_sanitized, objects of the same sources with sanitizers, and every warning an error. The
# property PENCHANT_OBJECTS of TARGET lists them and those of all that it needs. Who links them names them before all others: of
# each inline function the linker keeps the copy that comes first.
function(penchant_twin name)
  add_library(${name}_sanitized OBJECT)
  cmake_language(EVAL CODE "cmake_language(DEFER CALL penchant_copy_sources ${name} ${name}_sanitized)")  # rooms add theirs below
  target_link_libraries(${name}_sanitized PRIVATE ${ARGN} penchant_options)
  target_include_directories(${name}_sanitized PRIVATE $<TARGET_PROPERTY:${name},INCLUDE_DIRECTORIES>)
  target_compile_definitions(${name}_sanitized PRIVATE $<TARGET_PROPERTY:${name},COMPILE_DEFINITIONS>)
  target_compile_options(${name}_sanitized PRIVATE $<TARGET_PROPERTY:${name},COMPILE_OPTIONS> -O1 -g1 -UNDEBUG -D_GLIBCXX_ASSERTIONS -Werror ${sanitizers})
  set(objects $<TARGET_OBJECTS:${name}_sanitized>)
  foreach(library ${ARGN})
    penchant_objects(${library} below)
    list(APPEND objects ${below})
  endforeach()
  list(REMOVE_DUPLICATES objects)
  set_target_properties(${name} PROPERTIES PENCHANT_OBJECTS "${objects}")
endfunction()

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
  if(PENCHANT_SANITIZED_TESTS)
    penchant_twin(${name} ${ARG_PUBLIC_LINKS} ${ARG_PRIVATE_LINKS})
  endif()
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
    if(TARGET ${name}_sanitized)
      target_precompile_headers(${name}_sanitized PRIVATE ${ARGN})
    endif()
  endif()
endfunction()

# penchant_unity(TARGET FILES): compiles so many of its files as one, which parses what they include once (PENCHANT_UNITY=OFF: each by
# itself, as for an editor or to see that it includes what it uses). Names without linkage must differ within a folder.
function(penchant_unity name files)
  foreach(target ${name} ${name}_sanitized)
    if(TARGET ${target})
      set_target_properties(${target} PROPERTIES UNITY_BUILD ${PENCHANT_UNITY} UNITY_BUILD_BATCH_SIZE ${files})
      if(PENCHANT_UNITY)  # a class with a member of a type of its own file, which is none of a header's there
        target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
      endif()
    endif()
  endforeach()
endfunction()
