#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What tools/lib.sh and tools/compare take for installed, beside packages of another architecture.

usage: packages.py ROOT
"""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

if len(sys.argv) != 2:
    sys.exit("usage: packages.py ROOT")
root = Path(sys.argv[1])
sys.path.insert(0, str(root / "bench" / "compare"))

# What dpkg-query prints: a line for each architecture, with what was asked for in its format.
KNOWN = {
    "both": "installed amd64\ninstalled arm64\n",
    "both:arm64": "installed arm64\n",
    "foreign": "not-installed amd64\ninstalled arm64\n",
    "everywhere": "installed all\n",
    "removed": "config-files amd64\n",
}
EXPECTED = {"both": True, "both:arm64": True, "everywhere": True}

with tempfile.TemporaryDirectory() as folder:
    for name, text in (
        ("dpkg", "echo amd64"),
        ("dpkg-query", f'[ -f "{folder}/known.$3" ] && cat "{folder}/known.$3"'),
    ):
        program = Path(folder) / name
        program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for package, answer in KNOWN.items():
        (Path(folder) / f"known.{package}").write_text(answer, encoding="utf-8")
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"

    import build  # noqa: E402  (after PATH)

    wrong = []
    for package in [*KNOWN, "unknown"]:
        expected = EXPECTED.get(package, False)
        shell = subprocess.run(
            ["bash", "-c", '. "$0" && is_installed "$1"', root / "tools" / "lib.sh", package],
            check=False,
        )
        if (shell.returncode == 0) != expected:
            wrong.append(f"tools/lib.sh: {package}")
        if ":" not in package and build.installed(package) != expected:
            wrong.append(f"bench/compare/build.py: {package}")
for what in wrong:
    print(f"wrong: {what}")
sys.exit(1 if wrong else 0)
