// SPDX-License-Identifier: BSL-1.0
// http_server - HTTP/1.1 with keep-alive and pipelining: one fiber per connection, blocking code.
//
//   /?name=Ann     a greeting
//   /wait?ms=20    the same, later: what a server that asks others is like
//   /metrics       what the scheduler does, as Prometheus reads it
//   /files/...     the files below --root
//
// Clients that are slow, send too much or stay away too long are dropped (http.hpp); SIGTERM ends
// it when every request is answered (server.hpp).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "http.hpp"
#include "server.hpp"
#include "url.hpp"

namespace {

using connection = http::connection<weft::net::tcp_stream>;
constexpr std::string_view text = "text/plain; charset=utf-8";

std::string_view type_of(std::string_view path) {
  constexpr std::pair<std::string_view, std::string_view> types[] = {
      {".html", "text/html; charset=utf-8"},
      {".txt", text},
      {".css", "text/css"},
      {".js", "text/javascript"},
      {".png", "image/png"},
      {".svg", "image/svg+xml"},
      {".json", "application/json"}};
  for (const auto& [ending, type] : types)
    if (path.ends_with(ending)) return type;
  return "application/octet-stream";
}

// Opening may have to wait for a disk: the offload pool does it. send_file sees to the reading.
void send_file(connection& c, weft::net::tcp_stream& stream, const std::string& root,
               const std::string& path, std::chrono::milliseconds answer_time, bool only_head) {
  if (path.find("/../") != path.npos || path.ends_with("/..") || path.find('\0') != path.npos)
    return c.respond(404, text, "No such file\n");
  struct stat about{};
  int why = 0;
  const int file = weft::offload([&] {
    const int fd = ::open((root + path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) why = errno;
    if (fd >= 0 && ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) return fd;
    if (fd >= 0) ::close(fd);
    return -1;
  });
  if (why == EMFILE || why == ENFILE || why == ENOMEM) return c.respond(503, text, "Too busy\n");
  if (file < 0) return c.respond(404, text, "No such file\n");
  c.begin(200, type_of(path), static_cast<std::uint64_t>(about.st_size));
  bool well = c.flush();
  constexpr std::size_t part = 1024 * 1024;  // for each the client has the time of an answer
  for (std::uint64_t at = 0, size = only_head ? 0 : about.st_size; well && at < size;) {
    stream.set_write_deadline(std::chrono::steady_clock::now() + answer_time);
    std::error_code ec;
    const std::size_t n = stream.send_file(file, at, std::min<std::uint64_t>(size - at, part), ec);
    well = !ec && n > 0;  // 0: it became shorter
    at += n;
  }
  ::close(file);
  if (!well) stream.close();  // it got less than it was promised
}

void answer(connection& c, weft::net::tcp_stream& stream, const http::request& r,
            const std::string& root, const http::limits& limits) {
  const http::url url(r.target);
  if (r.method != HTTP_GET && r.method != HTTP_HEAD)
    return c.respond(405, text, "Only GET and HEAD\n", "Allow: GET, HEAD\r\n");
  if (url.path == "/metrics")
    return c.respond(200, "text/plain; version=0.0.4", weft::to_prometheus(weft::metrics()));
  if (!root.empty() && url.path.starts_with("/files/"))
    return send_file(c, stream, root, url.path.substr(6), limits.answer, r.method == HTTP_HEAD);
  if (url.path != "/" && url.path != "/wait") return c.respond(404, text, "No such page\n");
  if (url.path == "/wait") {
    int ms = 0;
    const std::string given = url.parameter("ms");
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), ms);
    if (error != std::errc() || end != given.data() + given.size() || ms < 0 || ms > 60'000)
      return c.respond(400, text, "ms is a number from 0 to 60000\n");
    c.flush();
    weft::this_fiber::sleep_for(std::chrono::milliseconds(ms));
  }
  const std::string name = url.parameter("name");
  if (name.empty()) return c.respond(200, text, "Hello from weft\n");
  c.respond(200, text, "Hello " + name + " from weft\n");
}

}  // namespace

int main(int argc, char** argv) {
  examples::server_options server;
  server.descriptors_each = 2;  // a file's
  http::limits limits;
  std::string root;
  CLI::App app{"Serves greetings and files over HTTP/1.1, one fiber per connection."};
  examples::add_server_options(app, server);
  app.add_option("--root", root, "folder whose files are below /files/")
      ->check(CLI::ExistingDirectory);
  const auto milliseconds = [&](const char* name, std::chrono::milliseconds& to, const char* what) {
    app.add_option_function<int>(
           name, [&to](int ms) { to = std::chrono::milliseconds(ms); }, what)
        ->check(CLI::PositiveNumber);
  };
  milliseconds("--idle-ms", limits.idle, "a connection without a request is closed after (60000)");
  milliseconds("--request-ms", limits.request, "a request must be whole after (10000)");
  milliseconds("--answer-ms", limits.answer, "a client must take an answer within (30000)");
  milliseconds("--grace-ms", server.grace, "after SIGTERM, requests may take (10000)");
  CLI11_PARSE(app, argc, argv);

  return examples::run_server("http_server", server,
                              [&](weft::net::tcp_stream stream, std::stop_token draining) {
                                connection c(stream, limits, draining);
                                while (const http::request* r = c.next())
                                  answer(c, stream, *r, root, limits);
                              });
}
