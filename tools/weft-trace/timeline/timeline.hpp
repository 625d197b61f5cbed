// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/timeline/timeline.hpp - a trace as one HTML page that needs nothing else: rows
// per thread and per fiber, to be zoomed and searched.
//
//   excerpt.cpp   which part of the trace the page shows
//   columns.cpp   that part as the page's data: JSON for names, packed columns for what there are
//                 many of
//   page.cpp      page/* (HTML, CSS, scripts) and the data, put together
//   page/         what runs in the browser

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reader/model.hpp"

namespace weft::tools {

struct timeline_options {
  std::optional<std::int64_t> from, to;  // ns since the trace began
  std::size_t limit = 1'000'000;         // stretches of fibers (runs and waits); 0: all there are
  std::string title;                     // of the page; the file's name
};

/// What a page shows, as indices into the model.
struct excerpt {
  std::int64_t begin = 0, end = 0;                   // ns, as in the model
  std::vector<std::uint32_t> fibers, slices, waits;  // slices by begin, waits by end
  std::size_t slices_left_out = 0, waits_left_out = 0, fibers_left_out = 0;
  bool cut_by_limit = false;
  /// Empty if everything is there; otherwise what is not, and how to see it.
  [[nodiscard]] std::string left_out(const model& m) const;
};

/// The part between from and to, or as much of it from its begin on as the limit allows.
/// Throws std::runtime_error if nothing of the trace is in there.
[[nodiscard]] excerpt make_excerpt(const model& m, const timeline_options& o);

/// The data of the page: what stands in its two data elements.
struct page_data {
  std::string json;    // names, places, counts; harmless inside a script element
  std::string base64;  // the columns
};
[[nodiscard]] page_data make_page_data(const model& m, const excerpt& x, const timeline_options& o);

[[nodiscard]] std::string timeline_page(const model& m, const excerpt& x,
                                        const timeline_options& o);

}  // namespace weft::tools
