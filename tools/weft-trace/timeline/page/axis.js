// SPDX-License-Identifier: BSL-1.0
// axis.js - the scale of time, and the overview: how many threads ran fibers, over the whole page,
// with the display as a window in it.

function niceStep(length, most) {
  const raw = length / most,
    power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
}

// over the stage; for the cursor line and the axis
const pointer = {
  x: -1,
  get time() {
    return panes.fibers.timeAt(this.x);
  },
  dragFrom: NaN,
};

function paintAxis() {
  const canvas = element("axis"),
    width = element("stage").clientWidth,
    height = 25,
    c = fitCanvas(canvas, width, height);
  const right = panes.fibers.width,
    scale = (right - labelWidth) / (view.end - view.begin),
    step = niceStep(view.end - view.begin, (right - labelWidth) / 110);
  c.fillStyle = colours.faint;
  c.fillText(durationText(view.end - view.begin) + " on display", 10, height / 2);
  // Steps are round in the trace's time, which the page may join late.
  const first = Math.ceil((view.begin + meta.offset) / step) * step - meta.offset;
  for (let t = first; t <= view.end; t += step) {
    const x = labelWidth + (t - view.begin) * scale;
    c.fillStyle = colours.line;
    c.fillRect(x, 0, 1, height);
    c.fillStyle = colours.text;
    c.fillText(momentText(t, step), x + 4, height / 2);
  }
  if (!Number.isNaN(pointer.dragFrom)) {
    const a = labelWidth + (pointer.dragFrom - view.begin) * scale,
      b = pointer.x;
    c.globalAlpha = 0.25;
    c.fillStyle = colours.accent;
    c.fillRect(Math.min(a, b), 0, Math.abs(b - a), height);
    c.globalAlpha = 1;
    c.fillStyle = colours.text;
    c.fillText(durationText(Math.abs(pointer.time - pointer.dragFrom)), Math.min(a, b) + 4, 7);
  } else if (pointer.x >= labelWidth && pointer.x < right) {
    const text = momentText(pointer.time, (view.end - view.begin) / 2000),
      w = c.measureText(text).width + 10;
    const x = Math.min(pointer.x, right - w);
    c.fillStyle = colours.accent;
    c.fillRect(x, 2, w, height - 5);
    c.fillStyle = colours.ground;
    c.fillText(text, x + 5, height / 2);
  }
}

let overviewShares = null; // per pixel: how many threads run a fiber, are in the kernel with one
function measureOverview(pixels) {
  const workers = threadRows
    .filter((r) => meta.threads[r.thread].role === "worker")
    .map((r) => r.row);
  const shares = { running: new Float32Array(pixels), kernel: new Float32Array(pixels), pixels };
  const per = meta.length / pixels;
  for (const row of workers) {
    for (let i = 0; i < row.length; ++i) {
      const into =
        row.kind[i] === kindNumber.running
          ? shares.running
          : row.kind[i] === kindNumber.kernel
            ? shares.kernel
            : null;
      if (!into) continue;
      for (
        let p = Math.max(0, Math.floor(row.begin[i] / per));
        p < pixels && p * per < row.end[i];
        ++p
      )
        into[p] +=
          Math.max(0, Math.min(row.end[i], (p + 1) * per) - Math.max(row.begin[i], p * per)) / per;
    }
  }
  shares.most = Math.max(
    1,
    Math.ceil(
      shares.running.reduce((most, r, p) => Math.max(most, r + shares.kernel[p]), 0) - 0.05,
    ),
  );
  return shares;
}
function paintOverview() {
  const canvas = element("overview"),
    width = element("stage").clientWidth,
    height = 43,
    c = fitCanvas(canvas, width, height);
  const right = panes.fibers.width,
    pixels = Math.max(1, Math.floor(right - labelWidth));
  if (overviewShares?.pixels !== pixels) overviewShares = measureOverview(pixels);
  c.fillStyle = colours.faint;
  c.fillText("threads that run fibers", 10, height / 2 - 7);
  c.fillText(`(height: ${overviewShares.most})`, 10, height / 2 + 7);
  for (const [shares, colour, under] of [
    [overviewShares.running, colours.kinds[kindNumber.running], null],
    [overviewShares.kernel, colours.kinds[kindNumber.kernel], overviewShares.running],
  ]) {
    c.fillStyle = colour;
    for (let p = 0; p < pixels; ++p) {
      const h = (shares[p] / overviewShares.most) * (height - 4),
        base = under ? (under[p] / overviewShares.most) * (height - 4) : 0;
      if (h > 0)
        c.fillRect(labelWidth + p, height - 2 - base - Math.max(h, 0.6), 1, Math.max(h, 0.6));
    }
  }
  const a = labelWidth + Math.max(0, view.begin / meta.length) * pixels,
    b = labelWidth + Math.min(1, view.end / meta.length) * pixels;
  c.globalAlpha = 0.55;
  c.fillStyle = colours.ground;
  c.fillRect(labelWidth, 0, a - labelWidth, height);
  c.fillRect(b, 0, right - b, height);
  c.globalAlpha = 1;
  c.strokeStyle = colours.accent;
  c.lineWidth = 1.5;
  c.strokeRect(a, 1, Math.max(2, b - a), height - 2);
}

function paint() {
  const began = performance.now();
  Object.assign(drawn, { rects: 0, arrows: 0, arrowsHidden: 0, regions: 0, markers: 0 });
  paintOverview();
  paintAxis();
  panes.threads.paint();
  panes.fibers.paint();
  if (pointer.x >= labelWidth)
    for (const pane of [panes.threads, panes.fibers]) {
      const c = pane.canvas.getContext("2d");
      c.globalAlpha = 0.5;
      c.fillStyle = colours.accent;
      c.fillRect(pointer.x, 0, 1, pane.root.clientHeight);
      c.globalAlpha = 1;
    }
  ++drawn.frames;
  drawn.ms = performance.now() - began;
  const hidden = drawn.arrowsHidden
    ? `; ${drawn.arrowsHidden.toLocaleString("en")} wake-ups in view: zoom in to see their arrows`
    : "";
  element("status").textContent =
    `${fiberOrder.length.toLocaleString("en")} of ` +
    `${fiberCount.toLocaleString("en")} fibers listed${hidden}`;
}
