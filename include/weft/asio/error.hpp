// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/asio/error.hpp - the standard's error codes as Boost's.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>
#include <weft/detail/requirements.hpp>

namespace weft::asio {

namespace detail {

class wrapped_category final : public boost::system::error_category {
 public:
  explicit wrapped_category(const std::error_category& c) noexcept : category_(c) {}
  const char* name() const noexcept override { return category_.name(); }
  std::string message(int value) const override { return category_.message(value); }

 private:
  const std::error_category& category_;
};

/// One for each of the standard's categories. None is ever destroyed, because codes outlive
/// everything.
inline const boost::system::error_category& wrapped(const std::error_category& c) {
  static std::mutex lock;
  static auto& all = *new std::map<const std::error_category*, std::unique_ptr<wrapped_category>>;
  const std::lock_guard guard(lock);
  auto& one = all[&c];
  if (!one) one = std::make_unique<wrapped_category>(c);
  return *one;
}

}  // namespace detail

/// The same error for Asio: timed_out is boost::asio::error::timed_out, operation_canceled is
/// operation_aborted, and so on. Errors of other categories keep their number, name and text.
/// Example: test/unit/asio_stream_test.cpp
inline boost::system::error_code to_boost(const std::error_code& ec) {
  if (!ec) return {};
  if (ec.category() == std::generic_category() || ec.category() == std::system_category())
    return {ec.value(), boost::system::system_category()};
  return {ec.value(), detail::wrapped(ec.category())};
}

}  // namespace weft::asio
