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
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

#include <boost/asio/execution.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

// These stand after the io_context: the reactor needs the scheduler, which includes the reactor.
#include <boost/asio/detail/scheduler.hpp>

#include <boost/asio/detail/reactor.hpp>

#include <weft/asio/jobs.hpp>
#include <weft/detail/unless_run.hpp>
#include <weft/event.hpp>
#include <weft/fiber.hpp>
#include <weft/io/descriptor.hpp>
#include <weft/mutex.hpp>
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

}  // namespace detail

/// An execution context. Make I/O objects of get_executor(), in fibers or plain threads.
///
/// Each handler runs as a fiber of its own and may wait. Handlers run in no particular order,
/// except behind a boost::asio::strand, where a handler must not wait (Asio keeps a list of strands
/// per thread). A handler that throws is an unhandled exception of its fiber. At
/// options::max_fibers a handler runs in the fiber that polls, and holds up the others. One for
/// which there is no memory is destroyed; use_fiber fails with operation_aborted then.
///
/// The shutdown of a runtime does not end the polling while operations are outstanding: the fibers
/// that wait for them cancel them, and go on. So cancel those that have a plain handler, or the
/// fiber "asio" is left behind (runtime::shutdown). An operation that begins later is polled for by
/// a new fiber, of the runtime it begins in.
/// Lifetime: make it and destroy it in a fiber. The destructor ends what is under way: handlers
/// that were not called are destroyed, and use_fiber fails with operation_aborted. It waits for the
/// fibers of handlers, which must start nothing new meanwhile. I/O objects must end before it.
/// Example: test/unit/asio_context_test.cpp [an echo by use_fiber]
class context {
 public:
  class executor_type;

  /// Starts the fiber that polls.
  /// Throws: as weft::spawn and io::descriptor::borrow; boost::system::system_error.
  context() : work_(boost::asio::make_work_guard(io_)) {
    auto& r = boost::asio::use_service<reactor>(io_);
    r.init_task();
    events_ = weft::io::descriptor::borrow(r.*revealed(detail::reactor_descriptor()));
    weft::event begun;
    begin_polling(&begun);
    begun.wait();
    if (!work_count_.is_polled()) poller_.join();  // there is none
  }
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  /// Ends what is under way, and waits for the fibers of handlers.
  ~context() {
    end_.request_stop();
    while (!lock_.try_lock()) weft::this_fiber::yield();
    lock_.unlock();  // nobody writes poller_ from now on
    join_poller();
    io_.end();
    while (ready_.pop() != nullptr) continue;
    while (handlers_.count() != 0) {
      try {
        handlers_.wait();
      } catch (...) {  // a plain thread's first wait needs memory
        weft::this_fiber::yield();
      }
    }
  }

  /// The executor, for I/O objects.
  [[nodiscard]] executor_type get_executor() noexcept;

 private:
  struct io : boost::asio::io_context {
    void end() { shutdown(); }
  };
  using scheduler = boost::asio::detail::scheduler;
  using reactor = boost::asio::detail::reactor;

  void begin_work() noexcept {
    if (!work_count_.begin()) need_poller();
  }
  void need_poller() noexcept {
    try {
      begin_polling(nullptr);
    } catch (...) {  // the next call tries again, such as the next cancel of a use_fiber
    }
  }
  void begin_polling(weft::event* begun) {
    const std::lock_guard guard(lock_);
    if (end_.stop_requested()) return;
    if (!work_count_.begin_polling()) return;
    try {
      weft::detail::unless_run lost([this, begun]() noexcept {  // no stack for it
        work_count_.end_polling();
        if (begun != nullptr) begun->set();
      });
      poller_ = weft::spawn({.name = "asio"}, [this, begun, lost = std::move(lost)]() mutable {
        lost.runs();
        if (begun != nullptr) begun->set();
        poll();
      });
    } catch (...) {
      work_count_.end_polling();
      throw;
    }
  }
  // One that its runtime has left behind runs no more.
  void join_poller() noexcept {
    while (poller_.joinable()) {
      try {
        return poller_.join();
      } catch (const std::bad_alloc&) {  // a plain thread's first wait
        weft::this_fiber::yield();
      } catch (...) {
        return;
      }
    }
  }

