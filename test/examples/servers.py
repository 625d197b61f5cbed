# SPDX-License-Identifier: BSL-1.0
"""PostgreSQL and Redis for a test: instances of its own, that end with it."""

import glob
import os
import shutil
import socket
import subprocess
import sys
import tempfile

from support import PATIENCE, SKIPPED, need, run, wait_until


class Postgres:
    """Listens at a Unix socket in a folder of its own. The test is skipped without a server."""

    def __init__(self):
        self.psql = need("psql", "postgresql-client")
        installed = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not installed:
            print("SKIPPED: no PostgreSQL server is here: apt-get install postgresql")
            sys.exit(SKIPPED)
        self.programs = installed[-1]
        self.user = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            try:
                run("id", "postgres")
            except AssertionError:
                print(
                    "SKIPPED: PostgreSQL does not run as root, and there is no user postgres to"
                    " run it as"
                )
                sys.exit(SKIPPED)
            self.user = [need("runuser", "util-linux"), "-u", "postgres", "--"]
        self.folder = tempfile.mkdtemp()
        self.data = f"{self.folder}/data"
        if self.user:
            shutil.chown(self.folder, "postgres")
        self.conninfo = f"host={self.folder} user=postgres dbname=postgres"

    def postgres(self, command, *arguments):
        """Its output is not ours to wait for: the server that pg_ctl starts keeps it open."""
        done = subprocess.run(
            [*self.user, f"{self.programs}/{command}", *arguments],
            stdout=subprocess.DEVNULL,
            env=os.environ | {"LC_ALL": "C"},
            cwd="/",
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode

    def control(self, what):
        options = f"-k {self.folder} -c listen_addresses= -c max_connections=50 -c fsync=off"
        arguments = ["-w", "-s", "-D", self.data, "-m", "fast", "-o", options]
        log = f"{self.folder}/log"
        assert self.postgres("pg_ctl", what, *arguments, "-l", log) == 0

    def sql(self, text):
        return run(self.psql, "-qAt", "-h", self.folder, "-U", "postgres", "-c", text, "postgres")

    def __enter__(self):
        try:
            arguments = ["-U", "postgres", "-A", "trust", "--no-sync", "--no-instructions"]
            assert self.postgres("initdb", "-D", self.data, *arguments) == 0
            self.control("start")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if os.path.exists(f"{self.data}/postmaster.pid"):
            self.postgres("pg_ctl", "stop", "-s", "-D", self.data, "-m", "immediate")
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis:
    """Listens at a free port, and keeps nothing on disk. The test is skipped without a server.

    A port that is free when it is chosen may be taken before Redis listens: then it ends, and is
    started at another one. Who answers meanwhile may be the one that took it.
    """

    def __init__(self):
        self.program = need("redis-server", "redis-server")
        self.cli = need("redis-cli", "redis-tools")
        self.folder = tempfile.mkdtemp()

    def ask(self, *arguments):
        return run(self.cli, "-p", self.port, *arguments).strip()

    def start(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        address = ["--port", str(self.port), "--bind", "127.0.0.1"]
        self.process = subprocess.Popen(
            [self.program, *address, "--dir", self.folder, "--save", ""],
            stdout=subprocess.DEVNULL,
        )

    def answers(self):
        if self.process.poll() is not None:
            self.start()
        about = [self.cli, "-p", str(self.port), "info", "server"]
        said = subprocess.run(about, capture_output=True, text=True, check=False).stdout
        return f"process_id:{self.process.pid}" in said.split()

    def __enter__(self):
        self.start()
        try:
            wait_until(self.answers, "redis")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)
