// SPDX-License-Identifier: BSL-1.0
// test/trace/reader_fuzz_test.cpp - no file brings the reader down: cut, damaged, foreign, newer,
// and thousands that were mutated by a seeded generator. Run under the sanitizers by tools/test
// --full; tools/fuzz has the endless version.
#include <weft/weft.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <unistd.h>

#include "reader/dump.hpp"
#include "reader/model.hpp"
#include "reader/reader.hpp"
#include "reader/report.hpp"
#include "support/runtimes.hpp"
#include "support/seed.hpp"
#include "timeline/timeline.hpp"
#include "trace/format.hpp"

using namespace weft;
namespace format = weft::detail::trace;
using file_bytes = std::vector<std::byte>;
using kind = tools::event;

namespace {

// A small trace with everything in it.
const file_bytes& sample() {
  static const file_bytes bytes = [] {
    const std::string path =
        (std::filesystem::temp_directory_path() / ("weft-fuzz-" + std::to_string(getpid())))
            .string();
    trace::start(path);
    options o;
    o.workers = 2;
    weft::run(o, [] {
      channel<int> c(1);
      attributes a;
      a.name = "receiver";
      auto r = weft::spawn(a, [&] {
        const trace::region region("receiving");
        for ([[maybe_unused]] const int x : c) trace::log("an item");
      });
      for (int i = 0; i < 20; ++i) c.send(i);
      c.close();
      r.join();
      weft::offload([] {});
      static_cast<void>(this_fiber::sleep_for(std::chrono::milliseconds(2)));
    });
    trace::stop();
    std::ifstream in(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    std::filesystem::remove(path);
    file_bytes b(text.size());
    std::memcpy(b.data(), text.data(), text.size());
    return b;
  }();
  return bytes;
}

// Everything the tools do with a file.
tools::trace use(const file_bytes& b) {
  tools::trace t = tools::read_trace(b);
  std::size_t characters = 0;
  for (const auto& e : t.events) characters += tools::describe(t, e).size();
  CHECK((t.events.empty() || characters > 0));
  tools::model m = tools::make_model(t);
  m.source.modules.clear();  // no reading of whatever files it names
  CHECK_FALSE(tools::report(m).empty());
  CHECK_FALSE(tools::to_perfetto(m).empty());
  CHECK_FALSE(tools::to_pftrace(m).empty());
  static_cast<void>(tools::folded_waits(m));
  static_cast<void>(tools::timeline_page(m, tools::make_excerpt(m, {}), {}));
  for (const auto& s : m.slices) CHECK(s.end >= s.begin);
  for (const auto& w : m.waits) CHECK(w.end >= w.begin);
  return t;
}

std::size_t first_chunk(const file_bytes& b, format::chunk_kind kind) {
  for (std::size_t at = sizeof(format::file_header);
       at + sizeof(format::chunk_header) <= b.size();) {
    format::chunk_header h;
    std::memcpy(&h, b.data() + at, sizeof h);
    if (h.kind == kind) return at;
    at += sizeof h + h.size;
  }
  return b.size();
}
template <class T>
void put(file_bytes& b, std::size_t at, T v) {
  std::memcpy(b.data() + at, &v, sizeof v);
}
// With its checksum made right again, what is inside is what is tried, not the checksum.
void mend(file_bytes& b) {
  for (std::size_t at = sizeof(format::file_header);
       at + sizeof(format::chunk_header) <= b.size();) {
    format::chunk_header h;
    std::memcpy(&h, b.data() + at, sizeof h);
    if (h.magic != format::chunk_magic || h.size > b.size() - at - sizeof h) return;
    h.checksum = checksum_of(h, std::span(b).subspan(at + sizeof h, h.size));
    put(b, at, h);
    at += sizeof h + h.size;
  }
}

}  // namespace

TEST_CASE("reader: the sample is whole") {
  const tools::trace t = use(sample());
  CHECK(t.error == "");
  CHECK(t.complete);
  CHECK(t.problems.empty());
  CHECK(t.events.size() > 50);
}

TEST_CASE("reader: foreign, newer, other byte order, empty") {
  CHECK(use({}).error == "the file is empty");
  const char text[] =
      "#!/bin/sh\nthis is no trace at all, but long enough to be one\n.......................";
  file_bytes b(sizeof text);
  std::memcpy(b.data(), text, sizeof text);
  CHECK(use(b).error.find("no weft trace") != std::string::npos);
  b = sample();
  put(b, offsetof(format::file_header, version), std::uint16_t{7});
  CHECK(use(b).error.find("version 7") != std::string::npos);
  b = sample();
  put(b, offsetof(format::file_header, byte_order), std::uint32_t{0x04030201});
  CHECK(use(b).error.find("byte order") != std::string::npos);
  b = sample();
  b.resize(40);
  CHECK(use(b).error.find("inside its header") != std::string::npos);
}

TEST_CASE("reader: the version before is read, too") {
  file_bytes b = sample();
  put(b, offsetof(format::file_header, version), std::uint16_t{1});
  format::file_header h;
  std::memcpy(&h, b.data(), sizeof h);
  put(b, offsetof(format::file_header, checksum), checksum_of(h));
  const tools::trace t = use(b);
  CHECK(t.error == "");
  CHECK(t.problems.empty());
  CHECK(t.events.size() == use(sample()).events.size());
}

TEST_CASE("reader: a newer revision, with chunks and events it does not know") {
  file_bytes b = sample();
  put(b, offsetof(format::file_header, revision), std::uint16_t{9});
  const char payload[] = "something new";
  format::chunk_header h{
      format::chunk_magic, static_cast<format::chunk_kind>(77), 0, 0, sizeof payload, 0};
  const auto* p = reinterpret_cast<const std::byte*>(payload);
  h.checksum = checksum_of(h, {p, sizeof payload});
  const auto* hp = reinterpret_cast<const std::byte*>(&h);
  b.insert(b.begin() + sizeof(format::file_header), p, p + sizeof payload);
  b.insert(b.begin() + sizeof(format::file_header), hp, hp + sizeof h);
  const tools::trace newer = use(b);
  CHECK(newer.problems.empty());
  CHECK(newer.events.size() == use(sample()).events.size());
  // An id that nobody knows: it is decoded, and shown by its number.
  b = sample();
  const std::size_t at = first_chunk(b, format::chunk_kind::batch) + sizeof(format::chunk_header) +
                         sizeof(format::batch_header);
  b[at] = std::byte{150};
  mend(b);
  const tools::trace t = use(b);
  CHECK(t.problems.empty());
  bool seen = false;
  for (const auto& e : t.events)
    seen = seen || (e.id == 150 && tools::describe(t, e).find("event 150") != std::string::npos);
  CHECK(seen);
}

TEST_CASE("reader: a trace of three years") {
  constexpr std::uint64_t ns = 3ULL * 365 * 86400 * 1'000'000'000;
  file_bytes b = sample();
  format::file_header first;
  std::memcpy(&first, b.data(), sizeof first);
  const std::size_t at = first_chunk(b, format::chunk_kind::end) + sizeof(format::chunk_header);
  format::end_payload last;
  std::memcpy(&last, b.data() + at, sizeof last);
  last.monotonic_ns = first.monotonic_ns + ns;
  last.ticks = first.ticks + ns / 1'000'000'000 * first.ticks_per_second;
  put(b, at, last);
  mend(b);
  const tools::trace t = use(b);
  CHECK(t.problems.empty());
  CHECK(t.known_until / 1'000'000'000 == static_cast<std::int64_t>(ns / 1'000'000'000));
}

