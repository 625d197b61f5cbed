# SPDX-License-Identifier: BSL-1.0
"""Runs one server once, under a load in a process of its own, and judges its answers.

`LOADS` names the loads that a workload can have. A server prints `port=`; what else it needs (a
certificate, a database) it finds in its environment. Before and after the load it must answer what
no load sends: several requests at once, one in pieces.
"""

import os
import re
import resource
import select
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import services
from figures import Figure
from run import Failed, Hung, parse, stop

RESPONSE_END = b"\r\n\r\nHello, World!\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass
class Load:
    """measure(load, program, server, connections, seconds) returns metrics; check(port) raises."""

    measure: Callable
    check: Callable
    program: str = ""  # of ours, that loads; it is built with the C++ subjects
    packages: tuple = ()  # of Debian, that the load needs
    environment: Callable = dict  # what the server finds in its environment
    scheme: str = "http"


@contextmanager
def connected(port, timeout=10):
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield peer


@contextmanager
def connected_by_tls(port):
    context = ssl.create_default_context(cafile=services.certificate()["WEFT_COMPARE_CERTIFICATE"])
    with connected(port) as below:
        with context.wrap_socket(below, server_hostname="localhost") as peer:
            yield peer


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


def check_http(port, connect=connected):
    """One request, three at once, one byte by byte: what wrk never does and a server must do."""
    try:
        with connect(port) as peer:
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


def check_https(port):
    check_http(port, connected_by_tls)


def check_https_once(port):
    """A server that closes after one answer; twice."""
    try:
        for _ in range(2):
            with connected_by_tls(port) as peer:
                peer.sendall(REQUEST)
                read_responses(peer, 1)
                if peer.recv(1):
                    raise Failed("https: more came back than was asked for")
    except OSError as problem:
        raise Failed(f"https: {problem}") from None


def check_waiting(port):
    """The same, and that the 10 ms of a request are waited."""
    begin = time.monotonic()
    check_http(port)
    if time.monotonic() - begin < 0.05:
        raise Failed("http: it did not wait 10 ms for each request")


def check_echo(port):
    """Pieces and ends: what the load never does and a server must do."""
    try:
        with connected(port) as peer:
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


def check_udp(port):
    """An empty message and a large one are messages, too."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(10)
            peer.connect(("127.0.0.1", port))
            for size in (0, 1, 64, 1400):
                peer.send(b"x" * size)
                if peer.recv(2000) != b"x" * size:
                    raise Failed(f"udp: another message came back for one of {size} bytes")
    except OSError as problem:
        raise Failed(f"udp: {problem}") from None


def check_people(port):
    """The answers of http_postgres; no load asks for somebody who is not there."""
    try:
        with connected(port) as peer:
            for number in (1, 500, 1000):
                peer.sendall(b"GET /?id=%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number)
                data, wanted = b"", b"\r\n\r\nperson %d\n" % number
                while not data.endswith(wanted):
                    more = peer.recv(65536)
                    if not more:
                        raise Failed(f"http_postgres: it ended after {data!r}")
                    data += more
    except OSError as problem:
        raise Failed(f"http_postgres: {problem}") from None


def milliseconds(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(value) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[unit]


class Server:
    """A server under way."""

    def __init__(self, process, words):
        self.process = process
        self.port = int(words["port"])
        self.version = words.get("version", "?")

    def cpu(self):
        """CPU seconds of it and its threads, so that loads that share the CPUs tell the cost."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self):
        """The most memory it has had so far."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"^VmHWM:\s+(\d+) kB", status.read(), re.M).group(1)) / 1024

    def resident(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def run_load(command, seconds):
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + 60, check=False
        )
    except FileNotFoundError:
        raise Failed(f"{command[0]} is not here") from None
    except subprocess.TimeoutExpired:
        raise Hung("the load did not end") from None


def with_cpu(server, connections, seconds, load):
    """The metrics of load(), named after the connections, and the server's CPU per request."""
    before = server.cpu()
    metrics = load()
    used = server.cpu() - before
    requests = metrics["rate"][0] * metrics.pop("seconds", (seconds,))[0]
    metrics["cpu"] = (used * 1e6 / max(requests, 1), "us/req")
    return {f"c{connections}_{name}": metric for name, metric in metrics.items()}


