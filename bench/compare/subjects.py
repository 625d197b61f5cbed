# SPDX-License-Identifier: BSL-1.0
"""The subjects, and why weft is behind where it is."""

# Why weft is behind somewhere, for the page; the metric None stands for the others of a workload.
LOSSES = {
    ("memory", "resident"): "a parked fiber keeps a page of its stack; a task is smaller.",
    ("memory", "spawn"): "the first touch of a stack is a page fault.",
    ("nqueens", "task"): "children are spawned before one is joined: thousands of fibers live at "
    "once, and the first touch of each stack is a page fault (107 MiB at most; oneTBB: 4).",
    ("nqueens", "total"): "as the time per task; Boost.Fiber and threads have fewer tasks.",
    ("skynet", "leaf"): "a oneTBB task has no stack of its own, and cannot wait for I/O.",
    ("skynet", "total"): "as the time per leaf; Boost.Fiber has fewer leaves.",
    ("pipeline", "item"): "two workers share the stages, and a hop wakes a fiber on the other one; "
    "oneTBB takes an item through all stages, Boost.Fiber leaves them on one thread.",
    (
        "mixed",
        None,
    ): "a computing fiber keeps its worker for a time slice (2.5 to 10 ms); the kernel "
    "lets a thread that was woken run at once.",
    ("http", None): "the load shares the CPUs, so that rates say who got them; of CPU per request, "
    "most of the difference is leaving one stack for the next.",
    ("http10k", None): "as http; the monitor's rounds take up to 4 % of the server's CPU.",
    ("echo", None): "as http; 92 % of the server's CPU is the kernel's.",
    **{
        (f"late_spawn_{hog}", None): "the spawner is a thread; Go's is a goroutine, which has "
        "waited for its own turn before the time begins."
        for hog in ("loops", "blocking", "try", "mutex", "spawn", "yielders")
    },
    **{
        (f"late_pair_{hog}", None): "the hogs get a turn after a millisecond, Go's after ten: "
        "weft's pair waits more often, and its longest wait is shorter."
        for hog in ("try", "mutex", "spawn", "yielders")
    },
    ("select8", "item"): "two workers compete for the locks of the same eight channels.",
    ("sleepers", "cpu"): "the first touch of 100,000 stacks is as many page faults.",
    ("sleepers", "wall"): "the first touch of 100,000 stacks is as many page faults.",
}

# In the order of the report; a workload has the subjects it has a program for.
SUBJECTS = {
    "weft": "this library, executables linked with jemalloc",
    "weft-glibc": "weft, with glibc's malloc",
    "weft-batch": "weft by receive_batch and send_batch",
    "weft-undeclared": "weft, blocking calls as they are",
    "weft-offload": "weft, blocking calls by offload",
    "weft-in-place": "weft, blocking calls by block_in_place",
    "weft-asio": "weft, Asio's layers on its streams",
    "go": "goroutines, GOMAXPROCS workers",
    "go-raw": "goroutines on net.Conn",
    "go-nethttp": "net/http",
    "tokio": "tasks of a multi_thread runtime, default allocator",
    "tokio-undeclared": "Tokio, blocking without spawn_blocking",
    "tokio-jemalloc": "tokio, with jemalloc",
    "java": "virtual threads of a JDK >= 21",
    "boost": "Boost.Fiber: round_robin on one worker, work_stealing (suspending) on more",
    "boost-jemalloc": "Boost.Fiber, with jemalloc",
    "tbb": "oneTBB task_group; pipeline: parallel_pipeline",
    "tbb-jemalloc": "oneTBB, with jemalloc",
    "asio": "Boost.Asio's coroutines, one io_context run by WORKERS threads",
    "asio-jemalloc": "asio, with jemalloc",
    "thread": "std::thread, WORKERS CPUs",
    "epoll": "one thread, one epoll loop",
}
