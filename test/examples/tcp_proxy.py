#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/tcp_proxy before examples/echo and http_server: bytes and ends pass through."""

import os
import sys
import threading

from support import Server, need, read_to_end, reset, run, wait_until

PROXY, ECHO, HTTP = sys.argv[1:4]
CURL = need("curl", "curl")

with Server(ECHO) as echo, Server(PROXY, "--to", f"127.0.0.1:{echo.port}") as proxy:
    data = os.urandom(3_000_000)
    with proxy.connect() as client:
        # the end of the client's side reaches the upstream; its answer comes back all the same
        sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(1)))
        sender.start()
        assert read_to_end(client) == data
        sender.join()
    for _ in range(50):
        rude = proxy.connect()
        rude.sendall(b"x" * 1000)
        reset(rude)
    with proxy.connect() as client:
        client.sendall(b"still here")
        assert client.recv(100) == b"still here"

with Server(HTTP) as http, Server(PROXY, "--to", f"127.0.0.1:{http.port}") as proxy:
    assert run(CURL, "-s", proxy.url("/?name=you")) == "Hello you from weft\n"

# Silence ends both sides.
with Server(ECHO) as echo, Server(
    PROXY, "--to", f"127.0.0.1:{echo.port}", "--idle-ms", 100
) as proxy:
    with proxy.connect() as client:
        assert read_to_end(client) == b""

# No upstream: the client is told by the end of its connection, the operator by a line.
with Server(PROXY, "--to", f"127.0.0.1:{echo.port}") as proxy:
    with proxy.connect() as client:
        try:
            assert read_to_end(client) == b""
        except ConnectionResetError:
            pass
    wait_until(lambda: any("upstream" in line for line in proxy.said), "it says who is not there")