  // Nothing ends it but the end of the context, and a stop of its runtime once no work is left.
  void poll() noexcept {
    using namespace std::chrono_literals;
    me_.store(weft::this_fiber::get_id(), std::memory_order_relaxed);
    while (!end_.stop_requested()) {
      poll_asio();
      detail::job_list now(std::move(ready_));
      while (auto j = now.pop()) start(std::move(j));
      if (!may_wait()) {
        weft::this_fiber::yield();
      } else if (weft::this_fiber::stop_requested()) {  // every wait for a descriptor ends at once
        if (ready_.empty() && work_count_.end_polling_if_idle()) return;
        pause(1ms);
      } else if (!ready_.empty()) {
        pause(5ms);
      } else {
        using weft::io::readiness;
        const std::error_code why =
            events_.wait(readiness::readable, weft::io::descriptor::no_deadline, end_.get_token());
        if (why && why != std::errc::operation_canceled) pause(5ms);  // too few descriptors, memory
      }
    }
  }
  // Unlike a sleep it is not ended by a stop of the fiber.
  static void pause(std::chrono::milliseconds time) noexcept {
    try {
      weft::event never;
      static_cast<void>(never.wait_for(time));
    } catch (...) {
      weft::this_fiber::yield();
    }
  }
  void poll_asio() noexcept {
    const struct within {
      bool& it;
      ~within() { it = false; }
    } here{polling_ = true};
    try {
      io_.poll();
    } catch (const std::bad_alloc&) {  // execute()'s: Asio has destroyed that handler
    } catch (...) {                    // by a handler that has an executor without fibers
      try {
        ready_.push(
            detail::make_job([e = std::current_exception()] { std::rethrow_exception(e); }));
      } catch (...) {
      }
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

  // By the poller.
  void start(std::unique_ptr<detail::job> j) noexcept {
    try {
      return start_fiber(j);
    } catch (...) {  // no fiber is to be had: here, then
    }
    try {
      if (j->thrown == nullptr) return j->run();
    } catch (...) {
      j->thrown = std::current_exception();
    }
    ready_.push(std::move(j));  // what it threw is a fiber's, once there is one
  }
  // Throws if there is none to be had. Nothing has been taken then.
  void start_fiber(std::unique_ptr<detail::job>& j) {
    detail::job* const one = j.get();
    handlers_.add();
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
    } catch (...) {
      handlers_.done();
      throw;
    }
    static_cast<void>(j.release());
  }
  void run(detail::job* one) {
    const struct leave {
      weft::wait_group& group;
      ~leave() { group.done(); }
    } leaves{handlers_};
    const std::unique_ptr<detail::job> j(one);
    if (j->thrown != nullptr) std::rethrow_exception(std::move(j->thrown));
    j->run();
  }

  void submit(std::unique_ptr<detail::job> j);

  detail::work_count work_count_;
  io io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  weft::io::descriptor events_;       // the reactor's
  detail::job_list ready_;            // the poller's
  std::atomic<weft::fiber_id> me_{};  // the poller
  bool polling_ = false;              // the poller's
  std::stop_source end_;
  weft::wait_group handlers_;
  weft::mutex lock_;
  weft::fiber<void> poller_;  // lock_
};

/// Runs functions as fibers.
class context::executor_type {
 public:
  /// Takes over the other one.
  executor_type(executor_type&& other) noexcept
      : context_(other.context_), is_work_(std::exchange(other.is_work_, false)) {}
  /// The same executor. It is outstanding work if the other one is.
  executor_type(const executor_type& other) noexcept
      : executor_type(*other.context_, other.is_work_) {}
  /// Takes over or copies the other one.
  executor_type& operator=(executor_type other) noexcept {
    std::swap(context_, other.context_);
    std::swap(is_work_, other.is_work_);
    return *this;
  }
  /// It is no longer work.
  ~executor_type() {
    if (is_work_) context_->work_count_.end();
  }

  /// Runs `f` as a fiber.
  /// Throws: std::bad_alloc, and what moving `f` throws.
  template <class F>
  void execute(F&& f) const {
    context_->submit(detail::make_job(std::forward<F>(f)));
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
  /// Whether it is outstanding work, as Asio asks for it.
  [[nodiscard]] boost::asio::execution::outstanding_work_t query(
      boost::asio::execution::outstanding_work_t) const noexcept {
    if (is_work_) return boost::asio::execution::outstanding_work.tracked;
    return boost::asio::execution::outstanding_work.untracked;
  }
  /// Itself: it never blocks.
  [[nodiscard]] executor_type require(boost::asio::execution::blocking_t::never_t) const noexcept {
    return *this;
  }
  /// One that is outstanding work.
  [[nodiscard]] executor_type require(
      boost::asio::execution::outstanding_work_t::tracked_t) const noexcept {
    return executor_type(*context_, true);
  }
  /// One that is none.
  [[nodiscard]] executor_type require(
      boost::asio::execution::outstanding_work_t::untracked_t) const noexcept {
    return executor_type(*context_, false);
  }
  /// True if both are of the same context.
  friend bool operator==(const executor_type& a, const executor_type& b) noexcept {
    return a.context_ == b.context_;
  }

 private:
  friend class context;
  executor_type(context& c, bool is_work) noexcept : context_(&c), is_work_(is_work) {
    if (is_work) c.begin_work();
  }
  context* context_;
  bool is_work_;
};

inline context::executor_type context::get_executor() noexcept {
  return executor_type(*this, false);
}

inline void context::submit(std::unique_ptr<detail::job> j) {
  // Nobody else reads its own id here, whenever it was written.
  if (weft::this_fiber::get_id() == me_.load(std::memory_order_relaxed) && polling_)
    return ready_.push(std::move(j));  // nothing waits in there, and a spawn may
  if (weft::this_fiber::is_fiber()) {
    if (work_count_.is_unattended()) need_poller();
    try {
      return start_fiber(j);
    } catch (...) {  // the poller's, then
    }
  }
  boost::asio::post(io_, [this, j = std::move(j), work = executor_type(*this, true)]() mutable {
    ready_.push(std::move(j));
  });
}

}  // namespace weft::asio

#endif  // WEFT_ASIO_NO_CONTEXT
