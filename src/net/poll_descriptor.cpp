// SPDX-License-Identifier: BSL-1.0
// net/poll_descriptor.cpp - the records' slabs, and the two ends of a socket's life.
#include "net/poll_descriptor.hpp"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include <unistd.h>

#include "fiber/record_trim.hpp"
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
// What the trim gives back at once: three pages.
constexpr std::uint32_t unit_records = 64;
constexpr std::size_t unit_bytes = unit_records * sizeof(poll_descriptor);
constexpr std::size_t slab_bytes = slab_records * sizeof(poll_descriptor);

// What tells a record's lives apart; behind each slab, of those whose pages were dropped.
struct life {
  arming generation;
  poll_word::edge_count edges;
};

class idle_descriptors {
 public:
  void push(poll_descriptor& d) noexcept {
    d.link = first_;
    first_ = &d;
    ++count_;
  }
  [[nodiscard]] poll_descriptor* pop() noexcept {
    poll_descriptor* const d = first_;
    if (d == nullptr) return nullptr;
    first_ = d->link;
    --count_;
    return d;
  }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

 private:
  poll_descriptor* first_ = nullptr;
  std::size_t count_ = 0;
};

class descriptor_table;
extern constinit descriptor_table table;

class descriptor_table {
 public:
  static constexpr std::uint32_t slab_records = detail::slab_records,
                                 unit_records = detail::unit_records;
  using idle_list = idle_descriptors;

  std::atomic<poll_descriptor*>
      slabs[max_slabs];                  // [NET-1] release by carve, acquire by descriptor_at
  std::atomic<std::uint32_t> carved{0};  // [NET-1] one past the last index
  base::ranked_futex_lock<base::lock_rank::netpoller> mutex;

  // null: no memory
  [[nodiscard]] poll_descriptor* take(std::error_code& why) noexcept WEFT_REQUIRES(table.mutex);
  void give(poll_descriptor& d) noexcept WEFT_REQUIRES(table.mutex);

  // ---- by the trim
  [[nodiscard]] static bool can_drop() noexcept { return unit_bytes % os::page_size() == 0; }
  [[nodiscard]] static auto& lock() noexcept WEFT_RETURN_CAPABILITY(table.mutex);
  [[nodiscard]] static poll_descriptor& at(std::uint32_t i) noexcept { return *descriptor_at(i); }
  [[nodiscard]] static std::uint32_t count() noexcept { return descriptor_count(); }
  [[nodiscard]] std::size_t idle() const noexcept WEFT_REQUIRES(table.mutex) {
    return idle_.count();
  }
  [[nodiscard]] idle_list take_idle() noexcept WEFT_REQUIRES(table.mutex) {
    return std::exchange(idle_, {});
  }
  void give_idle(idle_list& some, bool) noexcept WEFT_REQUIRES(table.mutex) {
    while (poll_descriptor* d = some.pop()) idle_.push(*d);
  }
  void drop(std::uint32_t slab, std::uint64_t units) noexcept;
  void dropped(std::uint32_t slab, std::uint64_t units) noexcept WEFT_REQUIRES(table.mutex) {
    cold_[slab] |= static_cast<std::uint8_t>(units);
    first_cold_ = std::min(first_cold_, slab);
  }

 private:
  [[nodiscard]] std::error_code carve() noexcept WEFT_REQUIRES(table.mutex);
  void revive() noexcept WEFT_REQUIRES(table.mutex);

  idle_descriptors idle_ WEFT_GUARDED_BY(table.mutex);
  std::uint8_t cold_[max_slabs] WEFT_GUARDED_BY(table.mutex) = {};  // units without pages
  // no slab before it has one
  std::uint32_t first_cold_ WEFT_GUARDED_BY(table.mutex) = max_slabs;
};
constinit descriptor_table table{};
auto& descriptor_table::lock() noexcept { return table.mutex; }
constinit record_trim<descriptor_table> trim{table};

life* lives_of(poll_descriptor* slab) noexcept {
  return reinterpret_cast<life*>(reinterpret_cast<std::byte*>(slab) + slab_bytes);
}

poll_descriptor* descriptor_table::take(std::error_code& why) noexcept {
  if (idle_.count() == 0) revive();
  if (idle_.count() == 0) why = carve();
  poll_descriptor* const d = idle_.pop();
  if (d != nullptr) trim.note_taken(idle());
  return d;
}
void descriptor_table::give(poll_descriptor& d) noexcept {
  idle_.push(d);
  trim.note_given(idle());
}

