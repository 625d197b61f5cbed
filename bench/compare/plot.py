# SPDX-License-Identifier: BSL-1.0
"""plot.py SAVED PAGE: draws what tools/compare saved in the folder SAVED into the folder PAGE.

PAGE/index.html has a plot and a table per workload, PAGE/comparison.png all workloads in one plot.
Cells in which weft loses are drawn like the others; LOSSES in subjects.py has the reasons.
Rejected: a logarithmic axis for one workload (a reader compares lengths), bars for all in one plot
(their ratios span three decades).
"""

import html
import io
import re
import sys
import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
# pylint: disable=wrong-import-position
import matplotlib.pyplot as plt  # noqa: E402
import build  # noqa: E402
import saved  # noqa: E402
from figures import more_is_better  # noqa: E402
from subjects import LOSSES, SUBJECTS  # noqa: E402
from workloads import WORKLOADS  # noqa: E402

COLOURS = {
    "weft": "#1f5fbf",
    "weft-glibc": "#7fb0f0",
    "go": "#00a29c",
    "go-raw": "#00a29c",
    "tokio": "#d95f02",
    "tokio-jemalloc": "#f7b27a",
    "java": "#b5179e",
    "boost": "#6a994e",
    "boost-jemalloc": "#a7c957",
    "tbb": "#7b2cbf",
    "tbb-jemalloc": "#c19ee0",
    "asio": "#8d6e63",
    "thread": "#6c757d",
    "epoll": "#212529",
}
# In the plot of all: the languages' runtimes and the libraries, each with its usual allocator.
PEERS = {"go": "Go", "go-raw": "Go", "tokio": "Tokio", "java": "Java", "boost": "Boost.Fiber"}
PEERS |= {"tbb": "oneTBB", "thread": "std::thread", "asio": "Asio"}
MARKS = dict(
    zip(("Go", "Tokio", "Java", "Boost.Fiber", "oneTBB", "std::thread", "Asio"), "osDv^Pd")
)


def headline(name, rows):
    """The metric that a plot shows."""
    metrics = [row[3] for row in rows]
    return WORKLOADS[name].shown if WORKLOADS[name].shown in metrics else metrics[0]


def reason(name, metric):
    """Why weft is behind there."""
    return LOSSES.get((name, metric)) or LOSSES.get((name, None), "not looked into.")


def shown(value):
    return f"{value:.3g}" if value < 1e4 else f"{value:,.0f}".replace(",", " ")


def losses(name, rows, metric=None):
    """(subject, workers, metric, how many times better than weft) where weft is worse."""
    weft = {(row[2], row[3]): row[4] for row in rows if row[0] == "weft"}
    for subject, _, workers, which, value, *_ in rows:
        mine = weft.get((workers, which))
        if subject.startswith("weft") or not mine or not value or metric not in (None, which):
            continue
        ratio = value / mine if more_is_better(which) else mine / value
        if ratio > 1.05:
            yield subject, workers, which, ratio


def draw_one(name, rows):
    """The workload's headline as an SVG."""
    metric = headline(name, rows)
    some = [row for row in rows if row[3] == metric]
    subjects = [subject for subject in SUBJECTS if any(row[0] == subject for row in some)]
    counts = sorted({row[2] for row in some})
    height = 0.28 * len(subjects) * len(counts) + 0.9
    figure, axes = plt.subplots(figsize=(8, height), layout="constrained")
    position, places, labels = 0.0, [], []
    for subject in subjects:
        for workers in counts:
            for row in some:
                if (row[0], row[2]) == (subject, workers):
                    axes.barh(position, row[4], color=COLOURS.get(subject, "#adb5bd"), height=0.8)
                    axes.text(row[4], position, f" {shown(row[4])}", va="center", fontsize=8)
                    places.append(position)
                    labels.append(f"{subject}, {workers}")
                    position += 1
        position += 0.4
    axes.set_yticks(places, labels, fontsize=8)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    better = "more" if more_is_better(metric) else "less"
    axes.set_xlabel(f"{metric}, {some[0][5]} ({better} is better)", fontsize=8)
    out = io.StringIO()
    figure.savefig(out, format="svg")
    plt.close(figure)
    return re.sub(r"^.*?(?=<svg)", "", out.getvalue(), flags=re.S)


def table(rows):
    weft = {(row[2], row[3]): row[4] for row in rows if row[0] == "weft"}
    lines = []
    for subject, version, workers, metric, value, unit, cpu, peak in rows:
        mine = weft.get((workers, metric))
        ratio = f"{value / mine:.2f}" if mine else "-"
        used = ["-" if one is None else shown(one) for one in (cpu, peak)]
        cells = (subject, version, workers, metric, f"{shown(value)} {unit}", ratio, *used)
        lines.append("<tr>" + "".join(f"<td>{html.escape(str(cell))}" for cell in cells))
    head = ("subject", "version", "workers", "metric", "median", "to weft", "CPU s", "peak MiB")
    return "<table><tr>" + "".join(f"<th>{cell}" for cell in head) + "\n".join(lines) + "</table>"


