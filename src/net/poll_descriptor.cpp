// SPDX-License-Identifier: BSL-1.0
// net/poll_descriptor.cpp - the records' slabs, and the two ends of a socket's life.
#include "net/poll_descriptor.hpp"

#include <mutex>
#include <new>

#include <sys/socket.h>
#include <unistd.h>

#include "net/accept.hpp"
#include "net/calls.hpp"
#include "net/netpoller.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"

namespace weft::detail {
namespace {

constexpr std::uint32_t slab_bits = 8;
constexpr std::uint32_t slab_records = 1u << slab_bits;
constexpr std::uint32_t max_slabs = 1u << 16;

struct descriptor_table {
  std::atomic<poll_descriptor*>
      slabs[max_slabs];                 // [NET-1] release by carve, acquire by descriptor_at
  std::atomic<std::uint32_t> count{0};  // [NET-1] one past the last index
  base::ranked_futex_lock<base::lock_rank::netpoller> lock;
  // under lock:
  std::uint32_t carved = 0;  // slabs
  poll_descriptor* free = nullptr;
};
constinit descriptor_table table{};

// Under the lock.
void carve() {
  constexpr std::size_t bytes = slab_records * sizeof(poll_descriptor);
  std::byte* memory = nullptr;
  std::error_code why = std::make_error_code(std::errc::not_enough_memory);
  if (table.carved < max_slabs) why = os::reserve(bytes, os::page_size(), memory);
  if (why)
    throw std::system_error(
        why, "weft: no memory for 256 more socket records (16 million at most, `ulimit -v`)");
  auto* slab = reinterpret_cast<poll_descriptor*>(memory);
  const std::uint32_t base = table.carved << slab_bits;
  for (std::uint32_t i = slab_records; i-- > 0;) {
    auto* d = ::new (static_cast<void*>(slab + i)) poll_descriptor;
    d->index = base + i;
    if (d->index == 0) continue;  // the tag of the interrupt
    d->link = table.free;
    table.free = d;
  }
  table.slabs[table.carved].store(slab, std::memory_order_release);  // [NET-1]
  ++table.carved;
  table.count.store(table.carved << slab_bits, std::memory_order_release);  // [NET-1]
}

void free_record(poll_descriptor& d) noexcept {
  // From here on events of this life are late ones; they compare the tag.
  d.generation.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard guard(table.lock);
  d.link = table.free;
  table.free = &d;
}

void unregister(poll_descriptor& d, netpoller::keep_open keep) noexcept {
  const std::lock_guard guard(d.lock);
  if (netpoller* p = d.owner.load(std::memory_order_relaxed)) p->remove(d, keep);
}

void close_number(poll_descriptor& d) noexcept {
  const int number = d.number.load(std::memory_order_relaxed);
  if (number < 0) return;
  unregister(d, netpoller::keep_open::no);
  // Late operations make several pass here, one after the other.
  if (d.number.exchange(-1, std::memory_order_acq_rel) < 0) return;
  ::close(number);  // never retried: on Linux the number is gone whatever it returns
  // Relaxed: the kernel's lock of the descriptor table orders it [ACCEPT-1].
  if (acceptors_short_of_descriptors.load(std::memory_order_relaxed) != 0) [[unlikely]]
    wake_acceptors_short_of_descriptors();
}

// Parked ones wake and find it closed.
void wake_all_closed(poll_descriptor& d) noexcept {
  for (const direction dir : {direction::read, direction::write})
    if (const auto t = d.word.close(dir)) wake(ticket{t});
  deliver(d, event_kind::irregular, false, false, {});  // the extra waiters
}

// False: it was closed before.
bool begin_closing(poll_descriptor& d, std::uint32_t bits) noexcept {
  const std::uint32_t before = d.uses.fetch_or(bits, std::memory_order_acq_rel);
  if ((before & poll_descriptor::closing) != 0) return false;
  // Others are inside: this ends a poll(2), and any call of theirs that has not begun.
  if (!d.is_foreign() && (before & poll_descriptor::count_mask) > 1)
    ::shutdown(d.number.load(std::memory_order_relaxed), SHUT_RDWR);
  if (d.kind.load(std::memory_order_relaxed) == descriptor_kind::borrowed) {
    unregister(d, netpoller::keep_open::yes);
    d.number.store(-1,
                   std::memory_order_release);  // it may be closed, and used again, from here on
  }
  wake_all_closed(d);
  return true;
}

}  // namespace

poll_descriptor* descriptor_at(std::uint32_t index) noexcept {
  poll_descriptor* slab =
      table.slabs[index >> slab_bits].load(std::memory_order_acquire);  // [NET-1]
  return slab + (index & (slab_records - 1));
}
std::uint32_t descriptor_count() noexcept {
  return table.count.load(std::memory_order_acquire);  // [NET-1]
}

poll_descriptor* make_descriptor_or_close(int number, std::error_code& ec) noexcept {
  if (number < 0) {
    ec.assign(-number, std::generic_category());
    return nullptr;
  }
  try {
    return &make_descriptor(number);
  } catch (const std::system_error& e) {
    call_close(number);
    ec = e.code();
    return nullptr;
  }
}

poll_descriptor& make_descriptor(int number, descriptor_kind kind) {
  poll_descriptor* d = nullptr;
  {
    const std::lock_guard guard(table.lock);
    if (table.free == nullptr) carve();
    d = table.free;
    table.free = d->link;
  }
  d->word.reset();
  d->drained_at.store(poll_word::unknown, std::memory_order_relaxed);
  d->short_read_proves = false;
  d->kind.store(kind, std::memory_order_relaxed);
  d->read_deadline.store(poll_descriptor::no_deadline, std::memory_order_relaxed);
  d->write_deadline.store(poll_descriptor::no_deadline, std::memory_order_relaxed);
  d->remote = {};
  d->number.store(number, std::memory_order_relaxed);
  d->uses.store(0, std::memory_order_release);  // acquire in descriptor_use
  return *d;
}

bool close(poll_descriptor& d) noexcept {
  const descriptor_use use(&d);
  return use && begin_closing(d, poll_descriptor::closing);
}

int release_number(poll_descriptor& d) noexcept {
  const descriptor_use use(&d);
  if (!use) return -1;
  const std::uint32_t before = d.uses.fetch_or(poll_descriptor::closing, std::memory_order_acq_rel);
  if ((before & poll_descriptor::closing) != 0) return -1;
  unregister(d, netpoller::keep_open::yes);
  const int number = d.number.exchange(-1, std::memory_order_acq_rel);
  wake_all_closed(d);
  return number;
}

void abandon(poll_descriptor& d) noexcept {
  d.uses.fetch_add(1, std::memory_order_acquire);
  static_cast<void>(begin_closing(d, poll_descriptor::closing | poll_descriptor::abandoned));
  leave_closed(d);
}

// The number is closed by an operation that is still counted, so the record cannot be used again
// meanwhile. Late operations may come and go between the two steps: they find it closing and touch
// only the count.
void leave_closed(poll_descriptor& d) noexcept {
  std::uint32_t uses = d.uses.load(std::memory_order_acquire);
  for (;;) {
    if ((uses & poll_descriptor::count_mask) == 1) close_number(d);
    if (d.uses.compare_exchange_weak(uses, uses - 1, std::memory_order_acq_rel,
                                     std::memory_order_acquire))
      break;
  }
  if (uses - 1 == (poll_descriptor::closing | poll_descriptor::abandoned)) free_record(d);
}

}  // namespace weft::detail
