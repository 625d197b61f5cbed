// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/calls_text.hpp - a stack in words, without weft's own calls. Each place is looked up once.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <weft/detail/task.hpp>

#include "debug/code_location.hpp"
#include "debug/stack_table.hpp"

namespace weft::detail {

class calls_text {
 public:
  // Without weft's own: those that wait, innermost, and those that start a fiber, outermost.
  [[nodiscard]] std::string of(const std::vector<std::uintptr_t>& calls) {
    std::size_t from = 0, to = calls.size();
    for (std::size_t i = 0; i < to; ++i)
      if (at(calls[i]).is_this) from = i + 1;
    while (from < to && is_machinery(calls[from])) ++from;
    while (to > from && is_machinery(calls[to - 1])) --to;
    if (from == to) from = 0, to = calls.size();
    std::string text;
    for (std::size_t i = from; i < to; ++i) text += "    " + at(calls[i]).text + "\n";
    if (calls.size() == stack_table::most_frames) text += "    ...\n";
    return text;
  }

  // The innermost call that is not weft's own, without where its code lies; empty: none is known.
  [[nodiscard]] std::string innermost(const std::vector<std::uintptr_t>& calls) {
    for (const std::uintptr_t call : calls) {
      if (is_machinery(call) || is_weft(call)) continue;
      const std::string& text = at(call).text;
      const std::size_t name = text.find(' ');
      const std::size_t end = text.rfind(" (");
      return name == std::string::npos ? text : text.substr(name + 1, end - name - 1);
    }
    return {};
  }

  // All that is known of a fiber that has not run yet.
  [[nodiscard]] std::string start(const task_operations* runs) {
    if (runs == nullptr) return {};
    return "    runs " + at(reinterpret_cast<std::uintptr_t>(runs->invoke) + 1).text + "\n";
  }

 private:
  struct place {
    std::string text;
    bool machinery, is_this, is_weft;
  };
  [[nodiscard]] bool is_machinery(std::uintptr_t address) { return at(address).machinery; }
  [[nodiscard]] bool is_weft(std::uintptr_t address) { return at(address).is_weft; }
  const place& at(std::uintptr_t address) {
    const auto [found, added] = known_.try_emplace(address);
    if (!added) return found->second;
    const void* const call = reinterpret_cast<const void*>(address - 1);
    const code_location where = locate(call);
    const std::string_view function = where.function;
    const bool ours =
        function.starts_with("_ZN4weft6detail") || function.starts_with("_ZNK4weft6detail");
    const bool runs_callable = function.starts_with("_ZN4weft6detail12run_callable");
    const bool is_weft = function.starts_with("_ZN4weft") || function.starts_with("_ZNK4weft");
    found->second = {describe_code(call), ours && !runs_callable,
                     function.starts_with("_ZN4weft5debug11dump_fibers"),
                     is_weft && !runs_callable};
    return found->second;
  }
  std::unordered_map<std::uintptr_t, place> known_;
};

}  // namespace weft::detail
