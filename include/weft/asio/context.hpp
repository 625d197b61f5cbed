// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/asio/context.hpp - an execution context of Asio's whose handlers are fibers, and whose
// sockets and timers are waited for by weft's poller.
//
//   weft::asio::context asio;
//   boost::asio::ip::tcp::socket socket(asio.get_executor());
//   socket.async_connect(peer, weft::use_fiber);
//   boost::asio::post(asio.get_executor(), [] { weft::this_fiber::sleep_for(1s); });
//
// Inside is an io_context without threads: one fiber polls it, and waits for its epoll descriptor
// as for any other. Asio keeps a list of callers per thread while it polls, so nothing waits in
// there: a handler is taken out as a function and becomes a fiber.
//
// ASIO-1: src/net/README.md says why no handler is left behind while that fiber waits.
//
// It relies on more than Asio's documentation promises: it names members of two of its classes.
// They are the same in Boost 1.74 and 1.81. If a later version has renamed them, this header does
// not compile: define WEFT_ASIO_NO_CONTEXT, and use io_context::run on a thread, with use_fiber.
#ifndef WEFT_ASIO_NO_CONTEXT

#include <atomic>
#include <memory>
#include <mutex>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/execution.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

// These stand after the io_context: the reactor needs the scheduler, which includes the reactor.
#include <boost/asio/detail/scheduler.hpp>

#include <boost/asio/detail/reactor.hpp>

#include <weft/detail/unless_run.hpp>
#include <weft/event.hpp>
#include <weft/fiber.hpp>
#include <weft/io/descriptor.hpp>
#include <weft/this_fiber.hpp>
#include <weft/wait_group.hpp>

namespace weft::asio {

namespace detail {

// An explicit instantiation may name private members.
template <class Tag, auto Member>
struct reveal {
  friend constexpr auto revealed(Tag) noexcept { return Member; }
};
#define WEFT_ASIO_REVEAL(tag, member)             \
  struct tag {                                    \
    friend constexpr auto revealed(tag) noexcept; \
  };                                              \
  template struct reveal<tag, &boost::asio::detail::member>
WEFT_ASIO_REVEAL(scheduler_mutex, scheduler::mutex_);
WEFT_ASIO_REVEAL(scheduler_queue, scheduler::op_queue_);
WEFT_ASIO_REVEAL(scheduler_mark, scheduler::task_operation_);
WEFT_ASIO_REVEAL(scheduler_interrupted, scheduler::task_interrupted_);
WEFT_ASIO_REVEAL(reactor_descriptor, epoll_reactor::epoll_fd_);
#undef WEFT_ASIO_REVEAL

/// A function to be called once.
class job {
 public:
  virtual ~job() = default;
  virtual void run() = 0;
};
template <class F>
class job_of final : public job {
 public:
  explicit job_of(F f) : f_(std::move(f)) {}
  void run() override { std::move(f_)(); }

 private:
  F f_;
};

}  // namespace detail

/// An execution context. Make I/O objects of get_executor(), in fibers or plain threads.
///
/// Each handler runs as a fiber of its own and may wait. Handlers run in no particular order,
/// except behind a boost::asio::strand, where a handler must not wait (Asio keeps a list of strands
/// per thread). A handler that throws is an unhandled exception of its fiber.
/// Lifetime: make it and destroy it in a fiber. The destructor ends what is under way: handlers
/// that were not called are destroyed, and use_fiber fails with operation_aborted. It waits for the
/// fibers of handlers, which must start nothing new meanwhile. I/O objects must end before it.
/// Example: test/unit/asio_context_test.cpp [an echo by use_fiber]
class context {
 public:
  class executor_type;

  /// Starts the fiber that polls.
  context() : work_(boost::asio::make_work_guard(io_)) {
    boost::asio::use_service<boost::asio::detail::reactor>(io_).init_task();
    weft::event begun;
    weft::detail::unless_run tell([&begun]() noexcept { begun.set(); });
    poller_ = weft::spawn({.name = "asio"}, [this, &begun, tell = std::move(tell)]() mutable {
      tell.runs();
      me_.store(weft::this_fiber::get_id(), std::memory_order_relaxed);
      begun.set();
      poll();
    });
    begun.wait();
    if (me_.load(std::memory_order_relaxed) == weft::fiber_id{}) poller_.join();  // there is none
  }
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  /// Ends what is under way, and waits for the fibers of handlers.
  ~context() {
    poller_.request_stop();
    poller_.join();
    io_.end();
    ready_.clear();
    handlers_.wait();
  }

