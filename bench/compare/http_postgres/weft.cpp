// SPDX-License-Identifier: BSL-1.0
// http_postgres: libpq's asynchronous calls; the fiber waits for the socket.
#include "http_postgres/weft.hpp"

namespace {

bench::pq_result query(bench::database& db, const std::string& id) {
  PGconn* const c = db.connection.get();
  const char* const values[] = {id.c_str()};
  if (PQsendQueryPrepared(c, "name_of", 1, values, nullptr, nullptr, 0) == 0) return nullptr;
  while (PQflush(c) > 0) db.socket.wait_writable();
  while (PQisBusy(c) != 0) {
    db.socket.wait_readable();
    if (PQconsumeInput(c) == 0) return nullptr;
  }
  bench::pq_result first(PQgetResult(c));
  while (PGresult* more = PQgetResult(c)) PQclear(more);
  return first;
}

}  // namespace

int main(int argc, char** argv) { return bench::run_people(argc, argv, query); }
