// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/accept.hpp - the next connection of a listener, of any family; and what happens when there is
// no descriptor, or no memory, for it.
//
//   acceptor   1 accept: EMFILE   2 into the list of those who are short   3 accept again: EMFILE
//              4 pauses, 1 ms at first, 100 ms at last   back to 3
//   closer     1 close(2)         2 is the list empty?   counts an event of each listener in it
//              [ACCEPT-1]: short_acceptors.hpp
// Rejected: returning the error (every server writes the same pause, or spins); closing the
// connection by means of a descriptor kept in reserve (the client is told nothing, and a server
// that drains in a second has lost it).

#include <system_error>

#include "base/futex_lock.hpp"
#include "base/sync_policy.hpp"
#include "net/poll_descriptor.hpp"
#include "net/short_acceptors.hpp"

namespace weft::detail {

/// The next connection, and its other end; null and `ec`. Waits while there is none, and
/// while the process, or the system, has no descriptor or memory for it; says so on stderr, once a
/// minute at most. Connections that have died in the backlog are passed over.
[[nodiscard]] poll_descriptor* accept_connection(const descriptor_use& use, const wait_limit& l,
                                                 net::endpoint& from, std::error_code& ec) noexcept;

/// Who is short of descriptors. A closer looks after close(2).
using short_acceptors =
    basic_short_acceptors<base::real_sync, base::ranked_futex_lock<base::lock_rank::netpoller>,
                          poll_descriptor>;
extern constinit short_acceptors acceptors_short_of_descriptors;
[[gnu::cold]] void wake_acceptors_short_of_descriptors() noexcept;

}  // namespace weft::detail
