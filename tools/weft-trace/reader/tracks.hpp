// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/tracks.hpp - a model as tracks with stretches, instants and arrows, which
// is how Perfetto shows a trace: a track per thread with what ran, a track per fiber with what it
// did and waited for, arrows from wakers to woken. perfetto_json.cpp and perfetto_binary.cpp write
// them.

#include <cstdint>
#include <string>
#include <string_view>

#include "reader/model.hpp"

namespace weft::tools {

struct track {
  enum class of : std::uint8_t { thread, fiber };
  of kind = of::thread;
  std::uint32_t index = none;  // in the model
};

/// What a stretch says of itself; `name` is a literal.
struct argument {
  std::string_view name;  // empty: none
  std::string text;
};

class track_writer {
 public:
  virtual ~track_writer() = default;
  virtual void name(track t, const std::string& name) = 0;
  virtual void stretch(track t, std::int64_t begin, std::int64_t end, const std::string& name,
                       std::string_view category, const argument& a) = 0;
  /// One that need not lie within the others of its track: the program's own regions.
  virtual void region(track t, std::int64_t begin, std::int64_t end, const std::string& name) = 0;
  virtual void instant(track t, std::int64_t at, const std::string& text,
                       std::string_view category) = 0;
  virtual void arrow(track from, std::int64_t begin, track to, std::int64_t end) = 0;
};

void write_tracks(const model& m, track_writer& to);

/// `text` with bytes that are no UTF-8 replaced by U+FFFD, in quotes, as JSON has it.
[[nodiscard]] std::string quoted(const std::string& text);

}  // namespace weft::tools
