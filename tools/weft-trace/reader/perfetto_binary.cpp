// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/perfetto_binary.cpp - Perfetto's own form: packets of protocol buffers,
// in the order of time, names once, compressed in batches. The numbers are those of the fields in
// Perfetto's trace_packet.proto and track_event.proto.
//
// A track of theirs takes stretches only one within another, each as its begin and its end. So a
// track's stretches are nested first; the program's regions, which go on over waits, have a track
// of their own below.
#include <algorithm>
#include <map>
#include <stdexcept>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <zlib.h>
#include <nlohmann/json.hpp>
#include <protozero/pbf_writer.hpp>

#include "reader/report.hpp"
#include "reader/tracks.hpp"

namespace weft::tools {
namespace {

using protozero::pbf_writer;

namespace packet {
enum : unsigned {
  timestamp = 8,
  sequence = 10,
  event = 11,
  interned = 12,
  sequence_flags = 13,
  compressed = 50,
  descriptor = 60
};
}
namespace event {
enum : unsigned { category = 3, annotation = 4, type = 9, name = 10, track = 11 };
enum : unsigned { flow = 47, flow_ends = 48 };
enum : int { begins = 1, ends = 2, instant = 3 };
}  // namespace event
namespace annotation {
enum : unsigned { name = 1, text = 17 };  // both by their number in `interned`
}
namespace interned {
enum : unsigned { category = 1, name = 2, annotation_name = 3, annotation_text = 29 };
}
namespace descriptor {
enum : unsigned { uuid = 1, name = 2, process = 3, parent = 5, ordering = 11, rank = 12 };
enum : unsigned { merging = 15 };
enum : int { explicitly = 3, never = 2 };
}  // namespace descriptor

constexpr std::uint64_t process_uuid = 1, fibers_uuid = 2, first_uuid = 16;
// Perfetto takes batches of at most 512 KiB.
constexpr std::size_t batch = 256 * 1024;

// Each packet is a field of the trace, number 1.
class packet_stream {
 public:
  void add(const std::string& one) {
    pbf_writer(batch_).add_message(1, one);
    if (batch_.size() >= batch) flush();
  }
  std::string finish() {
    flush();
    return std::move(out_);
  }

 private:
  void flush() {
    if (batch_.empty()) return;
    std::string small(compressBound(batch_.size()), '\0');
    uLongf size = small.size();
    if (compress(reinterpret_cast<Bytef*>(small.data()), &size,
                 reinterpret_cast<const Bytef*>(batch_.data()), batch_.size()) != Z_OK)
      throw std::runtime_error("zlib could not compress the trace: no memory");
    small.resize(size);
    batch_.clear();
    std::string one;
    pbf_writer(one).add_bytes(packet::compressed, small);
    pbf_writer(out_).add_message(1, one);
  }

  std::string batch_, out_;
};

// A text's number, and the packet that says it when it is new.
class interned_texts {
 public:
  explicit interned_texts(unsigned field) : field_(field) {}
  std::uint64_t number_of(const std::string& text, std::string& news) {
    const auto [at, is_new] = numbers_.try_emplace(text, numbers_.size() + 1);
    if (is_new) {
      pbf_writer all(news);
      pbf_writer one(all, field_);
      one.add_uint64(1, at->second);
      one.add_string(2, utf8(text));
    }
    return at->second;
  }
  static std::string utf8(const std::string& text) {
    return nlohmann::json::parse(quoted(text)).get<std::string>();
  }

 private:
  const unsigned field_;
  std::unordered_map<std::string, std::uint64_t> numbers_;
};

class binary_writer final : public track_writer {
 public:
  explicit binary_writer(const model& m) : m_(m) {
    std::string start;
    pbf_writer w(start);
    w.add_uint32(packet::sequence, 1);
    w.add_uint32(packet::sequence_flags, 1);  // what is interned begins anew
    packets_.add(start);
    describe(process_uuid, 0, fmt::format("threads of process {}", m.source.pid), 0);
    describe(fibers_uuid, 0, "fibers", 1);
  }

  void name(track t, const std::string& name) override {
    const bool is_thread = t.kind == track::of::thread;
    describe(uuid_of(t), is_thread ? process_uuid : fibers_uuid, name, t.index);
  }
  void stretch(track t, std::int64_t begin, std::int64_t end, const std::string& name,
               std::string_view category, const argument& a) override {
    add(uuid_of(t), begin, end, name, category, a);
  }
  void region(track t, std::int64_t begin, std::int64_t end, const std::string& name) override {
    const std::uint64_t next = uuid_of({track::of::fiber, 0}) + m_.fibers.size() + regions_.size();
    const auto [at, is_new] = regions_.try_emplace(uuid_of(t), next);
    if (is_new) describe(next, uuid_of(t), "regions", 0);
    add(at->second, begin, end, name, "region", {});
  }
  void instant(track t, std::int64_t at, const std::string& text,
               std::string_view category) override {
    instants_.push_back({uuid_of(t), at, 0, text, std::string(category)});
  }
  void arrow(track from, std::int64_t begin, track to, std::int64_t end) override {
    const std::uint64_t flow = ++flows_;
    instants_.push_back({uuid_of(from), begin, flow, "wake", "wake"});
    arrivals_.emplace(std::pair{uuid_of(to), end}, flow);
  }

  std::string finish() {
    nest();
    for (std::uint32_t i = 0; i < instants_.size(); ++i)
      points_.push_back({instants_[i].at, event::instant, i});
    // Of one track they are in order, also where times are equal.
    std::stable_sort(points_.begin(), points_.end(),
                     [](const point& a, const point& b) { return a.at < b.at; });
    for (const point& p : points_) write(p);
    return packets_.finish();
  }

