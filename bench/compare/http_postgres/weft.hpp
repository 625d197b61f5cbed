// SPDX-License-Identifier: BSL-1.0
// http_postgres/weft.hpp - a fiber per connection; what differs is how a query is waited for.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <weft/channel.hpp>
#include <weft/io/descriptor.hpp>
#include <weft/net/tcp.hpp>
#include <weft/offload.hpp>

#include "common/weft.hpp"
#include "http_postgres/people.hpp"

namespace bench {

struct database {
  pq_connection connection;
  weft::io::descriptor socket;  // watches libpq's; ends before it
};

template <class Query>
void serve_people(weft::net::tcp_stream stream, weft::channel<database>& pool, Query query) {
  people_requests requests;
  std::array<char, 4096> buffer;
  std::error_code ec;
  while (!ec) {
    const std::size_t n = stream.read_some(std::span(buffer), ec);
    if (n == 0) return;
    requests.add({buffer.data(), n});
    for (std::string id; !ec && !(id = requests.next()).empty();) {
      auto db = pool.receive();
      const pq_result result = query(*db, id);
      pool.send(std::move(*db));
      stream.write_all(answer_of(result), ec);
    }
  }
}

/// query(database&, id) returns the result.
template <class Query>
int run_people(int argc, char** argv, Query query) {
  const auto arguments = parse(argc, argv, {"POOL"});
  return run_weft(arguments.workers, [&] {
    const auto size = std::size_t(arguments[0]);
    weft::channel<database> pool(size);
    for (std::size_t i = 0; i < size; ++i) {
      auto c = weft::offload(connect_to_people);
      auto socket = weft::io::descriptor::borrow(PQsocket(c.get()));
      pool.send({std::move(c), std::move(socket)});
    }
    weft::net::tcp_listener listener(weft::net::endpoint("127.0.0.1", 0));
    print_port(listener.local_endpoint().port());
    for (;;)
      weft::spawn([&pool, query, client = listener.accept()]() mutable {
        serve_people(std::move(client), pool, query);
      }).detach();
    return 0;
  });
}

}  // namespace bench