  /// The executor, for I/O objects.
  [[nodiscard]] executor_type get_executor() noexcept;

 private:
  struct io : boost::asio::io_context {
    void end() { shutdown(); }
  };
  using scheduler = boost::asio::detail::scheduler;
  using reactor = boost::asio::detail::reactor;

  void poll() {
    const std::stop_token stop = weft::this_fiber::stop_token();
    const auto events = weft::io::descriptor::borrow(boost::asio::use_service<reactor>(io_).*
                                                     revealed(detail::reactor_descriptor()));
    while (!stop.stop_requested()) {
      polling_ = true;
      io_.poll();
      polling_ = false;
      for (auto& j : std::exchange(ready_, {})) start(std::move(j));
      if (may_wait())
        static_cast<void>(events.wait_readable(stop));
      else
        weft::this_fiber::yield();
    }
  }

  // [ASIO-1]
  bool may_wait() {
    auto& s = boost::asio::use_service<scheduler>(io_);
    auto& queue = s.*revealed(detail::scheduler_queue());
    auto& mark = s.*revealed(detail::scheduler_mark());
    const std::lock_guard guard(s.*revealed(detail::scheduler_mutex()));
    using access = boost::asio::detail::op_queue_access;
    auto* first = queue.front();
    if (first != nullptr && (first != &mark || access::next(first) != nullptr)) return false;
    s.*revealed(detail::scheduler_interrupted()) = false;
    return true;
  }

  void start(std::unique_ptr<detail::job> j) {
    handlers_.add();
    detail::job* const one = j.release();
    try {
      // No stack for it: it is not called, as at the end of the context, and the runtime reports
      // an exception that nobody can observe.
      weft::detail::unless_run dropped([this, one]() noexcept {
        delete one;
        handlers_.done();
      });
      weft::spawn([this, one, dropped = std::move(dropped)]() mutable {
        dropped.runs();
        run(one);
      }).detach();
    } catch (...) {  // no fiber is to be had: here, then
      run(one);
    }
  }
  void run(detail::job* one) {
    const struct leave {
      weft::wait_group& group;
      ~leave() { group.done(); }
    } leaves{handlers_};
    const std::unique_ptr<detail::job> j(one);
    j->run();
  }

  void submit(std::unique_ptr<detail::job> j) {
    // Nobody else reads its own id here, whenever it was written.
    if (weft::this_fiber::get_id() == me_.load(std::memory_order_relaxed) && polling_)
      ready_.push_back(std::move(j));  // nothing waits in there, and a spawn may
    else if (weft::this_fiber::is_fiber())
      start(std::move(j));
    else
      boost::asio::post(io_,
                        [this, j = std::move(j)]() mutable { ready_.push_back(std::move(j)); });
  }

  io io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::vector<std::unique_ptr<detail::job>> ready_;  // the poller's
  std::atomic<weft::fiber_id> me_{};                 // the poller
  bool polling_ = false;                             // the poller's
  weft::wait_group handlers_;
  weft::fiber<void> poller_;
};

/// Runs functions as fibers.
class context::executor_type {
 public:
  /// Runs `f` as a fiber.
  template <class F>
  void execute(F&& f) const {
    context_->submit(std::make_unique<detail::job_of<std::decay_t<F>>>(std::forward<F>(f)));
  }

  /// The context, as Asio asks for it.
  [[nodiscard]] boost::asio::execution_context& query(
      boost::asio::execution::context_t) const noexcept {
    return context_->io_;
  }
  /// Never blocks, as Asio asks for it.
  [[nodiscard]] static constexpr boost::asio::execution::blocking_t query(
      boost::asio::execution::blocking_t) noexcept {
    return boost::asio::execution::blocking.never;
  }
  /// Itself: it never blocks.
  [[nodiscard]] executor_type require(boost::asio::execution::blocking_t::never_t) const noexcept {
    return *this;
  }
  /// True if both are of the same context.
  friend bool operator==(const executor_type&, const executor_type&) noexcept = default;

 private:
  friend class context;
  explicit executor_type(context& c) noexcept : context_(&c) {}
  context* context_;
};

inline context::executor_type context::get_executor() noexcept { return executor_type(*this); }

}  // namespace weft::asio

#endif  // WEFT_ASIO_NO_CONTEXT
