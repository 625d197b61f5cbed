// SPDX-License-Identifier: BSL-1.0
// word_count DIR - lines, words and bytes of every regular file below DIR, one fiber per file.
//
// The totals are those of `find DIR -type f -print0 | xargs -0 cat | LC_ALL=C wc`: the files count
// as one text, in the order of the walk, so a word may begin in one file and end in the next. Each
// fiber therefore reports, beside its counts, how its file's two ends look, and the sum is taken in
// order afterwards.
//
// A scope with a limit keeps the number of open files bounded: spawn() parks the walking fiber
// while `--limit` files are in work. The fibers call plain open(2) and read(2).
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <weft/weft.hpp>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>

#include "words.hpp"

namespace fs = std::filesystem;

namespace {

using examples::byte_table;
using examples::counts;
using examples::word_rule;

counts count_file(const std::string& path, const byte_table& table) {
  counts result;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    result.error = errno;
    return result;
  }
  constexpr std::size_t buffer_size = 64 * 1024;
  const auto buffer = std::make_unique_for_overwrite<char[]>(buffer_size);
  while (true) {
    const ssize_t n = ::read(fd, buffer.get(), buffer_size);
    if (n > 0) {
      result.add(buffer.get(), static_cast<std::size_t>(n), table);
    } else if (n == 0 || errno != EINTR) {
      result.error = n == 0 ? 0 : errno;
      break;
    }
  }
  ::close(fd);
  return result;
}

struct settings {
  std::string dir;
  std::string list;
  std::size_t limit = 64;
  std::size_t workers = 0;
  bool any_byte = false;
  bool skip_unreadable = false;
  bool progress = false;
};

int count_tree(const settings& s) {
  const byte_table table =
      examples::make_table(s.any_byte ? word_rule::any_byte : word_rule::printable);
  std::deque<std::string> paths;  // deques: the fibers keep references while these grow
  std::deque<counts> results;
  const auto options = s.skip_unreadable ? fs::directory_options::skip_permission_denied
                                         : fs::directory_options::none;
  weft::scope files(weft::scope_limit{s.limit});
  for (const auto& entry : fs::recursive_directory_iterator(s.dir, options)) {
    if (entry.symlink_status().type() != fs::file_type::regular) continue;
    const std::string& path = paths.emplace_back(entry.path().string());
    counts& result = results.emplace_back();
    files.spawn([&path, &result, &table] { result = count_file(path, table); });
    if (s.progress && paths.size() % 5000 == 0) {
      fmt::print(stderr, "  {} files begun, now in {}\n", paths.size(),
                 entry.path().parent_path().string());
    }
  }
  files.join();

  counts total;
  std::size_t unreadable = 0;
  std::ofstream list;
  if (!s.list.empty()) list.open(s.list, std::ios::binary | std::ios::trunc);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (results[i].error != 0) {
      ++unreadable;
      fmt::print(stderr, "word_count: {}: {}\n", paths[i],
                 std::generic_category().message(results[i].error));
      if (s.skip_unreadable) continue;
    }
    total.append(results[i]);
    if (list.is_open()) list.write(paths[i].c_str(), static_cast<long>(paths[i].size()) + 1);
  }
  if (list.is_open() && !list.flush()) {
    fmt::print(stderr, "word_count: cannot write {}\n", s.list);
    return 1;
  }
  fmt::print("files {}\nlines {}\nwords {}\nbytes {}\n", paths.size() - unreadable, total.lines,
             total.words, total.bytes);
  return unreadable != 0 && !s.skip_unreadable ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app{"Counts lines, words and bytes of every regular file below a directory."};
  app.add_option("DIR", s.dir, "the directory")->required()->check(CLI::ExistingDirectory);
  app.add_option("--limit", s.limit, "files in work at the same time")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--workers", s.workers, "processors; 0: what this process may use");
  app.add_option("--list", s.list, "write the counted paths there, in order, NUL-terminated");
  app.add_flag("--any-byte", s.any_byte, "any run of non-space bytes is a word (coreutils >= 9.5)");
  app.add_flag("--skip-unreadable", s.skip_unreadable, "name what cannot be read, and go on");
  app.add_flag("--progress", s.progress, "say on stderr how far it is");
  CLI11_PARSE(app, argc, argv);

  try {
    weft::options options;
    options.workers = s.workers;
    return weft::run(options, [&] { return count_tree(s); });
  } catch (const std::exception& e) {
    fmt::print(stderr, "word_count: {}\n", e.what());
    return 1;
  }
}
