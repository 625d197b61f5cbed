# SPDX-License-Identifier: BSL-1.0
"""Every command of weft-trace and every option of one is in its manual page; the completion knows
the commands.

usage: manual.py WEFT_TRACE SOURCE_DIR
"""

import re
import subprocess
import sys
from pathlib import Path

tool, source = sys.argv[1], Path(sys.argv[2])
help_text = subprocess.run([tool, "--help"], capture_output=True, text=True, check=True).stdout
commands = re.findall(r"^  ([a-z-]+) ", help_text.split("Subcommands:")[1], re.M)
assert len(commands) > 8, commands
wrong = []

page = (source / "tools/weft-trace/man/weft-trace.1").read_text()
for command in commands:
    if f".Nm weft-trace Cm {command}\n" not in page or f".It Cm {command}\n" not in page:
        wrong.append(f"the manual page lacks {command}")
    options = subprocess.run([tool, command, "--help"], capture_output=True, text=True, check=True)
    for option in re.findall(r"^  (?:-[a-z],)?--([a-z-]+)", options.stdout, re.M):
        if option != "help" and not re.search(rf"Fl -{option}( Ar \S+)?( ,.*)?$", page, re.M):
            wrong.append(f"the manual page lacks {command} --{option}")
listed = (source / "tools/weft-trace/CMakeLists.txt").read_text()
names = re.search(r"foreach\(command ([a-z -]+)\)", listed).group(1).split()
if sorted(names) != sorted(commands):
    wrong.append(f"pages are installed for {names}, the commands are {commands}")


def completions(*words):
    script = f"""
        . {source}/tools/weft-trace/weft-trace.bash
        COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}
        [ "${{COMP_WORDS[-1]}}" != EMPTY ] || COMP_WORDS[COMP_CWORD]=
        _weft_trace; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split()


if sorted(set(completions(tool, "EMPTY")) - {"--help", "--version"}) != sorted(commands):
    wrong.append(f"completion offers {completions(tool, 'EMPTY')}")
if completions(tool, "rep") != ["report"]:
    wrong.append(f"completion of rep: {completions(tool, 'rep')}")
if completions(tool, "record", "--p") != ["--pid"]:
    wrong.append(f"completion of record --p: {completions(tool, 'record', '--p')}")

print("\n".join(wrong) or f"{len(commands)} commands are documented and completed")
sys.exit(1 if wrong else 0)
