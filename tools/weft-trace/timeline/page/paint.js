// SPDX-License-Identifier: BSL-1.0
// paint.js - one row onto a canvas. A segment of a pixel or more is a rectangle; those that are
// smaller become columns of one pixel that show in what shares their time was spent, so that
// nothing that happened is invisible, and nothing looks longer than it was.

let colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue("--" + name).trim();
  colours = Object.fromEntries(
    [
      "ground",
      "panel",
      "line",
      "row",
      "text",
      "faint",
      "accent",
      "select",
      "arrow",
      "on-color",
      "on-pale",
      "region",
      "log",
      "stall",
      "running-2",
      "running-3",
    ].map((n) => [n, get(n)]),
  );
  colours.kinds = kinds.map((k) => get(k.name));
  colours.runs = [colours.kinds[kindNumber.running], colours["running-2"], colours["running-3"]];
}
const isPale = (kind) =>
  ["sleep", "inline", "join", "searching", "idle", "runnable"].includes(kinds[kind].name);

// Rectangles collected by colour: setting a colour costs more than filling.
class Brush {
  constructor(context) {
    this.context = context;
    this.rects = new Map();
    this.texts = [];
    this.count = 0;
  }
  rect(colour, x, y, w, h) {
    let list = this.rects.get(colour);
    if (!list) this.rects.set(colour, (list = []));
    list.push(x, y, w, h);
    ++this.count;
  }
  text(colour, text, x, y, width) {
    const fits = Math.floor(width / 6.3);
    if (fits < 2) return;
    this.texts.push([colour, text.length > fits ? text.slice(0, fits - 1) + "\u2026" : text, x, y]);
  }
  flush() {
    const c = this.context;
    for (const [colour, list] of this.rects) {
      c.fillStyle = colour;
      for (let i = 0; i < list.length; i += 4)
        c.fillRect(list[i], list[i + 1], list[i + 2], list[i + 3]);
    }
    for (const [colour, text, x, y] of this.texts) {
      c.fillStyle = colour;
      c.fillText(text, x, y);
    }
    this.rects.clear();
    this.texts = [];
  }
}

const totals = new Float64Array(kinds.length);
// x(time) = left + (time - view.begin) * scale. label(i) names segment i.
function paintRow(brush, row, place, label) {
  const { left, width, top, height, scale } = place;
  if (row.gapKind >= 0) {
    const a = Math.max(0, (row.from - view.begin) * scale),
      b = Math.min(width, (row.to - view.begin) * scale);
    if (b > a) brush.rect(colours.kinds[row.gapKind], left + a, top, b - a, height);
  }
  const n = row.length;
  for (let i = row.after(view.begin); i < n && row.begin[i] < view.end;) {
    const x0 = (row.begin[i] - view.begin) * scale,
      x1 = (row.end[i] - view.begin) * scale;
    if (x1 - x0 >= 1) {
      const a = Math.max(0, x0),
        b = Math.min(width, x1),
        kind = row.kind[i];
      let colour = colours.kinds[kind];
      if (kind === kindNumber.running && place.byFiber)
        colour = colours.runs[trace.slices.fiber[row.ref[i]] % 3];
      // A line between neighbours, if there is room for one.
      brush.rect(colour, left + a, top, Math.max(1, b - a - (b - a > 4 ? 0.5 : 0)), height);
      if (b - a > 24 && label)
        brush.text(
          isPale(kind) ? colours["on-pale"] : colours["on-color"],
          label(i),
          left + a + 4,
          top + height / 2,
          b - a - 8,
        );
      ++i;
      continue;
    }
    const column = Math.max(0, Math.floor(x0)),
      until = view.begin + (column + 1) / scale;
    let j = Math.max(i + 1, row.after(until, i));
    totals.fill(0);
    row.addTotals(i, j, totals);
    paintColumn(brush, left + column, top, height, row.end[j - 1] - row.begin[i]);
    i = j;
  }
}
// The shares of `span` ns.
function paintColumn(brush, x, top, height, span) {
  let y = top + height;
  for (let k = 0; k < totals.length; ++k) {
    if (totals[k] <= 0 || k === kindNumber.idle) continue;
    // What is rare stays visible.
    const h = Math.min(y - top, Math.max(2, (totals[k] / Math.max(span, 1)) * height));
    if (h <= 0) break;
    y -= h;
    brush.rect(colours.kinds[k], x, y, 1, h);
  }
  if (totals[kindNumber.idle] > 0 && y > top) {
    const h = Math.min(y - top, (totals[kindNumber.idle] / span) * height);
    brush.rect(colours.kinds[kindNumber.idle], x, y - h, 1, h);
  }
}

// From a wake to where the woken one runs: leaves to the right, comes from the left. A spawn is
// dashed: there are many.
function paintArrow(c, x0, y0, x1, y1, strong, isSpawn) {
  const bend = Math.min(40, 2 + Math.abs(x1 - x0) / 2);
  c.beginPath();
  c.moveTo(x0, y0);
  c.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1 - 1, y1);
  c.globalAlpha = strong ? 1 : isSpawn ? 0.2 : 0.45;
  c.setLineDash(isSpawn ? [4, 3] : []);
  c.lineWidth = strong ? 1.8 : 1;
  c.strokeStyle = c.fillStyle = strong ? colours.select : colours.arrow;
  c.stroke();
  c.beginPath();
  c.moveTo(x1, y1);
  c.lineTo(x1 - 6, y1 - 3);
  c.lineTo(x1 - 6, y1 + 3);
  c.fill();
  c.beginPath();
  c.arc(x0, y0, 2, 0, 7);
  c.fill();
  c.globalAlpha = 1;
}

// A canvas as large as its element, in the pixels of the screen.
function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
  }
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  c.font = "11px system-ui, 'DejaVu Sans', sans-serif";
  c.textBaseline = "middle";
  return c;
}
