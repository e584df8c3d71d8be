# SPDX-License-Identifier: Apache-2.0
# Install rules: the program, the static libraries with find_package(penchant), the public headers, and Arrow's libraries where
# they came with the pyarrow wheel.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/penchant)
set(PENCHANT_PRIVATE_LIBDIR ${CMAKE_INSTALL_LIBDIR}/penchant)

get_property(penchant_libraries GLOBAL PROPERTY PENCHANT_LIBRARIES)
install(TARGETS ${penchant_libraries} EXPORT penchantTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT penchantTargets NAMESPACE penchant:: DESTINATION ${package_dir})

foreach(folder graph partition kernels models)
  install(DIRECTORY ${folder}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/penchant/${folder}
          FILES_MATCHING PATTERN "*.h" PATTERN cpu EXCLUDE PATTERN cuda EXCLUDE PATTERN boost_graph.h EXCLUDE)
endforeach()
get_property(public_headers GLOBAL PROPERTY PENCHANT_PUBLIC_HEADERS)
foreach(header ${public_headers})
  cmake_path(RELATIVE_PATH header BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE place)
  cmake_path(GET place PARENT_PATH folder)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/penchant/${folder})
endforeach()
install(FILES ${PROJECT_BINARY_DIR}/generated/pipeline/artifact/version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/penchant/pipeline/artifact)

if(ARROW_LIBRARY)
  file(GLOB arrow_files "${PYARROW_DIR}/libarrow.so.*" "${PYARROW_DIR}/libparquet.so.*")
  install(FILES ${arrow_files} DESTINATION ${PENCHANT_PRIVATE_LIBDIR})
endif()
set_target_properties(penchant PROPERTIES INSTALL_RPATH "$ORIGIN/../${PENCHANT_PRIVATE_LIBDIR}")
install(TARGETS penchant RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

if(PENCHANT_CUDA)
  install(TARGETS penchant_cuda LIBRARY DESTINATION ${PENCHANT_PRIVATE_LIBDIR})
endif()

configure_package_config_file(cmake/penchantConfig.cmake.in ${PROJECT_BINARY_DIR}/penchantConfig.cmake
                              INSTALL_DESTINATION ${package_dir} PATH_VARS PENCHANT_PRIVATE_LIBDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/penchantConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/penchantConfig.cmake ${PROJECT_BINARY_DIR}/penchantConfigVersion.cmake
        DESTINATION ${package_dir})
