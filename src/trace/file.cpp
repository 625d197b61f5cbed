// SPDX-License-Identifier: BSL-1.0
// trace/file.cpp - chunks and tables, onto a descriptor.
#include "trace/file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <link.h>
#include <unistd.h>

#include "os/errno_guard.hpp"
#include "os/output_file.hpp"
#include "trace/call_sites.hpp"
#include "trace/clock.hpp"
#include "trace/event.hpp"
#include "trace/reason.hpp"
#include "trace/recorder.hpp"

namespace weft::detail::trace {
namespace {

template <class T>
std::span<const std::byte> bytes_of(const T& t) noexcept {
  return {reinterpret_cast<const std::byte*>(&t), sizeof t};
}

struct module {
  std::uint64_t begin, end;
  char path[256];
};
constexpr std::uint32_t most_modules = 256;
constinit module module_list[most_modules] = {};
constinit std::uint32_t module_count = 0;

int note_module(dl_phdr_info* info, std::size_t, void*) {
  if (module_count == most_modules) return 1;
  module& m = module_list[module_count];
  m.begin = m.end = info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; ++i)
    if (info->dlpi_phdr[i].p_type == PT_LOAD)
      m.end = std::max<std::uint64_t>(
          m.end, info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz);
  const char* const name = info->dlpi_name != nullptr ? info->dlpi_name : "";
  const std::size_t n = strnlen(name, sizeof m.path - 1);
  std::memcpy(m.path, name, n);
  m.path[n] = '\0';
  // The program itself has no name here.
  if (n == 0)
    if (const ssize_t r = readlink("/proc/self/exe", m.path, sizeof m.path - 1); r > 0)
      m.path[r] = '\0';
  ++module_count;
  return 0;
}

}  // namespace

void refresh_modules() noexcept {
  module_count = 0;
  dl_iterate_phdr(&note_module, nullptr);
}

int trace_file::open(const char* path) noexcept {
  fd_ = os::open_output(path, 0644);
  error_ = fd_ < 0 ? -fd_ : 0;
  size_ = 0;
  used_ = 0;
  return error_;
}

int trace_file::close() noexcept {
  if (fd_ >= 0 && ::close(fd_) != 0 && error_ == 0) error_ = os::error_number();
  fd_ = -1;
  return error_;
}

void trace_file::write_all(std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty() && error_ == 0) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && os::error_number() != EINTR) error_ = os::error_number();
    if (n <= 0) continue;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    size_ += static_cast<std::uint64_t>(n);
  }
}

void trace_file::chunk(chunk_kind kind, bytes first, bytes second, bytes third) noexcept {
  chunk_header h{};
  h.magic = chunk_magic;
  h.kind = kind;
  h.size = static_cast<std::uint32_t>(first.size() + second.size() + third.size());
  h.checksum = base::crc32c(third, base::crc32c(second, checksum_of(h, first)));
  write_all(bytes_of(h));
  for (const bytes part : {first, second, third}) write_all(part);
}

void trace_file::header(std::uint32_t flags) noexcept {
  file_header h{};
  std::memcpy(h.magic, file_magic, sizeof h.magic);
  h.version = file_version;
  h.revision = file_revision;
  h.byte_order = byte_order_mark;
  h.size = sizeof h;
  h.flags = flags | static_cast<std::uint32_t>(this_machine) << machine_shift;
  h.ticks_per_second = ticks_per_second();
  const clock_pair now = clocks_now();
  h.ticks = now.ticks;
  h.monotonic_ns = static_cast<std::uint64_t>(now.ns);
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  h.realtime_ns = static_cast<std::uint64_t>(wall.tv_sec) * 1'000'000'000 +
                  static_cast<std::uint64_t>(wall.tv_nsec);
  h.pid = static_cast<std::uint32_t>(getpid());
  h.checksum = checksum_of(h);
  write_all(bytes_of(h));
}

