// SPDX-License-Identifier: BSL-1.0
#pragma once
// dns.hpp - messages of the domain name system, read by libresolv and made by hand.
#include <arpa/inet.h>
#include <arpa/nameser.h>

#include <cstddef>
#include <string>
#include <vector>

namespace dns {

using message = std::vector<unsigned char>;

inline std::string lower(std::string name) {
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return name;
}

inline constexpr std::size_t largest = 4096;

/// Where the first question of a message ends: after its name, type and class. 0: not within the
/// message, or the name is compressed. libresolv accepts that, but there is no name before it.
inline std::size_t end_of_question(const message& m) {
  std::size_t at = NS_HFIXEDSZ;
  for (; at < m.size() && m[at] != 0; at += m[at] + 1u)
    if (m[at] > NS_MAXLABEL) return 0;
  at += 1 + NS_QFIXEDSZ;
  return at <= m.size() ? at : 0;
}

/// The one question of a query; not valid if there is none or more than one.
struct question {
  bool valid = false;
  std::string name;
  int type = 0;
  std::size_t end = 0;  // in the message

  explicit question(const message& m) {
    ns_msg parsed;
    ns_rr record;
    if (::ns_initparse(m.data(), static_cast<int>(m.size()), &parsed) != 0) return;
    if (ns_msg_count(parsed, ns_s_qd) != 1 || ::ns_parserr(&parsed, ns_s_qd, 0, &record) != 0)
      return;
    name = lower(ns_rr_name(record));  // "WeFt.LAN" is "weft.lan", and some resolvers mix them
    type = ns_rr_type(record);
    end = end_of_question(m);
    valid = end != 0;
  }
  [[nodiscard]] bool is(const question& other) const {
    return valid && other.valid && type == other.type && name == other.name;
  }
};

inline bool is_response(const message& m) { return m.size() >= NS_HFIXEDSZ && (m[2] & 0x80) != 0; }

/// A response without records. What follows the question in the query (EDNS) is left out.
inline message make_response(const message& query, const question& q, int code) {
  message m(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(q.end));
  m[2] = static_cast<unsigned char>((m[2] & 0x79) | 0x80);  // a response; the opcode as it was
  m[3] = static_cast<unsigned char>(0x80 | code);           // recursion is available
  for (std::size_t i = 6; i < NS_HFIXEDSZ; ++i) m[i] = 0;   // no records yet
  return m;
}

/// An authoritative response: the IPv4 address, or no record if another type was asked for.
inline message address_response(const message& query, const question& q,
                                const std::string& address) {
  message m = make_response(query, q, ns_r_noerror);
  m[2] |= 0x04;  // authoritative
  if (q.type != ns_t_a) return m;
  m[7] = 1;
  // the name of the question, type A, class IN, a minute, four bytes
  for (const int byte : {0xc0, NS_HFIXEDSZ, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4})
    m.push_back(static_cast<unsigned char>(byte));
  in_addr four{};
  ::inet_pton(AF_INET, address.c_str(), &four);
  const auto* bytes = reinterpret_cast<const unsigned char*>(&four);
  m.insert(m.end(), bytes, bytes + sizeof four);
  return m;
}

}  // namespace dns
