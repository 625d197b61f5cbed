#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/http_server against curl, and against clients that are slow, greedy, rude or gone."""

import os
import re
import select
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from support import Server, need, read_exactly, read_to_end, reset, run, wait_until

PROGRAM = sys.argv[1]
CURL = need("curl", "curl")
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
ANSWER = re.compile(rb"HTTP/1.1 200 OK\r\n(?:[^\r]+\r\n)+\r\nHello from weft\n")


def curl(server, target, *options):
    return run(CURL, "-s", "--path-as-is", "-w", "%{http_code}", *options, server.url(target))


def read_answer(client):
    """One answer, and no byte of the next."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read_exactly(client, 1)
    return head + read_exactly(client, int(re.search(rb"Content-Length: (\d+)", head)[1]))


def status_of(client):
    return read_to_end(client).split(b"\r\n")[0]


with tempfile.TemporaryDirectory() as folder:
    root = Path(folder) / "root"
    root.mkdir()
    (Path(folder) / "secret").write_text("secret")
    content = os.urandom(3_000_000)
    (root / "big").write_bytes(content)
    (root / "a page.html").write_text("<p>")
    (root / "empty").write_text("")
    with Server(PROGRAM, "--root", root) as server:
        # what curl asks for
        assert curl(server, "/") == "Hello from weft\n200"
        assert curl(server, "/?x=1&name=Ann%20B+C&y") == "Hello Ann B C from weft\n200"
        assert curl(server, "/wait?ms=5") == "Hello from weft\n200"
        assert curl(server, "/wait?ms=5x").endswith("400")
        assert curl(server, "/nothing").endswith("404")
        assert curl(server, "/", "-I").endswith("\n\n200")
        assert curl(server, "/", "-d", "a=b").endswith("405")
        assert curl(
            server, "/", "-X", "POST", "-H", "Transfer-Encoding: chunked", "-d", "abc"
        ).endswith("405")
        assert curl(server, "/", "-H", "X: " + "x" * 40_000).endswith("431")
        assert "Hello" in curl(server, "/", "--http2", "-H", "Upgrade: h2c")
        assert "weft_fibers" in curl(server, "/metrics")

        # files
        run(CURL, "-s", "-o", f"{folder}/got", server.url("/files/big"))
        assert (Path(folder) / "got").read_bytes() == content
        head = curl(server, "/files/a%20page.html", "-I")
        assert "Content-Type: text/html" in head and "Content-Length: 3" in head, head
        assert curl(server, "/files/empty") == "200"
        for outside in (
            "/files/../secret",
            "/files/%2e%2e/secret",
            "/files/big%00",
            "/files/",
            "/files/..",
        ):
            assert curl(server, outside).endswith("404"), outside

        # keep-alive of HTTP/1.0, and its absence
        for options in (["-0", "-H", "Connection: keep-alive"], []):
            text = run(CURL, "-sv", "--stderr", "-", *options, server.url(), server.url())
            assert "Re-using existing connection" in text, text
        assert "Connection: close" in run(CURL, "-s0i", server.url())

        # many at once; byte by byte; a half-closed client still gets its answer
        with server.connect() as client:
            client.sendall(GET * 300)
            client.shutdown(1)
            assert len(ANSWER.findall(read_to_end(client))) == 300
        with server.connect() as client:
            for i in range(len(GET)):
                client.sendall(GET[i : i + 1])
            assert ANSWER.match(client.recv(4096))
        for wrong in b"NONSENSE\r\n\r\n", b"GET /\x01 HTTP/1.1\r\n\r\n", b"\0" * 100:
            with server.connect() as client:
                client.sendall(wrong)
                assert status_of(client) == b"HTTP/1.1 400 Bad Request", wrong
        with server.connect() as client:  # more than a body may have
            client.sendall(
                b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100_000
            )
            assert status_of(client) == b"HTTP/1.1 413 Payload Too Large"

        # one Host, or none in HTTP/1.0
        for head, status in (
            (b"GET / HTTP/1.1\r\n", b"400 Bad Request"),
            (b"GET / HTTP/1.1\r\nHost: a\r\nHOST: b\r\n", b"400 Bad Request"),
            (b"GET / HTTP/1.1\r\nX-Host: a\r\n", b"400 Bad Request"),
            (b"GET / HTTP/1.1\r\nhost:\r\nConnection: close\r\n", b"200 OK"),
            (b"GET / HTTP/1.0\r\n", b"200 OK"),
        ):
            with server.connect() as client:
                client.sendall(head + b"\r\n")
                assert status_of(client) == b"HTTP/1.1 " + status, head

        # a client that asks before it sends a body is told to; one that did not wait is not
        CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
        asks = b"Host: h\r\nExpect: 100-Continue\r\nConnection: close\r\n"
        for length, body in (
            (b"Content-Length: 3\r\n\r\n", b"abc"),
            (b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
        ):
            with server.connect() as client:
                client.sendall(b"POST / HTTP/1.1\r\n" + asks + length)
                assert read_exactly(client, len(CONTINUE)) == CONTINUE
                client.sendall(body[:1])
                time.sleep(0.01)  # once is enough
                client.sendall(body[1:])
                assert status_of(client) == b"HTTP/1.1 405 Method Not Allowed"
            with server.connect() as client:
                client.sendall(b"POST / HTTP/1.1\r\n" + asks + length + body)
                assert status_of(client) == b"HTTP/1.1 405 Method Not Allowed"
        for version, length, body, status in (
            (b"1.0", b"3", b"abc", b"405 Method Not Allowed"),
            (b"1.1", b"0", b"", b"405 Method Not Allowed"),
            (b"1.1", b"99999999", b"", b"413 Payload Too Large"),
        ):
            with server.connect() as client:
                head = b"POST / HTTP/" + version + b"\r\n" + asks
                client.sendall(head + b"Content-Length: " + length + b"\r\n\r\n")
                time.sleep(0.01)
                client.sendall(body)
                assert status_of(client) == b"HTTP/1.1 " + status, (version, length)

        # a reset in every state
        for begun in b"", GET[:9], GET, GET * 50, b"GET /files/big HTTP/1.1\r\nHost: h\r\n\r\n":
            for _ in range(20):
                client = server.connect()
                client.sendall(begun)
                reset(client)
        assert curl(server, "/") == "Hello from weft\n200"

        # those who never read hold up nobody
        greedy = [server.connect() for _ in range(20)]
        for client in greedy:
            client.sendall(b"GET /files/big HTTP/1.1\r\nHost: h\r\n\r\n")
        assert curl(server, "/") == "Hello from weft\n200"
        for client in greedy:
            client.close()

# Slow clients are dropped: before a request without a word, within one with 408, while answered.
# Each limit has its own server: a client that is late by accident must not run into another one.
with Server(PROGRAM, "--idle-ms", 100) as server:
    with server.connect() as client:
        assert read_to_end(client) == b""
with Server(PROGRAM, "--request-ms", 100) as server:
    with server.connect() as client:
        client.sendall(GET[:20])
        assert status_of(client) == b"HTTP/1.1 408 Request Timeout"
    with server.connect() as client:  # a byte at a time does not prolong it
        try:
            for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 15_000:
                client.sendall(bytes([byte]))
                client.settimeout(0.02)
                try:
                    if client.recv(1) == b"":
                        break
                    break
                except TimeoutError:
                    pass
            else:
                assert False, "it was never dropped"
        except OSError:
            pass
    CHUNKED = (
        b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with server.connect() as client:  # nor does a chunk at a time
        client.sendall(CHUNKED)
        while not select.select([client], [], [], 0.05)[0]:
            client.sendall(b"1\r\na\r\n")
        assert status_of(client) == b"HTTP/1.1 408 Request Timeout"
with Server(PROGRAM, "--request-ms", 1) as server:  # nor what is always there when it reads
    for _ in range(5):
        server.process.send_signal(signal.SIGSTOP)
        with server.connect() as client:

            def send_all(to=client):
                try:
                    to.sendall(CHUNKED + b"1\r\na\r\n" * 600_000 + b"0\r\n\r\n")
                except ConnectionError:
                    pass

            sender = threading.Thread(target=send_all)
            sender.start()
            time.sleep(0.1)  # until the kernel takes no more
            server.process.send_signal(signal.SIGCONT)
            assert status_of(client) == b"HTTP/1.1 408 Request Timeout"
            sender.join()
with Server(PROGRAM, "--answer-ms", 100) as server:
    with server.connect() as client:  # takes no answer
        try:
            while True:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n" * 100)
        except ConnectionError:
            pass

# So many connections, and no more; a place that is free again is used.
with Server(PROGRAM, "--max-connections", 2) as server:
    first, second, third = (server.connect() for _ in range(3))
    for client in first, second:
        client.sendall(GET)
        assert ANSWER.match(client.recv(4096))
    third.sendall(GET)
    third.settimeout(0.2)
    try:
        third.recv(1)
        assert False, "three were served"
    except TimeoutError:
        pass
    third.settimeout(60)
    first.close()
    assert ANSWER.match(third.recv(4096))
    second.close()
    third.close()

# SIGTERM: what was begun is answered, who waits is let go, nobody new is taken.
with Server(PROGRAM) as server:
    idle, busy, begun = (server.connect() for _ in range(3))
    idle.sendall(GET)
    assert ANSWER.match(idle.recv(4096))
    busy.sendall(GET + b"GET /wait?ms=3000 HTTP/1.1\r\nHost: h\r\n\r\n")
    assert ANSWER.match(read_answer(busy))  # so the second is under way
    begun.sendall(GET + GET[:20])
    assert ANSWER.match(begun.recv(4096))
    server.end()
    assert read_to_end(idle) == b""
    begun.sendall(GET[20:])
    for client in begun, busy:
        answer = read_to_end(client)
        assert ANSWER.match(answer) and b"Connection: close" in answer, answer

    def refused():
        try:
            server.connect().close()
            return False
        except ConnectionRefusedError:
            return True

    wait_until(refused, "a server that ends takes no more connections")
    idle.close(), busy.close(), begun.close()

# A request that takes longer than the grace is ended; by a second signal, too.
for grace, again in (100, False), (3_600_000, True):
    with Server(PROGRAM, "--grace-ms", grace) as server:
        client = server.connect()
        client.sendall(b"GET /wait?ms=60000 HTTP/1.1\r\nHost: h\r\n\r\n")
        with server.connect() as other:  # the first is under way, when this is answered
            other.sendall(GET)
            assert ANSWER.match(other.recv(4096))
        server.end()
        while again and server.process.poll() is None:
            time.sleep(0.1)  # two that come at once are one
            server.end()
        server.process.wait(60)
        client.close()

# Without descriptors it says so, goes on, and serves again.
with Server(PROGRAM) as server:
    import resource

    with server.connect() as client:  # so that it has all it needs itself
        client.sendall(GET)
        assert ANSWER.match(client.recv(4096))
    limit = len(os.listdir(f"/proc/{server.process.pid}/fd")) + 5
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
    clients = [server.connect() for _ in range(20)]
    wait_until(lambda: any("accept" in line for line in server.said), "it says what is missing")
    for client in clients:
        reset(client)
    with server.connect() as client:
        client.sendall(GET)
        assert ANSWER.match(client.recv(4096))
