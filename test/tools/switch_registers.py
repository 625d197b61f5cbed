#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""No value lives over the switch in a register that the switch does not keep.

usage: switch_registers.py COMPILER SOURCE INCLUDES...

Reads the assembly of registers/keep_over_switch.cpp, for the plain target and for AVX-512: behind
the jump every vector and mask register is written before it is read. Needs no CPU that has them.
"""

import re
import subprocess
import sys

REGISTER = re.compile(r"%(?:[xyz]mm(\d+)|(k[0-7])|(mm[0-7])|st\((\d)\))")


def number(match):
    vector, mask, mmx, x87 = match.groups()
    return "vector %s" % vector if vector is not None else mask or mmx or "st(%s)" % x87


def stale_reads(assembly):
    body = assembly[assembly.index("keep_over_switch:") : assembly.index(".size\tkeep_over_switch")]
    lines = body.splitlines()
    at = max(i for i, line in enumerate(lines) if re.match(r"\s*jmpq?\s+\*%", line))
    written, stale, stores = set(), [], 0
    for line in lines[at + 1 :]:
        line = line.split("#")[0].strip()
        if not line or line.startswith(".") or line.endswith(":"):
            continue
        operands = line.split(None, 1)[1] if " " in line or "\t" in line else ""
        found = [(number(m), m.end() == len(operands)) for m in REGISTER.finditer(operands)]
        for register, is_target in found:  # AT&T: the last operand is written
            if not is_target and register not in written:
                stale.append((register, line))
            stores += not is_target
        written.update(register for register, is_target in found if is_target)
    return stale, stores


def main():
    compiler, source, *includes = sys.argv[1:]
    for target in ([], ["-march=x86-64-v4"]):
        command = [
            compiler,
            "-std=c++20",
            "-O2",
            "-fno-lto",
            "-S",
            "-o",
            "-",
            *target,
            *("-I" + i for i in includes),
            source,
        ]
        stale, stores = stale_reads(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout
        )
        print(" ".join(command), "->", stores, "reads behind the switch,", len(stale), "stale")
        if stale:
            sys.exit("".join("%s is kept over the switch: %s\n" % s for s in stale))
        if not target and stores == 0:
            print("nothing is kept in a vector register here")
        if target and stores < 6:
            sys.exit("the values are not where this test looks for them")


main()
