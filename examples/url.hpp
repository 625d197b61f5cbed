// SPDX-License-Identifier: BSL-1.0
#pragma once
// url.hpp - the path and the parameters of a request's target, decoded.
#include <http_parser.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace http {

/// "a%20b" is "a b"; in a parameter "a+b" is, too.
inline std::string decoded(std::string_view text, bool plus_is_blank) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = static_cast<char>(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_blank) c = ' ';
    if (c == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      c = static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    }
    out += c;
  }
  return out;
}

/// Of "/a%20b?c=d": the path "/a b", the query "c=d". Empty: it is none.
struct url {
  std::string path, query;

  explicit url(std::string_view target) {
    http_parser_url parts;
    ::http_parser_url_init(&parts);
    if (::http_parser_parse_url(target.data(), target.size(), 0, &parts) != 0) return;
    const auto part = [&](http_parser_url_fields f) {
      return target.substr(parts.field_data[f].off, parts.field_data[f].len);
    };
    if ((parts.field_set & 1 << UF_PATH) != 0) path = decoded(part(UF_PATH), false);
    if ((parts.field_set & 1 << UF_QUERY) != 0) query = part(UF_QUERY);
  }
  /// The value of `name`; empty if it is not there.
  [[nodiscard]] std::string parameter(std::string_view name) const {
    for (std::string_view rest = query; !rest.empty();) {
      const std::string_view one = rest.substr(0, rest.find('&'));
      rest.remove_prefix(std::min(one.size() + 1, rest.size()));
      if (one.substr(0, one.find('=')) == name)
        return decoded(one.substr(std::min(name.size() + 1, one.size())), true);
    }
    return {};
  }
};

}  // namespace http
