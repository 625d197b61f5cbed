// SPDX-License-Identifier: BSL-1.0
#pragma once
// postgres.hpp - libpq's objects owned, and a query for whose answer the fiber waits.
#include <libpq-fe.h>

#include <chrono>
#include <memory>

#include <weft/weft.hpp>

namespace postgres {

template <auto Release>
struct releaser {
  void operator()(auto* what) const { Release(what); }
};
using result = std::unique_ptr<PGresult, releaser<&::PQclear>>;
using connection = std::unique_ptr<PGconn, releaser<&::PQfinish>>;

/// False: the connection failed, or an answer is not there in time.
inline bool wait_for_answer(PGconn* c, const weft::io::descriptor& socket,
                            std::chrono::steady_clock::time_point end) {
  for (int unsent; (unsent = ::PQflush(c)) != 0 || ::PQisBusy(c) != 0;) {
    if (unsent < 0) return false;
    bool in_time = true;
    if (unsent > 0)  // what comes meanwhile must be read, or the server waits for us, too
      weft::select(weft::on_readable(socket, [] {}), weft::on_writable(socket, [] {}),
                   weft::on_deadline(end, [&] { in_time = false; }));
    else
      in_time = socket.wait_readable_until(end);
    if (!in_time || ::PQconsumeInput(c) == 0) return false;
  }
  return true;
}

/// Asks by a prepared statement of one parameter, on a connection that is set non-blocking and
/// whose socket `socket` watches. Null: the connection failed, or there was no answer for so long;
/// it is of no use any more then.
inline PGresult* ask_and_wait(PGconn* c, const weft::io::descriptor& socket, const char* statement,
                              const char* const* values, std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  if (::PQsendQueryPrepared(c, statement, 1, values, nullptr, nullptr, 0) == 0) return nullptr;
  result first;
  while (wait_for_answer(c, socket, end)) {  // each time: PQgetResult waits itself if it must
    PGresult* const next = ::PQgetResult(c);
    if (next == nullptr) return first.release();
    if (first == nullptr)
      first.reset(next);
    else
      ::PQclear(next);  // one statement, one result
  }
  return nullptr;
}

}  // namespace postgres
