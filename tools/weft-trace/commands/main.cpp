// SPDX-License-Identifier: BSL-1.0
// weft-trace - records what a weft program's scheduler does, and shows it.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include <fmt/format.h>
#include <weft/version.hpp>

#include "commands/commands.hpp"
#include "commands/usage.hpp"

namespace weft::tools {

trace read_or_throw(const std::string& path) {
  trace t = read_trace_file(path);
  if (!t.error.empty()) throw std::runtime_error(t.error);
  for (const std::string& p : t.problems) fmt::print(stderr, "weft-trace: {}: {}\n", path, p);
  return t;
}

output::output(const std::string& path) : path_(path), file_(stdout) {
  if (path.empty() || path == "-") return;
  file_ = std::fopen(path.c_str(), "wb");
  if (file_ == nullptr) throw std::runtime_error(path + ": " + std::strerror(errno));
}
output::~output() {
  if (file_ != stdout && file_ != nullptr) std::fclose(file_);
}
void output::write(const std::string& text) { std::fwrite(text.data(), 1, text.size(), file_); }
void output::finish() {
  const bool failed = std::ferror(file_) != 0 || std::fflush(file_) != 0;
  if (failed)
    throw std::runtime_error((file_ == stdout ? "standard output" : path_) + ": " +
                             std::strerror(errno));
}

}  // namespace weft::tools

int main(int argc, char** argv) {
  CLI::App app{
      "Records what the scheduler of a weft program does, and shows it.\n\n"
      "  weft-trace record -o app.trace -- ./app     (or WEFT_TRACE=app.trace ./app)\n"
      "  weft-trace report app.trace\n"
      "  weft-trace timeline app.trace -o app.html"};
  app.set_version_flag("--version", fmt::format("weft-trace {}.{}.{}", WEFT_VERSION_MAJOR,
                                                WEFT_VERSION_MINOR, WEFT_VERSION_PATCH));
  app.require_subcommand(1);
  weft::tools::add_record(app);
  weft::tools::add_profile(app);
  weft::tools::add_report(app);
  weft::tools::add_timeline(app);
  weft::tools::add_convert(app);
  weft::tools::add_flame(app);
  weft::tools::add_dump_events(app);
  weft::tools::add_dump(app);
  weft::tools::add_lines(app);
  weft::tools::add_top(app);
  weft::tools::add_ask(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    return weft::tools::finish_usage(app, e, {argv, static_cast<std::size_t>(argc)});
  } catch (const std::exception& e) {
    fmt::print(stderr, "weft-trace: {}\n", e.what());
    return 1;
  }
}
