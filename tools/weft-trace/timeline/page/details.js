// SPDX-License-Identifier: BSL-1.0
// details.js - words about what is selected (the panel) and what is under the pointer (the
// tooltip). Texts out of the trace reach the page as text nodes only.

function node(tag, content, properties = {}) {
  const n = Object.assign(document.createElement(tag), properties);
  for (const c of [content].flat()) if (c !== null && c !== undefined && c !== "") n.append(c);
  return n;
}
const link = (text, action) =>
  node("a", text, {
    onclick: action,
    tabIndex: 0,
    onkeydown: (e) => {
      if (e.key === "Enter") action();
    },
  });
const fiberLink = (f) => link(fiberLabel(f), () => selectFiber(f, { jump: true }));
const momentLink = (t) =>
  link(momentText(t, 1), () => {
    showTime(t, t);
  });
function list(pairs) {
  const dl = node("dl");
  for (const [name, value] of pairs)
    if (value !== null && value !== undefined && value !== "")
      dl.append(node("dt", name), node("dd", value));
  return dl;
}
const chip = (colour) => node("span", "", { className: "chip", style: `background:${colour}` });

// Who readied the fiber: of an arrow.
function wakerWords(a) {
  if (a < 0) return "";
  const t = arrows.thread[a],
    by = arrows.source[a];
  const where = t >= 0 ? ` on ${meta.threads[t].name}` : "";
  if (arrows.wait[a] < 0) return ["spawned by ", fiberLink(by), " at ", momentLink(arrows.from[a])];
  if (by < 0)
    return [`a timer, the poller or a plain thread${where} at `, momentLink(arrows.from[a])];
  return [fiberLink(by), where + " at ", momentLink(arrows.from[a])];
}

function segmentWords(what) {
  const s = trace.slices,
    w = trace.waits,
    common = [
      ["from", momentLink(what.begin)],
      ["for", durationText(what.end - what.begin)],
    ];
  const a = arrowInto(what);
  if (what.type === refTo.slice)
    return [
      s.how[what.ref] & 8 ? "blocked in the kernel" : "running",
      [
        ["on", meta.threads[s.thread[what.ref]].name],
        ...common,
        ["then it", howTexts[s.how[what.ref] & 7]],
        ["readied by", wakerWords(a)],
        ["turn came after", a >= 0 ? durationText(arrows.to[a] - arrows.from[a]) : ""],
      ],
    ];
  if (what.type === refTo.wait)
    return [
      "parked: " + reasonText(w.reason[what.ref]),
      [
        ...common,
        [
          "object",
          trace.objects.address[w.object[what.ref]] === 0
            ? ""
            : "0x" + trace.objects.address[w.object[what.ref]].toString(16),
        ],
        [
          "woken by",
          w.flags[what.ref] & 1
            ? wakerWords(a) || "not in this page"
            : "nobody, to the end of this page",
        ],
        ["turn came after", a >= 0 ? durationText(arrows.to[a] - arrows.from[a]) : ""],
        ["", w.flags[what.ref] & 2 ? "" : "it waited already when the trace began"],
      ],
    ];
  if (what.type === refTo.offload)
    return ["an offloaded call", [["on", meta.threads[what.thread].name], ...common]];
  return [kinds[what.kind].text, [...common, ["readied by", wakerWords(a)]]];
}

// Where a run was when it was preempted, if it was.
function stackWords(what) {
  if (what.type !== refTo.slice) return [];
  const t = trace.stacks,
    i = firstThat(0, t.count, (k) => t.slice[k] >= what.ref);
  if (i === t.count || t.slice[i] !== what.ref || meta.stacks[t.stack[i]].length === 0) return [];
  return [
    node("h3", "Where it was at the end"),
    node(
      "ol",
      meta.stacks[t.stack[i]].map((call) => node("li", call)),
    ),
  ];
}

