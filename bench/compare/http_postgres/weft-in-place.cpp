// SPDX-License-Identifier: BSL-1.0
// http_postgres: libpq as it is, announced by block_in_place.
#include "http_postgres/weft.hpp"

int main(int argc, char** argv) {
  return bench::run_people(argc, argv, [](bench::database& db, const std::string& id) {
    return weft::block_in_place(bench::ask, db.connection.get(), id);
  });
}
