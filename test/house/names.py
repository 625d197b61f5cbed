# SPDX-License-Identifier: BSL-1.0
"""What comments and Markdown files name exists: files, and where relative links lead to: a file,
and in a Markdown file a heading.

A file is named by its path from the top, from src/, include/ or test/, from the folder of the file
that names it, or by its own name if the tree has one of that name.
"""

import functools
import itertools
import re

import tree

FOLDERS = ["", "include", "src", "test", "tools", "examples", "bench", "docs", "cmake"]
TEXT = (".cpp", ".hpp", ".h", ".def", ".py", ".cmake", "CMakeLists.txt", ".md")
NAMED = re.compile(
    r"(?<![\w/.<\"*-])((?:[a-z_][\w-]*/)*[a-z_][\w-]*\.(?:cpp|hpp|def|py|md|cmake))" r"(?![\w/*])"
)
LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
COMMENT = {".py": "#", ".cmake": "#", ".txt": "#"}
# Names of other people's files, and of those a reader is to make.
FOREIGN = {"main.cpp", "awaitable.hpp", "app.cpp", "portfile.cmake", "file.cpp", "weftConfig.cmake"}

everything = tree.files(
    ["", "include", "src", "test", "tools", "examples", "bench", "docs", "cmake", "test_package"],
    ("",),
)
known = {tree.name(path) for path in everything}
bases = {path.name for path in everything}


@functools.cache
def anchors(path):
    """Those of a Markdown file's headings, as GitHub makes them."""
    found = set()
    fenced = False
    for line in path.read_text(encoding="utf-8").splitlines():
        fenced ^= line.lstrip().startswith("```")
        if fenced or not line.startswith("#"):
            continue
        text = line.lstrip("#").strip().lower()
        anchor = re.sub(r"[^\w -]", "", text).replace(" ", "-")
        copies = itertools.count(1)
        while anchor in found:
            anchor = f"{anchor}-{next(copies)}"
        found.add(anchor)
    return found


def exists(path, text):
    here = path.parent.relative_to(tree.ROOT).as_posix()
    for prefix in (
        "",
        "src/",
        "include/",
        "include/weft/",
        "test/",
        "bench/",
        "bench/compare/",
        f"{here}/",
    ):
        if prefix + text in known:
            return True
    return "/" not in text and text in bases


checked = 0
for path in tree.files(FOLDERS, TEXT):
    mark = COMMENT.get(path.suffix, "//")
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if path.suffix == ".md":
            fenced ^= line.lstrip().startswith("```")
            prose = line
            if fenced:
                continue
            for match in LINK.finditer(line):
                checked += 1
                target = path.parent / match[1] if match[1] else path
                if not target.exists():
                    tree.fault(path, number, f"the link leads nowhere: {match[1]}")
                elif match[2] and target.suffix == ".md" and match[2] not in anchors(target):
                    tree.fault(path, number, f"{match[1]} has no heading #{match[2]}")
        else:
            at = line.find(mark)
            if at < 0:
                continue
            prose = line[at:]
        for match in NAMED.finditer(prose):
            checked += 1
            if match[1] not in FOREIGN and not exists(path, match[1]):
                tree.fault(path, number, f"there is no {match[1]}")
tree.finish(checked, "names", at_least=300)
