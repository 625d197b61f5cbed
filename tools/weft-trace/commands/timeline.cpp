// SPDX-License-Identifier: BSL-1.0
// weft-trace timeline - the trace as a page for the browser.
#include "timeline/timeline.hpp"

#include <memory>

#include <fmt/format.h>

#include "commands/commands.hpp"

namespace weft::tools {
namespace {

// "1.5s", "20ms", "300us", "5000ns", "2" (seconds).
std::optional<std::int64_t> parse_moment(const char* option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::size_t used = 0;
  double value = -1;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
  }
  const std::string unit = text.substr(std::min(used, text.size()));
  const double scale = unit.empty() || unit == "s" ? 1e9
                       : unit == "ms"              ? 1e6
                       : unit == "us"              ? 1e3
                       : unit == "ns"              ? 1
                                                   : 0;
  if (scale == 0 || !(value >= 0) || value * scale > 4e18)
    throw CLI::ValidationError(fmt::format(
        "{} takes a time since the trace began, such as 1.5s, 20ms or 300us, not \"{}\"", option,
        text));
  return static_cast<std::int64_t>(value * scale);
}

}  // namespace

void add_timeline(CLI::App& app) {
  CLI::App* c = app.add_subcommand(
      "timeline",
      "Writes an HTML page: rows per thread and per fiber, to be zoomed and searched in a browser");
  struct arguments {
    std::string file, out, from, to;
    timeline_options options;
  };
  const auto a = std::make_shared<arguments>();
  c->add_option("FILE", a->file, "The trace")->required();
  c->add_option("-o,--output", a->out, "The page; - is standard output. Default: FILE.html");
  c->add_option("--from", a->from, "Begin here: a time since the trace began (1.5s, 20ms, 300us)");
  c->add_option("--to", a->to, "End here");
  c->add_option(
       "--limit", a->options.limit,
       "At most so many stretches (runs and waits of fibers): a larger page is slow; 0: all")
      ->capture_default_str()
      ->check(CLI::Range(0LL, 1'000'000'000'000LL));
  c->callback([a] {
    timeline_options& o = a->options;
    o.from = parse_moment("--from", a->from);
    o.to = parse_moment("--to", a->to);
    if (o.from && o.to && *o.from >= *o.to)
      throw CLI::ValidationError("--from must be before --to");
    o.title = a->file.substr(a->file.rfind('/') + 1);
    const std::string path = a->out.empty() ? a->file + ".html" : a->out;
    const model m = make_model(read_or_throw(a->file));
    const excerpt x = make_excerpt(m, o);
    output out(path);
    out.write(timeline_page(m, x, o));
    out.finish();
    if (const std::string missing = x.left_out(m); !missing.empty())
      complain("the page " + missing);
    if (path != "-")
      print(fmt::format("{}: {} fibers, {} runs, {} waits\n", path, x.fibers.size(),
                        x.slices.size(), x.waits.size()));
  });
}

}  // namespace weft::tools
