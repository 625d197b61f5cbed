#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/http_postgres on an instance of PostgreSQL of its own, in each mode."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

from support import PATIENCE, SKIPPED, Server, need, run, wait_until

PROGRAM = sys.argv[1]
CURL = need("curl", "curl")
WRK = need("wrk", "wrk")
PSQL = need("psql", "postgresql-client")
installed = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
if not installed:
    print("SKIPPED: no PostgreSQL server is here: apt-get install postgresql")
    sys.exit(SKIPPED)
user = []
if os.geteuid() == 0:  # PostgreSQL refuses to run as root
    try:
        run("id", "postgres")
    except AssertionError:
        print(
            "SKIPPED: PostgreSQL does not run as root, and there is no user postgres to run it as"
        )
        sys.exit(SKIPPED)
    user = [need("runuser", "util-linux"), "-u", "postgres", "--"]

folder = tempfile.mkdtemp()
data = f"{folder}/data"
if user:
    shutil.chown(folder, "postgres")


def postgres(command, *arguments):
    """Its output is not ours to wait for: the server that pg_ctl starts keeps it open."""
    done = subprocess.run(
        [*user, f"{installed[-1]}/{command}", *arguments],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"LC_ALL": "C"},
        cwd="/",
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode


def control(what):
    options = f"-k {folder} -c listen_addresses= -c max_connections=50 -c fsync=off"
    assert (
        postgres(
            "pg_ctl",
            what,
            "-w",
            "-s",
            "-D",
            data,
            "-m",
            "fast",
            "-o",
            options,
            "-l",
            f"{folder}/log",
        )
        == 0
    )


def sql(text):
    return run(PSQL, "-qAt", "-h", folder, "-U", "postgres", "-c", text, "postgres")


def curl(server, target):
    return run(CURL, "-s", "-w", "%{http_code}", server.url(target))


try:
    assert (
        postgres(
            "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--no-instructions"
        )
        == 0
    )
    control("start")
    sql("create table people (id int primary key, name text)")
    sql("insert into people select n, 'person ' || n from generate_series(1, 1000) n")
    for mode in "blocking", "block_in_place", "offload", "descriptor":
        database = f"host={folder} user=postgres dbname=postgres"
        with Server(PROGRAM, "--database", database, "--mode", mode, "--pool", 8) as server:
            assert curl(server, "/?id=7") == "person 7\n200", mode
            assert curl(server, "/?id=1001").endswith("404"), mode
            for wrong in "/", "/?id=x", "/?id=1%27", "/?id=9999999999":
                assert curl(server, wrong).endswith("400"), (mode, wrong)
            text = run(WRK, "-t1", "-c64", "-d1", server.url("/?id=500"))
            assert "Non-2xx" not in text and "Socket errors" not in text, (mode, text)
            assert float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]) > 0, text
            backends = (
                "from pg_stat_activity"
                " where application_name = '' and backend_type = 'client backend'"
            )
            assert 1 <= int(sql(f"select count(*) {backends}")) <= 8, mode

            # backends that die cost a request each at most
            sql(f"select pg_terminate_backend(pid) {backends}")
            wait_until(lambda: curl(server, "/?id=7") == "person 7\n200", mode)

            if mode in ("block_in_place", "offload"):
                continue
            # a database that is away is said, and used again when it is back
            control("stop")
            assert curl(server, "/?id=7").endswith("503"), mode
            control("start")
            wait_until(lambda: curl(server, "/?id=7") == "person 7\n200", mode)
finally:
    if os.path.exists(f"{data}/postmaster.pid"):
        postgres("pg_ctl", "stop", "-s", "-D", data, "-m", "immediate")
    shutil.rmtree(folder, ignore_errors=True)
