#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""filter.py HEADER: writes the header as doxygen is to read it.

The labels of weft's comments (`Blocks:`, `Throws:`, ...) become paragraphs with a title.

`Example: test/FILE [NAME]` becomes the example itself: the block that follows it or, if there is
none, the body of that test case. The reader of an installed weft has no test files.

A function that is only another form of a documented one (`_for`, `_until`, with a token, with an
error code) stands behind it without a comment. It gets a sentence that says so.
"""

import re
import sys
import textwrap
from pathlib import Path

LABEL = re.compile(
    r"^(\s*///) (Blocks|Orders|Throws|Lifetime|Fairness|Errors|Costs|Memory|Resolution|Note): (.*)$"
)
EXAMPLE = re.compile(r"^(\s*///) Example: (test/\S+\.cpp)(?: \[([^\]]+)\])?\s*$")


def test_case(root, file, name):
    """The body of the test case `name` in `file`, or None."""
    lines = (root / file).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("TEST_CASE(") and name in line:
            while not lines[number].endswith("{"):
                number += 1
            end = lines.index("}", number)
            return textwrap.dedent("\n".join(lines[number + 1 : end])).splitlines()
    return None


FORM = re.compile(r"(?<![\w.>])((?:operator\s*[^\s\w(]+|~?\w+))\s*\(")
NO_NAME = {"requires", "noexcept", "decltype", "alignas", "explicit", "sizeof"}

OTHER = re.compile(
    r"(using|friend|class|struct|enum|namespace|static_assert|return|if|public|private|protected)\b"
)


def declared(text):
    """The function that a declaration is of: its name and parameters. None if it is of none."""
    text = re.sub(r"\[\[.*?\]\]|template\s*<.*?>\s*(?=\[|\w)", "", text)
    if OTHER.match(text.strip()):
        return None
    text = re.sub(r"^\s*requires\s*\(.*?\)\s*(?=\[|[a-z_]\w* [\w]*\()", "", text)
    for match in FORM.finditer(text):
        if match[1] not in NO_NAME:
            return match[1], text[match.end() :]
    return None


def form(name, parameters, of):
    """The sentence of an undocumented form of the documented function `of`."""
    how = []
    if name.endswith("_for") and not of.endswith("_for"):
        how.append("for a limited time")
    if name.endswith("_until") and not of.endswith("_until"):
        how.append("until a moment at the latest")
    if "stop_token" in parameters:
        how.append("until a stop is requested")
    if "error_code" in parameters:
        how.append("with errors in `ec` instead of exceptions")
    return f"As `{of}`" + (": " + ", ".join(how) if how else "") + "."


def special(parameters):
    """The sentence of an undocumented copy or move; None if it is neither."""
    if re.match(r"(const )?\w+(<.*?>)?\s*&&", parameters):
        return "Takes over the other one."
    if re.match(r"const \w+(<.*?>)?\s*&\s*\w*\)", parameters):
        return "Refers to the same as the other one."
    return None


def without_foreign(lines):
    """The lines without specialisations of Boost's classes, which are no names of weft's."""
    out, foreign = [], False
    for line in lines:
        if line.startswith("class boost::"):
            foreign = True
            while out and out[-1].startswith("template"):
                out.pop()
        if not foreign:
            out.append(line)
        foreign = foreign and line != "};"
    return out


def with_forms(lines):
    """The lines, with a sentence at each form that has none."""
    out, documented, comment, owner = [], None, False, None
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        if line.startswith("//") or not line or line.startswith("#"):
            comment = line.startswith("///") or (comment and line.startswith("//"))
            out.append(lines[number])
            number += 1
            continue
        first, text = number, ""
        while True:
            text += " " + lines[number].split("  // ")[0].strip()
            number += 1
            if number == len(lines) or text.rstrip().endswith((";", "{", "}", ":", ">=")):
                break
            if lines[number].strip().startswith("//"):
                break
        found = declared(text.strip())
        kind = re.match(
            r"\s*(?:template\s*<.*>\s*)?(?:class|struct) (?:\[\[\w+\]\] )?(?:[A-Z_]+ )?(\w+)", text
        )
        owner = kind[1] if kind else owner
        indent = re.match(r"\s*", lines[first])[0]
        if found and len(indent) in (0, 2):
            base = re.sub(r"_(for|until)$", "", found[0])
            own = found[0] == owner or found[0] == "operator="
            if comment:
                documented = (found[0], indent)
            elif "= delete" in text:
                pass
            elif own and special(found[1]):
                out.append(f"{indent}/// {special(found[1])}")
            elif "= default" not in text and documented and indent == documented[1]:
                if re.sub(r"_(for|until)$", "", documented[0]) == base:
                    out.append(f"{indent}/// {form(found[0], found[1], documented[0])}")
        comment = False
        out += lines[first:number]
    return out


def main():
    header = Path(sys.argv[1]).resolve()
    root = header
    while not (root / "CMakePresets.json").exists():
        root = root.parent
    lines = header.read_text(encoding="utf-8").splitlines()
    if header.suffix == ".hpp":
        lines = with_forms(without_foreign(lines))
    in_block = False
    for number, line in enumerate(lines):
        label, example = LABEL.match(line), EXAMPLE.match(line)
        if label:
            print(f"{label[1]} @par {label[2]}\n{label[1]} {label[3]}")
        elif example:
            mark, file, name = example.groups()
            if lines[number + 1 : number + 2] == [f"{mark} ```"]:
                print(f"{mark} @par Example")
            elif name:
                body = test_case(root, file, name)
                if body is None:
                    sys.exit(f"{header}:{number + 1}: {file} has no test case [{name}]")
                print(f"{mark} @par Example\n{mark} ```cpp")
                for text in body:
                    print(f"{mark} {text}")
                print(f"{mark} ```")
        elif line.strip() == "/// ```":
            in_block = not in_block
            print(line + ("cpp" if in_block else ""))
        else:
            print(line)


main()
