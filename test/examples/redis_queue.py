#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/redis_queue: processes that are killed at random lose no job, and do none twice."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from support import need, run, wait_until

PROGRAM = sys.argv[1]
REDIS = need("redis-server", "redis-server")
CLI = need("redis-cli", "redis-tools")
JOBS = 600

seed = int(os.environ.get("WEFT_TEST_SEED", time.time()))
print(f"WEFT_TEST_SEED={seed}", flush=True)
chance = random.Random(seed)

folder = tempfile.mkdtemp()


def free_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cli(*arguments):
    return run(CLI, "-p", port, *arguments).strip()


def worker():
    process = subprocess.Popen(
        [
            PROGRAM,
            "--port",
            str(port),
            "work",
            "--fibers",
            "4",
            "--work-ms",
            "10",
            "--claim-ms",
            "200",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "working\n"
    return process


def done():
    return int(cli("HLEN", "jobs:results"))


port = free_port()
redis = subprocess.Popen(
    [REDIS, "--port", str(port), "--dir", folder, "--save", "", "--bind", "127.0.0.1"],
    stdout=subprocess.DEVNULL,
)
workers = []
try:
    wait_until(
        lambda: subprocess.run(
            [CLI, "-p", str(port), "ping"], capture_output=True, check=False
        ).stdout
        == b"PONG\n",
        "redis",
    )
    workers = [worker() for _ in range(3)]
    assert run(PROGRAM, "--port", port, "add", "--count", JOBS) == f"{JOBS} jobs added\n"
    killed = 0
    while done() < JOBS * 3 // 4:
        victim = chance.randrange(len(workers))
        time.sleep(chance.random() * 0.1)
        workers[victim].kill()
        workers[victim].communicate()
        workers[victim] = worker()
        killed += 1
    wait_until(lambda: done() == JOBS, "all jobs are done")
    assert killed > 0
    counts = set(cli("HVALS", "jobs:results").split())
    assert counts == {"1"}, counts
    assert cli("XLEN", "jobs") == "0"
    for process in workers:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(60) for process in workers] == [0] * len(workers)
    print(f"{JOBS} jobs, {killed} processes killed")
finally:
    for process in workers:
        process.kill()
        process.communicate()
    redis.kill()
    redis.wait()
    shutil.rmtree(folder)
