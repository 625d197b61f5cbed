#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/http_server under ab (HTTP/1.0 with keep-alive and without) and wrk."""

import re
import sys

from support import Server, need, run

AB = need("ab", "apache2-utils")
WRK = need("wrk", "wrk")

with Server(sys.argv[1]) as server:
    for options, kept in (["-k"], 2000), ([], 0):
        text = run(AB, "-q", *options, "-n", 2000, "-c", 20, server.url())
        assert re.search(r"Complete requests:\s+2000\n", text), text
        assert re.search(r"Failed requests:\s+0\n", text), text
        assert not kept or re.search(rf"Keep-Alive requests:\s+{kept}\n", text), text
        assert "Non-2xx" not in text, text
    for connections in 10, 200:
        text = run(WRK, "-t1", f"-c{connections}", "-d1", server.url("/?name=wrk"))
        assert "Socket errors" not in text and "Non-2xx" not in text, text
        assert float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]) > 0, text
    # wrk leaves in the middle of answers
assert not server.said, server.said
