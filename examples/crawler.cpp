// SPDX-License-Identifier: BSL-1.0
// crawler - visits every page that links lead to on one server, politely.
//
//   at most --in-flight pages at once, --rate requests a second (a token bucket all share)
//   a page that fails (no answer in time, 5xx, 429, a reset) is tried again, later each time
//   each page is visited once; --pages of them at most: a server may make up links for ever
//
// The frontier needs no queue: a page is a fiber of a scope that spawns its links into the same
// scope; the semaphore says how many are at it, and the scope's end is the end of the crawl.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "http_client.hpp"

namespace {

struct settings {
  int in_flight = 8, tries = 4, timeout_ms = 2000, backoff_ms = 100, pages = 100'000;
  double rate = 50;
};

class crawl {
 public:
  crawl(const http::address& start, const settings& s)
      : start_(start), settings_(s), rate_(s.rate), places_(s.in_flight) {}

  // {status or failure: pages}; of what was not visited: links
  std::map<std::string, int> run() {
    visit(start_.target);
    pages_.join();
    return std::exchange(ends_, {});
  }
  [[nodiscard]] int requests() const { return requests_; }

 private:
  void visit(const std::string& target) {
    {
      const std::lock_guard guard(lock_);
      if (seen_.contains(target)) return;
      const bool full = seen_.size() == static_cast<std::size_t>(settings_.pages);
      if (full) ++ends_["not visited, one too many"];
      if (full) return;
      seen_.insert(target);
    }
    pages_.spawn([this, target] {
      places_.acquire();
      std::string page;
      const std::string end = fetch(target, page);
      places_.release();
      for (const std::string& link : links_of(page)) visit(link);
      const std::lock_guard guard(lock_);
      ++ends_[end];
    });
  }

  std::string fetch(const std::string& target, std::string& page) {
    std::string end;
    auto pause = std::chrono::milliseconds(settings_.backoff_ms);
    for (int n = 0; n < settings_.tries; ++n, pause *= 2) {
      if (n > 0) weft::this_fiber::sleep_for(pause);
      rate_.acquire();
      ++requests_;
      try {
        http::client client(start_.server, start_.host);
        http::response r = client.get(target, std::chrono::steady_clock::now() +
                                                  std::chrono::milliseconds(settings_.timeout_ms));
        end = std::to_string(r.status);
        if (r.status == 200) page = std::move(r.body);
        if (r.status < 500 && r.status != 429) return end;
      } catch (const std::system_error& e) {
        end = e.code().message();
      } catch (const std::exception& e) {
        end = e.what();
      }
    }
    return end;
  }

  static std::vector<std::string> links_of(const std::string& page) {
    constexpr std::string_view before = "href=\"";
    std::vector<std::string> found;
    for (std::size_t at = 0; (at = page.find(before, at)) != page.npos;) {
      at += before.size();
      const std::size_t end = page.find_first_of("\"#", at);
      if (end == page.npos) break;
      std::string link = page.substr(at, end - at);
      const auto bad = [](char c) { return c <= ' ' || c == 0x7f; };  // would be a header of ours
      if (link.starts_with('/') && !link.starts_with("//") &&         // of this server only
          std::none_of(link.begin(), link.end(), bad))
        found.push_back(std::move(link));
    }
    return found;
  }

  const http::address& start_;
  const settings& settings_;
  weft::rate_limiter rate_;
  weft::counting_semaphore<> places_;
  weft::mutex lock_;
  std::set<std::string> seen_;       // under lock_
  std::map<std::string, int> ends_;  // under lock_
  std::atomic<int> requests_{0};
  weft::scope pages_;  // last: its fibers use the others
};

}  // namespace

int main(int argc, char** argv) {
  std::string url;
  settings s;
  CLI::App app{"Visits every page of a server that links lead to."};
  app.add_option("url", url, "where to begin, such as http://127.0.0.1:8080/")->required();
  const auto number = [&](const char* name, auto& to, const char* what) {
    app.add_option(name, to, what)->check(CLI::PositiveNumber)->capture_default_str();
  };
  number("--in-flight", s.in_flight, "pages at once");
  number("--rate", s.rate, "requests a second");
  number("--tries", s.tries, "for each page");
  number("--pages", s.pages, "at most");
  number("--timeout-ms", s.timeout_ms, "for each request");
  number("--backoff-ms", s.backoff_ms, "before the second try; doubled for each further one");
  CLI11_PARSE(app, argc, argv);

  try {
    const http::address start(url);
    return weft::run([&] {
      crawl c(start, s);
      for (const auto& [end, pages] : c.run()) fmt::print("{}: {}\n", end, pages);
      fmt::print("requests: {}\n", c.requests());
      return 0;
    });
  } catch (const std::exception& e) {
    fmt::print(stderr, "crawler: {}\n", e.what());
    return 1;
  }
}
