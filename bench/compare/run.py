# SPDX-License-Identifier: BSL-1.0
"""Runs one program once that ends by itself, and judges its answer. Servers: serve.py.

A result is (version, {metric: Figure}, note); a subject that gives none raises Failed, or Hung past
its time.
"""

import os
import re
import signal
import subprocess

from figures import Figure


class Failed(Exception):
    """The subject ended badly or its answer is wrong."""


class Hung(Exception):
    """The subject did not end in the time its workload allows."""


LINE = re.compile(r"(\w+)=(\S+)(?: (.*))?$")


def parse(text):
    words, metrics = {}, {}
    for line in text.splitlines():
        found = LINE.match(line)
        if not found:
            raise Failed(f"printed {line!r}, which is no metric=value unit")
        name, value, unit = found.groups()
        if name in ("version", "answer", "port"):
            words[name] = value
        elif name == "starves":
            words[name] = line.partition("=")[2]
        else:
            metrics[name] = (float(value), unit or "")
    return words, metrics


def stop(process):
    process.kill()
    process.communicate()


def run_program(command, expected, timeout, launcher=None):
    """Runs `command` by common/launch.cpp's program, which tells what it used, if there is one."""
    readable, writable = os.pipe()
    with os.fdopen(readable, "rb") as report:
        try:
            process = subprocess.Popen(
                [str(launcher), str(writable), *command] if launcher else command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                stdin=subprocess.DEVNULL,
                pass_fds=(writable,) if launcher else (),
            )
        finally:
            os.close(writable)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            stop(process)
            raise Hung(f"did not end in {timeout} s") from None
        except BaseException:
            stop(process)
            raise
        used = report.read().split()
    if process.returncode != 0:
        last = err.strip().splitlines()[-1:] or ["no message"]
        how = (
            f"killed by {signal.Signals(-process.returncode).name}"
            if process.returncode < 0
            else f"exit status {process.returncode}"
        )
        raise Failed(f"{how}: {last[0]}")
    words, metrics = parse(out)
    if words.get("answer") != str(expected):
        raise Failed(f"wrong answer: {words.get('answer')}, not {expected}")
    if not metrics:
        raise Failed("printed no metric")
    cpu, peak = (float(used[0]), int(used[1]) / 1024) if used else (None, None)
    metrics = {name: Figure(*metric, cpu, peak) for name, metric in metrics.items()}
    starves = words.get("starves")
    return words.get("version", "?"), metrics, f"starves: {starves}" if starves else None