TEST_CASE("reader: of a batch that was written while it grew, the last is taken") {
  file_bytes b(sample().begin(), sample().begin() + sizeof(format::file_header));
  const auto add = [&](const auto* data, std::size_t size) {
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    b.insert(b.end(), bytes, bytes + size);
  };
  for (const std::uint32_t more : {0U, 2U, 7U}) {
    file_bytes payload(sizeof(format::batch_header) + 100);
    format::event_context context;
    put(payload, 0, format::batch_header{});
    std::byte* end = format::put_event(payload.data() + sizeof(format::batch_header), context,
                                       static_cast<std::uint8_t>(kind::fiber_create), 1, 1, 0, 0);
    if (more > 0)
      end = format::put_create_more(end, static_cast<std::uint8_t>(kind::fiber_create_more), more);
    payload.resize(static_cast<std::size_t>(end - payload.data()));
    format::chunk_header h{format::chunk_magic,
                           format::chunk_kind::batch,
                           0,
                           0,
                           static_cast<std::uint32_t>(payload.size()),
                           0};
    h.checksum = checksum_of(h, payload);
    add(&h, sizeof h);
    add(payload.data(), payload.size());
    CHECK(use(b).events.size() == 1 + more);
  }
}

TEST_CASE("reader: cut off anywhere, it reads what is whole") {
  const std::size_t all = use(sample()).events.size();
  std::size_t most = 0;
  for (std::size_t n = sizeof(format::file_header); n < sample().size(); n += 1 + n % 7) {
    file_bytes b(sample().begin(), sample().begin() + static_cast<std::ptrdiff_t>(n));
    const tools::trace t = use(b);
    CHECK(t.error == "");
    CHECK_FALSE(t.complete);
    CHECK_FALSE(t.problems.empty());
    CHECK(t.events.size() >= most);  // more of the file never gives less
    most = t.events.size();
  }
  CHECK(most == all);
}

