#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/chat: everybody hears everybody; who does not read is put out, and stops nobody."""

import sys

from support import Server, read_to_end, reset

with Server(sys.argv[1], "--patience-ms", 3000) as server:

    def enter():
        client = server.connect()
        lines = client.makefile("r", encoding="utf-8", errors="surrogateescape", newline="\n")
        while not (line := lines.readline()).startswith("you are "):
            assert line, "chat hung up before it said who the client is"
        return client, lines

    ann, from_ann = enter()
    bob, to_bob = enter()
    assert from_ann.readline() == "2 has come\n"
    ann.sendall(b"hello\nhow are ")
    assert to_bob.readline() == "1: hello\n"
    ann.sendall(b"you?\n")
    assert to_bob.readline() == "1: how are you?\n"
    bob.sendall(b"well\n")
    assert from_ann.readline() == "2: well\n"

    # control characters do not pass, and what is around one makes no other; other UTF-8 does
    ann.sendall(
        b"\x1b[31m \0\x07\t\x7f. caf\xc3\xa9 \xe2\x82\xac\xc2\xa0 \xc2\x9b31m \xc2\x01\x9b\r\n"
    )
    said = to_bob.readline().encode("utf-8", "surrogateescape")
    assert said == b"1: ?[31m ??\t?. caf\xc3\xa9 \xe2\x82\xac\xc2\xa0 ?31m \xc2?\x9b\n", said

    # one that never reads, among others that talk more than its queue and its socket hold
    deaf, _ = enter()
    assert from_ann.readline() == to_bob.readline() == "3 has come\n"
    lines, text = 20_000, "x" * 1000
    import threading

    talk = threading.Thread(
        target=lambda: ann.sendall("".join(f"{i} {text}\n" for i in range(lines)).encode())
    )
    talk.start()
    heard = 0
    while heard < lines:
        line = to_bob.readline()
        assert line, f"bob was put out after {heard} lines"
        if line != "3 has gone\n":
            assert line == f"1: {heard} {text}\n", line[:30]
            heard += 1
    talk.join()
    deaf.settimeout(60)
    try:
        read_to_end(deaf)  # what it had got, and then the end
    except ConnectionResetError:
        pass

    for _ in range(20):
        rude, _ = enter()
        rude.sendall(b"I am")
        reset(rude)
    ann.sendall(b"bye\n")
    ann.shutdown(1)
    for line in to_bob:
        if line == "1 has gone\n":
            break
        assert "bye" in line or "has come" in line or "has gone" in line, line
