# SPDX-License-Identifier: Apache-2.0
# Install rules: the program, the static libraries with find_package(penchant), the public headers, and Arrow's libraries where
# they came with the pyarrow wheel.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/penchant)
set(PENCHANT_PRIVATE_LIBDIR ${CMAKE_INSTALL_LIBDIR}/penchant)

get_property(penchant_libraries GLOBAL PROPERTY PENCHANT_LIBRARIES)
install(TARGETS ${penchant_libraries} EXPORT penchantTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT penchantTargets NAMESPACE penchant:: DESTINATION ${package_dir})

foreach(folder graph partition kernels models pipeline)
  install(DIRECTORY ${folder}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/penchant/${folder}
          FILES_MATCHING PATTERN "*.h" PATTERN cpu EXCLUDE PATTERN cuda EXCLUDE PATTERN boost_graph.h EXCLUDE PATTERN verbs.h EXCLUDE
                         PATTERN tables.h EXCLUDE PATTERN plain_text.h EXCLUDE PATTERN arrow_status.h EXCLUDE
                         PATTERN arrow_cells.h EXCLUDE PATTERN typed_rows.h EXCLUDE
                         PATTERN log_block.h EXCLUDE PATTERN block_stages.h EXCLUDE)
endforeach()
install(FILES ${PROJECT_BINARY_DIR}/generated/pipeline/version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/penchant/pipeline)

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
