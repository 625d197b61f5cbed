// SPDX-License-Identifier: BSL-1.0
// net/resolve.cpp - numeric addresses at once, names by the resolver; and what the system's says.
#include <weft/net/resolve.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include <netdb.h>
#include <sys/socket.h>

#include "net/quoted.hpp"
#include "net/resolver.hpp"
#include "os/errno_guard.hpp"

namespace weft::detail {
namespace {

std::error_code error_of(int code) noexcept {
  switch (code) {
    case 0:
      return {};
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
      return net::net_errc::host_not_found;
    case EAI_AGAIN:
      return net::net_errc::host_not_found_yet;
    case EAI_SERVICE:
      return net::net_errc::service_not_found;
    case EAI_MEMORY:
      return std::make_error_code(std::errc::not_enough_memory);
    case EAI_SYSTEM:
      return {os::error_number(), std::generic_category()};
    default:
      return net::net_errc::name_server_failure;
  }
}

bool is_port(const std::string& text, std::uint16_t& port) noexcept {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, port);
  return error == std::errc{} && at == end;
}

// The system's resolver also takes " 80" and "+80" for numbers, "" for 0, and 70000 for 4464.
bool may_be_service(std::string_view text) noexcept {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || std::string_view("+- \t\n\v\f\r").find(text.front()) != text.npos)
    return false;
  return !std::all_of(text.begin(), text.end(), is_digit);
}

// No name of a host begins so and is none of these: a digit in front, or a colon anywhere.
bool looks_numeric(std::string_view host) noexcept {
  const char last = host.empty() ? 'x' : host.back();
  return host.find(':') != std::string_view::npos || (last >= '0' && last <= '9');
}

bool is_of(const net::endpoint& e, net::address_family family) noexcept {
  return family == net::address_family::any || e.is_v6() == (family == net::address_family::v6);
}

}  // namespace

lookup_answer ask_the_system(const lookup_request& r) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;  // one entry for each address
  hints.ai_family = r.family == net::address_family::v4   ? AF_INET
                    : r.family == net::address_family::v6 ? AF_INET6
                                                          : AF_UNSPEC;
  std::uint16_t port = 0;
  if (is_port(r.service, port)) hints.ai_flags = AI_NUMERICSERV;
  addrinfo* first = nullptr;
  int result = ::getaddrinfo(r.host.c_str(), r.service.c_str(), &hints, &first);
  if (result == EAI_SERVICE) {  // one of UDP only
    hints.ai_socktype = SOCK_DGRAM;
    result = ::getaddrinfo(r.host.c_str(), r.service.c_str(), &hints, &first);
  }
  lookup_answer answer{error_of(result), {}};
  if (result != 0) return answer;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(first, &::freeaddrinfo);
  for (const addrinfo* a = first; a != nullptr; a = a->ai_next) {
    if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
    const auto e = net::endpoint::from_native(*a->ai_addr, a->ai_addrlen);
    if (std::find(answer.endpoints.begin(), answer.endpoints.end(), e) == answer.endpoints.end())
      answer.endpoints.push_back(e);
  }
  if (answer.endpoints.empty()) answer.error = net::net_errc::host_not_found;
  return answer;
}

std::vector<net::endpoint> resolve_within(std::string_view host, const net::service& s,
                                          net::address_family family, const wait_limit& l,
                                          std::error_code& ec) {
  ec.clear();
  // The system's resolver would read up to the null character.
  if (host.empty() || host.find('\0') != std::string_view::npos)
    return ec = net::net_errc::host_not_found, std::vector<net::endpoint>();
  if (s.text().find('\0') != std::string::npos)
    return ec = net::net_errc::service_not_found, std::vector<net::endpoint>();
  std::uint16_t port = 0;
  const bool has_port = is_port(s.text(), port);
  if (!has_port && !may_be_service(s.text()))
    return ec = net::net_errc::service_not_found, std::vector<net::endpoint>();
  if (looks_numeric(host) && has_port) {
    try {
      const net::endpoint e(host, port);
      if (is_of(e, family)) return {e};
      return ec = net::net_errc::host_not_found, std::vector<net::endpoint>();
    } catch (const std::system_error&) {  // "10.in-addr" or "127.1": the system's resolver knows
    }
  }
  return resolver::of_process().resolve({std::string(host), s.text(), family}, l, ec);
}

std::vector<net::endpoint> resolve_or_throw(std::string_view host, const net::service& s,
                                            net::address_family family, const wait_limit& l) {
  std::error_code ec;
  std::vector<net::endpoint> all = resolve_within(host, s, family, l, ec);
  if (ec)
    throw std::system_error(ec, "weft: resolve " + quoted(host) + ", service " + quoted(s.text()));
  return all;
}

}  // namespace weft::detail
