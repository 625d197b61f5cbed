# SPDX-License-Identifier: BSL-1.0
"""Code and the prose of Markdown files end at column 100.

A line of Markdown may be longer where it cannot be broken: a table's row, a link, code, a comment.
"""

import tree

WIDTH = 100
FOLDERS = [
    "",
    "include",
    "src",
    "test",
    "tools",
    "examples",
    "bench",
    "docs",
    "cmake",
    "test_package",
]
CODE = (".cpp", ".hpp", ".h", ".def", ".py", ".cmake", "CMakeLists.txt", ".js", ".css")

checked = 0
for path in tree.files(FOLDERS, CODE + (".md",)):
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        checked += 1
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if len(line) <= WIDTH:
            continue
        if path.suffix == ".md" and (
            fenced
            or line.lstrip().startswith(("|", "<!--"))
            or " " not in line.strip()
            or "](" in line
        ):
            continue
        tree.fault(path, number, f"{len(line)} columns, {WIDTH} are allowed")
tree.finish(checked, "lines", at_least=10_000)