function fiberWords(f) {
  const b = trace.fibers,
    sums = fiberSums,
    out = [];
  const life = sums.last[f] - sums.first[f],
    bar = node("div", "", { className: "bar", title: "running, in the kernel, runnable, parked" });
  for (const [sum, kind] of [
    ["ran", "running"],
    ["kernel", "kernel"],
    ["queued", "runnable"],
    ["parked", "sleep"],
  ])
    bar.append(
      node("span", "", {
        style:
          `width:${life > 0 ? (100 * sums[sum][f]) / life : 0}%;` +
          `background:${colours.kinds[kindNumber[kind]]}`,
      }),
    );
  out.push(
    bar,
    list([
      ["spawned at", fiberPlace(f)],
      ["by", b.parent[f] >= 0 ? fiberLink(b.parent[f]) : ""],
      ["created", Number.isNaN(b.created[f]) ? "before the trace" : momentLink(b.created[f])],
      ["ended", Number.isNaN(b.ended[f]) ? "not in this trace" : momentLink(b.ended[f])],
      [
        "ran",
        `${durationText(sums.ran[f])} in ${slicesOfFiber.of(f).length.toLocaleString("en")} runs`,
      ],
      ["in the kernel", sums.kernel[f] > 0 ? durationText(sums.kernel[f]) : ""],
      [
        "parked",
        `${durationText(sums.parked[f])} in ` +
          `${waitsOfFiber.of(f).length.toLocaleString("en")} waits`,
      ],
      ["runnable", durationText(sums.queued[f])],
    ]),
  );
  const byReason = new Map();
  for (const i of waitsOfFiber.of(f)) {
    const r = trace.waits.reason[i],
      had = byReason.get(r) ?? [0, 0];
    byReason.set(r, [had[0] + 1, had[1] + trace.waits.end[i] - trace.waits.begin[i]]);
  }
  if (byReason.size > 0)
    out.push(
      node("h3", "Parked for"),
      list(
        [...byReason]
          .sort((a, b2) => b2[1][1] - a[1][1])
          .map(([r, [n, ns]]) => [
            [chip(colours.kinds[kindOfReason[r]]), reasonText(r)],
            `${durationText(ns)} in ${n.toLocaleString("en")}`,
          ]),
      ),
    );
  const few = 12,
    regions = [...regionsOfFiber.of(f)],
    markers = [...markersOfFiber.of(f)];
  if (regions.length > 0)
    out.push(
      node("h3", "Regions"),
      list(
        regions
          .slice(0, few)
          .map((r) => [
            momentLink(trace.regions.begin[r]),
            `${meta.texts[trace.regions.name[r]]}, ` +
              durationText(trace.regions.end[r] - trace.regions.begin[r]),
          ]),
      ),
    );
  if (regions.length > few) out.push(node("small", `and ${regions.length - few} more`));
  if (markers.length > 0)
    out.push(
      node("h3", "Logs and stalls"),
      list(
        markers
          .slice(0, few)
          .map((m) => [
            momentLink(trace.markers.at[m]),
            (trace.markers.kind[m] === 1 ? "stall: " : "") + meta.texts[trace.markers.text[m]],
          ]),
      ),
    );
  if (markers.length > few) out.push(node("small", `and ${markers.length - few} more`));
  return out;
}

function pageWords() {
  const began = meta.began > 0 ? new Date(meta.began).toLocaleString() : "";
  return [
    node("h2", meta.title),
    node("small", "Click a row or a stretch to see what it is. ? shows the keys."),
    node("h3", "Trace"),
    list([
      ["process", `${meta.pid} ${meta.program}`],
      ["began", began],
      ["shows", `${durationText(meta.length)} of ${durationText(meta.traceLength)}`],
      ["fibers", fiberCount.toLocaleString("en")],
      ["runs", trace.slices.count.toLocaleString("en")],
      ["waits", trace.waits.count.toLocaleString("en")],
      ["lost events", meta.dropped.toLocaleString("en")],
      ["overwritten", meta.overwritten > 0 ? meta.overwritten.toLocaleString("en") : ""],
    ]),
    node("h3", "Threads"),
    list(
      threadRows.map(({ thread, row }) => [
        meta.threads[thread].name,
        [
          busyText(row),
          meta.threads[thread].preempted > 0
            ? `, ${meta.threads[thread].preempted} preemptions`
            : "",
          meta.threads[thread].retaken > 0 ? `, ${meta.threads[thread].retaken} retakes` : "",
          meta.threads[thread].steals > 0 ? `, ${meta.threads[thread].steals} steals` : "",
        ].join("") || meta.threads[thread].role,
      ]),
    ),
  ];
}