def section(name, measured):
    rows = measured["rows"]
    behind = {}
    for subject, workers, metric, ratio in losses(name, rows):
        behind.setdefault(metric, []).append(f"{subject} {ratio:.2f} x ({workers})")
    said = "".join(
        f"<li><b>{metric}</b>: {html.escape(', '.join(who))}. "
        f"{html.escape(reason(name, metric))}"
        for metric, who in behind.items()
    )
    return (
        f"<h2 id={name}>{name}</h2><p>{html.escape(WORKLOADS[name].about)}</p>"
        f"{draw_one(name, rows)}"
        + (
            f"<p>weft is behind, by that many times (with so many workers):<ul>{said}</ul>"
            if said
            else ""
        )
        + f"<details><summary>all figures</summary>{table(rows)}</details>"
        f"<p class=small>{measured['date']}, {html.escape(measured['machine'])}, "
        f"<code>{html.escape(measured['command'])}</code></p>"
    )


STYLE = """body{font:15px/1.45 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}
svg,img{max-width:100%;height:auto}table{border-collapse:collapse;font-size:13px}
td,th{padding:.15em .7em;text-align:left;border-bottom:1px solid #ddd}
.small{color:#666;font-size:13px}"""


def draw_all(found, to):
    """Every workload's headline as so many times what weft takes, on two workers if it has them."""
    rows, absent = [], [name for name in WORKLOADS if WORKLOADS[name].shown and name not in found]
    for name, measured in found.items():
        if not WORKLOADS[name].shown:
            continue
        metric = headline(name, measured["rows"])
        counts = {row[2] for row in measured["rows"] if row[0] == "weft" and row[3] == metric}
        if not counts:
            absent.append(name)
            continue
        workers = max(counts, key=lambda count: (count == 2, -count))
        values = {}
        for row in measured["rows"]:
            if row[2] == workers and row[3] == metric and (row[0] in PEERS or row[0] == "weft"):
                values[row[0]] = row[4]
        mine = values.pop("weft")
        points = {
            PEERS[peer]: (mine / value if more_is_better(metric) else value / mine)
            for peer, value in values.items()
            if value and mine
        }
        if points:
            rows.append((f"{name}: {metric.replace('_', ' ')}", points, reason(name, metric)))
        absent += [
            f"{PEERS[peer]} in {name}"
            for peer in PEERS
            if build.language(WORKLOADS[name].folder or name, peer)
            and workers in WORKLOADS[name].only.get(peer, (workers,))
            and PEERS[peer] not in points
        ]
    notes = [f"{label}: {why}" for label, points, why in rows if min(points.values()) < 0.95]
    if absent:
        notes += textwrap.wrap(f"Not measured: {', '.join(absent)}.", 160)
    height = 0.3 * len(rows) + 0.17 * len(notes) + 1.9
    figure, axes = plt.subplots(figsize=(9.6, height), layout="constrained")
    low = min(0.5, min(min(points.values()) for _, points, _ in rows) / 1.3)
    axes.axvspan(low, 1, color="#fbe9e7", zorder=0)
    axes.axvline(1, color=COLOURS["weft"], linewidth=2.5, zorder=2)
    for at, (_, points, _) in enumerate(rows):
        axes.axhline(at, color="#e5e5e5", linewidth=0.8, zorder=1)
        for peer, ratio in points.items():
            colour = next(COLOURS[key] for key, label in PEERS.items() if label == peer)
            axes.plot(ratio, at, MARKS[peer], color=colour, markersize=7.5, zorder=3, alpha=0.9)
    for peer, mark in MARKS.items():
        if any(peer in points for _, points, _ in rows):
            colour = next(COLOURS[key] for key, label in PEERS.items() if label == peer)
            axes.plot([], [], mark, color=colour, label=peer, markersize=7.5)
    axes.plot([], [], "-", color=COLOURS["weft"], linewidth=2.5, label="weft")
    axes.set_xscale("log")
    axes.set_xlim(left=low)
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if tick >= low]
    ticks = [tick for tick in ticks if tick <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    axes.set_title("weft is ahead to the right of the line, behind in the shaded part", fontsize=11)
    axes.set_xlabel("so many times what weft takes, on two workers")
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.4, -0.75 / height),
        ncols=8,
        frameon=False,
        handletextpad=0.2,
        columnspacing=1.2,
    )
    dates = sorted({measured["date"] for measured in found.values()})
    machines = sorted({measured["machine"] for measured in found.values()})
    when = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    notes.append(f"{when}; {'; '.join(machines)}; tools/compare --page; weft with jemalloc")
    figure.supxlabel("\n".join(notes), fontsize=8, color="#444", x=0.01, ha="left")
    figure.savefig(to, dpi=110)
    plt.close(figure)


def main():
    folder, page = Path(sys.argv[1]), Path(sys.argv[2])
    found = saved.read(folder, WORKLOADS)
    if not found:
        print("compare: no run has saved figures yet", file=sys.stderr)
        return 1
    page.mkdir(parents=True, exist_ok=True)
    draw_all(found, page / "comparison.png")
    links = " ".join(f"<a href=#{name}>{name}</a>" for name in found)
    body = "".join(section(name, measured) for name, measured in found.items())
    (page / "index.html").write_text(
        "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>weft beside its peers</title><style>{STYLE}</style>"
        "<h1>weft beside its peers</h1><p>Medians; a bar per subject and number of workers. "
        "CPU seconds and peak memory are those of the process.</p>"
        f"<p>{links}</p><img src=comparison.png alt='all workloads'>{body}\n",
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
