// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/code_location.hpp - an address of code in words: function and module.
//
//   1  the loader's tables (dladdr1)      exported functions
//   2  .symtab of the module's own file   static functions and lambdas, if it was not stripped
// Neither allocates, so a signal handler may ask. The loader's lock is taken: a fault inside dlopen
// could wait for ever, and is what we accept.
// Rejected: backtrace_symbols_fd (step 1 alone: it names next to nothing in an executable linked
// without -rdynamic).

#include <cstddef>
#include <string>

#include <weft/detail/export.hpp>

namespace weft::detail {

struct code_location {
  char function[256] = "";  // as the linker knows it, cut; empty if unknown
  std::size_t offset_in_function = 0;
  const char* module = nullptr;  // null: no code of this process
  // `module` is what the program was called by, which need not be a path to it
  bool of_program = false;
  std::size_t offset_in_module = 0;  // what addr2line -e module wants
};

/// AS-safe, as far as said above.
[[nodiscard]] code_location locate(const void* address) noexcept;

/// `(module+0x2f3)`: by its path, so that another tool can look there.
[[nodiscard]] std::string module_text(const code_location& at);

/// `0x7f.. function(int)+0x1f (module+0x2f3)`, demangled: allocates.
WEFT_API [[nodiscard]] std::string describe_code(const void* address);

}  // namespace weft::detail
