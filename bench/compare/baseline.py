# SPDX-License-Identifier: BSL-1.0
"""tools/compare --baseline REV: weft of this tree against weft of another revision.

Both are built the same way (a git worktree of REV in the build folder) and run in pairs, now-REV,
REV-now, now-REV, ..., so that a machine that slows down slows both down. A row has the medians, the
median of the pairs' ratios, and the interval that has the true one in it with 95 % (order
statistics of the pairs; the smallest and the largest ratio if there are fewer than six).

A metric is a regression if the median ratio is worse than the bound and the whole interval is worse
than 1: both large and no accident; fewer than six pairs judge nothing. Latencies are shown and not
judged: on few CPUs the load and the machine make most of them.
Rejected: all runs of one, then all of the other (they would compare two times of day).
"""

import math
import re
import statistics
import subprocess
from typing import NamedTuple

import build
import run
from figures import more_is_better, number

COLUMNS = ("workload", "workers", "metric", "unit", "baseline", "now", "now/baseline", "interval")
UNJUDGED = re.compile(r"p50|p99|max|late")


class Row(NamedTuple):
    workload: str
    workers: int
    metric: str
    unit: str
    baseline: float
    now: float
    ratio: float
    low: float
    high: float
    pairs: int

    def verdict(self, bound):
        if self.pairs < 6:
            return "too few pairs"
        if UNJUDGED.search(self.metric):
            return "not judged"
        better_is_more = more_is_better(self.metric)
        worse = 1 / self.ratio if better_is_more and self.ratio else self.ratio
        near = 1 / self.high if better_is_more and self.high else self.low
        far = 1 / self.low if better_is_more and self.low else self.high
        if worse > bound and near > 1:
            return "REGRESSION"
        return "better" if far < 1 and worse < 1 / bound else ""


def git(*arguments):
    done = subprocess.run(
        ["git", "-C", str(build.ROOT), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise run.Failed((done.stderr.strip().splitlines() or ["git failed"])[-1])
    return done.stdout.strip()


def commit_of(revision):
    return git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")


def check_out(commit, place):
    """The sources of `commit` in `place`, whatever stood there before."""
    git("worktree", "prune")
    if (place / ".git").exists():
        git("-C", str(place), "checkout", "--quiet", "--force", "--detach", commit)
    else:
        git("worktree", "add", "--detach", "--force", str(place), commit)


def interval(ratios):
    """Where the median of the ratios lies with 95 %: the sign test's order statistics."""
    ordered = sorted(ratios)
    count, below, rank = len(ordered), 0.0, 0
    while (below := below + math.comb(count, rank) / 2**count) <= 0.025:
        rank += 1
    rank = max(rank, 1)
    return ordered[rank - 1], ordered[count - rank]


def ratio(now, before):
    if before:
        return now / before
    return 1.0 if now == before else math.inf


def rows_of(workload, workers, runs):
    """`runs` has pairs (baseline, now) of {metric: Figure}; CPU and memory are metrics here."""
    samples = {}
    for before, now in runs:
        for name in (name for name in now if name in before):
            pair = before[name], now[name]
            samples.setdefault((name, pair[1].unit), []).append([one.value for one in pair])
        if before and now:
            ends = list(before.values())[-1], list(now.values())[-1]
            if all(one.cpu is not None for one in ends) and not any(
                name.endswith("_cpu") for name in now
            ):
                samples.setdefault(("process_cpu", "s"), []).append([one.cpu for one in ends])
            if all(one.peak is not None for one in ends):
                samples.setdefault(("peak_memory", "MiB"), []).append([one.peak for one in ends])
    for (name, unit), pairs in samples.items():
        ratios = [ratio(now, before) for before, now in pairs]
        yield Row(
            workload,
            workers,
            name,
            unit,
            statistics.median(before for before, _ in pairs),
            statistics.median(now for _, now in pairs),
            statistics.median(ratios),
            *interval(ratios),
            len(ratios),
        )


def shown(row, bound):
    return (
        row.workload,
        str(row.workers),
        row.metric,
        row.unit,
        number(row.baseline),
        number(row.now),
        f"{row.ratio:.3f}",
        f"{row.low:.3f} to {row.high:.3f}",
        row.verdict(bound),
    )


def measure(pairs, programs, repeat, run_one):
    """Rows of all (workload, workers), and what failed: {text: whether it is this tree's fault}.

    `programs` are the build folders of the baseline and of now; `run_one(name, workers, folder)`
    gives the metrics of one run.
    """
    runs, failures = {pair: [] for pair in pairs}, {}
    for turn in range(repeat):
        for name, workers in pairs:
            if (name, workers) not in runs:
                continue
            build.say(f"{name} {turn + 1}/{repeat}: w{workers}")
            found = {}
            order = ("baseline", "now") if turn % 2 else ("now", "baseline")
            for which in order:
                try:
                    found[which] = run_one(name, workers, programs[which])
                except (run.Failed, run.Hung) as problem:
                    failures[f"{name} w{workers}, {which}: {problem}"] = which == "now"
                    runs.pop((name, workers), None)
                    break
            if len(found) == 2:
                runs[name, workers].append((found["baseline"], found["now"]))
    rows = [row for pair, some in runs.items() for row in rows_of(*pair, some)]
    return rows, failures
