# SPDX-License-Identifier: BSL-1.0
"""clang-tidy finds nothing in src/ by .clang-tidy: names, and a few mistakes.

usage: tidy.py ROOT CLANG_TIDY BUILD

BUILD has the compile_commands.json. tools/test --all runs it (it takes minutes), and installs
clang-tidy from PyPI into build/house; without it the test is skipped, and says so.
"""

import concurrent.futures
import json
import os
import re
import subprocess
import sys

import tree

if len(sys.argv) < 4:
    sys.exit("usage: tidy.py ROOT CLANG_TIDY BUILD")
clang_tidy, build = sys.argv[2:4]
try:
    subprocess.run([clang_tidy, "--version"], capture_output=True, check=True)
except OSError:
    print("SKIPPED: there is no clang-tidy; tools/test installs it into build/house")
    sys.exit(0)
with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as commands:
    known = {entry["file"] for entry in json.load(commands)}
sources = [path for path in tree.files(["src"], (".cpp",)) if str(path) in known]


def check(path):
    return subprocess.run(
        [
            clang_tidy,
            "-p",
            build,
            "--quiet",
            "--extra-arg=-Wno-unknown-warning-option",
            "--extra-arg=-Wno-unknown-attributes",
            str(path),
        ],
        capture_output=True,
        text=True,
    ).stdout


seen = set()
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for text in pool.map(check, sources):
        for match in re.finditer(r"^(/\S+?):(\d+):\d+: (?:error|warning): (.*)$", text, re.M):
            path = tree.Path(match[1])
            if match.groups() not in seen and path.is_relative_to(tree.ROOT):
                seen.add(match.groups())
                tree.fault(path, int(match[2]), match[3])
tree.finish(len(sources), "sources", at_least=50)