void trace_file::generation(std::uint64_t number) noexcept {
  const clock_pair now = clocks_now();
  chunk(chunk_kind::generation,
        bytes_of(generation_payload{number, now.ticks, static_cast<std::uint64_t>(now.ns),
                                    shared.complete_since.load(std::memory_order_relaxed),
                                    shared.dropped.load(std::memory_order_relaxed),
                                    shared.overwritten.load(std::memory_order_relaxed)}));
}

void trace_file::end() noexcept {
  const clock_pair now = clocks_now();
  chunk(chunk_kind::end, bytes_of(end_payload{now.ticks, static_cast<std::uint64_t>(now.ns),
                                              shared.dropped.load(std::memory_order_relaxed),
                                              shared.overwritten.load(std::memory_order_relaxed)}));
}

void trace_file::batch(const batch_header& h, std::span<const std::byte> events,
                       std::uint32_t more) noexcept {
  std::byte tail[more_bytes];
  const std::size_t n = more == 0 ? 0 : more_bytes;
  put_create_more(tail, static_cast<std::uint8_t>(event::fiber_create_more), more);
  chunk(chunk_kind::batch, bytes_of(h), events, {tail, n});
}

// ---- tables

void trace_file::begin_table(chunk_kind kind) noexcept {
  kind_ = kind;
  used_ = 0;
}
void trace_file::entry() noexcept {
  if (used_ + entry_bytes > table_.size()) end_table();
}
void trace_file::end_table() noexcept {
  if (used_ > 0) chunk(kind_, {table_.data(), used_});
  used_ = 0;
}
void trace_file::varint(std::uint64_t v) noexcept {
  used_ = static_cast<std::size_t>(put_varint(table_.data() + used_, v) - table_.data());
}
void trace_file::byte(std::uint8_t v) noexcept { table_[used_++] = std::byte{v}; }
void trace_file::text(std::string_view t) noexcept {
  t = t.substr(0, longest_text);
  varint(t.size());
  if (!t.empty()) std::memcpy(table_.data() + used_, t.data(), t.size());
  used_ += t.size();
}

void trace_file::dictionary() noexcept {
  struct named {
    std::uint8_t id;
    std::string_view name, values[3];
  };
  static constexpr named events[] = {
#define WEFT_EVENT(id, name, fiber, number, other) {id, #name, {fiber, number, other}},
#include "trace/events.def"
#undef WEFT_EVENT
  };
  static constexpr named reasons[] = {
#define WEFT_REASON(id, name, text) {id, text, {}},
#include "trace/reasons.def"
#undef WEFT_REASON
  };
  begin_table(chunk_kind::dictionary);  // a few hundred bytes: one chunk
  varint(std::size(events));
  for (const named& e : events) {
    varint(e.id);
    text(e.name);
    for (const std::string_view v : e.values) text(v);
  }
  varint(std::size(reasons));
  for (const named& r : reasons) {
    varint(r.id);
    text(r.name);
  }
  end_table();
}

void trace_file::threads() noexcept {
  begin_table(chunk_kind::threads);
  const std::uint32_t n = threads_begun();
  thread_info t{};
  for (std::uint32_t i = 0; i < std::min(n, most_threads); ++i) {
    if (!read_thread(i, t)) continue;
    entry();
    varint(t.ring);
    varint(t.incarnation);
    varint(static_cast<std::uint32_t>(t.thread));
    byte(static_cast<std::uint8_t>(t.role));
    varint(t.runtime);
    varint(t.index);
    text({t.name, strnlen(t.name, sizeof t.name)});
  }
  end_table();
}

void trace_file::places() noexcept {
  begin_table(chunk_kind::places);
  for_each_call_site(
      [](void* self, std::uint32_t number, std::uint64_t address) {
        auto& file = *static_cast<trace_file*>(self);
        file.entry();
        file.varint(number);
        file.varint(address);
      },
      this);
  end_table();
}

void trace_file::modules() noexcept {
  begin_table(chunk_kind::modules);
  for (std::uint32_t i = 0; i < module_count; ++i) {
    entry();
    varint(module_list[i].begin);
    varint(module_list[i].end);
    text(module_list[i].path);
  }
  end_table();
}

}  // namespace weft::detail::trace
