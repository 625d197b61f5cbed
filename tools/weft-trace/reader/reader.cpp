// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/reader.cpp - chunks first, each by its checksum; then tables; then
// events, on one clock, by time.
#include "reader/reader.hpp"

#include <algorithm>
#include <cstring>

#include "reader/events.hpp"
#include "trace/reason.hpp"

namespace weft::tools {
namespace {

namespace format = detail::trace;
using bytes = std::span<const std::byte>;

template <class T>
T load(bytes b, std::size_t at = 0) {
  T t;
  std::memcpy(&t, b.data() + at, sizeof t);
  return t;
}

// Values of a table; after the first that is not there, all are 0 and ok() is false.
class cursor {
 public:
  explicit cursor(bytes b) : b_(b) {}
  [[nodiscard]] bool more() const { return ok_ && !b_.empty(); }
  [[nodiscard]] bool ok() const { return ok_; }
  std::uint64_t varint() {
    std::uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      if (!ok_) return 0;
      v |= std::uint64_t{next & 0x7fU} << shift;
      if (next < 0x80) return v;
    }
    ok_ = false;
    return 0;
  }
  std::uint8_t byte() {
    if (b_.empty()) ok_ = false;
    if (!ok_) return 0;
    const auto v = std::to_integer<std::uint8_t>(b_[0]);
    b_ = b_.subspan(1);
    return v;
  }
  std::string text() {
    const std::uint64_t n = varint();
    if (n > b_.size()) ok_ = false;
    if (!ok_) return {};
    std::string t(reinterpret_cast<const char*>(b_.data()), n);
    b_ = b_.subspan(n);
    return t;
  }

 private:
  bytes b_;
  bool ok_ = true;
};

class reader {
 public:
  explicit reader(bytes file) : file_(file) {}

  trace read() {
    if (!read_header()) return std::move(t_);
    fill_in_known_meanings();
    read_chunks();
    decide_rate();
    read_events(t_, batches_, known_threads_, running_,
                [this](std::uint64_t ticks) { return to_ns(ticks); });
    std::stable_sort(t_.events.begin(), t_.events.end(),
                     [](const trace_event& a, const trace_event& b) { return a.ns < b.ns; });
    if (!t_.complete)
      t_.problems.emplace_back(
          "the end is missing: the trace was cut off, or is still being written");
    if (t_.dropped > 0)
      t_.problems.push_back(std::to_string(t_.dropped) + " events were dropped for want of memory");
    return std::move(t_);
  }

 private:
  void problem(std::string text) {
    if (t_.problems.size() < 50) t_.problems.push_back(std::move(text));
  }