// Zeros: no owner, no waiter, a generation that no event names.
void descriptor_table::drop(std::uint32_t slab, std::uint64_t units) noexcept {
  poll_descriptor* const records =
      slabs[slab].load(std::memory_order_relaxed);  // the claim's thread has seen it
  os::range pages[slab_records / unit_records];
  std::size_t n = 0;
  for (std::uint32_t u = 0; u < slab_records / unit_records; ++u) {
    if ((units >> u & 1) == 0) continue;
    const std::uint32_t first = u * unit_records;
    for (std::uint32_t i = first; i < first + unit_records; ++i)
      lives_of(records)[i] = {records[i].generation.load(std::memory_order_relaxed),
                              records[i].word.edges()};
    pages[n++] = {reinterpret_cast<std::byte*>(records + first), unit_bytes};
  }
  static_cast<void>(os::discard({pages, n}));  // advisory: locked memory stays, and so do they
}

// The others of its fields are set by make_descriptor, or as zeros they are right.
void descriptor_table::revive() noexcept {
  const std::uint32_t slab_count = carved.load(std::memory_order_relaxed) >> slab_bits;
  while (first_cold_ < slab_count && cold_[first_cold_] == 0) ++first_cold_;
  if (first_cold_ >= slab_count) {
    first_cold_ = max_slabs;
    return;
  }
  poll_descriptor* const records = slabs[first_cold_].load(std::memory_order_relaxed);
  const auto u = static_cast<std::uint32_t>(std::countr_zero(cold_[first_cold_]));
  cold_[first_cold_] &= static_cast<std::uint8_t>(cold_[first_cold_] - 1);
  for (std::uint32_t i = unit_records; i-- > 0;) {
    const std::uint32_t in_slab = u * unit_records + i;
    poll_descriptor& d = records[in_slab];
    d.index = (first_cold_ << slab_bits) + in_slab;
    d.number.store(-1, std::memory_order_relaxed);
    d.duplicate.store(-1, std::memory_order_relaxed);
    ::new (static_cast<void*>(&d.extra_waiters)) base::intrusive_list<extra_waiter>;
    d.word.revive(lives_of(records)[in_slab].edges);
    d.generation.store(lives_of(records)[in_slab].generation, std::memory_order_relaxed);
    idle_.push(d);
  }
}

std::error_code descriptor_table::carve() noexcept {
  constexpr std::size_t bytes = slab_bytes + slab_records * sizeof(life);
  static_assert(unit_bytes % 4096 == 0);
  std::byte* memory = nullptr;
  std::error_code why = std::make_error_code(std::errc::not_enough_memory);
  const std::uint32_t base = carved.load(std::memory_order_relaxed);
  if (base < max_slabs * slab_records) why = os::reserve(bytes, os::page_size(), memory);
  if (why) return why;
  auto* slab = reinterpret_cast<poll_descriptor*>(memory);
  for (std::uint32_t i = slab_records; i-- > 0;) {
    auto* d = ::new (static_cast<void*>(slab + i)) poll_descriptor;
    d->index = base + i;
    if (d->index == 0) continue;  // the tag of the interrupt
    idle_.push(*d);
  }
  slabs[base >> slab_bits].store(slab, std::memory_order_release);  // [NET-1]
  carved.store(base + slab_records, std::memory_order_release);     // [NET-1]
  if (base == 0) add_trimmed_store(trim);
  return {};
}

poll_descriptor* take_record(std::error_code& why) noexcept {
  const base::lock_guard guard(table.mutex);
  return table.take(why);
}

poll_descriptor& begin_life(poll_descriptor& d, int number, descriptor_kind kind) noexcept {
  d.word.reset();
  d.drained_at.store(poll_word::unknown, std::memory_order_relaxed);
  d.short_read_proves = false;
  d.kind.store(kind, std::memory_order_relaxed);
  d.linger_seconds.store(0, std::memory_order_relaxed);
  d.shown.store(false, std::memory_order_relaxed);
  d.adopted.store(false, std::memory_order_relaxed);
  d.read_deadline.store(poll_descriptor::no_deadline, std::memory_order_relaxed);
  d.write_deadline.store(poll_descriptor::no_deadline, std::memory_order_relaxed);
  d.remote = {};
  d.number.store(number, std::memory_order_relaxed);
  d.uses.store(0, std::memory_order_release);  // acquire in descriptor_use
  return d;
}

void free_record(poll_descriptor& d) noexcept {
  // From here on events of this life are late ones; they compare the tag.
  d.begin_generation();
  const base::lock_guard guard(table.mutex);
  table.give(d);
}

