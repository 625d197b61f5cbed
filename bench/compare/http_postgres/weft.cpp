// SPDX-License-Identifier: BSL-1.0
// http_postgres: libpq's asynchronous calls; the fiber waits for the socket.
#include "http_postgres/weft.hpp"

#include <utility>

namespace {

bench::pq_result query(bench::database& db, const std::string& id) {
  PGconn* const c = db.connection.get();
  const char* const values[] = {id.c_str()};
  if (PQsendQueryPrepared(c, "name_of", 1, values, nullptr, nullptr, 0) == 0) return nullptr;
  while (PQflush(c) > 0) db.socket.wait_writable();
  bench::pq_result first;
  for (;;) {
    while (PQisBusy(c) != 0) {  // the end may come later than the rows
      db.socket.wait_readable();
      if (PQconsumeInput(c) == 0) return nullptr;
    }
    bench::pq_result next(PQgetResult(c));
    if (next == nullptr) return first;
    if (first == nullptr) first = std::move(next);
  }
}

}  // namespace

int main(int argc, char** argv) { return bench::run_people(argc, argv, query); }
