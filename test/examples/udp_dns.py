#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/udp_dns against dig: names of its own, a forwarder before it, nobody behind that."""

import sys

from support import Server, need, run

DIG = need("dig", "bind9-dnsutils")


def dig(server, *question):
    where = ["@127.0.0.1", "-p", server.port, "+tries=1", "+time=30"]
    return run(DIG, *where, *question)


with Server(sys.argv[1], "--name", "Printer.lan=192.168.0.9", "--upstream", "127.0.0.1:1") as own:
    with Server(sys.argv[1], "--upstream", f"127.0.0.1:{own.port}") as forwarder:
        for server in own, forwarder:
            assert dig(server, "+short", "printer.lan") == "192.168.0.9\n"
            assert dig(server, "+short", "pRINTER.LaN") == "192.168.0.9\n"
            assert dig(server, "+short", "printer.lan", "AAAA") == ""
            assert "status: SERVFAIL" in dig(server, "nobody.lan")
        # what is no question is answered by nothing, and harms nothing
        import socket

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for noise in (
                b"",
                b"x",
                b"\0" * 12,
                b"\xff" * 600,
                b"\0\0\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1",
            ):
                client.sendto(noise, ("127.0.0.1", own.port))
        assert dig(own, "+short", "printer.lan") == "192.168.0.9\n"

        # libresolv takes a question whose name is elsewhere; nobody asks so, and nobody is answered
        def message(question, additional=b"", records=0):
            return b"\7\7\1\0\0\1\0\0\0\0\0" + bytes([records]) + question + additional

        record = b"\0\1\0\1\0\0\0\0\0\0"  # type, class, time, no data
        end = b"\0\1\0\1"
        crooked = (
            message(b"\xc0\x04" + end),  # the root, in the header
            message(b"\xc0\x12" + end, b"\6nobody\3lan\0" + record, 1),
            message(b"\xc0\x12" + end, b"\7printer\3lan\0" + record, 1),
            message(b"\7printer\xc0\x1a" + end, b"\3lan\0" + record, 1),
            message(b"\7printer\3lan\0\0\1"),  # no class
            message(b"\7printer\3lan"),
            message(b"\7printer\x3flan\0" + end),
            message(b"\x40printer\3lan\0" + end),
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(60)
            for query in crooked:
                client.sendto(query, ("127.0.0.1", own.port))
            # and two that are right: one answered at once, one after the upstream was asked
            for name, size in (b"\7printer\3lan\0", 16), (b"\6nobody\3lan\0", 0):
                query = message(name + end)
                client.sendto(query, ("127.0.0.1", own.port))
                answer = client.recv(4096)
                assert answer[12 : len(query)] == query[12:], answer
                assert len(answer) == len(query) + size, answer
            client.settimeout(0.2)
            try:
                assert False, client.recv(4096)
            except TimeoutError:
                pass
