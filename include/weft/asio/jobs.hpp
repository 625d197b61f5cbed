// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/asio/jobs.hpp - functions that weft::asio::context will run, and what is outstanding.

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace weft::asio::detail {

/// A function to be called once.
class job {
 public:
  virtual ~job() = default;
  virtual void run() = 0;

  std::exception_ptr thrown;  // where no fiber was to be had

 private:
  friend class job_list;
  job* next_ = nullptr;
};
template <class F>
class job_of final : public job {
 public:
  explicit job_of(F f) : f_(std::move(f)) {}
  void run() override { std::move(f_)(); }

 private:
  F f_;
};

/// Jobs in the order they came. It needs no memory.
class job_list {
 public:
  job_list() noexcept = default;
  job_list(job_list&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr)) {}
  job_list& operator=(job_list&&) = delete;
  ~job_list() {
    while (pop() != nullptr) continue;
  }
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  void push(std::unique_ptr<job> j) noexcept {
    (last_ != nullptr ? last_->next_ : first_) = j.get();
    last_ = j.release();
  }
  [[nodiscard]] std::unique_ptr<job> pop() noexcept {
    std::unique_ptr<job> j(first_);
    if (j != nullptr && (first_ = std::exchange(j->next_, nullptr)) == nullptr) last_ = nullptr;
    return j;
  }

 private:
  job *first_ = nullptr, *last_ = nullptr;
};

template <class F>
[[nodiscard]] std::unique_ptr<job> make_job(F&& f) {
  return std::make_unique<job_of<std::decay_t<F>>>(std::forward<F>(f));
}

/// Whether a fiber polls, and how much work is outstanding: executors that Asio has asked to count
/// as such. Each operation holds one from before its start until its handler is a job. The fiber
/// ends by a step from "polled, no work" to nothing, so whoever begins work sees that it is gone.
class work_count {
 public:
  /// False: nobody polls.
  bool begin() noexcept { return (word_.fetch_add(one, std::memory_order_acq_rel) & polled) != 0; }
  void end() noexcept { word_.fetch_sub(one, std::memory_order_release); }

  /// False: another one polls.
  bool begin_polling() noexcept {
    return (word_.fetch_or(polled, std::memory_order_acq_rel) & polled) == 0;
  }
  void end_polling() noexcept { word_.fetch_and(~polled, std::memory_order_release); }
  /// True: there is no work, and the caller polls no more.
  bool end_polling_if_idle() noexcept {
    std::uint64_t idle = polled;
    return word_.compare_exchange_strong(idle, 0, std::memory_order_acq_rel);
  }

  [[nodiscard]] bool is_polled() const noexcept {
    return (word_.load(std::memory_order_relaxed) & polled) != 0;
  }
  /// There is work, but no fiber was to be had for it.
  [[nodiscard]] bool is_unattended() const noexcept {
    const std::uint64_t w = word_.load(std::memory_order_relaxed);
    return w >= one && (w & polled) == 0;
  }

 private:
  static constexpr std::uint64_t polled = 1, one = 2;
  std::atomic<std::uint64_t> word_{0};
};

}  // namespace weft::asio::detail
