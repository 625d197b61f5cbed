# SPDX-License-Identifier: BSL-1.0
"""What the examples' tests share: a program under test, its clients, and how one is skipped."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
PATIENCE = 60  # seconds: a limit for hangs, never for speed


def need(command, package):
    """The path of a client program; the test is skipped, and says so, if it is not here."""
    path = shutil.which(command)
    if not path:
        print(f"SKIPPED: {command} is not here: apt-get install {package}")
        sys.exit(SKIPPED)
    return path


def run(*command, status=0, **more):
    """Its standard output; its exit status must be `status`."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **more,
    )
    assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def wait_until(true, what):
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.01)


class Server:
    """A server of the examples, at a port of the kernel's choice; SIGTERM must end it with 0."""

    def __init__(self, program, *arguments):
        self.process = subprocess.Popen(
            [program, "--port", "0", *[str(a) for a in arguments]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.signals = 0
        self.said = []  # on stderr
        self.reader = threading.Thread(target=self.read_stderr)
        self.reader.start()
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), (line, self.said)
        self.port = int(line.split()[-1])

    def read_stderr(self):
        for line in self.process.stderr:
            self.said.append(line)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
        elif self.signals == 0:
            self.end()
        try:
            status = self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.reader.join()
            self.process.stdout.close()
            self.process.stderr.close()
        late = self.signals > 1 and status == -signal.SIGTERM  # main had returned
        assert kind is not None or status == 0 or late, (status, self.said)

    def end(self):
        """Sends SIGTERM."""
        self.signals += 1
        self.process.send_signal(signal.SIGTERM)

    def url(self, target="/"):
        return f"http://127.0.0.1:{self.port}{target}"

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client


def reset(client):
    """Closes it with a RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()


def read_to_end(client):
    data = b""
    while part := client.recv(65536):
        data += part
    return data


def read_exactly(client, size):
    data = b""
    while len(data) < size:
        part = client.recv(size - len(data))
        assert part, f"the stream ended after {len(data)} of {size} bytes"
        data += part
    return data