 private:
  struct piece {
    std::uint64_t track;
    std::int64_t begin, end;
    std::uint64_t name, category, argument_name, argument_text;  // 0: none
  };
  struct mark {
    std::uint64_t track;
    std::int64_t at;
    std::uint64_t flow;
    std::string text, category;
  };
  struct point {
    std::int64_t at;
    int type;
    std::uint32_t index;  // of the piece, or of the instant
  };

  [[nodiscard]] std::uint64_t uuid_of(track t) const {
    return first_uuid + t.index + (t.kind == track::of::fiber ? m_.threads.size() : 0);
  }
  void describe(std::uint64_t uuid, std::uint64_t parent, const std::string& name,
                std::uint32_t rank) {
    std::string one;
    {
      pbf_writer w(one);
      w.add_uint32(packet::sequence, 1);
      pbf_writer d(w, packet::descriptor);
      d.add_uint64(descriptor::uuid, uuid);
      if (parent != 0) d.add_uint64(descriptor::parent, parent);
      d.add_string(descriptor::name, interned_texts::utf8(name));
      d.add_enum(descriptor::ordering, descriptor::explicitly);
      d.add_int32(descriptor::rank, static_cast<std::int32_t>(rank));
      d.add_enum(descriptor::merging, descriptor::never);
    }
    packets_.add(one);
  }
  void add(std::uint64_t track, std::int64_t begin, std::int64_t end, const std::string& name,
           std::string_view category, const argument& a) {
    piece p{track,
            begin,
            end,
            names_.number_of(name, news_),
            categories_.number_of(std::string(category), news_),
            0,
            0};
    if (!a.name.empty()) {
      p.argument_name = argument_names_.number_of(std::string(a.name), news_);
      p.argument_text = argument_texts_.number_of(a.text, news_);
    }
    say_news();
    pieces_.push_back(p);
  }
  // Interned texts come before their first use, in packets of their own.
  void say_news() {
    if (news_.empty()) return;
    std::string one;
    pbf_writer w(one);
    w.add_uint32(packet::sequence, 1);
    w.add_message(packet::interned, news_);
    packets_.add(one);
    news_.clear();
  }

  void nest() {
    std::vector<std::uint32_t> order(pieces_.size()), open;
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
      const piece &x = pieces_[a], &y = pieces_[b];
      return std::tie(x.track, x.begin, y.end) < std::tie(y.track, y.begin, x.end);
    });
    const auto close = [&] {
      points_.push_back({pieces_[open.back()].end, event::ends, open.back()});
      open.pop_back();
    };
    for (const std::uint32_t i : order) {
      piece& p = pieces_[i];
      while (!open.empty() &&
             (pieces_[open.back()].track != p.track || pieces_[open.back()].end <= p.begin))
        close();
      if (!open.empty()) p.end = std::min(p.end, pieces_[open.back()].end);
      points_.push_back({p.begin, event::begins, i});
      open.push_back(i);
    }
    while (!open.empty()) close();
  }

  void write(const point& p) {
    std::string one;
    {
      pbf_writer w(one);
      w.add_uint64(packet::timestamp,
                   static_cast<std::uint64_t>(std::max(p.at, m_.begin) - m_.begin));
      w.add_uint32(packet::sequence, 1);
      if (p.type == event::instant) {
        const mark& m = instants_[p.index];
        const std::uint64_t name = names_.number_of(m.text, news_);
        const std::uint64_t category = categories_.number_of(m.category, news_);
        say_news();
        pbf_writer e = begin_event(w, p.type, m.track);
        e.add_uint64(event::category, category);
        e.add_uint64(event::name, name);
        if (m.flow != 0) e.add_fixed64(event::flow, m.flow);
      } else {
        const piece& x = pieces_[p.index];
        pbf_writer e = begin_event(w, p.type, x.track);
        if (p.type == event::begins) say(x, e);
      }
    }
    packets_.add(one);
  }
  static pbf_writer begin_event(pbf_writer& w, int type, std::uint64_t track) {
    pbf_writer e(w, packet::event);
    e.add_enum(event::type, type);
    e.add_uint64(event::track, track);
    return e;
  }
  void say(const piece& x, pbf_writer& e) {
    e.add_uint64(event::category, x.category);
    e.add_uint64(event::name, x.name);
    if (x.argument_name != 0) {
      pbf_writer a(e, event::annotation);
      a.add_uint64(annotation::name, x.argument_name);
      a.add_uint64(annotation::text, x.argument_text);
    }
    const auto [first, last] = arrivals_.equal_range({x.track, x.begin});
    for (auto i = first; i != last; ++i) e.add_fixed64(event::flow_ends, i->second);
    arrivals_.erase(first, last);
  }

  const model& m_;
  packet_stream packets_;
  std::string news_;
  interned_texts names_{interned::name}, categories_{interned::category},
      argument_names_{interned::annotation_name}, argument_texts_{interned::annotation_text};
  std::unordered_map<std::uint64_t, std::uint64_t> regions_;  // their tracks, by the one above
  std::vector<piece> pieces_;
  std::vector<mark> instants_;
  std::vector<point> points_;
  std::multimap<std::pair<std::uint64_t, std::int64_t>, std::uint64_t> arrivals_;
  std::uint64_t flows_ = 0;
};

}  // namespace

std::string to_pftrace(const model& m) {
  binary_writer w(m);
  write_tracks(m, w);
  return w.finish();
}

}  // namespace weft::tools
