// SPDX-License-Identifier: BSL-1.0
// beast/beast.hpp - the same Beast code for every stream it can block on.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <string>

namespace bench {

namespace beast = boost::beast;

using beast_request = beast::http::request<beast::http::empty_body>;
using beast_response = beast::http::response<beast::http::string_body>;

inline beast_response beast_answer(const beast_request& request) {
  beast_response response{beast::http::status::ok, request.version()};
  response.set(beast::http::field::content_type, "text/plain");
  response.body() = "Hello, World!\n";
  response.keep_alive(request.keep_alive());
  response.prepare_payload();
  return response;
}

template <class Stream>
void serve_by_beast(Stream& stream) {
  beast::flat_buffer buffer;
  beast::error_code ec;
  for (;;) {
    beast_request request;
    beast::http::read(stream, buffer, request, ec);
    if (ec) return;
    beast::http::write(stream, beast_answer(request), ec);
    if (ec || !request.keep_alive()) return;
  }
}

}  // namespace bench
