// SPDX-License-Identifier: BSL-1.0
// http_postgres - each request is a query on PostgreSQL, by stock libpq and a bounded pool.
//
//   GET /?id=7             the name of person 7
//   --mode blocking        libpq as it is: it blocks its thread, and weft, which sees that, gives
//                          the processor to another one
//   --mode block_in_place  the same, announced: the processor is given away at once
//   --mode offload         the call is made by a thread of the offload pool
//   --mode descriptor      libpq's asynchronous calls; the fiber waits for the socket
//
// Connections are few (--pool): a request waits for a free one, and answers 503 if none comes in
// time. One on which anything failed is made anew by its next user; the log says why.
#include <libpq-fe.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "http.hpp"
#include "postgres.hpp"
#include "server.hpp"
#include "url.hpp"

namespace {

enum class how { blocking, block_in_place, offload, descriptor };

struct database {
  postgres::connection connection;
  weft::io::descriptor socket;  // watches libpq's; ends before it
};

class pool {
 public:
  pool(std::string conninfo, int size, how mode)
      : conninfo_(std::move(conninfo)), mode_(mode), free_(static_cast<std::size_t>(size)) {
    for (int i = 0; i < size; ++i) free_.send(database());
  }

  // 200 and the name, or another status and why.
  std::pair<int, std::string> name_of(const std::string& id) {
    auto taken = free_.receive_for(std::chrono::seconds(5));
    if (!taken) return {503, "All connections to the database are busy\n"};
    database db = std::move(*taken);
    std::pair<int, std::string> answer{503, "The database does not answer\n"};
    try {
      answer = query(db, id);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "database: %s\n", e.what());
      db.socket.close();
      db.connection.reset();
    }
    free_.send(std::move(db));
    return answer;
  }

 private:
  std::pair<int, std::string> query(database& db, const std::string& id) {
    if (db.connection == nullptr) {  // rare, and it looks up names: always on the pool of threads
      db.connection.reset(weft::offload([&] { return connected(); }));
      PGconn* const fresh = db.connection.get();
      if (::PQstatus(fresh) != CONNECTION_OK) throw std::runtime_error(::PQerrorMessage(fresh));
      db.socket = weft::io::descriptor::borrow(::PQsocket(fresh));
    }
    PGconn* const c = db.connection.get();
    const char* const values[] = {id.c_str()};
    const auto ask = [&] { return ::PQexecPrepared(c, "name_of", 1, values, nullptr, nullptr, 0); };
    postgres::result r(
        mode_ == how::descriptor
            ? postgres::ask_and_wait(c, db.socket, "name_of", values, std::chrono::seconds(15))
        : mode_ == how::offload        ? weft::offload(ask)
        : mode_ == how::block_in_place ? weft::block_in_place(ask)
                                       : ask());
    if (::PQresultStatus(r.get()) != PGRES_TUPLES_OK)
      throw std::runtime_error(r ? ::PQerrorMessage(c) : "the connection failed, or no answer");
    if (::PQntuples(r.get()) == 0) return {404, "Nobody has this id\n"};
    return {200, std::string(::PQgetvalue(r.get(), 0, 0)) + "\n"};
  }

  // A query that takes too long is ended by the server, whatever the mode, and by TCP if the server
  // is gone.
  PGconn* connected() const {
    const char* const names[] = {"dbname",           "options",         "connect_timeout",
                                 "tcp_user_timeout", "keepalives_idle", nullptr};
    const char* const values[] = {conninfo_.c_str(), "-c statement_timeout=5000", "5", "15000",
                                  "5"};
    PGconn* const c = ::PQconnectdbParams(names, values, 1);
    if (::PQstatus(c) == CONNECTION_OK)
      postgres::result(
          ::PQprepare(c, "name_of", "select name from people where id = $1::int", 1, nullptr));
    if (mode_ == how::descriptor) ::PQsetnonblocking(c, 1);
    return c;
  }

  const std::string conninfo_;
  const how mode_;
  weft::channel<database> free_;
};

void answer(http::connection<weft::net::tcp_stream>& c, const http::request& r, pool& people) {
  const std::string id = http::url(r.target).parameter("id");
  if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != id.npos)
    return c.respond(400, "text/plain", "id is a number\n");
  const auto [status, text] = people.name_of(id);
  c.respond(status, "text/plain; charset=utf-8", text);
}

}  // namespace

int main(int argc, char** argv) {
  examples::server_options server;
  std::string conninfo;
  how mode = how::descriptor;
  int size = 16;
  const std::map<std::string, how> modes{{"blocking", how::blocking},
                                         {"block_in_place", how::block_in_place},
                                         {"offload", how::offload},
                                         {"descriptor", how::descriptor}};
  CLI::App app{"Answers requests out of a PostgreSQL database."};
  examples::add_server_options(app, server);
  app.add_option("--database", conninfo, "libpq's conninfo, such as 'host=/tmp dbname=postgres'")
      ->required();
  app.add_option("--mode", mode, "how queries are waited for (descriptor)")
      ->transform(CLI::CheckedTransformer(modes));
  app.add_option("--pool", size, "connections to the database (16)")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  server.descriptors_besides += 2 * size;

  pool people(conninfo, size, mode);
  const http::limits limits;
  return examples::run_server("http_postgres", server,
                              [&](weft::net::tcp_stream stream, std::stop_token draining) {
                                http::connection c(stream, limits, draining);
                                while (const http::request* r = c.next()) answer(c, *r, people);
                              });
}
