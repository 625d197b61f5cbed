#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""databases.py PROGRAM: runs docs/guide/databases.md's code beside PostgreSQL and Redis."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

from servers import Postgres, Redis

with Postgres() as postgres, Redis() as redis:
    servers = {
        "WEFT_TEST_POSTGRES": postgres.conninfo,
        "WEFT_TEST_REDIS_PORT": str(redis.port),
    }
    done = subprocess.run([sys.argv[1]], env=os.environ | servers, check=False)
sys.exit(done.returncode)
