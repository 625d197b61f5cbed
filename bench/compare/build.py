# SPDX-License-Identifier: BSL-1.0
"""Builds the subjects with what the machine has; says in one line each what could not be, and why.

A subject is found by its source: <workload>/<subject>.cpp, .rs, <workload>/<subject>/main.go or
Main.java. weft-glibc and the -jemalloc ones are other subjects' programs with another allocator.
Rejected: asking for every toolchain before starting (a machine without Go still compares others).
"""

import ctypes.util
import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = ROOT / "build" / "compare"
PREBUILT = None  # a CMake build folder whose programs are taken as they are

BASE_PACKAGES = [
    "g++",
    "cmake",
    "ninja-build",
    "libboost-context-dev",
    "libconcurrentqueue-dev",
    "libjemalloc-dev",
]
PACKAGES = {
    "boost": ["libboost-fiber-dev"],
    "tbb": ["libtbb-dev"],
    "asio": ["libboost-dev"],
    "go": ["golang-go"],
    "tokio": ["cargo"],
    "java": ["openjdk-21-jdk-headless"],
}
# What a workload needs besides, by its folder.
WORKLOAD_PACKAGES = {
    "beast": ["libboost-dev"],
    "http_postgres": ["libpq-dev"],
    "https": ["libssl-dev", "libboost-dev"],
    "requests": ["libhttp-parser-dev"],
}
JEMALLOC = ctypes.util.find_library("jemalloc")  # for the -jemalloc subjects
BROKEN = "does not build"
CARGO_NEEDED = (1, 85)  # Cargo.toml's rust-version
JAVA_NEEDED = 21  # virtual threads


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


