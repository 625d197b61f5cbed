// SPDX-License-Identifier: BSL-1.0
#pragma once
// http.hpp - the server's side of an HTTP/1.0 or 1.1 connection, over any stream of weft's.
//
//   http::connection c(stream, limits, draining);
//   while (const http::request* r = c.next()) c.respond(200, "text/plain", "Hello\n");
//
// http_parser (Node's former parser, in Debian) decides what is HTTP. Requests may come in pieces
// or many at once; answers gather until no whole request is left. One that is refused, too large or
// too slow is answered so (400, 408, 413, 431), and the connection is closed. A client that asks
// whether to send its body (Expect: 100-continue) is told so.
#include <fmt/format.h>
#include <http_parser.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <weft/weft.hpp>

namespace http {

struct limits {
  std::size_t head = 16 * 1024;               // bytes of a request without its body
  std::size_t body = 1024 * 1024;             // and of its body
  std::chrono::milliseconds idle{60'000};     // between two requests
  std::chrono::milliseconds request{10'000};  // from a request's first byte to its last
  std::chrono::milliseconds answer{30'000};   // for the client to take what is written at once
};

struct request {
  http_method method = HTTP_GET;
  std::string target;  // "/a?b=c"
  std::string body;
};

template <class Stream>
class connection {
 public:
  connection(Stream& stream, const limits& l, std::stop_token draining)
      : stream_(stream), limits_(l), draining_(draining), drain_(std::move(draining), drain{this}) {
    ::http_parser_init(&parser_, HTTP_REQUEST);
    parser_.data = this;
  }

  /// The next request; null: there is none. It is good until the next call.
  const request* next() {
    while (!last_)
      if (!in_.empty() ? parse() : (fill(), false)) return &request_;
    flush();
    return nullptr;
  }
  /// A whole answer. `more` are header lines, each with its "\r\n".
  void respond(int status, std::string_view type, std::string_view body,
               std::string_view more = {}) {
    begin(status, type, body.size(), more);
    if (request_.method != HTTP_HEAD) output_ += body;
    if (output_.size() > 256 * 1024) flush();
  }
  /// The head of an answer of so many bytes; the caller flushes and writes them to the stream.
  void begin(int status, std::string_view type, std::uint64_t size, std::string_view more = {}) {
    last_ = last_ || draining_.stop_requested();
    fmt::format_to(std::back_inserter(output_),
                   "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}{}\r\n", status,
                   ::http_status_str(static_cast<http_status>(status)), type, size, more,
                   last_                     ? "Connection: close\r\n"
                   : parser_.http_minor == 0 ? "Connection: keep-alive\r\n"
                                             : "");
  }
  /// False: the client does not take it.
  bool flush() {
    if (output_.empty()) return true;
    std::error_code ec;
    stream_.set_write_deadline(now() + limits_.answer);
    stream_.write_all(output_, ec);
    output_.clear();
    last_ = last_ || ec;
    return !ec;
  }

 private:
  enum class state { busy, idle, draining };
  struct headers {  // what we read of them ourselves
    std::string name, expect;
    bool in_value = false;
    bool asks = false;  // whether to send the body
    int hosts = 0;
    int refused = 400;  // by the callbacks below: with which status
  };
  struct drain {  // a client that sends nothing is not waited for
    connection* c;
    void operator()() const noexcept {
      std::error_code ec;
      if (c->state_.exchange(state::draining) == state::idle)
        c->stream_.shutdown(weft::net::shutdown_side::receive, ec);
    }
  };
  static connection& self(http_parser* p) { return *static_cast<connection*>(p->data); }
  static bool same(const std::string& a, const char* b) { return ::strcasecmp(a.c_str(), b) == 0; }
  static std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

  static const http_parser_settings& callbacks() {
    static const http_parser_settings settings = [] {
      http_parser_settings s;
      ::http_parser_settings_init(&s);
      s.on_url = [](http_parser* p, const char* at, std::size_t size) noexcept {
        self(p).request_.target.append(at, size);
        return 0;
      };
      s.on_header_field = [](http_parser* p, const char* at, std::size_t size) noexcept {
        headers& h = self(p).headers_;
        if (std::exchange(h.in_value, false)) h.name.clear();
        h.name.append(at, size);
        return 0;
      };
      s.on_header_value = [](http_parser* p, const char* at, std::size_t size) noexcept {
        headers& h = self(p).headers_;
        if (!std::exchange(h.in_value, true) && same(h.name, "host")) ++h.hosts;
        if (same(h.name, "expect")) h.expect.append(at, size);
        return 0;
      };
      s.on_headers_complete = [](http_parser* p) noexcept {
        headers& h = self(p).headers_;
        p->upgrade = 0;  // declined: it is answered as HTTP/1.1
        const bool is_1_0 = p->http_major == 0 || (p->http_major == 1 && p->http_minor == 0);
        if (h.hosts > 1 || (h.hosts == 0 && !is_1_0)) return -1;
        h.asks = !is_1_0 && same(h.expect, "100-continue");
        h.refused = 413;
        const bool length_is_known = p->content_length != ~std::uint64_t{0};
        return length_is_known && p->content_length > self(p).limits_.body ? -1 : 0;
      };
      s.on_body = [](http_parser* p, const char* at, std::size_t size) noexcept {
        std::string& body = self(p).request_.body;
        if (size > self(p).limits_.body - body.size()) return -1;
        body.append(at, size);
        return 0;
      };
      s.on_message_complete = [](http_parser* p) noexcept {
        self(p).last_ = ::http_should_keep_alive(p) == 0;
        ::http_parser_pause(p, 1);  // no exception goes through C, and no request is answered there
        return 0;
      };
      return s;
    }();
    return settings;
  }

  void fill() {
    if (!output_.empty()) {
      if (!flush()) return;
      began_ = now();  // the time to take answers is no part of a request's
    }
    if (midway_ && now() >= began_ + limits_.request) return refuse(408);  // however much comes
    state expected = state::busy;
    if (!midway_ && !state_.compare_exchange_strong(expected, state::idle)) {
      last_ = true;
      return;
    }
    stream_.set_read_deadline(midway_ ? began_ + limits_.request : now() + limits_.idle);
    std::error_code ec;
    const std::size_t n = stream_.read_some(buffer_, ec);
    expected = state::idle;
    state_.compare_exchange_strong(expected, state::busy);
    in_ = {buffer_.data(), n};
    if (n > 0) return;
    if (midway_ && ec == std::errc::timed_out) refuse(408);
    last_ = true;
  }

  // True: request_ is whole.
  bool parse() {
    if (!std::exchange(midway_, true)) {
      began_ = now();
      request_ = {};
      headers_ = {};
    }
    in_.remove_prefix(::http_parser_execute(&parser_, &callbacks(), in_.data(), in_.size()));
    const http_errno error = HTTP_PARSER_ERRNO(&parser_);
    if (error == HPE_PAUSED) {
      ::http_parser_pause(&parser_, 0);
      request_.method = static_cast<http_method>(parser_.method);
      midway_ = false;
    } else if (error == HPE_CB_headers_complete || error == HPE_CB_body) {
      refuse(headers_.refused);
    } else if (error == HPE_HEADER_OVERFLOW || parser_.nread > limits_.head) {
      refuse(431);
    } else if (error != HPE_OK) {
      refuse(400);
    } else if (std::exchange(headers_.asks, false)) {  // and its body is not all here
      output_ += "HTTP/1.1 100 Continue\r\n\r\n";
    }
    return error == HPE_PAUSED;
  }

  // What the client still sends is read for a moment: closing before would reset the connection,
  // and take the answer away from it.
  void refuse(int status) {
    last_ = true;
    respond(status, "text/plain", "");
    std::error_code ec;
    if (!flush()) return;
    stream_.shutdown(weft::net::shutdown_side::send, ec);
    stream_.set_read_deadline(now() + std::chrono::seconds(1));
    for (int i = 0; i < 100 && !ec; ++i)
      if (stream_.read_some(buffer_, ec) == 0) break;
  }

  Stream& stream_;
  const limits& limits_;
  std::stop_token draining_;
  http_parser parser_{};
  request request_;
  headers headers_;
  std::array<char, 8192> buffer_;
  std::string_view in_;  // of the buffer: not parsed yet
  std::string output_;
  std::chrono::steady_clock::time_point began_;
  bool midway_ = false;  // in a request
  bool last_ = false;    // no request follows
  std::atomic<state> state_{state::busy};
  std::stop_callback<drain> drain_;  // last: what it uses is there
};

}  // namespace http
