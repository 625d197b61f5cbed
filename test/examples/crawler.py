#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/crawler against a server whose pages fail, hang, redirect to each other and are gone."""

import collections
import http.server
import sys
import threading
import time

from support import PATIENCE, reset, run, wait_until

PAGES = 40
IN_FLIGHT = 6
CROWD = 3 * IN_FLIGHT
asked = collections.Counter()
first_and_last = [None, None]
at_once = [0, 0]
lock = threading.Lock()
together = threading.Barrier(IN_FLIGHT)


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

    def done(self):
        """Before the client can know: it may ask for the next page then."""
        with lock:
            at_once[0] -= 1

    def serve(self, count):
        if self.path == "/busy" and count < 3:
            return self.answer(503, "later")
        if self.path == "/broken":
            return self.answer(500, "never")
        if self.path == "/reset" and count < 2:
            self.done()
            reset(self.connection)
            self.close_connection = True
            return None
        if self.path == "/hangs":
            self.done()
            self.connection.recv(1)  # until the client gives up
            self.close_connection = True
            return None
        if self.path == "/gone":
            return self.answer(404, "gone")
        if self.path.startswith("/crowd/"):
            together.wait(PATIENCE)
            time.sleep(0.05)  # one too many would come meanwhile
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
                "/gone",
                "/",
                "/page/0#part",
                "//127.0.0.1:1/elsewhere",  # of another server
                "/two words",
                "/x HTTP/1.1\r\nX-Ours: no\r\n",  # would be a header of the crawler's
            ]
        if self.path == "/crowd":
            links = [f"/crowd/{i}" for i in range(CROWD)]
        return self.answer(200, "".join(f'<a href="{link}">x</a>' for link in links))

    def answer(self, status, text):
        body = text.encode()
        self.done()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def crawl(path, *options, timeout_ms=PATIENCE * 1000):
    """How many requests it has made, and how the pages ended: {end: pages}."""
    text = run(sys.argv[1], url + path, "--timeout-ms", timeout_ms, *options)
    ends = dict(line.rsplit(": ", 1) for line in text.splitlines())
    return int(ends.pop("requests")), ends


rate = 200
requests, ends = crawl(
    "/", "--rate", rate, "--in-flight", IN_FLIGHT, "--tries", 3, "--backoff-ms", 20
)
# "/" and the pages, /busy at its third try, /reset at its second
assert ends == {"200": str(PAGES + 3), "404": "1", "500": "1"}, ends
assert sum(asked.values()) == requests, (asked, requests)
assert asked["/busy"] == 3 and asked["/broken"] == 3 and asked["/reset"] == 2
assert (
    all(asked[f"/page/{i}"] == 1 for i in range(PAGES)) and asked["/"] == 1 and asked["/gone"] == 1
)
# never faster than the rate; a request may arrive late, so the first is no exact beginning
assert requests - 1 <= (first_and_last[1] - first_and_last[0]) * rate * 1.5 + 5
# pages that are answered when so many are asked for at once: it goes so far, and no further
_, ends = crawl("/crowd", "--rate", 10_000, "--in-flight", IN_FLIGHT, "--tries", 1)
assert ends == {"200": str(CROWD + 1)}, ends
assert at_once == [0, IN_FLIGHT], at_once
# no answer in time; on a slow machine, nor was every question sent in time
requests, ends = crawl("/hangs", "--tries", 3, "--backoff-ms", 20, timeout_ms=300)
assert requests == 3 and ends == {"Connection timed out": "1"}, (requests, ends)
wait_until(lambda: asked["/hangs"] > 0, "it asked at all")
assert asked["/hangs"] <= 3, asked
# a server that makes up links for ever is left after so many pages
requests, ends = crawl("/", "--pages", 3, "--tries", 1)
assert requests == 3 and "not visited, one too many" in ends, (requests, ends)
server.shutdown()
