// SPDX-License-Identifier: BSL-1.0
// debug/debug_offsets.cpp - fills the table.
#include "debug/debug_offsets.hpp"

#include <cstring>
#include <string>
#include <string_view>

#include "fiber/record.hpp"
#include "fiber/record_table.hpp"
#include "sched/scheduler.hpp"
#include "sched/worker.hpp"
#include "sched/worker_threads.hpp"
#include "sync/channel_core.hpp"
#include "trace/reason.hpp"

// The records are no standard-layout types, for which offsetof is conditionally supported; g++ and
// clang++ support it where no base is virtual.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace weft::detail {
namespace {

constexpr void add(debug_offset_table& t, std::string_view name, std::size_t value,
                   std::size_t size) {
  debug_offset& to = t.entries[t.count++];  // beyond the last: no constant, and no compilation
  name.copy(to.name, sizeof to.name - 1);
  to.value = static_cast<std::uint32_t>(value);
  to.size = static_cast<std::uint32_t>(size);
}

// libstdc++'s string begins with the address of its characters and their number. Of another
// library's nothing is said, and fibers have no names there.
constexpr bool string_begins_with_data =
#ifdef __GLIBCXX__
    true;
#else
    false;
#endif

}  // namespace

/// A friend of the classes whose members it names.
struct debug_offsets {
  static consteval debug_offset_table make() {
    debug_offset_table t{1, 0, &all_records, {}};
#define WEFT_CONSTANT(name, value) add(t, name, static_cast<std::size_t>(value), 0)
#define WEFT_MEMBER(type, member) \
  add(t, #type "." #member, offsetof(type, member), sizeof(type::member))
    WEFT_CONSTANT("slab_bits", record_table::slab_bits);
    WEFT_MEMBER(record_table, slabs);
    WEFT_MEMBER(record_table, count);

    WEFT_CONSTANT("fiber_record", sizeof(fiber_record));
    WEFT_MEMBER(fiber_record, word);  // its lowest byte is the state
    WEFT_MEMBER(fiber_record, context);
    WEFT_MEMBER(fiber_record, home);
    WEFT_MEMBER(fiber_record, id);
    WEFT_MEMBER(fiber_record, flags);
    WEFT_MEMBER(fiber_record, reason);
    WEFT_MEMBER(fiber_record, outer);
    WEFT_MEMBER(fiber_record, extras);
    WEFT_MEMBER(fiber_record, wait_object);
    if (string_begins_with_data) {
      WEFT_MEMBER(fiber_extras, name);
    }

    WEFT_MEMBER(scheduler, threads_);
    WEFT_MEMBER(worker_threads, workers_);  // its first word: where they are
    WEFT_MEMBER(worker_threads, count_);
    WEFT_MEMBER(worker, current);
    WEFT_MEMBER(worker, tid);

    WEFT_MEMBER(channel_core, size_);
    WEFT_MEMBER(channel_core, capacity_);
    WEFT_MEMBER(channel_core, closed_);
    WEFT_MEMBER(channel_core, senders_);
    WEFT_MEMBER(channel_core, receivers_);
    WEFT_MEMBER(waiter_queue, first_);
    WEFT_MEMBER(channel_waiter, next);

    WEFT_CONSTANT("flag.is_thread", fiber_record::is_thread);
    WEFT_CONSTANT("flag.inlined", fiber_record::inlined);
    WEFT_CONSTANT("state.unused", fiber_state::unused);
    WEFT_CONSTANT("state.not started", fiber_state::fresh);
    WEFT_CONSTANT("state.runnable", fiber_state::runnable);
    WEFT_CONSTANT("state.running", fiber_state::running);
    WEFT_CONSTANT("state.parking", fiber_state::parking);
    WEFT_CONSTANT("state.parked", fiber_state::parked);
    WEFT_CONSTANT("state.woken", fiber_state::woken);
    WEFT_CONSTANT("state.dead", fiber_state::dead);
#define WEFT_REASON(id, name, text) WEFT_CONSTANT("reason." #name, park_reason::name);
#include "trace/reasons.def"
#undef WEFT_REASON
#undef WEFT_MEMBER
#undef WEFT_CONSTANT
    return t;
  }
};

}  // namespace weft::detail

extern "C" {
[[gnu::used]] constinit const weft::detail::debug_offset_table weft_debug_offsets =
    weft::detail::debug_offsets::make();
}
