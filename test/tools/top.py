#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""weft-trace top, of http_server: as text, and driven in a pseudo terminal."""

import fcntl
import os
import pty
import re
import socket
import struct
import subprocess
import sys
import termios

SERVER, TOOL = sys.argv[1:3]
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


class Server:
    def __enter__(self):
        self.process = subprocess.Popen(
            [SERVER, "--port", "0", "--workers", "2"], stdout=subprocess.PIPE, text=True
        )
        port = int(self.process.stdout.readline().split()[-1])
        self.clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
        for client in self.clients:  # served once, so that its fiber is there and waits
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        self.pid = str(self.process.pid)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Terminal:
    """weft-trace on a terminal of its own."""

    def __init__(self, columns, rows, *arguments):
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.attributes = termios.tcgetattr(self.slave)
        self.text = ""
        self.process = subprocess.Popen(
            [TOOL, "top", *arguments],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            preexec_fn=self.own,
        )

    @staticmethod
    def own():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, until):
        """Reads on until until(text since) holds; what was read."""
        begin = len(self.text)
        while not until(self.text[begin:]):
            self.text += os.read(self.master, 65536).decode()
        return self.text[begin:]

    def type(self, keys):
        os.write(self.master, keys)

    def end(self):
        status = self.process.wait()
        os.set_blocking(self.master, False)
        try:
            while True:  # a read returns a part of it
                self.text += os.read(self.master, 1 << 20).decode()
        except BlockingIOError:
            pass
        assert termios.tcgetattr(self.slave) == self.attributes, "the terminal is left changed"
        assert self.text.count(ENTER) == self.text.count(LEAVE), "the screen is left"
        assert self.text.rfind("\x1b[?25h") > self.text.rfind(
            "\x1b[?25l"
        ), "the cursor is left hidden"
        os.close(self.master)
        os.close(self.slave)
        return status


def frames(text):
    """The lines of each whole frame."""
    parts = re.split(r"\x1b\[H", text)[1:]
    return [
        re.sub(r"\x1b\[[\d?]*[a-zA-Z]", "", p.split("\x1b[J")[0]).replace("\r", "").split("\n")
        for p in parts
        if "\x1b[J" in p
    ]


def is_view(lines):
    text = "\n".join(lines)
    for pattern in (
        r"weft-trace top - http_server \(PID \d+\), CPU \d+ %",
        r'runtime 1 "weft", up \S+: 2 processors, \d busy',
        r"fibers +7 alive: \d waiting, \d runnable, \d running; \S+/s new",
        r"latency +wake p50 \S+ p99 \S+; start p50 \S+ p99 \S+",
        r"rates +steps \S+/s",
        r"threads +\d serving, \d+ asleep",
        r"cpu +\d+: \d+\.\d %",
        r"PROCESSOR +LOAD +QUEUE +TIMERS +STEPS/s +THREAD",
        r"\n +0 +\d+\.\d % +\d+ ",
        r"\n +1 +\d+\.\d % +\d+ ",
        r"\n +inject +0",
        r"LONGEST WAITS\n(?:[ >].*\n)*?[ >] +\S+ fd read +fiber \d+ in \S+",
    ):
        assert re.search(pattern, text), (pattern, text)


def tool(*arguments):
    return subprocess.run([TOOL, "top", *arguments], capture_output=True, text=True)


def as_text(server):
    once = tool("--once", "-i", "50", server.pid)
    assert once.returncode == 0 and once.stderr == "", once
    is_view(once.stdout.splitlines())
    assert "\x1b" not in once.stdout
    batch = tool("--batch", "-n", "3", "-i", "20", "--longest", "2", server.pid)
    views = batch.stdout.split("\n\n")
    assert batch.returncode == 0 and len(views) == 4 and views[3] == "", batch
    for view in views[:3]:
        is_view(view.splitlines())
        assert len(re.findall(r" +\S+ (?:accept|fd read) +fiber \d+ in ", view)) == 2, view


