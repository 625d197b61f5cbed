// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/timeline/columns.cpp - see timeline.hpp. page/data.js reads what this writes, in
// the same order.
//
// The columns are LEB128 varints, one table after the other, row by row; times are ns since the
// excerpt began, and what grows is written as the difference from the row before. A number that may
// be missing is written plus one, 0 means missing.
//   fibers    id (zigzag difference), name, spawn place + 1, parent + 1, created + 1 (zigzag),
//             ended + 1 (zigzag)
//   slices    begin (zigzag difference), length, fiber, thread, how | in_kernel << 3
//   waits     end (zigzag difference), length, fiber, reason, object, resumed - end + 1, waker + 1,
//             waker's thread + 1, over | begun << 1
//   stretches thread, what, begin (zigzag difference), length      of workers, those that are no
//   slices: idle, blocked
//   regions   fiber + 1, thread, begin (zigzag difference), length, name
//   markers   fiber + 1, thread, at (zigzag difference), text, kind (0 log, 1 stall)
//   offloads  fiber + 1, thread, begin (zigzag difference), length
//   stacks    slice (difference), which of the JSON's "stacks"
//   objects   address (difference); 0 is the first
// Fibers are numbered as the excerpt has them; a fiber that is not in it is missing.
#include <algorithm>
#include <map>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "reader/symbols.hpp"
#include "timeline/timeline.hpp"

namespace weft::tools {
namespace {

constexpr std::uint64_t zigzag(std::int64_t v) {
  return static_cast<std::uint64_t>(v) << 1U ^ static_cast<std::uint64_t>(v >> 63);
}

class table {
 public:
  void number(std::uint64_t v) {
    for (; v >= 0x80; v >>= 7U) bytes_ += static_cast<char>(v | 0x80U);
    bytes_ += static_cast<char>(v);
  }
  // From the row before; wraps around like the reader's sum.
  void step(std::int64_t v) {
    number(zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(v) -
                                            static_cast<std::uint64_t>(before_))));
    before_ = v;
  }
  void next_table() { before_ = 0; }
  [[nodiscard]] std::string base64() const {
    static constexpr char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve(bytes_.size() / 3 * 4 + 4);
    for (std::size_t i = 0; i < bytes_.size(); i += 3) {
      const auto byte = [&](std::size_t k) {
        return k < bytes_.size() ? static_cast<unsigned char>(bytes_[k]) : 0U;
      };
      const unsigned three = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
      out += letters[three >> 18U];
      out += letters[three >> 12U & 63U];
      out += i + 1 < bytes_.size() ? letters[three >> 6U & 63U] : '=';
      out += i + 2 < bytes_.size() ? letters[three & 63U] : '=';
    }
    return out;
  }

 private:
  std::string bytes_;
  std::int64_t before_ = 0;
};

class packer {
 public:
  packer(const model& m, const excerpt& x, const timeline_options& o)
      : m_(m), x_(x), o_(o), symbols_(m.source.modules) {
    number_of_.assign(m.fibers.size(), none);
    for (std::uint32_t i = 0; i < x.fibers.size(); ++i) number_of_[x.fibers[i]] = i;
  }

  page_data all() {
    fibers();
    slices();
    waits();
    stretches();
    regions();
    markers();
    offloads();
    stacks();
    objects();
    head();
    // "</script" and "<!--" would end the element that it stands in.
    std::string json = json_.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    for (std::size_t at = 0; (at = json.find('<', at)) != std::string::npos;)
      json.replace(at, 1, "\\u003c");
    return {std::move(json), out_.base64()};
  }

 private:
  [[nodiscard]] std::uint64_t or_missing(std::uint32_t fiber) const {
    return fiber == none || number_of_[fiber] == none ? 0 : std::uint64_t{number_of_[fiber]} + 1;
  }
  [[nodiscard]] static std::uint64_t thread_or_missing(std::uint32_t t) {
    return t == none ? 0 : std::uint64_t{t} + 1;
  }
  [[nodiscard]] std::uint64_t moment(std::int64_t at) const {
    return at == INT64_MIN ? 0 : zigzag(at - x_.begin) + 1;
  }
  [[nodiscard]] bool inside(std::int64_t begin, std::int64_t end) const {
    return end >= x_.begin && begin <= x_.end;
  }

