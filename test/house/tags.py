# SPDX-License-Identifier: BSL-1.0
"""Every protocol tag (DEQ-1, PARK-2, ...) is stated once and cited at least once.

The statement is a line of a comment that begins with the tag, below src/ or include/weft/detail/:
    // DEQ-1  an entry is handed out exactly once
or, for what has no header of its own, a heading, paragraph or list item of a folder's README:
    ## DEQ-1  an entry ...      **DEQ-1 an entry ...**      * **DEQ-1** An entry ...
A README may prove so what a header states. Anything else is a citation.
"""

import collections
import re

import tree

TAG = re.compile(r"\b([A-Z]{2,10})-(\d+)(?:\.\.(\d+))?(?![\w.-]*\d)")
FOREIGN = {"AVX", "BSL", "CRC", "IPV", "ISO", "RFC", "SHA", "UTF", "GCC", "PR", "JEP", "MIN", "CPP"}
STATEMENT = re.compile(r"\s*//+\s*$")


def tags(match):
    first = int(match[2])
    return [f"{match[1]}-{number}" for number in range(first, int(match[3] or first) + 1)]


stated = collections.defaultdict(list)
proved = collections.defaultdict(list)
cited = collections.defaultdict(list)
for path in tree.files(
    ["", "include", "src", "test/model", "test/unit", "test/stress"],
    (".hpp", ".cpp", ".def", ".md"),
):
    within_src = tree.name(path).startswith(("src/", "include/weft/detail/"))
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for match in TAG.finditer(line):
            if match[1] in FOREIGN:
                continue
            before, after = line[: match.start()], line[match.end() :]
            if (
                within_src
                and path.suffix != ".md"
                and STATEMENT.match(before)
                and re.match(r"  \S", after)
            ):
                kind = stated
            elif within_src and path.suffix == ".md" and re.match(r"(\s*(\* )?\*\*|##+ )$", before):
                kind = proved
            elif (
                within_src
                and path.suffix == ".md"
                and before.rstrip().endswith("**")
                and before.count("**") % 2 == 1
            ):
                kind = proved
            else:
                kind = cited
            for tag in tags(match):
                kind[tag].append((path, number))

for tag in sorted(set(stated) | set(proved) | set(cited)):
    places = stated[tag] + proved[tag]
    if not places:
        path, number = cited[tag][0]
        tree.fault(path, number, f"{tag} is cited here and stated nowhere")
        continue
    for again in (stated[tag][1:], proved[tag][1:]):
        for path, number in again:
            tree.fault(path, number, f"{tag} is stated a second time")
    if not cited[tag]:
        path, number = places[0]
        tree.fault(path, number, f"{tag} is stated here and cited nowhere")
tree.finish(len(stated.keys() | proved.keys()), "tags", at_least=50)
