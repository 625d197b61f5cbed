# SPDX-License-Identifier: BSL-1.0
"""snippets.py DOCUMENT OUTPUT: makes a doctest program of the C++ blocks of a document.

A block of ```cpp becomes the body of a test case, run as the first fiber of a runtime; one of
```cpp file stands at namespace scope. HTML comments hold what a reader does not need:

    <!-- before      statements before the next block, in the same function
    <!-- after       statements after the block above, in the same function
    <!-- file        declarations at namespace scope
    <!-- include     #include lines

Every case must check something: a block without a comment of checks is one only if it has CHECK.
"""

import re
import sys
from pathlib import Path

HEADERS = """
atomic chrono condition_variable cstdio cstdlib deque functional future map memory mutex
numeric optional semaphore shared_mutex span stdexcept stop_token string string_view
system_error thread utility vector
"""


def main():
    document, output = Path(sys.argv[1]), Path(sys.argv[2])
    name = document.name
    includes, scope, cases = [], [], []
    before = []
    lines = document.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        comment = re.match(r"<!-- (before|after|file|include)$", line)
        fence = re.match(r"\s*```cpp( file)?$", line)
        if not comment and not fence:
            continue
        end = re.compile(r"-->$" if comment else r"\s*```$")
        first = number
        body = []
        while not end.match(lines[number]):
            body.append(lines[number])
            number += 1
        number += 1
        text = [f'#line {first + 1} "{name}"'] + body
        kind = comment[1] if comment else ("file" if fence[1] else "case")
        if kind == "include":
            includes += body
        elif kind == "file":
            scope += text
        elif kind == "before":
            before += text
        elif kind == "after":
            cases[-1][1].extend(text)
        else:
            cases.append((first, before + text))
            before = []
    if not cases:
        sys.exit(f"{document}: no block of ```cpp")
    program = ["#include <doctest/doctest.h>", ""]
    program += [f"#include <{header}>" for header in HEADERS.split()]
    program += ["#include <weft/weft.hpp>"] + includes
    program += ["namespace {", "using namespace std::chrono_literals;"] + scope
    program += ["}  // namespace"]
    for first, body in cases:
        program += [f'TEST_CASE("{name}:{first}") {{', "weft::run([] {"] + body + ["});", "}"]
        if not any("CHECK" in line for line in body):
            sys.exit(f"{document}:{first}: the block is run, but nothing is checked")
    output.write_text("\n".join(program) + "\n", encoding="utf-8")


main()
