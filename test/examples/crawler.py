#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/crawler against a server whose pages fail, hang, redirect to each other and are gone."""

import collections
import http.server
import sys
import threading
import time

from support import run, reset

PAGES = 40
asked = collections.Counter()
first_and_last = [None, None]
at_once = [0, 0]
lock = threading.Lock()


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with lock:
            asked[self.path] += 1
            count = asked[self.path]
            first_and_last[0] = first_and_last[0] or time.monotonic()
            first_and_last[1] = time.monotonic()
            at_once[0] += 1
            at_once[1] = max(at_once)
        try:
            self.serve(count)
        except OSError:
            pass
        finally:
            with lock:
                at_once[0] -= 1

    def serve(self, count):
        if self.path == "/busy" and count < 3:
            return self.answer(503, "later")
        if self.path == "/broken":
            return self.answer(500, "never")
        if self.path == "/reset" and count < 2:
            reset(self.connection)
            self.close_connection = True
            return None
        if self.path == "/hangs":
            time.sleep(3)
            self.close_connection = True
            return None
        if self.path == "/gone":
            return self.answer(404, "gone")
        links = (
            [f"/page/{(int(self.path[6:]) * 2 + i) % PAGES}" for i in (0, 1)]
            if "page" in self.path
            else []
        )
        if self.path == "/":
            links = [
                "/page/1",
                "/busy",
                "/broken",
                "/reset",
                "/hangs",
                "/gone",
                "/",
                "/page/0#part",
                "//127.0.0.1:1/elsewhere",  # of another server
                "/two words",
                "/x HTTP/1.1\r\nX-Ours: no\r\n",  # would be a header of the crawler's
            ]
        return self.answer(200, "".join(f'<a href="{link}">x</a>' for link in links))

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
rate = 200
text = run(
    sys.argv[1],
    url,
    "--rate",
    rate,
    "--in-flight",
    6,
    "--timeout-ms",
    1000,
    "--tries",
    3,
    "--backoff-ms",
    20,
)
ends = dict(line.rsplit(": ", 1) for line in text.splitlines())
requests = int(ends.pop("requests"))
# "/" and the pages, /busy at its third try, /reset at its second
assert ends == {"200": str(PAGES + 3), "404": "1", "500": "1", "Connection timed out": "1"}, text
assert sum(asked.values()) == requests, (asked, text)
assert (
    asked["/busy"] == 3 and asked["/broken"] == 3 and asked["/reset"] == 2 and asked["/hangs"] == 3
)
assert (
    all(asked[f"/page/{i}"] == 1 for i in range(PAGES)) and asked["/"] == 1 and asked["/gone"] == 1
)
assert at_once[1] <= 6, at_once
# never faster than the rate; a request may arrive late, so the first is no exact beginning
assert requests - 1 <= (first_and_last[1] - first_and_last[0]) * rate * 1.5 + 5
# a server that makes up links for ever is left after so many pages
text = run(sys.argv[1], url, "--pages", 3, "--tries", 1, "--timeout-ms", 1000)
assert "requests: 3\n" in text and "not visited, one too many: " in text, text
server.shutdown()
