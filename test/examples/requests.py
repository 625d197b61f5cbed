#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/requests: 1000 GETs of examples/http_server, 10, 100 and 1000 in flight."""

import sys

from support import Server, run

with Server(sys.argv[2]) as server:
    for in_flight in 10, 100, 1000:
        text = run(sys.argv[1], server.url("/wait?ms=5"), "--count", 1000, "--in-flight", in_flight)
        assert text.startswith(f"1000 of 1000 answered, {in_flight} in flight: "), text
    text = run(sys.argv[1], server.url("/nothing"), "--count", 10, status=1)
    assert text.startswith("0 of 10 answered"), text
run(sys.argv[1], server.url(), "--count", 10, status=1)  # nobody is there
