// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/asio/results.hpp - what the values of a completion handler are as the result of a call.

#include <cstddef>
#include <exception>
#include <system_error>
#include <tuple>
#include <type_traits>

#include <boost/system/error_code.hpp>

namespace weft::asio::detail {

template <class T>
inline constexpr bool is_error =
    std::is_same_v<T, boost::system::error_code> || std::is_same_v<T, std::error_code>;
template <class T>
inline constexpr bool is_failure = is_error<T> || std::is_same_v<T, std::exception_ptr>;

template <class Tuple>
struct without_failure {
  using type = Tuple;
  static constexpr std::size_t first = 0;
};
template <class T, class... Rest>
  requires is_failure<T>
struct without_failure<std::tuple<T, Rest...>> {
  using type = std::tuple<Rest...>;
  static constexpr std::size_t first = 1;
};

template <class... Rest>
struct result_of_values {
  using type = std::tuple<Rest...>;
};
template <class T>
struct result_of_values<T> {
  using type = T;
};
template <>
struct result_of_values<> {
  using type = void;
};
template <class Tuple>
struct result_of;
template <class... T>
struct result_of<std::tuple<T...>> : result_of_values<T...> {};

}  // namespace weft::asio::detail
