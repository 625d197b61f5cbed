// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/symbols.cpp - the function by the symbol table; the line by the innermost
// inlined call that was written outside weft's headers, for spawn() itself is inlined into its
// caller.
#include "reader/symbols.hpp"

#include "reader/machinery.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <fmt/format.h>

namespace weft::tools {
namespace {

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> clear(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
  return status == 0 && clear != nullptr ? clear.get() : name;
}

bool is_weft_header(std::string_view file) {
  return file.find("/weft/") != std::string_view::npos && file.ends_with(".hpp");
}

// The compilation unit of an address. libdw finds it by .debug_aranges, which clang does not write:
// then each is asked.
Dwarf_Die* unit_at(Dwfl_Module* module, Dwarf_Addr address, Dwarf_Addr& bias) {
  if (Dwarf_Die* const unit = dwfl_module_addrdie(module, address, &bias)) return unit;
  Dwarf_Die* unit = nullptr;
  while ((unit = dwfl_module_nextcu(module, unit, &bias)) != nullptr)
    if (dwarf_haspc(unit, address - bias) > 0) break;
  return unit;
}

// The line of the code itself; empty if unknown.
source_line line_at(Dwarf_Die* unit, Dwarf_Addr address_in_file) {
  source_line out;
  Dwarf_Line* const line = dwarf_getsrc_die(unit, address_in_file);
  const char* const file = line != nullptr ? dwarf_linesrc(line, nullptr, nullptr) : nullptr;
  if (file != nullptr && dwarf_lineno(line, &out.line) == 0) out.file = file;
  return out;
}

// Where the innermost inlined call that stands outside weft's headers was written.
void find_caller(scope_index& scopes, Dwarf_Die* unit, std::uint64_t address, source_line& out) {
  Dwarf_Files* files = nullptr;
  std::size_t file_count = 0;
  if (dwarf_getsrcfiles(unit, &files, &file_count) != 0) return;
  for (Dwarf_Die& scope : scopes.around(unit, address)) {
    if (dwarf_tag(&scope) != DW_TAG_inlined_subroutine) continue;
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    if (dwarf_formudata(dwarf_attr(&scope, DW_AT_call_file, &attribute), &file) != 0) continue;
    if (dwarf_formudata(dwarf_attr(&scope, DW_AT_call_line, &attribute), &line) != 0) continue;
    const char* const name = dwarf_filesrc(files, file, nullptr, nullptr);
    if (name == nullptr || is_weft_header(name)) continue;
    out.file = name;
    out.line = static_cast<int>(line);
    break;
  }
}

bool is_library(std::string_view file) {
  return is_weft_header(file) || file.find("/include/c++/") != std::string_view::npos;
}

// A callable that the compiler put into weft's own call of it, as the call's name has it:
// run_callable<main::{lambda()#1}>.
std::string without_the_shell(std::string name) {
  constexpr std::string_view shell = "weft::detail::run_callable<";
  const std::size_t at = name.find(shell);
  if (at == std::string::npos) return name;
  int depth = 1;
  for (std::size_t i = at + shell.size(); i < name.size(); ++i) {
    if (name[i] == '<') ++depth;
    if (name[i] == '>' && --depth == 0)
      return name.substr(at + shell.size(), i - at - shell.size());
  }
  return name;
}

const char* name_of(Dwarf_Die* inlined) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_name})
    if (dwarf_attr_integrate(inlined, name, &attribute) != nullptr)
      if (const char* text = dwarf_formstring(&attribute)) return text;
  return "?";
}

}  // namespace

std::string source_line::line_text() const {
  return file.empty() ? function : fmt::format("{}:{}", file.substr(file.rfind('/') + 1), line);
}
std::string source_line::text() const {
  return file.empty() ? function : fmt::format("{} ({})", function, line_text());
}

