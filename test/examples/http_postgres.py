#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/http_postgres on an instance of PostgreSQL of its own, in each mode."""

import re
import sys

from servers import Postgres
from support import Server, need, run, wait_until

PROGRAM = sys.argv[1]
CURL = need("curl", "curl")
WRK = need("wrk", "wrk")


def curl(server, target):
    return run(CURL, "-s", "-w", "%{http_code}", server.url(target))


with Postgres() as database:
    database.sql("create table people (id int primary key, name text)")
    database.sql("insert into people select n, 'person ' || n from generate_series(1, 1000) n")
    for mode in "blocking", "block_in_place", "offload", "descriptor":
        with Server(
            PROGRAM, "--database", database.conninfo, "--mode", mode, "--pool", 8
        ) as server:
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
            assert 1 <= int(database.sql(f"select count(*) {backends}")) <= 8, mode

            # backends that die cost a request each at most
            database.sql(f"select pg_terminate_backend(pid) {backends}")
            wait_until(lambda: curl(server, "/?id=7") == "person 7\n200", mode)

            if mode in ("block_in_place", "offload"):
                continue
            # a database that is away is said, and used again when it is back
            database.control("stop")
            assert curl(server, "/?id=7").endswith("503"), mode
            database.control("start")
            wait_until(lambda: curl(server, "/?id=7") == "person 7\n200", mode)
