// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/resolver.hpp - the threads that ask the system's resolver, and the line in front of them.
//
//   caller   1 joins the lookup of that name that is under way, or puts a new one into the line
//            2 begin_park   3 its ticket into the lookup, unless that is done   4 parks
//   thread   takes the first lookup whose domain has a thread left; asks; publishes the answer,
//            wakes everybody who waits for it; after ten idle seconds it ends
// RESOLVE-1  who waits for a lookup is woken when it is done: `done` and the list of waiters change
//            under the lock, and who finds it done does not park.
// RESOLVE-2  a lookup in line that nobody waits for any more leaves it; one that runs is finished.
// RESOLVE-3  one domain has a part of the threads, and of the line, only.
// The lock is held for a few hundred nanoseconds, around what costs a millisecond at best.
// Rejected: the offload pool (a name server that does not answer would take the threads that read
// files); a resolver of our own (nsswitch, mDNS, search lists, EDNS: it would know less than the
// system's).

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

#include <weft/net/resolve.hpp>

#include "base/futex_lock.hpp"
#include "base/intrusive_list.hpp"
#include "net/poll_descriptor.hpp"

namespace weft::detail {

struct lookup_request {
  std::string host, service;
  net::address_family family;
};
struct lookup_answer {
  std::error_code error;
  std::vector<net::endpoint> endpoints;
};
/// Blocks its thread. Throws std::bad_alloc.
using lookup_function = lookup_answer (*)(const lookup_request&);
lookup_answer ask_the_system(const lookup_request& r);

struct resolver_limits {
  std::size_t threads = 16, threads_per_domain = 4;
  std::size_t line = 1024, line_per_domain = 256;
  std::int64_t idle_ns = 10'000'000'000;
};

class resolver {
 public:
  explicit resolver(lookup_function ask = ask_the_system, const resolver_limits& limits = {})
      : ask_(ask), limits_(limits) {}
  ~resolver();  // waits for its threads; the process's own is never destroyed
  resolver(const resolver&) = delete;
  resolver& operator=(const resolver&) = delete;

  /// The process's.
  [[nodiscard]] static resolver& of_process();

  [[nodiscard]] std::vector<net::endpoint> resolve(lookup_request r, const wait_limit& l,
                                                   std::error_code& ec);
  [[nodiscard]] std::size_t threads() const noexcept;

  /// For tests: the resolver that connect() and resolve() ask from now on; null: the system's.
  static void set_of_process(resolver* r) noexcept;

 private:
  struct domain_use {
    std::size_t running = 0, in_line = 0;
  };
  using domain_map = std::unordered_map<std::string, domain_use>;
  struct lookup {
    lookup_request request;
    std::string key;
    domain_map::value_type* domain = nullptr;  // while it is in line or running
    enum class state : unsigned char { in_line, running, done } where = state::in_line;
    lookup_answer answer;  // written before `done`
    std::size_t interested = 0;
    base::intrusive_list<extra_waiter> waiters;
  };
  using lookup_pointer = std::shared_ptr<lookup>;

  lookup_pointer join_or_line_up(lookup_request&& r, std::error_code& ec);
  std::error_code wait(lookup& l, const wait_limit& limit);
  void lose_interest(lookup& l) noexcept;
  bool start_thread() noexcept;
  void thread_failed() noexcept;
  void main() noexcept;
  lookup_pointer next() noexcept;  // these three under the lock
  void release_domain(lookup& l) noexcept;
  void forget(lookup& l) noexcept;
  void finish(lookup& l, lookup_answer&& answer) noexcept;
  void wake_waiters(lookup& l) noexcept;

  const lookup_function ask_;
  const resolver_limits limits_;
  mutable base::ranked_futex_lock<base::lock_rank::netpoller> lock_;
  // under the lock
  std::unordered_map<std::string, lookup_pointer> under_way_;
  domain_map domains_;
  std::deque<lookup_pointer> line_;
  std::size_t threads_ = 0, idle_ = 0;
  bool ending_ = false;
  std::atomic<std::uint32_t> changes_{0};  // futex: of the line, and of threads_ when ending
};

}  // namespace weft::detail
