// SPDX-License-Identifier: BSL-1.0
// http_server - HTTP/1.1 with keep-alive and pipelining: one fiber per connection, blocking code.
//
//   read -> http_parser calls back per request -> responses gather -> one write per read
//   /         a greeting
//   /metrics  what the scheduler does, as Prometheus reads it
//
// http_parser (Node's former parser, in Debian) decides what is HTTP; a request it refuses gets a
// 400 and the connection is closed.
#include <fmt/format.h>
#include <http_parser.h>
#include <sys/resource.h>
#include <weft/weft.hpp>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

constexpr std::string_view greeting = "Hello from weft\n";

// One connection's parser and what it answers; http_parser is C, so its callbacks find us by
// `data`.
class responder {
 public:
  responder() {
    ::http_parser_init(&parser_, HTTP_REQUEST);
    parser_.data = this;
    ::http_parser_settings_init(&settings_);
    settings_.on_url = [](http_parser* p, const char* at, std::size_t size) {
      self(p).url_.append(at, size);
      return 0;
    };
    settings_.on_message_complete = [](http_parser* p) {
      self(p).answer();
      return 0;
    };
  }
  responder(const responder&) = delete;
  responder& operator=(const responder&) = delete;

  // False: this was the connection's last input.
  bool consume(std::string_view input) {
    const std::size_t used =
        ::http_parser_execute(&parser_, &settings_, input.data(), input.size());
    const bool refused = HTTP_PARSER_ERRNO(&parser_) != HPE_OK || used != input.size();
    if (refused && !last_) respond("400 Bad Request", "Bad request\n", true);
    return !refused && !last_;
  }

  std::string& output() { return output_; }

 private:
  static responder& self(http_parser* p) { return *static_cast<responder*>(p->data); }

  void answer() {
    last_ = ::http_should_keep_alive(&parser_) == 0;
    if (parser_.method != HTTP_GET && parser_.method != HTTP_HEAD) {
      respond("405 Method Not Allowed", "Only GET and HEAD\n", last_);
    } else if (url_ == "/") {
      respond("200 OK", greeting, last_);
    } else if (url_ == "/metrics") {
      respond("200 OK", weft::to_prometheus(weft::metrics()), last_, "text/plain; version=0.0.4");
    } else {
      respond("404 Not Found", "No such page\n", last_);
    }
    url_.clear();
    if (last_) ::http_parser_pause(&parser_, 1);  // what follows a "Connection: close" is ignored
  }

  void respond(std::string_view status, std::string_view body, bool close,
               std::string_view type = "text/plain") {
    fmt::format_to(std::back_inserter(output_),
                   "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}\r\n", status, type,
                   body.size(), close ? "Connection: close\r\n" : "");
    if (parser_.method != HTTP_HEAD) output_ += body;
  }

  http_parser parser_{};
  http_parser_settings settings_{};
  std::string url_;
  std::string output_;
  bool last_ = false;
};

void serve(weft::net::tcp_stream stream) {
  try {
    responder http;
    std::array<char, 8192> buffer;
    bool more = true;
    while (more) {
      const std::size_t n = stream.read_some(std::as_writable_bytes(std::span(buffer)));
      if (n == 0) return;
      more = http.consume({buffer.data(), n});
      stream.write_all(std::as_bytes(std::span(http.output())));
      http.output().clear();
    }
  } catch (const std::system_error&) {
    // The client went away, or the server shuts down: either way there is nobody to answer.
  }
}

// A connection is a descriptor, and the soft limit of most shells is 1024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int listen_and_serve(const std::string& address, std::uint16_t port) {
  weft::net::tcp_listener listener(weft::net::endpoint(address, port));
  fmt::print("listening on {} port {}\n", address, listener.local_endpoint().port());
  std::fflush(stdout);
  while (!weft::this_fiber::stop_requested()) {
    try {
      weft::spawn(serve, listener.accept()).detach();
    } catch (const std::system_error& e) {
      if (weft::this_fiber::stop_requested()) break;
      fmt::print(stderr, "http_server: accept: {}\n", e.what());
      // Out of descriptors or memory: connections that end give some back.
      weft::this_fiber::sleep_for(std::chrono::milliseconds(50));
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;
  weft::options options;
  CLI::App app{"Serves a greeting over HTTP/1.1, one fiber per connection."};
  app.add_option("--address", address, "IPv4 or IPv6 address to listen on")->capture_default_str();
  app.add_option("--port", port, "port; 0: any free one, named on stdout")->capture_default_str();
  app.add_option("--workers", options.workers, "processors; 0: what this process may use");
  CLI11_PARSE(app, argc, argv);

  try {
    raise_descriptor_limit();
    return weft::run(options, [&] { return listen_and_serve(address, port); });
  } catch (const std::exception& e) {
    fmt::print(stderr, "http_server: {}\n", e.what());
    return 1;
  }
}
