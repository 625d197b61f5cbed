#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/echo: what goes in comes out; a client that resets or never reads harms no other."""

import os
import sys
import threading

from support import Server, read_exactly, read_to_end, reset

with Server(sys.argv[1], "--idle-ms", 20_000) as server:
    data = os.urandom(2_000_000)

    def all_of_it():
        with server.connect() as client:
            sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(1)))
            sender.start()
            back.append(read_to_end(client) == data)
            sender.join()

    back = []
    clients = [threading.Thread(target=all_of_it) for _ in range(5)]
    for client in clients:
        client.start()
    for _ in range(50):
        rude = server.connect()
        rude.sendall(b"x" * 10_000)
        reset(rude)
    for client in clients:
        client.join()
    assert back == [True] * 5

    silent = server.connect()  # takes nothing: its own fiber waits, nobody else
    silent.setblocking(False)
    try:
        while True:
            silent.send(b"x" * 100_000)
    except BlockingIOError:
        pass
    with server.connect() as client:
        for size in 1, 64, 40_000:
            client.sendall(b"y" * size)
            assert read_exactly(client, size) == b"y" * size
    silent.close()

with Server(sys.argv[1], "--idle-ms", 50) as server:
    with server.connect() as client:
        assert read_to_end(client) == b""
