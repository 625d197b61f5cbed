// SPDX-License-Identifier: BSL-1.0
// http_postgres: libpq as it is, which blocks its thread; weft sees that, and gives the processor
// to another one.
#include "http_postgres/weft.hpp"

int main(int argc, char** argv) {
  return bench::run_people(argc, argv, [](bench::database& db, const std::string& id) {
    return bench::ask(db.connection.get(), id);
  });
}
