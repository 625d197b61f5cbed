// SPDX-License-Identifier: BSL-1.0
// http_postgres/people.hpp - what the C++ subjects share: "GET /?id=7" is answered by the name of
// person 7, which a prepared statement finds. POOL connections to the database serve all clients.
#pragma once

#include <libpq-fe.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "common/bench.hpp"
#include "common/http.hpp"

namespace bench {

struct pq_finisher {
  void operator()(PGconn* c) const { PQfinish(c); }
};
struct pq_clearer {
  void operator()(PGresult* r) const { PQclear(r); }
};
using pq_connection = std::unique_ptr<PGconn, pq_finisher>;
using pq_result = std::unique_ptr<PGresult, pq_clearer>;

inline pq_connection connect_to_people() {
  const char* const where = std::getenv("WEFT_COMPARE_DATABASE");
  pq_connection c(PQconnectdb(where == nullptr ? "" : where));
  pq_result prepared(
      PQprepare(c.get(), "name_of", "select name from people where id = $1::int", 1, nullptr));
  if (PQresultStatus(prepared.get()) != PGRES_COMMAND_OK) {
    std::fprintf(stderr, "postgres: %s\n", PQerrorMessage(c.get()));
    std::exit(1);
  }
  return c;
}

/// The plain way: it blocks.
inline pq_result ask(PGconn* c, const std::string& id) {
  const char* const values[] = {id.c_str()};
  return pq_result(PQexecPrepared(c, "name_of", 1, values, nullptr, nullptr, 0));
}

/// The whole answer to a request.
inline std::string answer_of(const pq_result& r) {
  const bool is = PQresultStatus(r.get()) == PGRES_TUPLES_OK && PQntuples(r.get()) == 1;
  const std::string body = is ? std::string(PQgetvalue(r.get(), 0, 0)) + "\n" : "";
  return std::string(is ? "HTTP/1.1 200 OK" : "HTTP/1.1 503 Service Unavailable") +
         "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

/// Finds requests in what a connection reads, in pieces or many at once.
class people_requests {
 public:
  void add(std::string_view data) { data_.append(data); }
  /// The id of the next whole request; empty if there is none.
  std::string next() {
    const auto end = data_.find("\r\n\r\n");
    if (end == data_.npos) return {};
    constexpr std::string_view begin = "GET /?id=";
    std::string id = data_.starts_with(begin)
                         ? data_.substr(begin.size(), data_.find(' ', begin.size()) - begin.size())
                         : "0";
    data_.erase(0, end + 4);
    return id;
  }

 private:
  std::string data_;
};

}  // namespace bench
