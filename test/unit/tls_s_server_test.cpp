// SPDX-License-Identifier: BSL-1.0
// unit/tls_s_server_test.cpp - a client against OpenSSL's own server, if the command is there.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/tls.hpp"

using namespace weft::test;

namespace {

/// `openssl s_server -www` at a port of the kernel's choice.
class s_server {
 public:
  s_server(const scratch& dir, const char* version) {
    const std::string cert = dir.write("cert.pem", server_certificate().pem);
    const std::string key = dir.write("key.pem", server_certificate().key_pem);
    int out[2];
    REQUIRE(::pipe(out) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    ::posix_spawn_file_actions_addclose(&actions, out[0]);
    const char* arguments[] = {"openssl",   "s_server", "-accept",    "127.0.0.1:0",
                               "-www",      "-cert",    cert.c_str(), "-key",
                               key.c_str(), version,    nullptr};
    const int error = ::posix_spawnp(&process_, "openssl", &actions, nullptr,
                                     const_cast<char**>(arguments), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    out_ = ::fdopen(out[0], "r");
    if (error != 0) process_ = -1;
    char line[256];
    while (process_ > 0 && port_ == 0 && std::fgets(line, sizeof line, out_) != nullptr)
      if (const std::string text = line; text.starts_with("ACCEPT "))
        port_ = static_cast<std::uint16_t>(std::atoi(text.c_str() + text.rfind(':') + 1));
  }
  ~s_server() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    std::fclose(out_);
  }
  s_server(const s_server&) = delete;
  s_server& operator=(const s_server&) = delete;
  std::uint16_t port() const { return port_; }  // 0: no server

 private:
  pid_t process_ = -1;
  std::FILE* out_ = nullptr;
  std::uint16_t port_ = 0;
};

// A page, read to its end, and what can be resumed of the connection.
weft::tls::session get(std::uint16_t port, const weft::tls::session& before, bool& resumed) {
  weft::tls::stream s(weft::net::tcp_stream({"127.0.0.1", port}), client_context(), "localhost");
  if (before) s.set_session(before);
  s.write_all("GET / HTTP/1.0\r\n\r\n");
  std::string page;
  char part[4096];
  while (const std::size_t n = s.read_some(part)) page.append(part, n);
  CHECK(page.find("200 ok") != std::string::npos);
  s.shutdown();
  resumed = s.resumed();
  return s.session();
}

}  // namespace

TEST_CASE("tls: a client of openssl s_server, which resumes") {
  if (std::system("openssl version >/dev/null 2>&1") != 0) {
    MESSAGE("skipped: no openssl command (apt-get install openssl)");
    return;
  }
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    const scratch dir;
    const s_server server(dir, version);
    REQUIRE(server.port() != 0);
    weft::run([&] {
      bool resumed = true;
      const auto first = get(server.port(), {}, resumed);
      CHECK(!resumed);
      REQUIRE(first);
      static_cast<void>(get(server.port(), first, resumed));
      CHECK(resumed);
    });
  }
}