def wrk(load, _program, server, connections, seconds):
    url = f"{load.scheme}://127.0.0.1:{server.port}/"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "20s", "--latency"]

    def measure():
        done = run_load([*command, url], seconds)
        if done.returncode != 0:
            raise Failed(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
        bad = re.search(r"^\s*((?:Socket errors|Non-2xx).*)$", done.stdout, re.M)
        if bad:
            raise Failed(f"wrk -c{connections}: {bad.group(1)}")
        found = {"rate": (float(re.search(r"^Requests/sec:\s+([\d.]+)", done.stdout, re.M)[1]),)}
        if found["rate"][0] == 0:
            raise Failed(f"wrk -c{connections}: no request was answered")
        found["rate"] += ("req/s",)
        for share in (50, 99):
            text = re.search(rf"^\s*{share}%\s+(\S+)$", done.stdout, re.M)[1]
            found[f"p{share}"] = (milliseconds(text), "ms")
        return found

    return with_cpu(server, connections, seconds, measure)


def connected_load(command):
    """Starts a load of ours; returns when it has made its connections, which is not measured."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        bufsize=0,  # select() must see what has not been read
    )
    ready = select.select([process.stdout], [], [], 180)[0]  # a thousand handshakes
    if ready and process.stdout.readline() == b"connected\n":
        return process
    process.kill()
    error = process.communicate()[1].decode().strip()
    raise Failed(f"{Path(command[0]).name}: {error}") if ready else Hung("the load did not begin")


def own(load, program, server, connections, seconds):
    """A load of ours: PROGRAM PORT CONNECTIONS SECONDS."""
    process = connected_load([str(program), str(server.port), str(connections), str(seconds)])

    def measure():
        try:
            out, err = process.communicate(timeout=seconds + 60)
        except subprocess.TimeoutExpired:
            raise Hung("the load did not end") from None
        finally:
            stop(process)
        if process.returncode != 0:
            raise Failed(f"{load.program} {connections}: {err.decode().strip()}")
        return parse(out.decode())[1]

    return with_cpu(server, connections, seconds, measure)


def idle(_load, _program, server, connections, seconds):
    """What connections cost that are there and do nothing, and what is left when they are gone."""
    begin = server.resident()
    peers = []
    try:
        for _ in range(connections):
            peer = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            peers.append(peer)
            peer.sendall(b"here")
            if peer.recv(64) != b"here":
                raise Failed("idle: it did not answer")
        full, cpu = server.resident(), server.cpu()
        time.sleep(seconds)
        used = server.cpu() - cpu
    except OSError as problem:
        raise Failed(f"idle: {problem} after {len(peers)} connections") from None
    finally:
        for peer in peers:
            peer.close()
    after = 10 if seconds > 1 else 1
    time.sleep(after)
    return {
        "connections": (connections, "connections"),
        "bytes": ((full - begin) / connections, "B/conn"),
        "idle_cpu": (used * 1e3 / seconds, "ms/s"),
        "before": (begin / 2**20, "MiB"),
        "full": (full / 2**20, "MiB"),
        f"after_{after}s": (server.resident() / 2**20, "MiB"),
    }


LOADS = {
    "wrk": Load(wrk, check_http, packages=("wrk",)),
    "wrk_waiting": Load(wrk, check_waiting, packages=("wrk",)),
    "https_load": Load(
        own, check_https, "https_load", packages=("openssl",), environment=services.certificate
    ),
    "wrk_https_once": Load(
        wrk,
        check_https_once,
        packages=("wrk", "openssl"),
        environment=services.certificate,
        scheme="https",
    ),
    "echo_load": Load(own, check_echo, "echo_load"),
    "udp_load": Load(own, check_udp, "udp_load"),
    "people_load": Load(
        own,
        check_people,
        "people_load",
        packages=("postgresql",),
        environment=services.database,
    ),
    "idle": Load(idle, check_echo),
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


def raise_descriptor_limit():
    """Ten thousand connections are as many descriptors, here and there."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, 65536), max(hard, 65536)))
    except (ValueError, OSError):  # only root may
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def within_descriptors(connections):
    """As many as the limit allows; the metrics are named after them."""
    if isinstance(connections, str):
        return connections
    return min(connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)


@contextmanager
def running(command, environment):
    """Starts a server; yields it when it can be asked, and ends it."""
    raise_descriptor_limit()
    # Unbuffered: select() must see what has not been read.
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        bufsize=0,
        env=os.environ | environment,
    )
    try:
        yield Server(process, wait_for_port(process, 10))
    finally:
        stop(process)


def run_server(command, load, program, connections, seconds):
    with running(command, load.environment()) as server:
        load.check(server.port)
        metrics = {}
        for count in map(within_descriptors, connections):
            before = server.cpu()
            found = load.measure(load, program, server, count, seconds)
            used = server.cpu() - before, server.peak_mib()
            metrics.update((name, Figure(*metric, *used)) for name, metric in found.items())
        load.check(server.port)
        if server.process.poll() is not None:
            raise Failed(f"the server ended by itself with {server.process.returncode}")
        return server.version, metrics, None
