#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""build.py OUTPUT [THEME]: makes the reference of the public API, in OUTPUT/html.

THEME is the folder that has doxygen_awesome_css; without one the pages have doxygen's own look.
Fails if a public name is undocumented, if a private name has a page, or if the page of a class has
no example.
"""

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Results, settings, numbers and bases: what makes or uses them has the example.
WITHOUT = re.compile(
    r"result|metrics|statistics|options|report|histogram|fiber_id|attributes|exception|once_flag|"
    r"iterator|token|scope_|deadlock|stuck_fiber|keep_alive|alternative|buffer|forms|promise|"
    r"credentials|session|executor_type|watch::receiver|service|received_descriptor|"
    r"read_with_descriptors|ing_datagram|packet_with_descriptors|unix_acceptor|unix_connection|"
    r"(^|::)(exit_status|pipe_pair|socket|\w+_socket|unix_endpoint|datagram|unix_datagram|packet)$"
    r"|^std::"
)


def faults(page):
    """What is wrong with the page of a class."""
    text = page.read_text(encoding="utf-8")
    name = html.unescape(re.search(r"<title>weft: (.*?) (?:Class|Struct)", text)[1])
    name = re.sub(r"<[^<>]*>", "", name).replace(" ", "")
    if "detail::" in name:
        yield f"{name}: a private name"
    elif not WITHOUT.search(name) and 'class="fragment"' not in text:
        yield f"{name}: no example"


def main():
    if shutil.which("doxygen") is None:
        print("SKIPPED: there is no doxygen; tools/test installs it")
        return 0
    output = Path(sys.argv[1]).resolve()
    shutil.rmtree(output / "html", ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    version = dict(
        re.findall(
            r"#define WEFT_VERSION_(\w+) (\d+)", (ROOT / "include/weft/version.hpp").read_text()
        )
    )
    settings = (HERE / "Doxyfile").read_text() + f"""
PROJECT_NUMBER = {version["MAJOR"]}.{version["MINOR"]}.{version["PATCH"]}
OUTPUT_DIRECTORY = "{output}"
INPUT = include/weft "{HERE / "pages.dox"}"
INPUT_FILTER = "{sys.executable} {HERE / "filter.py"}"
"""
    theme = Path(sys.argv[2] if len(sys.argv) > 2 else "") / "doxygen_awesome_css"
    sheets = [theme / "doxygen-awesome.css", theme / "doxygen-awesome-sidebar-only.css"]
    if all(sheet.is_file() for sheet in sheets):
        settings += "HTML_EXTRA_STYLESHEET =" + "".join(f' "{sheet}"' for sheet in sheets) + "\n"
    run = subprocess.run(["doxygen", "-"], cwd=ROOT, input=settings, text=True, capture_output=True)
    sys.stdout.write(run.stdout + run.stderr)
    if run.returncode != 0:
        return 1
    made = output / "html"
    pages = sorted(made.glob("class*_*.html")) + sorted(made.glob("struct*_*.html"))
    pages = [page for page in pages if not page.stem.endswith("-members")]
    wrong = [fault for page in pages for fault in faults(page)]
    print("\n".join(wrong + [f"{len(pages)} classes, {len(wrong)} faults"]))
    return 1 if wrong or not pages else 0


sys.exit(main())
