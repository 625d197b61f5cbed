// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/trace/browser.hpp - Chromium without a window, driven through a pipe by its DevTools
// protocol: JSON messages that end with a zero byte, requests with an id that the answer repeats,
// events without one. No driver program, no port, no network.
//
// Rejected: chromium --dump-dom (cannot press a key); WebDriver (another program, of the same
// version, on a port).

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weft::test {

class browser {
 public:
  using json = nlohmann::json;

  /// The program, or an empty string if there is none. WEFT_CHROMIUM names another.
  static std::string find() {
    if (const char* named = std::getenv("WEFT_CHROMIUM")) return named;
    for (const char* path : {"/usr/bin/chromium", "/usr/bin/chromium-headless-shell",
                             "/usr/bin/chromium-browser", "/usr/bin/google-chrome"})
      if (access(path, X_OK) == 0) return path;
    return {};
  }

  /// Starts it; `home` is a directory of its own, which must exist. Throws std::runtime_error.
  browser(const std::string& program, const std::string& home, int width, int height) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
      throw std::runtime_error("no pipe");
    const std::vector<std::string> words{program,
                                         "--headless",
                                         "--no-sandbox",
                                         "--disable-gpu",
                                         "--remote-debugging-pipe",
                                         "--no-first-run",
                                         "--disable-background-networking",
                                         "--disable-dev-shm-usage",
                                         "--disable-component-update",
                                         "--hide-scrollbars",
                                         "--user-data-dir=" + home,
                                         "about:blank"};
    std::vector<char*> arguments;
    for (const std::string& w : words) arguments.push_back(const_cast<char*>(w.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    // 3 and 4 may be among ours: out of the way first.
    const int read_end = fcntl(in[0], F_DUPFD_CLOEXEC, 10),
              write_end = fcntl(out[1], F_DUPFD_CLOEXEC, 10);
    posix_spawn_file_actions_adddup2(&files, read_end, 3);
    posix_spawn_file_actions_adddup2(&files, write_end, 4);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // a group of its own: the destructor ends all of it
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    const int failed =
        posix_spawn(&child_, program.c_str(), &files, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    for (const int fd : {in[0], out[1], read_end, write_end}) close(fd);
    to_ = in[1];
    from_ = out[0];
    if (failed != 0) throw std::runtime_error("cannot run " + program);
    const json target = call("Target.createTarget", {{"url", "about:blank"}});
    session_ = call("Target.attachToTarget",
                    {{"targetId", target["targetId"]}, {"flatten", true}})["sessionId"];
    for (const char* domain : {"Runtime.enable", "Log.enable", "Page.enable", "Network.enable"})
      call(domain, json::object());
    call("Emulation.setDeviceMetricsOverride",
         {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", false}});
  }
  ~browser() {
    kill(-child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    close(to_);
    close(from_);
  }
  browser(const browser&) = delete;
  browser& operator=(const browser&) = delete;

  void open(const std::string& path) {
    loaded_ = false;
    call("Page.navigate", {{"url", "file://" + path}});
    while (!loaded_) take(next());
    frame();
  }
  /// The value of an expression in the page; waits for a promise.
  json evaluate(const std::string& expression) {
    const json r =
        call("Runtime.evaluate",
             {{"expression", expression}, {"returnByValue", true}, {"awaitPromise", true}});
    if (r.contains("exceptionDetails"))
      throw std::runtime_error(expression + ": " + r["exceptionDetails"].dump());
    return r["result"].contains("value") ? r["result"]["value"] : json();
  }
  /// Until what is on display has been painted.
  void frame() {
    evaluate(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))");
  }
  void press(const std::string& key) {
    json e{{"type", "keyDown"}, {"key", key}};
    if (key.size() == 1) e["text"] = key;
    if (key == "Enter") e["text"] = "\r", e["windowsVirtualKeyCode"] = 13;
    call("Input.dispatchKeyEvent", e);
    e["type"] = "keyUp";
    e.erase("text");
    call("Input.dispatchKeyEvent", e);
    frame();
  }
  void type(const std::string& text) {
    call("Input.insertText", {{"text", text}});
    frame();
  }
  void click(double x, double y) {
    for (const char* what : {"mousePressed", "mouseReleased"})
      call("Input.dispatchMouseEvent",
           {{"type", what}, {"x", x}, {"y", y}, {"button", "left"}, {"clickCount", 1}});
    frame();
  }
  void hover(double x, double y) {
    call("Input.dispatchMouseEvent", {{"type", "mouseMoved"}, {"x", x}, {"y", y}});
    frame();
  }
  void wheel(double x, double y, double delta, bool control) {
    call("Input.dispatchMouseEvent", {{"type", "mouseWheel"},
                                      {"x", x},
                                      {"y", y},
                                      {"deltaX", 0},
                                      {"deltaY", delta},
                                      {"modifiers", control ? 2 : 0}});
    frame();
  }
  /// A PNG, in base64.
  std::string screenshot() { return call("Page.captureScreenshot", {{"format", "png"}})["data"]; }

  /// What the page complained about, and what it tried to load from elsewhere.
  std::vector<std::string> complaints;

 private:
  json call(const std::string& method, const json& parameters) {
    json request{{"id", ++id_}, {"method", method}, {"params", parameters}};
    if (!session_.empty()) request["sessionId"] = session_;
    const std::string text = request.dump() + '\0';
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t n = write(to_, text.data() + done, text.size() - done);
      if (n <= 0) throw std::runtime_error("Chromium does not listen");
      done += static_cast<std::size_t>(n);
    }
    while (true) {
      json answer = next();
      if (answer.value("id", 0) != id_) {
        take(answer);
        continue;
      }
      if (answer.contains("error"))
        throw std::runtime_error(method + ": " + answer["error"].dump());
      return answer["result"];
    }
  }
  json next() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    std::size_t end = 0;
    while ((end = buffer_.find('\0')) == std::string::npos) {
      pollfd p{from_, POLLIN, 0};
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error("Chromium says nothing for a minute");
      if (::poll(&p, 1, 1000) <= 0) continue;
      char some[65536];
      const ssize_t n = read(from_, some, sizeof some);
      if (n <= 0) throw std::runtime_error("Chromium has ended");
      buffer_.append(some, static_cast<std::size_t>(n));
    }
    json message = json::parse(buffer_.substr(0, end));
    buffer_.erase(0, end + 1);
    return message;
  }
  void take(const json& event) {
    const std::string method = event.value("method", "");
    if (method == "Page.loadEventFired") loaded_ = true;
    if (method == "Runtime.exceptionThrown")
      complaints.push_back(event["params"]["exceptionDetails"].dump());
    if (method == "Runtime.consoleAPICalled" && event["params"]["type"] != "log")
      complaints.push_back(event["params"].dump());
    if (method == "Log.entryAdded") complaints.push_back(event["params"]["entry"].dump());
    if (method == "Network.requestWillBeSent") {
      const std::string url = event["params"]["request"]["url"];
      if (url.rfind("file:", 0) != 0 && url.rfind("data:", 0) != 0)
        complaints.push_back("wants " + url);
    }
  }

  pid_t child_ = -1;
  int to_ = -1, from_ = -1, id_ = 0;
  bool loaded_ = false;
  std::string session_, buffer_;
};

}  // namespace weft::test