TEST_CASE("reader: a damaged chunk is skipped, the others are read") {
  file_bytes b = sample();
  const std::size_t at = first_chunk(b, format::chunk_kind::dictionary);
  REQUIRE(at < b.size());
  b[at + sizeof(format::chunk_header) + 5] ^= std::byte{0xff};
  const tools::trace t = use(b);
  CHECK(t.events.size() == use(sample()).events.size());
  REQUIRE(t.problems.size() == 1);
  CHECK(t.problems[0].find("damaged") != std::string::npos);
}

TEST_CASE("reader: a file made to be slow is not") {
  file_bytes b(sample().begin(), sample().begin() + sizeof(format::file_header));
  for (int i = 0; i < 20000; ++i) {
    const format::chunk_header h{format::chunk_magic, format::chunk_kind::batch, 0, 0, 200'000, 1};
    const auto* p = reinterpret_cast<const std::byte*>(&h);
    b.insert(b.end(), p, p + sizeof h);
  }
  CHECK(use(b).events.empty());
}

TEST_CASE("reader: thousands of mutations") {
  test::choices dice(1);
  const int rounds = 4000 / (WEFT_TSAN ? 20 : WEFT_ASAN ? 4 : 1);
  for (int i = 0; i < rounds; ++i) {
    file_bytes b = sample();
    for (std::uint64_t n = 1 + dice.below(8); n > 0; --n) {
      const std::size_t at = dice.below(b.size());
      switch (dice.below(5)) {
        case 0:
          b[at] = static_cast<std::byte>(dice.below(256));
          break;
        case 1:
          b[at] ^= static_cast<std::byte>(1U << dice.below(8));
          break;
        case 2:
          b.resize(at + 1);
          break;
        case 3:
          b.insert(b.begin() + static_cast<std::ptrdiff_t>(at), 1 + dice.below(40),
                   static_cast<std::byte>(dice.below(256)));
          break;
        case 4: {
          const std::size_t from = dice.below(b.size()), length = dice.below(b.size() - from);
          const file_bytes piece(b.begin() + static_cast<std::ptrdiff_t>(from),
                                 b.begin() + static_cast<std::ptrdiff_t>(from + length));
          b.insert(b.begin() + static_cast<std::ptrdiff_t>(at), piece.begin(), piece.end());
          break;
        }
      }
    }
    if (dice.below(4) != 0) mend(b);
    static_cast<void>(use(b));
  }
}
