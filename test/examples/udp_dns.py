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
