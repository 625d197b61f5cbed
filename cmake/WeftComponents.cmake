# SPDX-License-Identifier: BSL-1.0
# The optional parts: components/NAME.cmake makes weft::NAME from what it finds, or sets `reason`.
# Here for weft's own build and those around it; installed, weftConfig.cmake includes the same file.

# weft_component(NAME): a part without code of ours, made from the file alone.
function(weft_component name)
  set(weft_imported_scope GLOBAL)  # for the project around
  if(NOT TARGET weft::${name})
    include(${PROJECT_SOURCE_DIR}/cmake/components/${name}.cmake)
  endif()
  set_property(GLOBAL APPEND PROPERTY weft_components ${name})
endfunction()

# weft_component_library(NAME): the target weft_NAME is weft::NAME. Its components/NAME.cmake finds
# its dependencies and includes ${here}/NAMETargets.cmake.
function(weft_component_library name)
  add_library(weft::${name} ALIAS weft_${name})
  set_target_properties(weft_${name} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY weft_components ${name})
  set_property(GLOBAL APPEND PROPERTY weft_component_libraries ${name})
endfunction()

weft_component(jemalloc)
weft_component(asio)

# For weft's own executables: jemalloc where it exists and no sanitizer owns malloc.
function(weft_link_executable target)
  target_link_libraries(${target} PRIVATE weft::weft)
  if(TARGET weft::jemalloc AND NOT WEFT_SANITIZE)
    target_link_libraries(${target} PRIVATE weft::jemalloc)
  endif()
  weft_separate_debug(${target})
endfunction()
