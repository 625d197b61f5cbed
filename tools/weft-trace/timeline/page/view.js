// SPDX-License-Identifier: BSL-1.0
// view.js - what is on display: a stretch of time, the order of the fiber rows, what is selected.
// Whoever changes it calls redraw(), which paints once per frame.

const view = { begin: 0, end: meta.length };
const labelWidth = 210,
  rowHeight = 20,
  shortest = 20; // ns on the whole display
let selected = null; // { fiber, thread, type: a refTo, ref, begin, end } or null
let fiberOrder = []; // the fibers that have a row, from above
let rowOfFiber = new Int32Array(fiberCount);

let frame = 0;
function redraw() {
  if (frame === 0)
    frame = requestAnimationFrame(() => {
      frame = 0;
      paint();
    });
}

function show(begin, end) {
  const length = Math.min(Math.max(end - begin, shortest), Math.max(meta.length, shortest) * 1.1);
  // The edges of the page may come a little into the display.
  const slack = length * 0.05,
    middle = (begin + end) / 2;
  let from = middle - length / 2;
  from = Math.max(-slack, Math.min(from, meta.length + slack - length));
  if (length > meta.length + 2 * slack) from = (meta.length - length) / 2;
  view.begin = from;
  view.end = from + length;
  if (onlyInView()) orderFibersSoon();
  redraw();
}
const showAll = () => show(-meta.length * 0.01, meta.length * 1.01);
function zoom(factor, at = (view.begin + view.end) / 2) {
  const length = view.end - view.begin;
  if (length * factor < shortest) factor = shortest / length;
  show(at - (at - view.begin) * factor, at + (view.end - at) * factor);
}
function move(part) {
  const by = (view.end - view.begin) * part;
  show(view.begin + by, view.end + by);
}
// Into view, with the length of the display as it is unless that is far off.
function showTime(begin, end) {
  const length = view.end - view.begin,
    wanted = Math.max(end - begin, shortest);
  if (begin >= view.begin && end <= view.end && wanted > length / 2000) return redraw();
  const span =
    wanted > length * 0.8 ? wanted * 1.5 : wanted < length / 2000 ? wanted * 200 : length;
  show((begin + end - span) / 2, (begin + end + span) / 2);
}

// ---- the fiber rows
const element = (id) => document.getElementById(id);
const onlyInView = () => element("only-view").checked;
// The row that the eye is on stays where it is, if it stays at all.
function orderFibers() {
  const top = panes.fibers.root.scrollTop,
    onDisplay = (f) =>
      f >= 0 && rowOfFiber[f] >= 0 && Math.abs(rowOfFiber[f] * rowHeight - top - 200) < 400;
  const anchor = onDisplay(selected?.fiber ?? -1)
    ? selected.fiber
    : (fiberOrder[Math.ceil(top / rowHeight)] ?? -1);
  const offset = anchor >= 0 ? rowOfFiber[anchor] * rowHeight - top : 0;
  const by = element("order").value,
    all = [];
  for (let f = 0; f < fiberCount; ++f) {
    if (onlyInView()) {
      const alive = fiberSums.first[f] <= view.end && fiberSums.last[f] >= view.begin;
      if (!alive) continue;
    }
    all.push(f);
  }
  const sums = fiberSums[by];
  if (by === "first")
    all.sort((a, b) => sums[a] - sums[b] || trace.fibers.id[a] - trace.fibers.id[b]);
  else if (by === "name")
    all.sort(
      (a, b) =>
        fiberName(a).localeCompare(fiberName(b), "en", { numeric: true }) ||
        trace.fibers.id[a] - trace.fibers.id[b],
    );
  else all.sort((a, b) => sums[b] - sums[a]);
  fiberOrder = all;
  rowOfFiber.fill(-1);
  all.forEach((f, row) => (rowOfFiber[f] = row));
  panes.fibers.layout();
  if (anchor >= 0 && rowOfFiber[anchor] >= 0 && top > 0)
    panes.fibers.root.scrollTop = rowOfFiber[anchor] * rowHeight - offset;
  redraw();
}
let orderTimer = 0;
function orderFibersSoon() {
  clearTimeout(orderTimer);
  orderTimer = setTimeout(orderFibers, 120);
}

function scrollToFiber(f) {
  if (rowOfFiber[f] < 0) {
    // hidden as not alive in view
    element("only-view").checked = false;
    orderFibers();
  }
  panes.fibers.scrollTo(rowOfFiber[f]);
}

// ---- selection
function select(what, { jump = false } = {}) {
  selected = what;
  if (what && jump) {
    if (what.end >= what.begin) showTime(what.begin, what.end);
    if (what.fiber >= 0 && rowOfFiber[what.fiber] < 0) orderFibers();
    if (what.fiber >= 0) scrollToFiber(what.fiber);
  }
  showDetails();
  redraw();
}
function selectFiber(f, options) {
  const first = fiberSums.first[f],
    last = fiberSums.last[f];
  select({ fiber: f, thread: -1, type: refTo.nothing, ref: -1, begin: first, end: last }, options);
}
function selectSegment(row, i, fiber, thread, options) {
  const type = row.refTo[i],
    ref = row.ref[i];
  if (type === refTo.slice)
    ((fiber = trace.slices.fiber[ref]), (thread = trace.slices.thread[ref]));
  if (type === refTo.offload) fiber = trace.offloads.fiber[ref];
  select(
    { fiber, thread, type, ref, begin: row.begin[i], end: row.end[i], kind: row.kind[i] },
    options,
  );
}
// What the selected fiber did before or after.
function selectNeighbour(direction) {
  if (!selected || selected.fiber < 0) return;
  const row = fiberRow(selected.fiber);
  const here = row.after(selected.begin);
  const i =
    selected.type === refTo.nothing && selected.kind === undefined
      ? direction > 0
        ? 0
        : row.length - 1
      : here + direction;
  if (i >= 0 && i < row.length) selectSegment(row, i, selected.fiber, -1, { jump: true });
}
// The wake (or the spawn) that made the fiber ready for what is selected, as an arrow's number; -1:
// not known.
function arrowInto(what) {
  if (!what || what.fiber < 0) return -1;
  if (what.arrow !== undefined) return what.arrow;
  what.arrow = -1;
  const mine = arrowsInto.of(what.fiber),
    until = what.type === refTo.wait ? trace.waits.end[what.ref] : what.begin;
  const i = firstThat(0, mine.length, (k) => arrows.from[mine[k]] > until) - 1;
  if (i >= 0 && arrows.to[mine[i]] >= what.begin) what.arrow = mine[i];
  return what.arrow;
}
function selectWaker() {
  const a = arrowInto(selected);
  if (a < 0 || arrows.source[a] < 0) return;
  const f = arrows.source[a],
    row = fiberRow(f);
  const i = Math.min(row.after(arrows.from[a] - 1), row.length - 1);
  if (i < 0) selectFiber(f, { jump: true });
  else selectSegment(row, i, f, -1, { jump: true });
}