symbols::symbols(const std::vector<trace_module>& modules)
    : libdw_(std::make_unique<machinery>()), modules_(modules) {
  libdw_->callbacks.find_debuginfo = &dwfl_standard_find_debuginfo;
  libdw_->callbacks.section_address = &dwfl_offline_section_address;
  libdw_->session = dwfl_begin(&libdw_->callbacks);
  if (libdw_->session == nullptr) return;
  dwfl_report_begin(libdw_->session);
  for (const trace_module& m : modules_)
    if (m.fits && !m.path.empty() && m.path[0] == '/')
      static_cast<void>(
          dwfl_report_elf(libdw_->session, m.path.c_str(), m.path.c_str(), -1, m.begin, true));
  dwfl_report_end(libdw_->session, nullptr, nullptr);
}
symbols::~symbols() {
  if (libdw_->session != nullptr) dwfl_end(libdw_->session);
}

const source_line& symbols::at(std::uint64_t address) {
  const auto [found, added] = known_.try_emplace(address);
  source_line& out = found->second;
  if (!added) return out;
  const std::uint64_t call = address - 1;
  Dwfl_Module* const module =
      libdw_->session != nullptr ? dwfl_addrmodule(libdw_->session, call) : nullptr;
  if (module != nullptr) {
    if (const char* name = dwfl_module_addrname(module, call)) {
      const std::string full = demangled(name);
      out.function = without_the_shell(full);
      out.is_callable = out.function != full;
    }
    Dwarf_Addr bias = 0;
    if (Dwarf_Die* const unit = unit_at(module, call, bias)) {
      find_caller(libdw_->scopes, unit, call - bias, out);
      if (out.file.empty())
        if (const source_line here = line_at(unit, call - bias); !is_weft_header(here.file))
          out.file = here.file, out.line = here.line;
    }
  }
  if (out.function.empty()) {
    out.function = fmt::format("{:#x}", address);
    for (const trace_module& m : modules_)
      if (address >= m.begin && address < m.end) {
        const std::size_t slash = m.path.rfind('/');
        out.function = fmt::format(
            "{}+{:#x}", m.path.substr(slash == std::string::npos ? 0 : slash + 1), call - m.begin);
      }
  }
  return out;
}

// Each inlined call is a call: it stands in the line of the one around it.
void symbols::inlined_calls(std::uint64_t address, std::vector<source_line>& out) {
  const std::uint64_t call = address - 1;
  Dwfl_Module* const module =
      libdw_->session != nullptr ? dwfl_addrmodule(libdw_->session, call) : nullptr;
  Dwarf_Addr bias = 0;
  Dwarf_Die* const unit = module != nullptr ? unit_at(module, call, bias) : nullptr;
  Dwarf_Files* files = nullptr;
  std::size_t file_count = 0;
  if (unit == nullptr || dwarf_getsrcfiles(unit, &files, &file_count) != 0)
    return out.push_back(at(address));
  source_line here = line_at(unit, call - bias);
  for (Dwarf_Die& scope : libdw_->scopes.around(unit, call - bias)) {
    if (dwarf_tag(&scope) == DW_TAG_subprogram) break;
    if (dwarf_tag(&scope) != DW_TAG_inlined_subroutine) continue;
    here.function = demangled(name_of(&scope));
    if (!is_library(here.file)) out.push_back(here);
    Dwarf_Attribute attribute;
    Dwarf_Word file = 0, line = 0;
    const bool known =
        dwarf_formudata(dwarf_attr(&scope, DW_AT_call_file, &attribute), &file) == 0 &&
        dwarf_formudata(dwarf_attr(&scope, DW_AT_call_line, &attribute), &line) == 0;
    const char* const name = known ? dwarf_filesrc(files, file, nullptr, nullptr) : nullptr;
    here.file = name != nullptr ? name : "";
    here.line = static_cast<int>(line);
  }
  here.function = at(address).function;
  here.is_callable = at(address).is_callable;
  if (is_library(here.file)) here.file.clear();
  out.push_back(here);
}

}  // namespace weft::tools
