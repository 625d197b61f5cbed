# SPDX-License-Identifier: BSL-1.0
"""The figures of earlier runs, a JSON file per workload: a page has more of them than one run.

Each says when, where and by which command it was measured.
"""

import datetime
import json
import os
import platform
import re
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo.read(), re.M)
    cpus = len(os.sched_getaffinity(0))
    return f"{model[1] if model else platform.machine()}, {cpus} CPUs, Linux {platform.release()}"


def write(folder, name, rows, command):
    """`rows` are (subject, version, workers, metric, median, unit, CPU seconds, peak MiB)."""
    folder.mkdir(parents=True, exist_ok=True)
    text = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "command": command,
        "rows": rows,
    }
    (folder / f"{name}.json").write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")


def read(folder, names):
    """{name: what write() wrote} of those that were measured, in the order of `names`."""
    found = {}
    for name in names:
        file = folder / f"{name}.json"
        if file.exists():
            found[name] = json.loads(file.read_text(encoding="utf-8"))
    return found


def draw(saved, environment, page):
    """Runs plot.py in a virtual environment with matplotlib; returns whether it succeeded."""
    wanted = HERE / "plot-requirements.txt"
    python, stamp = environment / "bin" / "python", environment / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        venv.create(environment, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--requirement", wanted]
        if subprocess.run(pip, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=False).returncode:
            return False
        stamp.write_text(wanted.read_text())
    command = [python, "-B", HERE / "plot.py", saved, page]
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0
