#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/redis_queue: processes that are killed at random lose no job, and do none twice."""

import os
import random
import signal
import subprocess
import sys
import time

from servers import Redis
from support import run, wait_until

PROGRAM = sys.argv[1]
JOBS = 600

seed = int(os.environ.get("WEFT_TEST_SEED", time.time()))
print(f"WEFT_TEST_SEED={seed}", flush=True)
chance = random.Random(seed)


def worker(redis, work_ms=10, **more):
    work = ["work", "--fibers", "4", "--work-ms", str(work_ms), "--claim-ms", "200"]
    process = subprocess.Popen(
        [PROGRAM, "--port", str(redis.port), *work], stdout=subprocess.PIPE, text=True, **more
    )
    assert process.stdout.readline() == "working\n"
    return process


def work_through(redis, workers):
    added = run(PROGRAM, "--port", redis.port, "add", "--count", JOBS)
    assert added == f"{JOBS} jobs added\n"

    def done():
        return int(redis.ask("HLEN", "jobs:results"))

    # one that dies for certain with jobs in hand
    workers.append(worker(redis, work_ms=3_600_000))
    wait_until(lambda: int(redis.ask("XPENDING", "jobs", "workers").split()[0]) > 0, "it has jobs")
    workers[0].kill()
    workers[0].communicate()
    workers[:] = [worker(redis) for _ in range(3)]
    killed = 1
    while killed == 1 or done() < JOBS * 3 // 4:
        victim = chance.randrange(len(workers))
        time.sleep(chance.random() * 0.1)
        workers[victim].kill()
        workers[victim].communicate()
        workers[victim] = worker(redis)
        killed += 1
    wait_until(lambda: done() == JOBS, "all jobs are done")
    counts = set(redis.ask("HVALS", "jobs:results").split())
    assert counts == {"1"}, counts
    assert redis.ask("XLEN", "jobs") == "0"
    for process in workers:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(60) for process in workers] == [0] * len(workers)
    print(f"{JOBS} jobs, {killed} processes killed")


with Redis() as server:
    started = []
    try:
        work_through(server, started)
        # a worker whose Redis goes away says so, tries again, and is ended by SIGTERM
        left = worker(server, stderr=subprocess.PIPE)
        started.append(left)
        server.process.kill()
        for _ in range(8):
            assert ": redis: " in left.stderr.readline()
        left.send_signal(signal.SIGTERM)
        assert left.wait(60) == 0
    finally:
        for one in started:
            one.kill()
            one.communicate()
