# SPDX-License-Identifier: BSL-1.0
"""What the house rules share: the files of the tree, and how a fault is reported.

Rejected: asking git which files there are (the tests also run from a source archive).
"""

import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
_SKIPPED = {".git", "build", "node_modules", "target", "__pycache__"}

_faults = []


def files(folders, endings):
    """The files below `folders` ("" is the top, itself only) whose names end so; sorted."""
    found = []
    for folder in folders:
        paths = ROOT.iterdir() if folder == "" else (ROOT / folder).rglob("*")
        found += [
            path
            for path in paths
            if path.is_file()
            and path.name.endswith(tuple(endings))
            and not _SKIPPED & set(path.relative_to(ROOT).parts)
        ]
    return sorted(found)


def name(path):
    return path.relative_to(ROOT).as_posix()


def fault(path, line, text):
    _faults.append(f"{name(path)}:{line}: {text}")


def finish(checked, what, at_least=1):
    """Ends the test; fails too if less was checked than there must be."""
    for text in _faults:
        print(text)
    if checked < at_least:
        print(f"only {checked} {what} were found: does this rule still know their form?")
        sys.exit(1)
    print(f"{checked} {what}, {len(_faults)} faults")
    sys.exit(1 if _faults else 0)
