// SPDX-License-Identifier: BSL-1.0
// test/fuzz/trace_reader.cpp - the reader and everything made of a trace, on any bytes. Checksums
// are put right before it reads, or a fuzzer would never get behind them.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "reader/dump.hpp"
#include "reader/model.hpp"
#include "reader/reader.hpp"
#include "reader/report.hpp"
#include "timeline/timeline.hpp"
#include "trace/format.hpp"

namespace format = weft::detail::trace;

namespace {

void mend(std::vector<std::byte>& b) {
  for (std::size_t at = sizeof(format::file_header);
       at + sizeof(format::chunk_header) <= b.size();) {
    format::chunk_header h;
    std::memcpy(&h, b.data() + at, sizeof h);
    if (h.magic != format::chunk_magic || h.size > b.size() - at - sizeof h) return;
    h.checksum = checksum_of(h, std::span(b).subspan(at + sizeof h, h.size));
    std::memcpy(b.data() + at, &h, sizeof h);
    at += sizeof h + h.size;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> file(size);
  if (size > 0) std::memcpy(file.data(), data, size);
  mend(file);
  weft::tools::trace t = weft::tools::read_trace(file);
  t.modules.clear();  // no reading of whatever files it names
  for (const auto& e : t.events) static_cast<void>(weft::tools::describe(t, e));
  const weft::tools::model m = weft::tools::make_model(std::move(t));
  static_cast<void>(weft::tools::report(m));
  static_cast<void>(weft::tools::folded_waits(m));
  static_cast<void>(weft::tools::to_perfetto(m));
  static_cast<void>(weft::tools::to_pftrace(m));
  static_cast<void>(weft::tools::timeline_page(m, weft::tools::make_excerpt(m, {}), {}));
  return 0;
}