@functools.cache
def own_architecture():
    command = ["dpkg", "--print-architecture"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def installed(package):
    """For this machine's architecture: dpkg-query prints a line for each that it is there for."""
    query = subprocess.run(
        ["dpkg-query", "-W", "-f=${db:Status-Status} ${Architecture}\n", package],
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = (f"installed {own_architecture()}", "installed all")
    return any(line in wanted for line in query.stdout.splitlines())


def source_subject(subject):
    """The subject that has the source: another one if they differ by their allocator only."""
    return subject.removesuffix("-glibc").removesuffix("-jemalloc")


def built_subject(subject):
    """The subject that has the executable: weft-glibc has one, the -jemalloc ones have not."""
    return subject.removesuffix("-jemalloc")


def language(folder, subject):
    subject = source_subject(subject)
    for kind, source in (
        ("c++", f"{subject}.cpp"),
        ("rust", f"{subject}.rs"),
        ("go", f"{subject}/main.go"),
        ("java", f"{subject}/Main.java"),
    ):
        if (HERE / folder / source).exists():
            return kind
    return None


@functools.cache
def java_home():
    """A JDK that is new enough: JAVA_HOME, the one in PATH, or the newest in Debian's folder."""
    homes = [Path(os.environ["JAVA_HOME"])] if "JAVA_HOME" in os.environ else []
    if found := shutil.which("javac"):
        homes.append(Path(found).resolve().parent.parent)
    homes += sorted(Path("/usr/lib/jvm").glob("*"), reverse=True)
    for home in homes:
        release = home / "release"
        if (home / "bin" / "javac").exists() and release.exists():
            version = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.M)
            if version and int(version[1]) >= JAVA_NEEDED:
                return home
    return None


# A toolchain that came from elsewhere is as good as the package.
COMMANDS = {
    "g++": "c++",
    "cmake": "cmake",
    "ninja-build": "ninja",
    "golang-go": "go",
    "cargo": "cargo",
    "wrk": "wrk",
    "openssl": "openssl",
}


def lacking(packages):
    """Those of Debian's packages that the machine lacks; none on other systems."""
    if not shutil.which("dpkg-query"):
        return []
    if java_home():
        packages = [p for p in packages if p not in PACKAGES["java"]]
    return [
        p
        for p in dict.fromkeys(packages)
        if not (shutil.which(COMMANDS[p]) if p in COMMANDS else installed(p))
    ]


def packages_of(folder, subject):
    return WORKLOAD_PACKAGES.get(folder, []) + PACKAGES.get(subject.split("-")[0], [])


def missing_packages(folders, subjects, loads):
    """What they and every build need, and the machine lacks."""
    wanted = list(BASE_PACKAGES)
    wanted += [p for subject in subjects for p in packages_of(None, subject)]
    wanted += [p for folder in folders for p in packages_of(folder, "")]
    return lacking(wanted + [p for load in loads for p in load.packages])


def install(packages):
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    if as_root and not shutil.which("sudo"):
        sys.exit("compare: --install needs root: neither root nor sudo is here")
    for step in (["update", "-qq"], ["install", "-y", "--no-install-recommends", *packages]):
        if subprocess.run([*as_root, "apt-get", *step], stdout=sys.stderr, check=False).returncode:
            sys.exit("compare: apt-get failed; its message is above")


def run(command, cwd, log, quiet=False):
    """True when the command succeeds; `log` keeps its output, its first error is said if not."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as out:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    if done.returncode == 0 or quiet:
        return done.returncode == 0
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berror\b", line, re.I)]
    say(f"{' '.join(command[:3])} failed: {(errors or lines or ['no output'])[0].strip()}")
    say(f"the whole output is in {log}")
    return False


def launcher():
    """common/launch.cpp, or None without a compiler: nothing tells CPU and memory then."""
    source, built = HERE / "common" / "launch.cpp", OUT / "launch"
    if built.exists() and built.stat().st_mtime > source.stat().st_mtime:
        return built
    compiler = shutil.which("c++")
    command = [compiler, "-O2", "-std=c++20", "-o", str(built), str(source)]
    return built if compiler and run(command, HERE, OUT / "launch.log") else None


def load_program(name):
    """A load of ours, such as echo_load; built with the C++ programs."""
    return (PREBUILT or OUT / "cmake") / "bench" / "compare" / f"weft_compare_{name}"


def missing_load(load):
    """Why a load cannot run here, or None."""
    if load.program and not load_program(load.program).exists():
        return f"{load.program} is not built"
    missing = lacking(load.packages)
    return f"apt-get install {' '.join(missing)}" if missing else None


def build_cpp(wanted, loads=(), root=ROOT, out=None):
    """Builds them from the sources in `root`, in `out`."""
    out = out or OUT
    if not shutil.which("cmake"):
        return {pair: "no cmake" for pair in wanted}
    tree = out / "cmake"
    configure = [
        "cmake",
        "-S",
        str(root),
        "-B",
        str(tree),
        "-DCMAKE_BUILD_TYPE=Release",
        "-DWEFT_BUILD_COMPARE=ON",
        "-DWEFT_BUILD_TESTS=OFF",
        "-DWEFT_BUILD_TOOLS=OFF",
        "-DWEFT_BUILD_EXAMPLES=OFF",
        "-DWEFT_BUILD_BENCH=OFF",
    ]
    if not (tree / "CMakeCache.txt").exists() and shutil.which("ninja"):
        configure += ["-G", "Ninja"]
    if shutil.which("ccache"):
        configure.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
    if not run(configure, root, out / "configure.log"):
        return {pair: "cmake could not configure" for pair in wanted}
    targets = subprocess.run(
        ["cmake", "--build", str(tree), "--target", "help"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    known = set(re.findall(r"weft_compare_[\w-]+", targets))
    problems, possible = {}, []
    for folder, subject in wanted:
        target = f"weft_compare_{folder}_{subject}"
        if target in known:
            possible.append((folder, subject, target))
        elif not (root / "bench/compare" / folder / f"{source_subject(subject)}.cpp").exists():
            problems[folder, subject] = "this revision has no such program"
        elif missing := lacking(packages_of(folder, subject)):
            problems[folder, subject] = f"apt-get install {' '.join(missing)}"
        else:
            problems[folder, subject] = "cmake did not find what it needs"
    build = ["cmake", "--build", str(tree), "-j", str(os.cpu_count() or 1), "--target"]
    names = [target for _, _, target in possible] + [f"weft_compare_{load}" for load in loads]
    if names and not run(build + names, root, out / "build.log"):
        # One that does not compile must not take the others with it.
        for folder, subject, target in possible:
            if not run(build + [target], root, out / f"{target}.log", quiet=True):
                problems[folder, subject] = BROKEN
    return problems


def build_each(wanted, log, how):
    """Builds them one by one: how(folder, subject) is a command and where to run it."""
    return {pair: BROKEN for pair in wanted if not run(*how(*pair), OUT / log)}


def build_go(wanted):
    if not shutil.which("go"):
        return {pair: "apt-get install golang-go" for pair in wanted}

    def how(folder, subject):
        command = ["go", "build", "-buildvcs=false", "-o", str(program(folder, subject))]
        # One that needs more than the standard library is a module of its own.
        if (HERE / folder / subject / "go.mod").exists():
            return [*command, "."], HERE / folder / subject
        return [*command, f"./{folder}/{subject}"], HERE

    return build_each(wanted, "go.log", how)


def build_rust(wanted):
    if not shutil.which("cargo"):
        return {pair: "apt-get install cargo, or rustup" for pair in wanted}
    text = subprocess.run(
        ["cargo", "--version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"(\d+)\.(\d+)", text)
    if not found or tuple(map(int, found.groups())) < CARGO_NEEDED:
        needed = ".".join(map(str, CARGO_NEEDED))
        why = f"needs cargo {needed} (rustup), has {text.strip() or 'none'}"
        return {pair: why for pair in wanted}
    command = ["cargo", "build", "--release", "--locked", "--target-dir", str(OUT / "rust")]
    for folder, subject in wanted:
        command += ["--bin", f"{folder}_{subject}"]
    if run(command, HERE, OUT / "cargo.log"):
        return {}
    return {pair: BROKEN for pair in wanted}


def build_java(wanted):
    home = java_home()
    if not home:
        return {pair: f"needs a JDK of {JAVA_NEEDED} or newer (JAVA_HOME)" for pair in wanted}

    def how(folder, subject):
        sources = HERE / "common" / "Bench.java", HERE / folder / subject / "Main.java"
        javac = str(home / "bin" / "javac")
        return [javac, "-d", str(program(folder, subject)), *map(str, sources)], HERE

    return build_each(wanted, "java.log", how)


def program(folder, subject, out=None):
    """The program of a subject; of a Java one the folder of its classes."""
    out = out or OUT
    kind = language(folder, subject)
    if kind in ("go", "java"):
        return out / kind / f"{folder}_{source_subject(subject)}"
    if kind == "rust":
        return out / "rust" / "release" / f"{folder}_{source_subject(subject)}"
    name = f"weft_compare_{folder}_{built_subject(subject)}"
    return (PREBUILT or out / "cmake") / "bench" / "compare" / name


def command(folder, subject, workers, out=None):
    """How a subject is called, but for its sizes."""
    built = str(program(folder, subject, out))
    if language(folder, subject) == "java":
        java = str(java_home() / "bin" / "java")
        parallelism = f"-Djdk.virtualThreadScheduler.parallelism={workers}"
        return [java, parallelism, "-cp", built, "Main", str(workers)]
    if subject.endswith("-jemalloc"):
        return ["/usr/bin/env", f"LD_PRELOAD={JEMALLOC}", built, str(workers)]
    return [built, str(workers)]


def build(wanted, loads=()):
    """Builds (folder, subject) pairs and loads; returns why for the pairs that could not be."""
    if PREBUILT:
        return {pair: "is not built here" for pair in wanted if not program(*pair).exists()}
    by_language = {"c++": [], "go": [], "rust": [], "java": []}
    problems = {}
    for folder, subject in wanted:
        if subject.endswith("-jemalloc") and not JEMALLOC:
            problems[folder, subject] = "apt-get install libjemalloc2"
        else:
            by_language[language(folder, subject)].append((folder, built_subject(subject)))
    found = {}
    hows = {"c++": build_cpp, "go": build_go, "rust": build_rust, "java": build_java}
    for kind, how in hows.items():
        some = list(dict.fromkeys(by_language[kind]))
        if kind == "c++" and (some or loads):
            say(f"building {len(some)} c++ programs and {len(loads)} loads")
            found |= build_cpp(some, loads)
        elif some:
            say(f"building {len(some)} {kind} programs")
            found |= how(some)
    for folder, subject in wanted:
        if why := found.get((folder, built_subject(subject))):
            problems[folder, subject] = why
    return problems
