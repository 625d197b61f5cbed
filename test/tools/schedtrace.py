#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""WEFT_SCHEDTRACE: a line every so many milliseconds; if it is no number, one that says so."""

import os
import re
import subprocess
import sys

LINE = re.compile(
    r"weft-sched (\d+)ms weft: processors=2 busy=\d searching=\d threads=\d+ asleep=\d+ "
    r"detached=\d+ frozen=\d+ "
    r"fibers=\d+ waiting=\d+ runnable=\d+ running=\d+ inject=\d+ queues=\[\d+ \d+\] "
    r"steps=\d+/s spawns=\d+/s "
    r"wakes=\d+/s steals=\d+/s retakes=\d+/s preemptions=\d+/s"
    r"( wake-p50=[\d.]+[mun]?s wake-p99=[\d.]+[mun]?s)?\n"
)


class Server:
    def __init__(self, value):
        self.process = subprocess.Popen(
            [sys.argv[1], "--port", "0", "--workers", "2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"WEFT_SCHEDTRACE": value},
        )

    def __enter__(self):
        assert self.process.stdout.readline().startswith("listening")
        return self.process

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


with Server("20") as server:
    times = []
    for _ in range(4):
        text = server.stderr.readline()
        match = LINE.fullmatch(text)
        assert match, text
        times.append(int(match[1]))
    assert times[0] >= 20 and times == sorted(times), times

for bad in "often", "-5", "10ms", "99999999999999999999", "86400001":
    with Server(bad) as server:
        text = server.stderr.readline()
        assert text == (
            f"weft: WEFT_SCHEDTRACE={bad}: it must be the milliseconds from one line to the next, "
            "1 to 86400000, or 0 for none; nothing is printed\n"
        ), text

for none in "0", "":
    with Server(none) as server:
        server.terminate()
        assert server.stderr.read() == "", none
