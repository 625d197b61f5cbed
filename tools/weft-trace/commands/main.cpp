// SPDX-License-Identifier: BSL-1.0
// weft-trace - records what a weft program's scheduler does, and shows it.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <span>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <weft/version.hpp>

#include "commands/commands.hpp"
#include "commands/usage.hpp"

namespace weft::tools {

trace read_or_throw(const std::string& path) {
  trace t = read_trace_file(path);
  if (!t.error.empty()) throw std::runtime_error(t.error);
  for (const std::string& p : t.problems) complain(path + ": " + p);
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
  bool failed = std::ferror(file_) != 0 || std::fflush(file_) != 0;
  const bool own = file_ != stdout;
  if (own && !failed) failed = std::fclose(std::exchange(file_, nullptr)) != 0;
  if (failed)
    throw std::runtime_error((own ? path_ : "standard output") + ": " + std::strerror(errno));
}

void complain(std::string_view text) {
  const std::string line = fmt::format("weft-trace: {}\n", text);
  static_cast<void>(std::fwrite(line.data(), 1, line.size(), stderr));
}

void print(const std::string& text) {
  output out("-");
  out.write(text);
  out.finish();
}

namespace {

// So that no file of ours takes the number of a standard stream that is closed, and with it what is
// said on that stream. Writing to them still fails; a program that is run finds them closed.
void keep_standard_streams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (fcntl(fd, F_GETFD) < 0)
      static_cast<void>(open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC));
}

int finish(const CLI::App& app, const CLI::ParseError& e, std::span<char* const> arguments) {
  const int status = finish_usage(app, e, arguments);
  if (std::cout.flush()) return status;
  complain(std::string("standard output: ") + std::strerror(errno));
  return 1;
}

}  // namespace
}  // namespace weft::tools

int main(int argc, char** argv) {
  weft::tools::keep_standard_streams();
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
    return weft::tools::finish(app, e, {argv, static_cast<std::size_t>(argc)});
  } catch (const std::exception& e) {
    weft::tools::complain(e.what());
    return 1;
  }
}
