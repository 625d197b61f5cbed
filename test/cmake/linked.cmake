# SPDX-License-Identifier: BSL-1.0
# A program compiled otherwise than the library must not link, and the linker's message must say
# why.
cmake_minimum_required(VERSION 3.25)
set(flags_abi -D_GLIBCXX_USE_CXX11_ABI=0)
set(expect_abi weft_is_not_built_with_GLIBCXX_USE_CXX11_ABI_0_as_this_program_is)
set(flags_debug -D_GLIBCXX_DEBUG)
set(expect_debug weft_is_built_without_GLIBCXX_DEBUG_and_this_program_with_it)
set(flags_asan -fsanitize=address)
set(expect_asan weft_is_built_without_AddressSanitizer_and_this_program_with_it)
set(flags_tsan -fsanitize=thread)
set(expect_tsan weft_is_built_without_ThreadSanitizer_and_this_program_with_it)
set(flags_plain)
set(expect_plain "weft_is_built_with_(Address|Thread)Sanitizer_and_this_program_without_it")

set(file ${WORK_DIR}/${DIFFERENCE}.cpp)
file(WRITE ${file} [[
#include <weft/options.hpp>
#include <weft/version.hpp>
int main() { return weft::version() == nullptr; }
]])
execute_process(
  COMMAND ${COMPILER} -std=c++20 ${flags_${DIFFERENCE}} -I${INCLUDE} ${file} ${LIBRARY}
          -o ${file}.out
  RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
if(result EQUAL 0)
  message(FATAL_ERROR "a program with '${flags_${DIFFERENCE}}' links, and must not")
endif()
if(NOT text MATCHES "${expect_${DIFFERENCE}}")
  message(FATAL_ERROR "refused without '${expect_${DIFFERENCE}}':\n${text}")
endif()
