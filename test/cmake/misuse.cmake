# SPDX-License-Identifier: BSL-1.0
# A misuse must be refused by the compiler, with the words the file promises to its author.
cmake_minimum_required(VERSION 3.25)
file(STRINGS ${FILE} expectations REGEX "^// expect: ")
if(NOT expectations)
  message(FATAL_ERROR "${FILE} states no '// expect: text' line")
endif()
# `// flags: ...` come last, and so count.
file(STRINGS ${FILE} flags REGEX "^// flags: ")
string(REPLACE "// flags: " "" flags "${flags}")
separate_arguments(flags UNIX_COMMAND "${flags}")
execute_process(COMMAND ${COMPILER} -std=c++20 -Werror -fsyntax-only -I${INCLUDE} ${flags} ${FILE}
                RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
if(result EQUAL 0)
  message(FATAL_ERROR "${FILE} compiles, and must not")
endif()
foreach(line IN LISTS expectations)
  string(REPLACE "// expect: " "" expected "${line}")
  string(FIND "${text}" "${expected}" found)
  if(found EQUAL -1)
    message(FATAL_ERROR "${FILE} is refused without '${expected}':\n${text}")
  endif()
endforeach()
