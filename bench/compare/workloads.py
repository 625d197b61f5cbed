# SPDX-License-Identifier: BSL-1.0
"""What tools/compare runs: the sizes, which subjects run fewer and why, the right answers.

The programs have no sizes of their own; this table is the only place.  `only` limits a subject to
some worker counts, `fewer` gives it other sizes (metrics per task or operation stay comparable).
Rejected: sizes that adapt to the machine (two runs would then measure two different things).
"""

from dataclasses import dataclass, field
from typing import Callable, Optional


def fib(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def below(n):
    """0 + 1 + ... + n - 1"""
    return n * (n - 1) // 2


def slept(tasks, sleeps):
    total = 0
    for state in range(tasks):
        for _ in range(sleeps):
            state = (state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
            total += 1 + (state >> 33) % 50
    return total


def primes_below(n):
    sieve = bytearray([1]) * n
    for i in range(2, n):
        if sieve[i]:
            sieve[i * i :: i] = bytes(len(range(i * i, n, i)))
    return sum(sieve[2:])


def product_sum(n):
    """common/matrix.hpp's weighted sum, by vectors instead of by the product."""
    weights = [j % 10 + 1 for j in range(n)]
    b = [sum(k * j % 5 * weights[j] for j in range(n)) for k in range(n)]
    return sum(weights[i] * sum((i + k) % 7 * b[k] for k in range(n)) for i in range(n))


def piped(items):
    """pipeline/stages.hpp's hash of what ten stages make of 0, 1, ... items - 1."""
    total = 0
    for item in range(items):
        for stage in range(10):
            item = item * 3 + stage
        total = (total * 31 + item) % 1_000_000_007
    return total


QUEENS = {6: 4, 7: 40, 8: 92, 11: 2680, 12: 14200}  # ways to put N queens on a board


@dataclass
class Workload:
    about: str
    sizes: tuple
    quick: tuple
    answer: Optional[Callable] = None  # None: the load generator judges
    folder: Optional[str] = None  # of the programs, when two workloads share them
    workers: Optional[tuple] = None  # instead of what --workers says
    fewer: dict = field(default_factory=dict)
    only: dict = field(default_factory=dict)
    timeout: int = 60  # seconds after which a run counts as hung
    served: Optional[str] = None  # a server; its load is a name in serve.py
    connections: dict = field(default_factory=dict)  # by subject, or None for the others
    few: tuple = (10,)  # connections, when quick
    beside: Optional[tuple] = None  # (folder, subject) of a server that the program asks
    # Sizes (of a server: connections) for --baseline, for runs of about half a second; one that has
    # them is among its workloads if none is named.
    guard: Optional[tuple] = None
    shown: Optional[str] = None  # the metric in the plot of all; none: it is not in it


def late_workloads():
    """What is late beside what: late/weft.cpp says what each means."""
    hogs = (
        "loops",
        "blocking calls",
        "try_ operations",
        "mutex loops",
        "spawn and join",
        "yielders",
    )
    watched = ("ticker", "pair", "spawn", "socket")
    return {
        f"late_{what}_{kind.split()[0].strip('_')}": Workload(
            f"a {what}, beside three fibers: {kind}",
            (3, hog, which, 1_000),
            (3, hog, which, 100),
            lambda hogs, hog, which, ms: hogs,
            folder="late",
            workers=(1, 2, 8),
        )
        for hog, kind in enumerate(hogs)
        for which, what in enumerate(watched)
    }


def requests_workloads():
    return {
        f"requests_{in_flight}": Workload(
            f"a client: 1000 requests that take the server 10 ms each, {in_flight} in flight",
            (1_000, in_flight, 3),
            (20, 10, 2),
            lambda count, in_flight, rounds: count * rounds,
            folder="requests",
            beside=("http10k", "epoll"),
        )
        for in_flight in (10, 100, 1_000)
    }


WORKLOADS = {
    "spawn_join": Workload(
        "1M empty tasks spawned, then joined in order",
        (1_000_000, 3),
        (2_000, 1),
        lambda tasks, rounds: tasks * (rounds + 1),
        # 128 KiB of stack for each Boost fiber, and a kernel object for each thread
        fewer={"boost": (20_000, 3), "thread": (10_000, 3)},
        guard=(1_000_000, 3),
        shown="spawn_join",
    ),
    "yield": Workload(
        "1000 tasks x 5000 yields",
        (1_000, 5_000),
        (50, 20),
        lambda tasks, yields: tasks * yields,
        fewer={"thread": (1_000, 500)},
        guard=(1_000, 15_000),
        shown="yield",
    ),
    "fib": Workload(
        "fib(30), a task per call",
        (30,),
        (10,),
        fib,
        fewer={"boost": (22,), "thread": (16,)},
        guard=(35,),
        shown="spawn",
    ),
    "skynet": Workload(
        "a task tree of 1M leaves, fan-out 10",
        (1_000_000,),
        (1_000,),
        below,
        fewer={"boost": (100_000,)},
        only={"boost": (1,)},
        shown="leaf",
    ),
    "matmul": Workload(
        "the product of two 512 x 512 matrices, a task per half down to 16 x 16 tiles",
        (512, 16),
        (64, 16),
        lambda n, leaf: product_sum(n),
        shown="total",
    ),
    "nqueens": Workload(
        "11 queens on a board, a task per queen that can stand: 166,925 tasks",
        (11, 166_925),
        (6, 152),
        lambda n, tasks: QUEENS[n],
        fewer={"boost": (8, 2_056), "thread": (7, 551)},
        shown="task",
    ),
    "sleepers": Workload(
        "100k tasks sleeping 100 ms",
        (100_000, 100),
        (500, 5),
        lambda tasks, ms: tasks,
        fewer={"thread": (10_000, 100)},
        shown="cpu",
    ),
    "memory": Workload(
        "1M parked tasks: resident bytes, time to spawn, mappings",
        (1_000_000,),
        (500,),
        lambda tasks: tasks,
        fewer={"boost": (50_000,), "thread": (10_000,)},
        shown="resident",
    ),
    "idle": Workload(
        "10k parked tasks for 5 s: CPU time",
        (10_000, 5_000),
        (200, 100),
        lambda tasks, ms: tasks,
        guard=(10_000, 1_000),
    ),
    "http": Workload(
        "the same small response to wrk at 100 and 1000 connections",
        (),
        (),
        served="wrk",
        # A thread per connection is asked for what threads are used for.
        connections={None: (100, 1000), "thread": (100,)},
        only={"epoll": (1,)},
        guard=(100,),
        shown="c100_cpu",
    ),
    "http10k": Workload(
        "10,000 connections to wrk, each request waits 10 ms",
        (),
        (),
        served="wrk_waiting",
        connections={None: (10_000,)},
        only={"epoll": (1,)},
        shown="c10000_cpu",
    ),
    "echo": Workload(
        "64 bytes and back on 100, 1000 and 10,000 connections, one message at a time on each",
        (),
        (),
        served="echo_load",
        connections={None: (100, 1000, 10_000)},
        only={"epoll": (1,)},
        shown="c1000_cpu",
    ),
    "udp_echo": Workload(
        "64 bytes and back by UDP: one message under way; of 64 clients one each, four each",
        (),
        (),
        served="udp_load",
        connections={None: ("1x1", "64x1", "64x4")},
        few=("2x2",),
        only={"epoll": (1,), "thread": (1,)},
    ),
    "http_postgres": Workload(
        "each request a query on PostgreSQL, 16 connections to it for 100, 1000 and 10,000 clients",
        (16,),
        (2,),
        served="people_load",
        connections={None: (100, 1000, 10_000)},
    ),
    "https": Workload(
        "http by TLS 1.3 at 100 and 1000 connections, whose handshakes are not measured",
        (0,),
        (0,),
        served="https_load",
        connections={None: (100, 1000)},
    ),
    "https_handshake": Workload(
        "the same, and each request has a connection of its own",
        (1,),
        (1,),
        folder="https",
        served="wrk_https_once",
        connections={None: (100,)},
    ),
    "beast": Workload(
        "http by Beast, its blocking functions on a stream, at 100 and 1000 connections",
        (),
        (),
        served="wrk",
        connections={None: (100, 1000)},
    ),
    **requests_workloads(),
    "idle_connections": Workload(
        "20,000 connections that do nothing: memory, CPU, and what is left 10 s after their end",
        (),
        (),
        folder="echo",
        served="idle",
        connections={None: (20_000,), "thread": (10_000,)},
        only={"epoll": (1,)},
    ),
    "pingpong": Workload(
        "round trips over two rendezvous channels",
        (500_000,),
        (500,),
        lambda rounds: below(rounds + 1),
        fewer={"thread": (100_000,)},
        guard=(2_000_000,),
        shown="round_trip",
    ),
    "channel4x4": Workload(
        "4 producers, 4 consumers, one channel of 128",
        (4_000_000, 128),
        (4_000, 128),
        lambda items, capacity: below(items),
        shown="item",
    ),
    "pipeline": Workload(
        "500k items through ten stages, channels of 64 between them",
        (500_000, 64),
        (2_000, 64),
        lambda items, capacity: piped(items),
        shown="item",
    ),
    "mixed": Workload(
        "100 connections with 200 round trips each, beside 16 countings of primes",
        (100, 200, 16, 400_000),
        (5, 5, 2, 1_000),
        lambda clients, rounds, jobs, limit: clients * below(rounds + 1)
        + jobs * primes_below(limit),
        shown="wall",
    ),
    "mutex": Workload(
        "8 tasks x 500k lock/unlock of one mutex",
        (8, 500_000),
        (8, 500),
        lambda tasks, ops: tasks * ops,
        shown="lock",
    ),
    "mutex_uncontended": Workload(
        "one task x 5M lock/unlock",
        (1, 5_000_000),
        (1, 5_000),
        lambda tasks, ops: tasks * ops,
        folder="mutex",
    ),
    "sleep20": Workload(
        "100k tasks x 20 sleeps of 1 to 50 ms: CPU time, lateness",
        (100_000, 20),
        (200, 3),
        slept,
        fewer={"thread": (10_000, 20)},
        shown="cpu",
    ),
    "select8": Workload(
        "one task selecting over 8 channels of 16",
        (2_000_000, 16),
        (800, 16),
        lambda items, capacity: below(items // 8 * 8),
        shown="item",
    ),
    "ticker_loop": Workload(
        "one worker: a 1 ms ticker beside an endless loop",
        (1, 2_000, 1),
        (1, 200, 1),
        lambda loops, ms, tick: loops,
        workers=(1,),
    ),
    "four_loops": Workload(
        "a 1 ms ticker beside four endless loops",
        (4, 2_000, 1),
        (4, 200, 1),
        lambda loops, ms, tick: loops,
        folder="ticker_loop",
    ),
    **late_workloads(),
    "blocking": Workload(
        "two workers: 64 tasks x 20 blocking sleeps of 10 ms beside a 1 ms ticker",
        (64, 20, 10, 1),
        (4, 2, 2, 1),
        lambda tasks, calls, ms, tick: tasks * calls,
        workers=(2,),
    ),
    "blocking_once": Workload(
        "one worker: 20 tasks, each in one blocking sleep of 50 ms, beside a 1 ms ticker",
        (20, 1, 50, 1),
        (4, 1, 2, 1),
        lambda tasks, calls, ms, tick: tasks * calls,
        workers=(1,),
        folder="blocking",
    ),
    "offload_sleeps": Workload(
        "64 tasks x 20 sleeps of 10 ms through the offload pool: the ideal is 200 ms",
        (64, 20, 10),
        (4, 2, 2),
        lambda tasks, calls, ms: tasks * calls,
        workers=(2,),
    ),
    "offload": Workload(
        "one small call in the offload pool and back",
        (100_000,),
        (200,),
        lambda calls: below(calls + 1),
        shown="round_trip",
    ),
}
