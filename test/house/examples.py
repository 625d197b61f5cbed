# SPDX-License-Identifier: BSL-1.0
"""Every `Example:` of a public header resolves, and says what a test runs.

Example: FILE           the file is there
Example: FILE [NAME]    a test case of FILE has NAME in its name
and a ``` block below   is, but for blanks, comments and what "..." leaves out, code of FILE,
                        where TEST_CASE("example: NAME") has it
"""

import re

import tree

EXAMPLE = re.compile(r"Example: *(\S+)(?: \[([^\]]+)\])?")
FENCE = re.compile(r"\s*/// ```")


def essence(text):
    return re.sub(r"\s", "", re.sub(r"//[^\n]*", "", text))


compared = 0
for header in tree.files(["include"], (".hpp",)):
    lines = header.read_text(encoding="utf-8").splitlines()
    block_of = None  # the Example above the lines read now
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if "///" not in line:
            block_of = None
            continue
        if match := EXAMPLE.search(line):
            file = tree.ROOT / match[1]
            block_of = None
            if not file.is_file():
                tree.fault(header, at, f"the example is in no file: there is no {match[1]}")
                continue
            compared += 1
            block_of = match
            cases = file.read_text(encoding="utf-8")
            names = re.findall(r"TEST_CASE\(\s*((?:\"[^\"]*\"\s*)+)\)", cases)
            if match[2] is not None and not any(match[2] in name for name in names):
                tree.fault(header, at, f"{match[1]} has no test case [{match[2]}]")
            continue
        if not FENCE.match(line):
            continue
        begin = at
        while at < len(lines) and not FENCE.match(lines[at]):
            at += 1
        block = "\n".join(re.sub(r"^\s*///", "", text) for text in lines[begin:at])
        at += 1
        if block_of is None or block_of[2] is None:
            tree.fault(header, begin, "a block of code without `Example: FILE [NAME]` above it")
            continue
        if f'TEST_CASE("example: {block_of[2]}")' not in cases:
            tree.fault(header, begin, f'there is no test case "example: {block_of[2]}"')
        for part in block.split("..."):
            if essence(part) not in essence(cases):
                tree.fault(header, begin, f"[{block_of[2]}] is not what the test runs: {part}")
tree.finish(compared, "examples", at_least=30)