function showDetails() {
  const panel = element("details");
  if (!selected) return panel.replaceChildren(...pageWords());
  const parts = [];
  if (selected.fiber >= 0) parts.push(node("h2", fiberLabel(selected.fiber)));
  if (selected.kind !== undefined) {
    const [title, pairs] = segmentWords(selected);
    parts.push(
      node("div", [chip(colours.kinds[selected.kind]), node("b", title)]),
      list(pairs),
      ...stackWords(selected),
    );
    if (selected.fiber >= 0)
      parts.push(
        node("small", [
          link("[ before", () => selectNeighbour(-1)),
          " \u00b7 ",
          link("] after", () => selectNeighbour(1)),
          " \u00b7 ",
          link("k who woke it", selectWaker),
        ]),
      );
  }
  if (selected.fiber >= 0) parts.push(node("h3", "Fiber"), ...fiberWords(selected.fiber));
  panel.replaceChildren(...parts);
}

// The tooltip: one segment, or what a pixel covers.
function describeHit(hit) {
  if (hit.label)
    return hit.pane === panes.fibers
      ? [
          node("b", fiberLabel(fiberOrder[hit.rowIndex])),
          node("div", fiberPlace(fiberOrder[hit.rowIndex])),
        ]
      : null;
  const { row, i } = hit;
  if (i < 0)
    return row.gapKind >= 0 && hit.time >= row.from && hit.time <= row.to
      ? [node("b", kinds[row.gapKind].text)]
      : null;
  const j = row.after(hit.time + hit.pixel, i);
  if (j > i + 1) {
    const sums = new Float64Array(kinds.length);
    row.addTotals(i, j, sums);
    return [
      node("b", `${(j - i).toLocaleString("en")} stretches in this pixel`),
      ...kinds
        .filter((k) => sums[k.number] > 0)
        .map((k) =>
          node("div", [chip(colours.kinds[k.number]), `${k.text} ${durationText(sums[k.number])}`]),
        ),
    ];
  }
  const length = durationText(row.end[i] - row.begin[i]),
    type = row.refTo[i],
    ref = row.ref[i];
  let what = kinds[row.kind[i]].text,
    who = "",
    more = "";
  if (type === refTo.slice) {
    who = fiberLabel(trace.slices.fiber[ref]);
    what += " on " + meta.threads[trace.slices.thread[ref]].name;
    more = "then it " + howTexts[trace.slices.how[ref] & 7];
  } else if (type === refTo.wait) {
    who = fiberLabel(trace.waits.fiber[ref]);
    what = "parked: " + reasonText(trace.waits.reason[ref]);
    if (trace.waits.waker[ref] >= 0) more = "woken by " + fiberLabel(trace.waits.waker[ref]);
  } else if (type === refTo.offload && trace.offloads.fiber[ref] >= 0) {
    who = fiberLabel(trace.offloads.fiber[ref]);
  }
  return [
    node("b", who),
    node("div", [chip(colours.kinds[row.kind[i]]), `${what}, ${length}`]),
    node("div", more),
  ];
}
function showTooltip(event, words) {
  const tip = element("tooltip");
  tip.hidden = !words;
  if (!words) return;
  tip.replaceChildren(...words);
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.min(event.clientX + 14, innerWidth - box.width - 6) + "px";
  tip.style.top =
    (event.clientY + 18 + box.height > innerHeight
      ? event.clientY - box.height - 10
      : event.clientY + 18) + "px";
}
