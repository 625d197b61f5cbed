# SPDX-License-Identifier: BSL-1.0
# Builds the Debian packages, has lintian look at them, unpacks them into a folder of their own and
# uses them there: a consumer by CMake, weft-trace on what it does. Compares what the shared library
# exports with test/package/exports.txt (exported_symbols.cmake writes it).
include(${CMAKE_CURRENT_LIST_DIR}/exported_symbols.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
foreach(program dpkg-buildpackage dh lintian)
  find_program(${program} ${program})
  if(NOT ${program})
    message(FATAL_ERROR
      "SKIPPED: there is no ${program}. Debian: apt-get install debhelper lintian")
  endif()
endforeach()

file(REMOVE_RECURSE ${WORK_DIR})
foreach(part CMakeLists.txt LICENSE README.md ARCHITECTURE.md CHANGELOG.md HACKING.md cmake debian
        docs examples include src tools)
  file(COPY ${ROOT}/${part} DESTINATION ${WORK_DIR}/weft PATTERN "__pycache__" EXCLUDE)
endforeach()
run(${CMAKE_COMMAND} -E chdir ${WORK_DIR}/weft ${dpkg-buildpackage} -b -us -uc -d)
file(GLOB changes ${WORK_DIR}/*.changes)
run(${lintian} --fail-on error,warning --allow-root ${changes})

file(GLOB packages ${WORK_DIR}/*.deb)
foreach(name libweft0.2 libweft-tls0.2 libweft-dev weft-tools libweft0.2-dbgsym
        libweft-tls0.2-dbgsym weft-tools-dbgsym)
  file(GLOB package ${WORK_DIR}/${name}_*.deb)
  if(NOT package)
    message(FATAL_ERROR "there is no package ${name}: ${packages}")
  endif()
  run(dpkg-deb -x ${package} ${WORK_DIR}/unpacked)
endforeach()

# ---- what it exports
file(GLOB library ${WORK_DIR}/unpacked/usr/lib/*/libweft.so.${VERSION})
cmake_path(GET library PARENT_PATH libdir)
execute_process(COMMAND readelf -d ${library} OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
if(NOT dynamic MATCHES "SONAME[^\n]*\\[libweft.so.0.2\\]")
  message(FATAL_ERROR "the soname is not libweft.so.0.2:\n${dynamic}")
endif()
exported_symbols(${library} symbols)
file(WRITE ${WORK_DIR}/exports.txt "${symbols}\n")
run(diff -u ${ROOT}/test/package/exports.txt ${WORK_DIR}/exports.txt)

# ---- and is used
set(ENV{LD_LIBRARY_PATH} ${libdir})
run(${CMAKE_COMMAND} -S ${SOURCE_DIR}/consumer -B ${WORK_DIR}/build -G ${GENERATOR}
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${WORK_DIR}/unpacked/usr
    -DWEFT_CONSUMER_VERSION=${VERSION} -DWEFT_CONSUMER_SHARED=ON
    -DWEFT_CONSUMER_COMPONENTS=asio,tls)
run(${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run(${CMAKE_CTEST_COMMAND} --test-dir ${WORK_DIR}/build --output-on-failure --no-tests=error)
set(trace ${WORK_DIR}/unpacked/usr/bin/weft-trace)
run(${trace} record -o ${WORK_DIR}/a.trace -- ${WORK_DIR}/build/consumer)
run(${trace} report ${WORK_DIR}/a.trace)
foreach(document README.md CHANGELOG.md docs/questions.md docs/guide/production.md docs/timeline.png
        docs/problems/hog.cpp examples/server.hpp)
  if(NOT EXISTS ${WORK_DIR}/unpacked/usr/share/doc/libweft-dev/${document})
    message(FATAL_ERROR "libweft-dev lacks ${document}")
  endif()
endforeach()
foreach(file share/man/man1/weft-trace.1.gz share/man/man1/weft-trace-record.1.gz
        share/bash-completion/completions/weft-trace)
  if(NOT EXISTS ${WORK_DIR}/unpacked/usr/${file})
    message(FATAL_ERROR "weft-tools lacks ${file}")
  endif()
endforeach()
