# SPDX-License-Identifier: BSL-1.0
"""What the commands in Markdown files name exists: scripts of tools/ and their options, presets,
tests, workloads, weft-trace's commands and options, variables of the environment.

Most of them are not run by a test (a comparison, an hour of storms), so this is what keeps them
true. test/docs/run_commands runs those of three pages.
"""

import itertools
import json
import re

import tree

NOT_SHELL = re.compile(r"^ *```(?:cpp|cmake)\b.*?^ *```$", re.M | re.S)
FENCED = re.compile(r"^ *```(?:sh)?\n(.*?)^ *```$", re.M | re.S)
SPAN = re.compile(r"`([^`]+)`")
SCRIPT = re.compile(r"(?<![\w./-])(?:\./)?tools/([a-z_]+)(?![\w/.-])([^\n;|&#]*)")
TRACE = re.compile(r"(?<![\w./-])weft-trace ([a-z][a-z-]*)([^\n;|&#]*)")
PRESET = re.compile(r"--preset[ =]([a-z][\w-]*)")
PROGRAM = re.compile(r"build/\w+/test/(unit|trace|stress|model)_(\w+)")
VARIABLE = re.compile(r"(?<![\w/])WEFT_[A-Z]\w+")
OPTION = re.compile(r"(?<!\S)--[a-z][a-z-]*")
CTEST = {"--repeat", "--rerun-failed", "--output-on-failure"}


def text_of(folders, endings=("",)):
    """All of them, one after the other."""
    paths = (path for path in tree.files(folders, endings) if path.suffix not in (".md", ".png"))
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)


scripts = {
    path.name: path.read_text(encoding="utf-8")
    for path in (tree.ROOT / "tools").iterdir()
    if path.is_file() and path.stat().st_mode & 0o100
}
presets = json.loads((tree.ROOT / "CMakePresets.json").read_text(encoding="utf-8"))
presets = {one["name"] for one in presets["configurePresets"]} | {"conan-release"}  # Conan's own
cmake = text_of(["", "test", "docs"], ("CMakeLists.txt", ".cmake"))
tests = {f"{path.parent.name}/{path.stem}" for path in tree.files(["test"], (".cpp", ".py"))}
tests |= set(re.findall(r"add_test\(NAME ([\w/]+)\s", cmake))
tests |= {f"house/{rule}" for rule in re.findall(r"weft_add_rule\((\w+)", cmake)}
tests |= {f"package/{name}" for name in re.findall(r"weft_add_package_test\((\w+)", cmake)}
labels = {name.partition("/")[0] for name in tests} | set(re.findall(r"LABELS (\w+)", cmake))
workloads = text_of(["bench/compare"], ("workloads.py",))
tracer = text_of(["tools/weft-trace"], (".cpp",))
listed = (tree.ROOT / "tools/weft-trace/CMakeLists.txt").read_text(encoding="utf-8")
commands = set(re.search(r"foreach\(command ([a-z -]+)\)", listed)[1].split())
everything = text_of(["", "src", "include", "tools", "test", "cmake", "bench", "packaging"])


def faults_of_script(name, arguments):
    """Those of a call of a script of tools/."""
    if name not in scripts:
        if f"tools/{name}" not in tests:
            yield f"there is no tools/{name}"
        return
    for option in OPTION.findall(arguments):
        known = re.search(re.escape(option) + r"(?![\w-])", scripts[name])
        if not known and not (name == "test" and option in CTEST):
            yield f"tools/{name} has no {option}"
    words = [word.strip("'\"") for word in arguments.split()]
    for before, word in itertools.pairwise(["", *words]):
        if before == "-R" and not any(re.search(word, test) for test in tests):
            yield f"no test's name matches {word}"
        elif before == "-L" and word not in labels:
            yield f"no test has the label {word}"
        elif (
            name == "compare"
            and re.fullmatch(r"[a-z]\w+", word)
            and not before.startswith("-")
            and f'"{word}"' not in workloads
        ):
            yield f"tools/compare has no workload {word}"


def faults_of(code):
    """Those of the text of a code span, or of a line of a block."""
    for name, arguments in SCRIPT.findall(code):
        yield from faults_of_script(name, arguments)
    for command, arguments in TRACE.findall(code):
        if command not in commands:
            yield f"weft-trace has no command {command}"
        for option in OPTION.findall(arguments.partition(" -- ")[0]):
            if f'{option}"' not in tracer and f"{option}," not in tracer:
                yield f"weft-trace {command} has no {option}"
    for preset in PRESET.findall(code):
        if preset not in presets:
            yield f"there is no preset {preset}"
    for label, name in PROGRAM.findall(code):
        if f"{label}/{name}" not in tests:
            yield f"there is no test/{label}/{name}.cpp"
    for variable in VARIABLE.findall(code):
        if variable not in everything:
            yield f"nothing reads {variable}"


checked = 0
for page in tree.files(["", "docs", "src", "bench", "test"], (".md",)):
    text = NOT_SHELL.sub(lambda m: "\n" * m[0].count("\n"), page.read_text(encoding="utf-8"))
    pieces = []  # where it begins, and the text
    for block in FENCED.finditer(text):
        at = block.start(1)
        for line in block[1].splitlines(keepends=True):
            pieces.append((at, line))
            at += len(line)
    text = FENCED.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    pieces += [(span.start(), " ".join(span[1].split())) for span in SPAN.finditer(text)]
    for at, code in pieces:
        checked += 1
        for wrong in faults_of(code):
            tree.fault(page, text.count("\n", 0, at) + 1, wrong)
tree.finish(checked, "spans and lines of code", at_least=1000)
