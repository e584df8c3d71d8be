# SPDX-License-Identifier: Apache-2.0
# penchant_headers(FOLDER VARIABLE): the headers of a Python package. That folder, or for pip's builds a copy in the build folder: pip
# installs what a build needs in another place each time, as new files. The copy changes with their contents only, so that the library's
# objects serve every build and every Python.
function(penchant_headers folder variable)
  if(SKBUILD)
    cmake_path(GET folder PARENT_PATH package)
    cmake_path(GET package FILENAME name)
    set(copy ${PROJECT_BINARY_DIR}/packages/${name})
    file(GLOB_RECURSE headers RELATIVE ${folder} ${folder}/*)
    foreach(header ${headers})
      cmake_path(GET header PARENT_PATH below)
      file(MAKE_DIRECTORY ${copy}/${below})
      file(COPY_FILE ${folder}/${header} ${copy}/${header} ONLY_IF_DIFFERENT)
    endforeach()
    set(folder ${copy})
  endif()
  set(${variable} ${folder} PARENT_SCOPE)
endfunction()
