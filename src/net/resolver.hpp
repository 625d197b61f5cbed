// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/resolver.hpp - the threads that ask the system's resolver, and the line in front of them.
//
//   caller   1 joins the lookup of that name that is under way, or puts a new one into the line
//            2 begin_park   3 its ticket into the lookup, unless that is done   4 parks
//   thread   takes the first lookup whose domain has a thread left; asks; publishes the answer,
//            wakes everybody who waits for it; after ten idle seconds it ends
// The line and its proofs: lookup_line.hpp [RESOLVE-1..3].
// Rejected: the offload pool (a name server that does not answer would take the threads that read
// files); a resolver of our own (nsswitch, mDNS, search lists, EDNS: it would know less than the
// system's).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>
#include <vector>

#include <weft/net/resolve.hpp>

#include "base/futex_lock.hpp"
#include "base/sync_policy.hpp"
#include "net/lookup_line.hpp"

namespace weft::detail {

/// Blocks its thread. Throws std::bad_alloc.
using lookup_function = lookup_answer (*)(const lookup_request&);
lookup_answer ask_the_system(const lookup_request& r);

class resolver {
 public:
  explicit resolver(lookup_function ask = ask_the_system, const resolver_limits& limits = {})
      : ask_(ask), idle_ns_(limits.idle_ns), line_(limits) {}
  ~resolver();  // waits for its threads; the process's own is never destroyed
  resolver(const resolver&) = delete;
  resolver& operator=(const resolver&) = delete;

  /// The process's.
  [[nodiscard]] static resolver& of_process();

  [[nodiscard]] std::vector<net::endpoint> resolve(lookup_request r, const wait_limit& l,
                                                   std::error_code& ec);
  [[nodiscard]] std::size_t threads() const noexcept { return line_.threads(); }
  [[nodiscard]] std::size_t callers() const noexcept { return line_.callers(); }

  /// For tests: the resolver that connect() and resolve() ask from now on; null: the system's.
  static void set_of_process(resolver* r) noexcept;

 private:
  using line =
      basic_lookup_line<base::real_sync, base::ranked_futex_lock<base::lock_rank::netpoller>>;

  std::error_code wait(line::lookup& l, const wait_limit& limit);
  bool start_thread() noexcept;
  void main() noexcept;

  const lookup_function ask_;
  const std::int64_t idle_ns_;
  line line_;
};

}  // namespace weft::detail
