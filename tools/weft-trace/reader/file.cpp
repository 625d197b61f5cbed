// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/file.cpp - a trace from disk, and whether the programs it speaks of are
// still those that wrote it, and for its machine.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <elf.h>
#include <sys/stat.h>

#include "reader/reader.hpp"

namespace weft::tools {
namespace {

using detail::trace::machine;

// Of an ELF file; unknown: it is none, or of a third machine.
machine machine_of(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  Elf64_Ehdr head;
  if (file == nullptr || std::fread(&head, sizeof head, 1, file.get()) != 1 ||
      std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
    return machine::unknown;
  return head.e_machine == EM_X86_64    ? machine::x86_64
         : head.e_machine == EM_AARCH64 ? machine::aarch64
                                        : machine::unknown;
}

const char* name_of(machine m) { return m == machine::x86_64 ? "x86-64" : "aarch64"; }

// A trace that was copied from another machine names paths that may be this one's, too.
void look_for_other_machines(trace& t) {
  if (t.machine != machine::x86_64 && t.machine != machine::aarch64) return;
  for (trace_module& m : t.modules) {
    if (m.path.empty() || m.path[0] != '/') continue;
    const machine here = machine_of(m.path);
    if (here == machine::unknown || here == t.machine) continue;
    m.fits = false;
    t.problems.push_back(m.path + " is for " + name_of(here) + " here, and the trace was made on " +
                         name_of(t.machine) + ": its functions are shown as addresses");
  }
}

// Code that was built since is not where the trace says.
void look_for_newer_modules(trace& t) {
  for (const trace_module& m : t.modules) {
    struct stat s;
    if (!m.fits || m.path.empty() || m.path[0] != '/' || stat(m.path.c_str(), &s) != 0) continue;
    const std::uint64_t built = static_cast<std::uint64_t>(s.st_mtim.tv_sec) * 1'000'000'000 +
                                static_cast<std::uint64_t>(s.st_mtim.tv_nsec);
    if (built > t.realtime_ns)
      t.problems.push_back(m.path +
                           " is newer than the trace: names of its functions may be wrong");
  }
}

}  // namespace

trace read_trace_file(const std::string& path) {
  const auto failed = [&](const char* what) {
    trace t;
    t.error = path + ": " + what;
    return t;
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (file == nullptr) return failed(std::strerror(errno));
  std::vector<std::byte> all;
  std::vector<std::byte> some(1U << 20U);
  while (const std::size_t n = std::fread(some.data(), 1, some.size(), file.get()))
    all.insert(all.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(n));
  if (std::ferror(file.get()) != 0) return failed(std::strerror(errno));
  trace t = read_trace(all);
  look_for_other_machines(t);
  look_for_newer_modules(t);
  if (!t.error.empty()) t.error = path + ": " + t.error;
  return t;
}

}  // namespace weft::tools
