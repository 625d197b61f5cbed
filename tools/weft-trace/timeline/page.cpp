// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/timeline/page.cpp - see timeline.hpp. The files of page/ were put into the
// program when it was configured.
#include <string_view>

#include "timeline/assets.hpp"
#include "timeline/timeline.hpp"

namespace weft::tools {
namespace {

void replace(std::string& text, std::string_view mark, std::string_view by) {
  if (const std::size_t at = text.find(mark); at != std::string::npos)
    text.replace(at, mark.size(), by);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string timeline_page(const model& m, const excerpt& x, const timeline_options& o) {
  const page_data data = make_page_data(m, x, o);
  std::string page(asset_page_html);
  // The data last: nothing of it is looked at again.
  replace(page, "{{title}}", escaped(o.title));
  replace(page, "{{style}}", asset_style_css);
  replace(page, "{{scripts}}", asset_scripts);
  replace(page, "{{json}}", data.json);
  replace(page, "{{columns}}", data.base64);
  return page;
}

}  // namespace weft::tools