void unregister(poll_descriptor& d, netpoller::keep_open keep) noexcept {
  const base::lock_guard guard(d.lock);
  if (netpoller* p = d.owner.load(std::memory_order_relaxed)) p->remove(d, keep);
}

void close_number(poll_descriptor& d) noexcept {
  const int number = d.number.load(std::memory_order_relaxed);
  if (number < 0) return;
  const bool lives_on =  // perhaps
      d.shown.load(std::memory_order_relaxed) || d.adopted.load(std::memory_order_relaxed);
  unregister(d, lives_on ? netpoller::keep_open::yes : netpoller::keep_open::no);
  // Late operations make several pass here, one after the other.
  if (d.number.exchange(-1, std::memory_order_acq_rel) < 0) return;
  if (const auto seconds = d.linger_seconds.load(std::memory_order_relaxed)) [[unlikely]]
    static_cast<void>(call_give_up_after(number, seconds));
  ::close(number);  // never retried: on Linux the number is gone whatever it returns
  if (acceptors_short_of_descriptors.any()) [[unlikely]]  // [ACCEPT-1] after close(2)
    wake_acceptors_short_of_descriptors();
}

// Those that wait wake and find it closed. `uses`: before that.
void wake_all_closed(poll_descriptor& d, std::uint32_t uses) noexcept {
  for (const direction dir : {direction::read, direction::write})
    if (const auto t = d.word.close(dir)) wake(ticket{t});
  // the extra waiters
  deliver(d, event_kind::irregular, false, false, {});
  if ((uses & poll_descriptor::count_mask) > 1) threads_in_poll.tell(d);  // [POLL-7]
}

// False: it was closed before.
bool begin_closing(poll_descriptor& d, std::uint32_t bits) noexcept {
  const std::uint32_t before = d.uses.fetch_or(bits, std::memory_order_seq_cst);  // [POLL-7]
  if ((before & poll_descriptor::closing) != 0) return false;
  if (d.kind.load(std::memory_order_relaxed) == descriptor_kind::borrowed) {
    unregister(d, netpoller::keep_open::yes);
    d.number.store(-1,
                   std::memory_order_release);  // it may be closed, and used again, from here on
  }
  wake_all_closed(d, before);
  return true;
}

}  // namespace

poll_descriptor* descriptor_at(std::uint32_t index) noexcept {
  poll_descriptor* slab =
      table.slabs[index >> slab_bits].load(std::memory_order_acquire);  // [NET-1]
  return slab + (index & (slab_records - 1));
}
std::uint32_t descriptor_count() noexcept {
  return table.carved.load(std::memory_order_acquire);  // [NET-1]
}

poll_descriptor* make_descriptor_or_close(int number, std::error_code& ec) noexcept {
  if (number < 0) {
    ec.assign(-number, std::generic_category());
    return nullptr;
  }
  poll_descriptor* const d = take_record(ec);
  if (d != nullptr) return &begin_life(*d, number, descriptor_kind::socket);
  call_close(number);
  return nullptr;
}

poll_descriptor& make_descriptor(int number, descriptor_kind kind) {
  std::error_code why;
  poll_descriptor* const d = take_record(why);
  if (d == nullptr)
    throw std::system_error(
        why, "weft: no memory for 256 more socket records (16 million at most, `ulimit -v`)");
  return begin_life(*d, number, kind);
}

bool spare_descriptor::obtain() noexcept {
  std::error_code why;
  if (d_ == nullptr) d_ = take_record(why);
  return d_ != nullptr;
}
poll_descriptor& spare_descriptor::make(int number) noexcept {
  return begin_life(*std::exchange(d_, nullptr), number, descriptor_kind::socket);
}
spare_descriptor::~spare_descriptor() {
  if (d_ == nullptr) return;
  const base::lock_guard guard(table.mutex);
  table.give(*d_);
}

poll_descriptor& make_adopted(int number) {
  poll_descriptor& d = make_descriptor(number);
  d.adopted.store(true, std::memory_order_relaxed);
  return d;
}

bool close(poll_descriptor& d) noexcept {
  const descriptor_use use(&d);
  return use && begin_closing(d, poll_descriptor::closing);
}

int release_number(poll_descriptor& d) noexcept {
  const descriptor_use use(&d);
  if (!use) return -1;
  const std::uint32_t before = d.uses.fetch_or(poll_descriptor::closing, std::memory_order_seq_cst);
  if ((before & poll_descriptor::closing) != 0) return -1;
  unregister(d, netpoller::keep_open::yes);
  const int number = d.number.exchange(-1, std::memory_order_acq_rel);
  wake_all_closed(d, before);
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
