# SPDX-License-Identifier: BSL-1.0
"""The tree is formatted: C++ by clang-format, Python by black, each of one version.

usage: format.py ROOT CLANG_FORMAT BLACK

tools/test installs both from PyPI into build/house; what is missing, or is of another version,
skips the test with the command that installs it.
"""

import concurrent.futures
import os
import re
import subprocess
import sys

import tree

FOLDERS = ["include", "src", "test", "tools", "examples", "bench", "docs", "test_package"]
VERSIONS = {
    line.split("==")[0]: line.strip().split("==")[1]
    for line in (tree.ROOT / "tools/house-requirements.txt").read_text().splitlines()
    if "==" in line
}


def skip_unless(name, command):
    try:
        text = subprocess.run([command, "--version"], capture_output=True, text=True).stdout
    except OSError:
        text = ""
    found = re.search(r"\d+\.\d+\.\d+", text)
    if found is None or found[0] != VERSIONS[name]:
        print(
            f"SKIPPED: there is no {name} {VERSIONS[name]} "
            f"(found: {found[0] if found else 'none'}). tools/test installs it; or run\n"
            "  python3 -m venv build/house && "
            "build/house/bin/pip install -r tools/house-requirements.txt\n"
            "and configure again."
        )
        sys.exit(0)


clang_format, black = sys.argv[2:4] or ("clang-format", "black")
skip_unless("clang-format", clang_format)
skip_unless("black", black)


def check(some):
    return subprocess.run(
        [clang_format, "--dry-run", "-Werror", "--ferror-limit=1", *map(str, some)],
        capture_output=True,
        text=True,
    ).stderr


cpp = tree.files(FOLDERS, (".cpp", ".hpp", ".h"))
batches = [cpp[at : at + 40] for at in range(0, len(cpp), 40)]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for errors in pool.map(check, batches):
        for match in re.finditer(r"^(.+?):(\d+):\d+: error", errors, re.MULTILINE):
            tree.fault(tree.Path(match[1]), int(match[2]), "clang-format would change this line")
python = tree.files(FOLDERS, (".py",))
errors = subprocess.run(
    [black, "--check", "--quiet", "--line-length=100", "-v", *map(str, python)],
    capture_output=True,
    text=True,
).stderr
for match in re.finditer(r"^would reformat (.+)$", errors, re.MULTILINE):
    tree.fault(tree.Path(match[1]), 1, "black would change this file")
tree.finish(len(cpp) + len(python), "files", at_least=300)
