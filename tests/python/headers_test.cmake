# SPDX-License-Identifier: Apache-2.0
# cmake -DHEADERS=cmake/PenchantHeaders.cmake -P headers_test.cmake: the headers of two builds by pip, in another folder each and new
# files, are one old file in the build folder until their contents change.
cmake_minimum_required(VERSION 3.25)
include(${HEADERS})
set(folder ${CMAKE_CURRENT_BINARY_DIR}/headers_test)
file(REMOVE_RECURSE ${folder})
set(PROJECT_BINARY_DIR ${folder}/build)
foreach(environment one two three)
  file(WRITE ${folder}/${environment}/pyarrow/include/arrow/api.h "#pragma once\n")
endforeach()
file(APPEND ${folder}/three/pyarrow/include/arrow/api.h "int added;\n")

function(expect what)
  if(NOT (${ARGN}))
    message(FATAL_ERROR "${what}: not ${ARGN}")
  endif()
endfunction()

penchant_headers(${folder}/one/pyarrow/include plain)
expect("outside of pip's builds" plain STREQUAL ${folder}/one/pyarrow/include)

set(SKBUILD 2)
foreach(environment one two three)
  penchant_headers(${folder}/${environment}/pyarrow/include ${environment})
  file(TIMESTAMP ${${environment}}/arrow/api.h ${environment}_time "%s")
  file(READ ${${environment}}/arrow/api.h ${environment}_text)
  execute_process(COMMAND touch -d @1000000000 ${${environment}}/arrow/api.h COMMAND_ERROR_IS_FATAL ANY)
endforeach()
expect("the first build" one_text STREQUAL "#pragma once\n")
expect("the same place" one STREQUAL two AND one STREQUAL three)
expect("the same file" two_time EQUAL 1000000000)
expect("new contents" three_text MATCHES "added" AND three_time GREATER 1000000000)
