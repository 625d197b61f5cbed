#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/http_postgres --mode descriptor and a server that sends an answer, but not its end:
the request waits in weft, which a signal ends, and never in libpq."""

import socket
import struct
import sys
import threading
import time

from support import Server, read_exactly, read_to_end, wait_until

GET = b"GET /?id=7 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


class FakePostgres:
    """One prepared statement, whose answer is a row; without `ends`, ReadyForQuery is kept back."""

    READY = message(b"Z", b"I")
    COLUMN = struct.pack("!h5sihihih", 1, b"name\0", 0, 0, 25, -1, -1, 0)
    ROW = struct.pack("!hi5s", 1, 5, b"Ann B")
    ANSWER = (
        message(b"2") + message(b"T", COLUMN) + message(b"D", ROW) + message(b"C", b"SELECT 1\0")
    )

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.conninfo = (
            f"host=127.0.0.1 port={self.listener.getsockname()[1]} user=u dbname=d"
            " sslmode=disable gssencmode=disable"
        )
        self.ends = True
        self.kept_back = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def serve(self, client):
        read_exactly(client, struct.unpack("!i", read_exactly(client, 4))[0] - 4)  # who it is
        client.sendall(message(b"R", b"\0\0\0\0") + self.READY)
        asked = b""
        while kind := client.recv(1):
            read_exactly(client, struct.unpack("!i", read_exactly(client, 4))[0] - 4)
            asked += kind
            if kind != b"S":  # Sync: all that was asked is answered now
                continue
            if b"P" in asked:
                client.sendall(message(b"1") + self.READY)
            elif self.ends:
                client.sendall(self.ANSWER)
                time.sleep(0.05)
                client.sendall(self.READY)
            else:
                client.sendall(self.ANSWER)
                self.kept_back += 1
            asked = b""


database = FakePostgres()
arguments = ["--database", database.conninfo, "--mode", "descriptor", "--pool", 2, "--workers", 1]
with Server(sys.argv[1], *arguments) as server:
    with server.connect() as client:
        client.sendall(GET)
        assert read_to_end(client).endswith(b"\r\n\r\nAnn B\n")
    database.ends = False
    with server.connect() as client, server.connect() as other:
        client.sendall(GET)
        other.sendall(GET)
        wait_until(lambda: database.kept_back == 2, "both are asked")
        time.sleep(0.1)  # and have read what there is

        def ended():
            server.end()  # a second one ends what still waits
            return server.process.poll() is not None

        wait_until(ended, "it ends, although the end of an answer is missing")