def rows(lines, title):
    """The lines of a table, of the one below the other's title."""
    at = next(i for i, line in enumerate(lines) if title in line)
    return lines[at + 1 :]


def by_keys(server):
    """Nothing is asked anew but the stack: what the keys do is seen at once."""
    t = Terminal(400, 40, "-i", "3600000", server.pid)  # wide enough for the calls
    view = frames(t.read(lambda s: len(frames(s)) >= 2))[-1]
    assert "processors by number, s: waits by time" in view[1], view
    waits = rows(view, "LONGEST WAITS")
    assert [line[0] for line in waits] == [">"] + [" "] * (len(waits) - 1), view

    def typed(keys):
        t.type(keys)
        return frames(t.read(lambda s: frames(s)))[-1]

    by_reason = typed(b"s")
    assert "waits by reason" in by_reason[1]
    reasons = [line[12:].split("  ")[0] for line in rows(by_reason, "LONGEST WAITS")]
    assert len(reasons) == len(waits) and reasons == sorted(reasons), by_reason
    assert "waits by fiber" in typed(b"s")[1]
    by_function = typed(b"s")
    assert "waits by function" in by_function[1]
    assert "waits by time" in typed(b"s")[1]
    for order in ("load", "queue", "steps", "number"):
        assert f"processors by {order}" in typed(b"p")[1]

    moved = rows(typed(b"\x1b[B"), "LONGEST WAITS")
    assert moved[0][0] == " " and moved[1][0] == ">", moved
    assert rows(typed(b"k"), "LONGEST WAITS")[0][0] == ">"
    chosen = re.search(r"fiber \d+", rows(typed(b"j"), "LONGEST WAITS")[1])[0]
    fiber = typed(b"\r")
    assert "one fiber" in fiber[0] and fiber[1].startswith(f"{chosen}"), fiber
    assert re.search(r"parked, (fd read|accept)", fiber[1]), fiber
    assert any(re.search(r"0x[0-9a-f]+ \S+.*http_server", line) for line in fiber[2:]), fiber
    assert "LONGEST WAITS" in "\n".join(typed(b"\x1b"))
    t.type(b"q")
    assert t.end() == 0


def on_terminal(server):
    t = Terminal(80, 24, "-i", "50", server.pid)
    first = frames(t.read(lambda s: len(frames(s)) >= 3))
    is_view(first[-1])
    assert all(
        len(lines) <= 24 and all(len(line) <= 80 for line in lines) for lines in first
    ), first
    t.resize(40, 8)
    small = frames(t.read(lambda s: any(len(lines) == 8 for lines in frames(s))))
    assert all(len(line) <= 40 for line in small[-1]), small[-1]
    t.type(b"q")
    assert t.end() == 0
    by_keys(server)

    t = Terminal(80, 24, "-i", "3600000", server.pid)  # quits at once, not with the next view
    t.read(lambda s: len(frames(s)) >= 2)
    t.type(b"\x03")
    assert t.end() == 0

    t = Terminal(80, 24, "-i", "50", server.pid)
    t.read(lambda s: len(frames(s)) >= 2)
    server.process.kill()
    server.process.wait()
    assert t.end() == 1
    message = t.text[t.text.rindex(LEAVE) + len(LEAVE) :].strip()
    assert re.fullmatch(r"weft-trace: .*\b" + server.pid + r"\b.*", message), message
    print(message)


def refusals():
    for arguments, text in (
        (["--once", "999999999"], "999999999"),
        (["--once", str(os.getpid())], str(os.getpid())),
        (["--once", "--batch", "1"], "excludes"),
        ([str(os.getpid()), "-i", "0"], "--interval"),
    ):
        refused = tool(*arguments)
        assert refused.returncode != 0 and text in refused.stderr and refused.stdout == "", refused


with Server() as it:
    as_text(it)
    piped = tool(it.pid)
    assert (
        piped.returncode == 1 and "no terminal" in piped.stderr and "--batch" in piped.stderr
    ), piped
    refusals()
    on_terminal(it)
