// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/select_cases.hpp - the cases that the on_ functions of weft/select.hpp make.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include <weft/channel.hpp>
#include <weft/detail/export.hpp>
#include <weft/io/descriptor.hpp>
#include <weft/net/socket.hpp>
#include <weft/select_alternative.hpp>

namespace weft {
namespace WEFT_API detail {

template <class T, class F>
class receive_case final : public select_alternative {
 public:
  receive_case(channel<T>& from, F f) : f_(std::move(f)) {
    raw_.kind = case_kind::receive;
    raw_.object = &from.native_core();
  }

 private:
  void prepare() override {
    if constexpr (!arrives_as_bytes<T>) value_.reset();
    raw_.value = std::addressof(value_);
  }
  void finish() override {
    if constexpr (!arrives_as_bytes<T>)
      std::invoke(f_, std::exchange(value_, std::nullopt));
    else if (raw_.end == channel_status::success)
      std::invoke(f_, value_.value());
    else
      std::invoke(f_, std::optional<T>());
  }
  std::conditional_t<arrives_as_bytes<T>, receive_buffer<T>, std::optional<T>> value_;
  F f_;
};

template <class T, class F>
class send_case final : public select_alternative {
 public:
  template <class U>
  send_case(channel<T>& to, U&& value, F f) : value_(std::forward<U>(value)), f_(std::move(f)) {
    raw_.kind = case_kind::send;
    raw_.object = &to.native_core();
  }

 private:
  void prepare() override { raw_.value = std::addressof(value_); }
  void finish() override {
    const bool sent = raw_.end == channel_status::success;
    if (sent) raw_.kind = case_kind::never;  // the value is gone
    std::invoke(f_, sent);
  }
  T value_;
  F f_;
};

// A case without a value: the kind and the object describe it completely.
template <class F>
class plain_case final : public select_alternative {
 public:
  plain_case(case_kind kind, void* object, F f) : f_(std::move(f)) {
    raw_.kind = kind;
    raw_.object = object;
  }
  plain_case(std::chrono::steady_clock::time_point deadline, F f) : f_(std::move(f)) {
    raw_.kind = case_kind::deadline;
    raw_.deadline = deadline;
  }

 private:
  void finish() override { std::invoke(f_); }
  F f_;
};

template <class F>
class stop_case final : public select_alternative {
 public:
  stop_case(std::stop_token stop, F f) : stop_(std::move(stop)), f_(std::move(f)) {}

 private:
  void prepare() override {
    raw_.kind = stop_.stop_possible() ? case_kind::stop : case_kind::never;
    raw_.object = &stop_;
  }
  void finish() override { std::invoke(f_); }
  std::stop_token stop_;
  F f_;
};

template <class F>
class timeout_case final : public select_alternative {
 public:
  timeout_case(std::chrono::nanoseconds d, F f) : d_(d), f_(std::move(f)) {
    raw_.kind = case_kind::deadline;
  }

 private:
  void prepare() override { raw_.deadline = deadline_after(d_); }
  void finish() override { std::invoke(f_); }
  std::chrono::nanoseconds d_;
  F f_;
};

// Reads the object when a select begins, because the object may have been moved to since.
template <class Source, class F>
class readiness_case final : public select_alternative {
 public:
  readiness_case(case_kind kind, const Source& source, F f) : source_(&source), f_(std::move(f)) {
    raw_.kind = kind;
  }

 private:
  void prepare() override { raw_.object = source_->native_descriptor(); }
  void finish() override { std::invoke(f_); }
  const Source* source_;
  F f_;
};
template <class F>
class number_case final : public select_alternative {
 public:
  number_case(case_kind kind, int number, F f) : f_(std::move(f)) {
    raw_.kind = kind;
    raw_.number = number;
  }

 private:
  void finish() override { std::invoke(f_); }
  F f_;
};

}  // namespace WEFT_API detail
}  // namespace weft
