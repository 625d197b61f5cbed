// SPDX-License-Identifier: BSL-1.0
// debug/code_location.cpp - see the header.
#include "debug/code_location.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weft::detail {
namespace {

class mapped_file {
 public:
  explicit mapped_file(const char* path) noexcept {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    struct stat about{};
    if (fstat(fd, &about) == 0 && about.st_size > 0) {
      const auto size = static_cast<std::size_t>(about.st_size);
      void* const at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
      if (at != MAP_FAILED) bytes_ = {static_cast<const std::byte*>(at), size};
    }
    close(fd);
  }
  ~mapped_file() {
    if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;

  /// `count` objects at `offset`; empty if the file does not hold them, aligned.
  template <class T>
  [[nodiscard]] std::span<const T> objects(std::size_t offset, std::size_t count) const noexcept {
    if (offset > bytes_.size() || count > (bytes_.size() - offset) / sizeof(T)) return {};
    if (offset % alignof(T) != 0) return {};
    return {reinterpret_cast<const T*>(bytes_.data() + offset), count};
  }

 private:
  std::span<const std::byte> bytes_;
};

void copy_name(code_location& to, const char* name, std::size_t most) noexcept {
  const std::size_t n = std::min(strnlen(name, most), sizeof to.function - 1);
  std::memcpy(to.function, name, n);
  to.function[n] = '\0';
}

// `at`: the address as the file counts.
void read_symbols_of_file(code_location& out, const char* path, std::uintptr_t at) noexcept {
  const mapped_file file(path);
  const auto header = file.objects<ElfW(Ehdr)>(0, 1);
  if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0) return;
  const auto sections = file.objects<ElfW(Shdr)>(header[0].e_shoff, header[0].e_shnum);
  for (const ElfW(Shdr) & section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    const ElfW(Shdr)& names_in = sections[section.sh_link];
    const auto names = file.objects<char>(names_in.sh_offset, names_in.sh_size);
    const auto symbols =
        file.objects<ElfW(Sym)>(section.sh_offset, section.sh_size / sizeof(ElfW(Sym)));
    for (const ElfW(Sym) & s : symbols) {
      if ((s.st_info & 0xf) != STT_FUNC || at < s.st_value || at - s.st_value >= s.st_size)
        continue;
      if (s.st_name >= names.size()) continue;
      copy_name(out, names.data() + s.st_name, names.size() - s.st_name);
      out.offset_in_function = at - s.st_value;
      return;
    }
  }
}

// The reader may look for the file.
std::string path_of(const code_location& at) {
  char path[4096];
  const ssize_t n = at.of_program ? readlink("/proc/self/exe", path, sizeof path) : 0;
  return n > 0 ? std::string(path, static_cast<std::size_t>(n)) : at.module;
}

}  // namespace

code_location locate(const void* address) noexcept {
  code_location out;
  Dl_info info{};
  link_map* map = nullptr;
  if (dladdr1(address, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) == 0) return out;
  if (map == nullptr || info.dli_fname == nullptr) return out;
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  out.module = info.dli_fname;
  out.offset_in_module = at - map->l_addr;
  out.of_program = map->l_name == nullptr || map->l_name[0] == '\0';
  if (info.dli_sname != nullptr) {
    copy_name(out, info.dli_sname, sizeof out.function);
    out.offset_in_function = at - reinterpret_cast<std::uintptr_t>(info.dli_saddr);
  } else {
    read_symbols_of_file(out, out.of_program ? "/proc/self/exe" : map->l_name,
                         out.offset_in_module);
  }
  return out;
}

std::string module_text(const code_location& at) {
  if (at.module == nullptr) return "(unknown)";
  char text[32];
  std::snprintf(text, sizeof text, "+0x%zx)", at.offset_in_module);
  return "(" + path_of(at) + text;
}

std::string describe_code(const void* address) {
  char text[64];
  std::snprintf(text, sizeof text, "%p ", address);
  std::string out = text;
  const code_location at = locate(address);
  if (at.module == nullptr) return out + "?";
  if (at.function[0] != '\0') {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> clear(
        abi::__cxa_demangle(at.function, nullptr, nullptr, &status), &std::free);
    std::snprintf(text, sizeof text, "+0x%zx ", at.offset_in_function);
    out += clear != nullptr ? clear.get() : at.function;
    out += text;
  }
  return out + module_text(at);
}

}  // namespace weft::detail
