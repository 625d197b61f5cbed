# SPDX-License-Identifier: BSL-1.0
"""Runs one subject once: a program that ends by itself, or a server under load; judges its answer.

A result is (version, {metric: (value, unit)}, note); a subject that gives none raises Failed, or
Hung past its time.
"""

import os
import re
import resource
import select
import signal
import socket
import subprocess
import time


class Failed(Exception):
    """The subject ended badly or its answer is wrong."""


class Hung(Exception):
    """The subject did not end in the time its workload allows."""


LINE = re.compile(r"(\w+)=(\S+)(?: (.*))?$")
RESPONSE_END = b"\r\n\r\nHello, World!\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


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


def run_program(command, expected, timeout):
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        stop(process)
        raise Hung(f"did not end in {timeout} s") from None
    except BaseException:
        stop(process)
        raise
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
    starves = words.get("starves")
    return words.get("version", "?"), metrics, f"starves: {starves}" if starves else None


def read_responses(peer, count):
    """Reads `count` responses and nothing more; every one must be whole and right."""
    data = b""
    while data.count(RESPONSE_END) < count:
        more = peer.recv(65536)
        if not more:
            raise Failed(f"http: closed after {data.count(RESPONSE_END)} of {count} responses")
        data += more
    for response in data.split(RESPONSE_END)[:-1]:
        head = response.lower()
        if not head.startswith(b"http/1.1 200 ok\r\n") or b"content-length: 14" not in head:
            raise Failed(f"http: a wrong response head: {response[:80]!r}")
    if not data.endswith(RESPONSE_END) or data.count(RESPONSE_END) != count:
        raise Failed(f"http: {data.count(RESPONSE_END)} responses to {count} requests")


def probe(port):
    """One request, three at once, one byte by byte: what wrk never does and a server must do."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(REQUEST)
            read_responses(peer, 1)
            peer.sendall(REQUEST * 3)
            read_responses(peer, 3)
            for i in range(len(REQUEST)):
                peer.sendall(REQUEST[i : i + 1])
                time.sleep(0.001)
            read_responses(peer, 1)
    except OSError as problem:
        raise Failed(f"http: {problem}") from None


def milliseconds(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(value) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[unit]


class Cpu:
    """CPU time of a process and its threads, so that loads that share the CPUs tell the cost."""

    def __init__(self, pid):
        self.pid = pid
        self.begin = self.now()

    def now(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def microseconds_per(self, count):
        return (self.now() - self.begin) * 1e6 / max(count, 1)


def wrk(port, connections, seconds):
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}",
        "--latency",
        f"http://127.0.0.1:{port}/",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 30, check=False
    )
    if done.returncode != 0:
        raise Failed(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    bad = re.search(r"^\s*((?:Socket errors|Non-2xx).*)$", done.stdout, re.M)
    if bad:
        raise Failed(f"wrk -c{connections}: {bad.group(1)}")
    prefix = f"c{connections}_"
    latency = {
        share: milliseconds(re.search(rf"^\s*{share}%\s+(\S+)$", done.stdout, re.M).group(1))
        for share in (50, 99)
    }
    rate = float(re.search(r"^Requests/sec:\s+([\d.]+)", done.stdout, re.M).group(1))
    if rate == 0:
        raise Failed(f"wrk -c{connections}: no request was answered")
    return {
        prefix + "rate": (rate, "req/s"),
        prefix + "p50": (latency[50], "ms"),
        prefix + "p99": (latency[99], "ms"),
    }


def wait_for_port(server, seconds):
    words, deadline = {}, time.monotonic() + seconds
    while "port" not in words:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([server.stdout], [], [], left)[0]:
            raise Hung(f"printed no port in {seconds} s")
        line = server.stdout.readline()
        if not line:
            raise Failed(f"ended with {server.wait()} before it printed a port")
        words.update(parse(line.decode())[0])
    return words


def echo_probe(port):
    """Pieces and ends: what the load never does and a server must do."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
            for size in (1, 64, 10_000):
                peer.sendall(b"x" * size)
                got = 0
                while got < size:
                    got += len(peer.recv(65536)) or size
                if got != size:
                    raise Failed("echo: it ended in the middle")
            peer.shutdown(socket.SHUT_WR)
            if peer.recv(1):
                raise Failed("echo: more came back than was sent")
    except OSError as problem:
        raise Failed(f"echo: {problem}") from None


def echo_load(program):
    def load(port, connections, seconds):
        command = [str(program), str(port), str(connections), str(seconds)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 60, check=False
        )
        if done.returncode != 0:
            raise Failed(f"echo_load {connections}: {done.stderr.strip()}")
        return {f"c{connections}_{name}": metric for name, metric in parse(done.stdout)[1].items()}

    return load


def run_server(command, load, connections, seconds):
    # Ten thousand connections are as many descriptors, here and there.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Unbuffered: select() must see what has not been read.
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, bufsize=0)
    try:
        words = wait_for_port(server, 10)
        port = int(words["port"])
        check = probe if load is wrk else echo_probe
        check(port)
        metrics = {}
        for count in connections:
            cpu = Cpu(server.pid)
            found = load(port, count, seconds)
            requests = found[f"c{count}_rate"][0] * seconds
            metrics.update(found, **{f"c{count}_cpu": (cpu.microseconds_per(requests), "us/req")})
        check(port)
        if server.poll() is not None:
            raise Failed(f"the server ended by itself with {server.returncode}")
        return words.get("version", "?"), metrics, None
    except subprocess.TimeoutExpired:
        raise Hung("the load did not end") from None
    finally:
        stop(server)