  std::uint32_t text(const std::string& s) {
    const auto [at, added] = texts_.try_emplace(s, static_cast<std::uint32_t>(texts_.size()));
    if (added) json_["texts"].push_back(s);
    return at->second;
  }
  std::uint64_t place(std::uint64_t address) {
    if (address == 0) return 0;
    const auto [at, added] = places_.try_emplace(address, places_.size() + 1);
    if (added) {
      const source_line& p = symbols_.at(address);
      json_["places"].push_back({{"text", p.text()}, {"line", p.line_text()}});
    }
    return at->second;
  }

  void fibers() {
    json_["texts"] = json_["places"] = nlohmann::json::array();
    for (const std::uint32_t f : x_.fibers) {
      const fiber& b = m_.fibers[f];
      out_.step(static_cast<std::int64_t>(b.id));
      out_.number(text(b.name));
      out_.number(place(b.spawned_at));
      out_.number(or_missing(b.parent));
      out_.number(moment(b.created));
      out_.number(moment(b.ended));
    }
    out_.next_table();
  }
  void slices() {
    for (const std::uint32_t i : x_.slices) {
      const slice& s = m_.slices[i];
      out_.step(s.begin - x_.begin);
      out_.number(static_cast<std::uint64_t>(s.end - s.begin));
      out_.number(number_of_[s.fiber]);
      out_.number(s.thread);
      out_.number(static_cast<unsigned>(s.how) | (s.in_kernel ? 8U : 0U));
    }
    out_.next_table();
  }
  void waits() {
    for (const std::uint32_t i : x_.waits) objects_.try_emplace(m_.waits[i].object, 0);
    std::uint64_t n = 0;
    for (auto& [address, number] : objects_) number = n++;
    for (const std::uint32_t i : x_.waits) {
      const wait& w = m_.waits[i];
      out_.step(w.end - x_.begin);
      out_.number(static_cast<std::uint64_t>(w.end - w.begin));
      out_.number(number_of_[w.fiber]);
      out_.number(w.reason);
      out_.number(objects_[w.object]);
      out_.number(w.over && w.resumed >= w.end ? static_cast<std::uint64_t>(w.resumed - w.end) + 1
                                               : 0);
      out_.number(or_missing(w.waker));
      out_.number(thread_or_missing(w.waker_thread));
      out_.number((w.over ? 1U : 0U) | (w.begun ? 2U : 0U));
    }
    out_.next_table();
  }
  void stretches() {
    std::uint64_t n = 0;
    for (std::uint32_t t = 0; t < m_.threads.size(); ++t)
      for (const stretch& s : m_.threads[t].stretches) {
        if ((s.what != doing::idle && s.what != doing::blocked) || !inside(s.begin, s.end))
          continue;
        out_.number(t);
        out_.number(static_cast<std::uint64_t>(s.what));
        out_.step(s.begin - x_.begin);
        out_.number(static_cast<std::uint64_t>(s.end - s.begin));
        ++n;
      }
    counts_["stretches"] = n;
    out_.next_table();
  }
  void regions() {
    std::uint64_t n = 0;
    for (const region& r : m_.regions) {
      if (!inside(r.begin, r.end)) continue;
      out_.number(or_missing(r.fiber));
      out_.number(r.thread);
      out_.step(r.begin - x_.begin);
      out_.number(static_cast<std::uint64_t>(r.end - r.begin));
      out_.number(text(r.name));
      ++n;
    }
    counts_["regions"] = n;
    out_.next_table();
  }
  void markers() {
    std::uint64_t n = 0, kind = 0;
    for (const auto* const all : {&m_.logs, &m_.stalls}) {
      for (const marker& l : *all) {
        if (!inside(l.at, l.at)) continue;
        out_.number(or_missing(l.fiber));
        out_.number(l.thread);
        out_.step(l.at - x_.begin);
        out_.number(text(l.text));
        out_.number(kind);
        ++n;
      }
      ++kind;
    }
    counts_["markers"] = n;
    out_.next_table();
  }
  void offloads() {
    std::uint64_t n = 0;
    for (const offload_run& r : m_.offloads) {
      if (!inside(r.begin, r.end)) continue;
      out_.number(or_missing(r.fiber));
      out_.number(r.thread);
      out_.step(r.begin - x_.begin);
      out_.number(static_cast<std::uint64_t>(r.end - r.begin));
      ++n;
    }
    counts_["offloads"] = n;
    out_.next_table();
  }
  // Of the slices that were preempted: samples alike are one.
  void stacks() {
    json_["stacks"] = nlohmann::json::array();
    std::map<std::vector<std::string>, std::uint64_t> seen;
    std::uint64_t n = 0, before = 0;
    for (std::uint64_t i = 0; i < x_.slices.size(); ++i) {
      const std::uint32_t sample = m_.slices[x_.slices[i]].stack;
      if (sample == 0) continue;
      const auto [at, added] =
          seen.try_emplace(symbols_.calls(m_.source.texts[sample]), seen.size());
      if (added) json_["stacks"].push_back(at->first);
      out_.number(i - before);
      out_.number(at->second);
      before = i;
      ++n;
    }
    counts_["stacks"] = n;
    out_.next_table();
  }
  void objects() {
    std::uint64_t before = 0;
    for (const auto& [address, number] : objects_) {
      out_.number(address - before);
      before = address;
    }
  }

