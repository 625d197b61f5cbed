#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Starts http_server, asks it for / and /metrics, and gives the text to Prometheus' own parser."""

import re
import subprocess
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def families(port):
    kind, text = get(port, "/metrics")
    assert kind == "text/plain; version=0.0.4", kind
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in found, f"{family.name} comes twice"
        assert family.documentation, f"{family.name} has no HELP"
        assert family.type in ("counter", "gauge", "histogram"), (family.name, family.type)
        assert family.samples, f"{family.name} has no series"
        found[family.name] = family
    return found


def value(family, **labels):
    sums = [s.value for s in family.samples if labels.items() <= s.labels.items()]
    assert sums, (family.name, labels)
    return sum(sums)


def check_histogram(family):
    bounds, counts, total = [], [], None
    for s in family.samples:
        assert s.labels["runtime"] == "weft" and s.labels["number"].isdigit(), s
        if s.name.endswith("_bucket"):
            bounds.append(float(s.labels["le"]))
            counts.append(s.value)
        elif s.name.endswith("_count"):
            total = s.value
    assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), bounds
    assert counts == sorted(counts), counts
    assert counts[-1] == total, (counts, total)
    return total


def check(port):
    before = families(port)
    for _ in range(300):
        assert get(port, "/")[1] == "Hello from weft\n"
    after = families(port)
    assert before.keys() == after.keys()
    for name, family in before.items():
        if family.type == "counter":
            assert name + "_total" == family.samples[0].name
            assert value(after[name]) >= value(family), name
    spawned = value(after["weft_fibers_spawned"]) - value(before["weft_fibers_spawned"])
    assert spawned >= 300, spawned  # a fiber per connection
    alive = value(after["weft_fibers"])
    assert alive == value(after["weft_fibers_spawned"]) - value(after["weft_fibers_ended"]), alive
    assert 2 <= alive < 100, alive  # the listener and this connection's
    assert value(after["weft_processors_serving"]) == 2
    assert value(after["weft_polls"]) > value(before["weft_polls"])
    assert value(after["weft_stacks"], size="262144") >= 2
    assert 4096 <= value(after["weft_stack_touched_bytes"], size="262144", share="1") <= 262144
    check_histogram(after["weft_wake_latency_seconds"])
    assert check_histogram(after["weft_start_latency_seconds"]) >= 1
    print(f"{len(after)} families, {sum(len(f.samples) for f in after.values())} series")


def main():
    server = subprocess.Popen(
        [sys.argv[1], "--port", "0", "--workers", "2"], stdout=subprocess.PIPE, text=True
    )
    try:
        check(int(re.fullmatch(r"listening on \S+ port (\d+)\n", server.stdout.readline())[1]))
    finally:
        server.kill()
        server.wait()


main()