  bool read_header() {
    if (file_.size() < 8 || std::memcmp(file_.data(), format::file_magic, 8) != 0) {
      t_.error =
          file_.empty() ? "the file is empty" : "this is no weft trace: it does not begin like one";
      return false;
    }
    if (file_.size() < sizeof(format::file_header)) {
      t_.error = "the file ends inside its header";
      return false;
    }
    header_ = load<format::file_header>(file_);
    if (header_.byte_order != format::byte_order_mark) {
      t_.error = "the trace comes from a machine of the other byte order, or its header is damaged";
      return false;
    }
    if (header_.version < format::oldest_version || header_.version > format::file_version) {
      t_.error = "the trace has version " + std::to_string(header_.version) +
                 ", this tool reads versions " + std::to_string(format::oldest_version) + " to " +
                 std::to_string(format::file_version) +
                 "; use the weft-trace of the weft that wrote it";
      return false;
    }
    if (header_.revision == format::file_revision && checksum_of(header_) != header_.checksum) {
      problem("the header is damaged; times may be wrong");
      header_.ticks_per_second =
          std::clamp<std::uint64_t>(header_.ticks_per_second, 1'000'000, 100'000'000'000);
    }
    if (header_.ticks_per_second == 0) header_.ticks_per_second = 1'000'000'000;
    if (header_.size < sizeof header_ || header_.size > file_.size()) header_.size = sizeof header_;
    t_.flags = header_.flags;
    t_.machine = static_cast<format::machine>(header_.flags >> format::machine_shift & 0xffU);
    t_.pid = header_.pid;
    t_.realtime_ns = header_.realtime_ns;
    pairs_.push_back({header_.ticks, header_.monotonic_ns});
    return true;
  }

  void fill_in_known_meanings() {
#define WEFT_EVENT(id, name, fiber, number, other) \
  t_.meanings[id] = {#name, {fiber, number, other}};
#include "trace/events.def"
#undef WEFT_EVENT
#define WEFT_REASON(id, name, text) t_.reasons[id] = text;
#include "trace/reasons.def"
#undef WEFT_REASON
  }

  // The next place from `at` on where a whole chunk stands; the end of the file if there is none.
  std::size_t next_chunk(std::size_t at, format::chunk_header& h, bytes& payload) {
    for (; at + sizeof h <= file_.size(); ++at) {
      const auto* found =
          static_cast<const std::byte*>(std::memchr(file_.data() + at, 'W', file_.size() - at));
      if (found == nullptr) break;
      at = static_cast<std::size_t>(found - file_.data());
      if (at + sizeof h > file_.size()) break;
      h = load<format::chunk_header>(file_, at);
      if (h.magic != format::chunk_magic || h.size > format::largest_chunk) continue;
      if (h.size > file_.size() - at - sizeof h) continue;
      payload = file_.subspan(at + sizeof h, h.size);
      if (checksum_of(h, payload) == h.checksum) return at;
      // Made to be slow, a file could name itself a chunk at every byte.
      wasted_ += payload.size();
      if (wasted_ > 8 * file_.size()) break;
    }
    return file_.size();
  }

  void read_chunks() {
    format::chunk_header h{};
    bytes payload;
    for (std::size_t at = header_.size; at < file_.size();) {
      const std::size_t found = next_chunk(at, h, payload);
      if (found != at)
        problem(std::to_string(found - at) + " bytes at " + std::to_string(at) +
                (found == file_.size() ? " are cut off or damaged" : " are damaged"));
      if (found == file_.size()) return;
      read_chunk(h.kind, payload);
      at = found + sizeof h + payload.size();
    }
  }

  void read_chunk(format::chunk_kind kind, bytes payload) {
    switch (kind) {
      case format::chunk_kind::generation:
        return read_generation(payload);
      case format::chunk_kind::dictionary:
        return read_dictionary(cursor(payload));
      case format::chunk_kind::places:
        return read_call_sites(cursor(payload));
      case format::chunk_kind::modules:
        return read_modules(cursor(payload));
      case format::chunk_kind::threads:
        return read_threads(cursor(payload));
      case format::chunk_kind::fibers:
        return read_fibers(cursor(payload));
      case format::chunk_kind::running:
        return read_running(cursor(payload));
      case format::chunk_kind::batch: {
        if (payload.size() < sizeof(format::batch_header))
          return problem("a batch without its header");
        const auto b = load<format::batch_header>(payload);
        bytes& there = batches_[{b.ring, b.incarnation, b.sequence}];
        // The later one: what it counts at its end (fiber_create_more) grows within its size.
        if (payload.size() >= there.size()) there = payload;
        return;
      }
      case format::chunk_kind::end: {
        if (payload.size() < sizeof(format::end_payload)) return problem("an end without contents");
        const auto e = load<format::end_payload>(payload);
        t_.complete = true;
        note_totals(e.dropped, e.overwritten);
        pairs_.push_back({e.ticks, e.monotonic_ns});
        return;
      }
    }
    // Of a newer writer: nothing that we would miss.
  }

  void note_totals(std::uint64_t dropped, std::uint64_t overwritten) {
    t_.dropped = std::max(t_.dropped, dropped);
    t_.overwritten = std::max(t_.overwritten, overwritten);
  }

  void read_generation(bytes payload) {
    if (payload.size() < sizeof(format::generation_payload))
      return problem("a generation without contents");
    const auto g = load<format::generation_payload>(payload);
    ++t_.generations;
    note_totals(g.dropped, g.overwritten);
    complete_since_ = std::max(complete_since_, g.complete_since);
    pairs_.push_back({g.ticks, g.monotonic_ns});
  }

  void read_dictionary(cursor c) {
    for (std::uint64_t n = c.varint(); n > 0 && c.more(); --n) {
      const auto id = static_cast<unsigned>(c.varint());
      event_meaning m;
      m.name = c.text();
      for (std::string& v : m.values) v = c.text();
      if (c.ok() && id < 256) t_.meanings[id] = std::move(m);
    }
    for (std::uint64_t n = c.varint(); n > 0 && c.more(); --n) {
      const auto id = static_cast<unsigned>(c.varint());
      std::string text = c.text();
      if (c.ok() && id < 256) t_.reasons[id] = std::move(text);
    }
    if (!c.ok()) problem("the dictionary is not as it should be");
  }
  void read_call_sites(cursor c) {
    while (c.more()) {
      const std::uint64_t number = c.varint(), address = c.varint();
      if (c.ok()) t_.places[number] = address;
    }
  }
  void read_modules(cursor c) {
    std::vector<trace_module> all;
    while (c.more()) {
      trace_module m;
      m.begin = c.varint();
      m.end = c.varint();
      m.path = c.text();
      if (c.ok()) all.push_back(std::move(m));
    }
    if (all.size() > t_.modules.size()) t_.modules = std::move(all);
  }
  void read_threads(cursor c) {
    while (c.more()) {
      trace_thread t;
      t.ring = static_cast<std::uint32_t>(c.varint());
      t.incarnation = static_cast<std::uint32_t>(c.varint());
      t.id = static_cast<std::int32_t>(c.varint());
      t.role = static_cast<thread_role>(c.byte());
      t.runtime = static_cast<std::uint32_t>(c.varint());
      t.index = static_cast<std::uint32_t>(c.varint());
      t.name = c.text();
      if (c.ok()) known_threads_[{t.ring, t.incarnation}] = std::move(t);
    }
  }
  void read_fibers(cursor c) {
    while (c.more()) {
      trace_fiber f;
      f.id = c.varint();
      f.state = c.byte();
      f.reason = c.byte();
      f.object = c.varint();
      static_cast<void>(c.varint());
      f.name = c.text();
      if (c.ok()) t_.fibers[f.id] = std::move(f);
    }
  }

  void read_running(cursor c) {
    while (c.more()) {
      running_fiber r;
      r.ticks = c.varint();
      r.fiber = c.varint();
      r.thread = static_cast<std::int32_t>(c.varint());
      if (c.ok()) running_.push_back(r);
    }
  }

  // ---- the clock
  void decide_rate() {
    const auto [first, last] = std::minmax_element(
        pairs_.begin(), pairs_.end(), [](const pair& a, const pair& b) { return a.ns < b.ns; });
    ns_per_tick_ = 1e9L / static_cast<long double>(header_.ticks_per_second);
    if (last->ns - first->ns > 1'000'000 && last->ticks > first->ticks) {
      const long double measured = static_cast<long double>(last->ns - first->ns) /
                                   static_cast<long double>(last->ticks - first->ticks);
      if (measured > ns_per_tick_ * 0.98L && measured < ns_per_tick_ * 1.02L)
        ns_per_tick_ = measured;
      else
        problem("the clocks of the trace disagree; times may be wrong");
    }
    for (const pair& p : pairs_) t_.known_until = std::max(t_.known_until, to_ns(p.ticks));
    t_.complete_since = complete_since_ != 0 ? to_ns(complete_since_) : INT64_MIN;
  }
  [[nodiscard]] std::int64_t to_ns(std::uint64_t ticks) const {
    const auto since = static_cast<std::int64_t>(ticks - header_.ticks);
    const long double ns = static_cast<long double>(since) * ns_per_tick_;
    constexpr long double most = 1e18L;  // 31 years: beyond, it is damage
    return static_cast<std::int64_t>(std::clamp(ns, -most, most));
  }

  struct pair {
    std::uint64_t ticks, ns;
  };
  bytes file_;
  format::file_header header_{};
  trace t_;
  std::vector<pair> pairs_;
  long double ns_per_tick_ = 1;
  std::uint64_t complete_since_ = 0, wasted_ = 0;
  batches batches_;
  thread_table known_threads_;
  std::vector<running_fiber> running_;
};

}  // namespace

std::string trace::reason(std::uint64_t r) const {
  const auto found = reasons.find(static_cast<unsigned>(r));
  return r < 256 && found != reasons.end() ? found->second : "reason " + std::to_string(r);
}
std::string trace::event_name(unsigned id) const {
  const auto found = meanings.find(id);
  return found != meanings.end() ? found->second.name : "event " + std::to_string(id);
}

trace read_trace(std::span<const std::byte> file) { return reader(file).read(); }

}  // namespace weft::tools
