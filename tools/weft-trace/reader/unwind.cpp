// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/unwind.cpp - the calls a stack sample shows, walked by libdw with the
// unwind tables of the program's files. To libdw the sample is a process with one thread; memory
// outside the sample cannot be read, and ends the walk.
#include <cstring>

#include "reader/machinery.hpp"
#include "trace/stack_sample.hpp"

namespace weft::tools {
namespace {

namespace format = detail::trace;
constexpr pid_t the_thread = 1;
constexpr std::size_t most_frames = 64, link_register = 30;

}  // namespace

// A member, so that libdw's C callbacks may look into it.
std::vector<std::uint64_t> symbols::unwind(std::string_view sample) {
  format::stack_sample_head head{};
  if (sample.size() < sizeof head) return {};
  std::memcpy(&head, sample.data(), sizeof head);
  const bool x86 =
      head.kind == format::machine::x86_64 && head.registers == format::x86_64_registers;
  const bool arm =
      head.kind == format::machine::aarch64 && head.registers == format::aarch64_registers;
  if ((!x86 && !arm) || sample.size() < sizeof head + std::size_t{8} * head.registers) return {};
  machinery& m = *libdw_;
  m.is_x86_64 = x86;
  std::memcpy(m.registers, sample.data() + sizeof head, std::size_t{8} * head.registers);
  if (arm) m.registers[link_register] = m.plain(m.registers[link_register]);
  m.stack = sample.substr(sizeof head + std::size_t{8} * head.registers);
  m.stack_begin = m.registers[x86 ? format::x86_64_sp : format::aarch64_sp];
  const std::uint64_t here = m.registers[x86 ? format::x86_64_pc : format::aarch64_pc];

  static const Dwfl_Thread_Callbacks callbacks = {
      .next_thread = [](Dwfl*, void* arg, void** thread_arg) -> pid_t {
        if (*thread_arg != nullptr) return 0;
        *thread_arg = arg;
        return the_thread;
      },
      .get_thread = nullptr,
      .memory_read =
          [](Dwfl*, Dwarf_Addr address, Dwarf_Word* result, void* arg) {
            const machinery& of = *static_cast<machinery*>(arg);
            const std::uint64_t at = address - of.stack_begin;
            if (address < of.stack_begin || of.stack.size() < sizeof *result ||
                at > of.stack.size() - sizeof *result)
              return false;
            std::memcpy(result, of.stack.data() + at, sizeof *result);
            *result = of.plain(*result);
            return true;
          },
      .set_initial_registers =
          [](Dwfl_Thread* thread, void* arg) {
            const machinery& of = *static_cast<machinery*>(arg);
            if (of.is_x86_64)
              return dwfl_thread_state_registers(thread, 0, format::x86_64_registers, of.registers);
            dwfl_thread_state_register_pc(thread, of.registers[format::aarch64_pc]);
            return dwfl_thread_state_registers(thread, 0, format::aarch64_pc, of.registers);
          },
      .detach = nullptr,
      .thread_detach = nullptr,
  };
  std::vector<std::uint64_t> frames;
  if (!m.attached && !m.cannot_attach) {
    m.attached =
        m.session != nullptr && dwfl_attach_state(m.session, nullptr, the_thread, &callbacks, &m);
    m.cannot_attach = !m.attached;
  }
  if (m.attached)
    dwfl_getthread_frames(
        m.session, the_thread,
        [](Dwfl_Frame* frame, void* arg) -> int {
          auto& out = *static_cast<std::vector<std::uint64_t>*>(arg);
          Dwarf_Addr pc = 0;
          bool is_interrupted = false;
          if (!dwfl_frame_pc(frame, &pc, &is_interrupted) || pc == 0) return DWARF_CB_ABORT;
          // `at` looks for the call before a return address; what was interrupted has none.
          out.push_back(is_interrupted ? pc + 1 : pc);
          return out.size() < most_frames ? DWARF_CB_OK : DWARF_CB_ABORT;
        },
        &frames);
  if (frames.empty()) frames.push_back(here + 1);
  return frames;
}

std::vector<std::string> symbols::calls(std::string_view sample) {
  std::vector<source_line> all;
  std::vector<std::string> out;
  for (const std::uint64_t address : unwind(sample)) {
    // A callable that ends with a call may have no frame of its own.
    const std::string& function = at(address).function;
    if (function.find("(anonymous namespace)::run_fibers(") != std::string::npos ||
        function.find("(anonymous namespace)::fiber_entry(") != std::string::npos)
      break;
    inlined_calls(address, all);
  }
  for (const source_line& place : all) {
    // The callable is the last of the application's; of a function's address, only the name of its
    // type is known.
    if (place.is_callable && place.file.empty()) break;
    out.push_back(place.text());
    if (place.is_callable) break;
  }
  return out;
}

}  // namespace weft::tools