  void head() {
    const trace& t = m_.source;
    json_["title"] = o_.title;
    json_["pid"] = t.pid;
    json_["program"] = t.modules.empty() ? "" : t.modules.front().path;
    json_["began"] = static_cast<double>(t.realtime_ns) / 1e6;  // ms since 1970, as a Date takes it
    json_["offset"] = x_.begin - m_.begin;                      // of the page in the trace, ns
    json_["length"] = x_.end - x_.begin;
    json_["traceLength"] = m_.end - m_.begin;
    json_["dropped"] = t.dropped;
    json_["overwritten"] = t.overwritten;
    json_["flight"] = (t.flags & detail::trace::flag_flight) != 0;
    json_["crash"] = (t.flags & detail::trace::flag_crash) != 0;
    json_["complete"] = t.complete;
    json_["problems"] = t.problems;
    json_["leftOut"] = x_.left_out(m_);
    json_["reasons"] = nlohmann::json::object();
    for (const auto& [id, name] : t.reasons) json_["reasons"][std::to_string(id)] = name;
    json_["threads"] = nlohmann::json::array();  // there, too, if nobody recorded
    static constexpr const char* roles[] = {"thread", "worker", "monitor", "offload", "other"};
    for (std::uint32_t i = 0; i < t.threads.size(); ++i) {
      const thread_row& r = m_.threads[i];
      nlohmann::json thread;
      thread["name"] = m_.thread_label(i);
      thread["tid"] = t.threads[i].id;
      thread["role"] = roles[std::min<std::size_t>(static_cast<std::size_t>(t.threads[i].role), 4)];
      thread["dropped"] = t.threads[i].dropped;
      thread["steals"] = r.steals;
      thread["retaken"] = r.retaken;
      thread["preempted"] = r.preempted;
      if (!r.stretches.empty()) {
        thread["from"] = r.stretches.front().begin - x_.begin;
        thread["to"] = r.stretches.back().end - x_.begin;
      }
      json_["threads"].push_back(std::move(thread));
    }
    counts_["fibers"] = x_.fibers.size();
    counts_["slices"] = x_.slices.size();
    counts_["waits"] = x_.waits.size();
    counts_["objects"] = objects_.size();
    json_["counts"] = counts_;
  }

  const model& m_;
  const excerpt& x_;
  const timeline_options& o_;
  symbols symbols_;
  std::vector<std::uint32_t> number_of_;
  std::map<std::uint64_t, std::uint64_t> objects_;
  std::unordered_map<std::string, std::uint32_t> texts_;
  std::unordered_map<std::uint64_t, std::uint64_t> places_;
  nlohmann::json json_ = nlohmann::json::object(), counts_;
  table out_;
};

}  // namespace

page_data make_page_data(const model& m, const excerpt& x, const timeline_options& o) {
  return packer(m, x, o).all();
}

}  // namespace weft::tools
