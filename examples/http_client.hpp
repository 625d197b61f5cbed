// SPDX-License-Identifier: BSL-1.0
#pragma once
// http_client.hpp - GET over one connection that is kept: what the examples' clients share.
//
// http_parser decides what is HTTP. Each get has a deadline over all of it, also if the server goes
// on sending. A connection that was kept may have been closed by the server meanwhile: a get that
// fails on it before any byte of an answer has come is made once more, on a fresh one. One on which
// more has come than the answer is not kept.
#include <http_parser.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <weft/weft.hpp>

namespace http {

struct response {
  int status = 0;
  std::string body;
};

class client {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::size_t largest_body = 16 * 1024 * 1024;

  client(const weft::net::endpoint& server, std::string host)
      : server_(server), host_(std::move(host)) {}

  /// Throws std::system_error (timed_out, connection_refused, ...), std::runtime_error for what is
  /// no HTTP.
  response get(std::string_view target, time_point deadline) {
    const bool kept = stream_.is_open();
    try {
      return try_get(target, deadline);
    } catch (const std::system_error& e) {
      stream_.close();
      const bool again = kept && answer_.empty_so_far && e.code() != std::errc::timed_out &&
                         e.code() != std::errc::operation_canceled;
      if (!again) throw;
    } catch (...) {
      stream_.close();
      throw;
    }
    return try_get(target, deadline);
  }

 private:
  struct answer {
    response got;
    bool empty_so_far = true, whole = false, keep = false;
  };

  response try_get(std::string_view target, time_point deadline) {
    answer_ = {};
    if (!stream_.is_open()) stream_ = weft::net::tcp_stream::connect(server_, deadline);
    stream_.set_deadline(deadline);
    std::string text = "GET ";
    text.append(target).append(" HTTP/1.1\r\nHost: ").append(host_).append("\r\n\r\n");
    stream_.write_all(std::as_bytes(std::span(text)));

    http_parser parser;
    ::http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = &answer_;
    std::array<char, 16 * 1024> buffer;
    while (!answer_.whole) {
      const std::size_t n = stream_.read_some(std::as_writable_bytes(std::span(buffer)));
      // 0: the stream's end, which is the end of some answers
      const std::size_t used = ::http_parser_execute(&parser, &callbacks(), buffer.data(), n);
      const http_errno error = HTTP_PARSER_ERRNO(&parser);
      if (error != HPE_OK && error != HPE_PAUSED)
        throw std::runtime_error(::http_errno_description(error));
      if (n == 0 && !answer_.whole)
        throw std::system_error(weft::net::net_errc::end_of_stream, "GET " + std::string(target));
      answer_.empty_so_far = false;
      answer_.keep = answer_.keep && used == n;
      if (!answer_.whole && std::chrono::steady_clock::now() >= deadline)
        throw std::system_error(std::make_error_code(std::errc::timed_out),
                                "GET " + std::string(target));
    }
    if (!answer_.keep) stream_.close();
    return std::move(answer_.got);
  }

  static const http_parser_settings& callbacks() {
    static const http_parser_settings settings = [] {
      http_parser_settings s;
      ::http_parser_settings_init(&s);
      s.on_body = [](http_parser* p, const char* at, std::size_t size) noexcept {
        std::string& body = static_cast<answer*>(p->data)->got.body;
        if (size > largest_body - body.size()) return -1;
        body.append(at, size);
        return 0;
      };
      s.on_message_complete = [](http_parser* p) noexcept {
        auto& a = *static_cast<answer*>(p->data);
        if (p->status_code < 200 && p->status_code != 101) return 0;  // the answer is still to come
        ::http_parser_pause(p, 1);  // and what follows it is not ours
        a.got.status = static_cast<int>(p->status_code);
        a.keep = ::http_should_keep_alive(p) != 0;
        a.whole = true;
        return 0;
      };
      return s;
    }();
    return settings;
  }

  weft::net::endpoint server_;
  std::string host_;
  weft::net::tcp_stream stream_;
  answer answer_;
};

/// "http://127.0.0.1:8080/a?b" in its parts; throws std::invalid_argument.
struct address {
  weft::net::endpoint server;
  std::string host, target;

  explicit address(const std::string& url) {
    http_parser_url parts;
    ::http_parser_url_init(&parts);
    if (::http_parser_parse_url(url.data(), url.size(), 0, &parts) != 0 ||
        !url.starts_with("http:"))
      throw std::invalid_argument("no http URL: " + url);
    const auto part = [&](http_parser_url_fields f) {
      return url.substr(parts.field_data[f].off, parts.field_data[f].len);
    };
    const bool has_port = (parts.field_set & 1 << UF_PORT) != 0;
    server = weft::net::endpoint(part(UF_HOST), has_port ? parts.port : std::uint16_t{80});
    host = server.to_string();
    target =
        (parts.field_set & 1 << UF_PATH) != 0 ? url.substr(parts.field_data[UF_PATH].off) : "/";
    target = target.substr(0, target.find('#'));
  }
};

}  // namespace http
