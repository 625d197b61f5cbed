// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/symbols.hpp - code addresses of the traced program as names: by the
// modules the trace lists, which must still be where they were. libdw reads symbols and debug
// information.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "reader/reader.hpp"

namespace weft::tools {

struct source_line {
  std::string function;  // demangled; "module+0x12" if nothing is known
  // of the nearest line that is not weft's own header; empty without debug information
  std::string file;
  int line = 0;
  bool is_callable = false;  // weft's call of what a fiber was made of: `function` is that
  [[nodiscard]] std::string text() const;  // "function (file:line)"
  // "file:line", or the function if that is all there is
  [[nodiscard]] std::string line_text() const;
};

class symbols {
 public:
  explicit symbols(const std::vector<trace_module>& modules);
  ~symbols();
  symbols(const symbols&) = delete;
  symbols& operator=(const symbols&) = delete;
  /// `address`: a return address; what is looked up is the call before it.
  [[nodiscard]] const source_line& at(std::uint64_t address);
  /// The calls that a stack sample (trace/stack_sample.hpp) shows, innermost first, to the fiber's
  /// own callable; as far as the bytes of the stack that were kept go. Empty if the sample makes no
  /// sense.
  [[nodiscard]] std::vector<std::string> calls(std::string_view stack_sample);

 private:
  struct machinery;
  void inlined_calls(std::uint64_t address, std::vector<source_line>& out);
  [[nodiscard]] std::vector<std::uint64_t> unwind(std::string_view stack_sample);
  std::unique_ptr<machinery> libdw_;
  std::vector<trace_module> modules_;
  std::unordered_map<std::uint64_t, source_line> known_;
};

}  // namespace weft::tools
