// SPDX-License-Identifier: BSL-1.0
// panes.js - the two stacks of rows, the axis above them and the overview of everything above that.
// `drawn` counts what the last frame painted: the status line says it, and the tests.

const drawn = {
  threadRows: 0,
  fiberRows: 0,
  rects: 0,
  arrows: 0,
  arrowsHidden: 0,
  regions: 0,
  markers: 0,
  frames: 0,
  ms: 0,
};

class Pane {
  constructor(id, counter) {
    this.root = element(id);
    this.canvas = this.root.querySelector("canvas");
    this.tall = this.root.querySelector(".tall");
    this.counter = counter;
    this.root.addEventListener("scroll", redraw);
  }
  get rowCount() {
    return 0;
  }
  get width() {
    return this.root.clientWidth;
  }
  get scale() {
    return (this.width - labelWidth) / (view.end - view.begin);
  }
  timeAt(x) {
    return view.begin + (x - labelWidth) / this.scale;
  }
  x(time) {
    return labelWidth + (time - view.begin) * this.scale;
  }
  rowTop(row) {
    return row * rowHeight - this.root.scrollTop;
  }
  scrollTo(row) {
    this.layout();
    const top = row * rowHeight,
      height = this.root.clientHeight;
    if (top < this.root.scrollTop || top + rowHeight > this.root.scrollTop + height)
      this.root.scrollTop = top - height / 2 + rowHeight;
  }
  layout() {
    this.tall.style.height =
      Math.max(0, this.rowCount * rowHeight - this.root.clientHeight + 4) + "px";
  }
  // { rowIndex, row, i (segment or -1), time } under a point of the screen, or null.
  hit(clientX, clientY) {
    const box = this.root.getBoundingClientRect(),
      x = clientX - box.left,
      y = clientY - box.top;
    const rowIndex = Math.floor((y + this.root.scrollTop) / rowHeight);
    if (x < 0 || y < 0 || x > this.width || rowIndex < 0 || rowIndex >= this.rowCount) return null;
    const row = this.rowAt(rowIndex),
      time = this.timeAt(x),
      hit = {
        pane: this,
        rowIndex,
        row,
        time,
        i: -1,
        label: x < labelWidth,
        pixel: 1 / this.scale,
      };
    if (hit.label) return hit;
    const i = row.after(time - hit.pixel);
    if (i < row.length && row.begin[i] <= time + hit.pixel) hit.i = i;
    return hit;
  }
  paint() {
    this.layout();
    const width = this.width,
      height = this.root.clientHeight,
      c = fitCanvas(this.canvas, width, height);
    const first = Math.max(0, Math.floor(this.root.scrollTop / rowHeight)),
      last = Math.min(this.rowCount, Math.ceil((this.root.scrollTop + height) / rowHeight));
    const brush = new Brush(c),
      place = {
        left: labelWidth,
        width: width - labelWidth,
        height: rowHeight - 5,
        scale: this.scale,
        top: 0,
        byFiber: this.byFiber,
      };
    for (let r = first; r < last; ++r) {
      place.top = this.rowTop(r) + 2;
      if (r % 2 === 0) brush.rect(colours.row, 0, place.top - 2, width, rowHeight);
    }
    brush.flush();
    for (let r = first; r < last; ++r) {
      place.top = this.rowTop(r) + 2;
      paintRow(brush, this.rowAt(r), place, this.labeller(r));
      this.paintMore(brush, r, place);
    }
    drawn[this.counter] = last - first;
    drawn.rects += brush.count;
    brush.flush();
    this.paintSelection(c, first, last);
    this.paintArrows(c, first, last, width, height);
    this.paintLabels(c, first, last, height);
  }
  paintMore() {}
  paintLabels(c, first, last, height) {
    c.fillStyle = colours.ground;
    c.fillRect(0, 0, labelWidth - 1, height);
    c.fillStyle = colours.line;
    c.fillRect(labelWidth - 1, 0, 1, height);
    const brush = new Brush(c);
    for (let r = first; r < last; ++r) {
      const [strong, faint, chosen] = this.labelOf(r),
        y = this.rowTop(r) + rowHeight / 2;
      if (chosen)
        (brush.rect(colours.row, 0, this.rowTop(r), labelWidth - 1, rowHeight),
          brush.rect(colours.select, 0, this.rowTop(r), 3, rowHeight));
      brush.text(chosen ? colours.select : colours.text, strong, 10, y, labelWidth - 16);
      brush.text(
        colours.faint,
        faint,
        10 + Math.min(c.measureText(strong + "  ").width, labelWidth),
        y,
        labelWidth - 18 - c.measureText(strong).width,
      );
    }
    brush.flush();
  }
  outline(c, begin, end, row) {
    const a = Math.max(labelWidth, this.x(begin)),
      b = Math.min(this.width, this.x(end));
    if (b < a) return;
    c.strokeStyle = colours.select;
    c.lineWidth = 2;
    c.strokeRect(a - 1, this.rowTop(row) + 1, Math.max(3, b - a + 2), rowHeight - 3);
  }
  // The arrows to paint, the strong ones last: [number, strong].
  chooseArrows() {
    const mode = element("arrows").value,
      most = 800,
      chosen = selected?.fiber ?? -1,
      into = arrowInto(selected);
    if (mode === "none") return [];
    const weak = [],
      strong = [];
    const wholeFiber = chosen >= 0 && selected.kind === undefined;
    const sort = (i) =>
      (i === into || (wholeFiber && (arrows.target[i] === chosen || arrows.source[i] === chosen))
        ? strong
        : weak
      ).push(i);
    const all = mode === "view" ? arrowsBetween(view.begin, view.end, most) : null;
    if (all?.list) {
      all.list.forEach(sort);
    } else {
      if (all) drawn.arrowsHidden = all.count;
      if (chosen >= 0)
        for (const mine of [arrowsInto.of(chosen), arrowsFrom.of(chosen)]) {
          const low = firstThat(0, mine.length, (k) => arrows.from[mine[k]] >= view.begin);
          for (
            let k = Math.max(0, low - 1);
            k < mine.length && arrows.from[mine[k]] <= view.end && k < low + most;
            ++k
          )
            sort(mine[k]);
        }
    }
    return [...weak.map((i) => [i, false]), ...strong.map((i) => [i, true])];
  }
  paintArrows(c, firstRow, lastRow, width, height) {
    c.save();
    c.beginPath();
    c.rect(labelWidth, 0, width - labelWidth, height);
    c.clip();
    for (const [i, strong] of this.chooseArrows()) {
      if (arrows.to[i] < view.begin) continue;
      const [from, to] = this.arrowRows(i);
      if (to < 0 || (from < firstRow && to < firstRow) || (from >= lastRow && to >= lastRow))
        continue;
      const x0 = this.x(arrows.from[i]),
        y1 = this.rowTop(to) + rowHeight / 2;
      if (from < 0) {
        // by a timer, the poller, a plain thread: a dot where it was readied
        c.fillStyle = strong ? colours.select : colours.arrow;
        c.beginPath();
        c.arc(x0, y1, strong ? 3.5 : 1.7, 0, 7);
        c.fill();
        continue;
      }
      paintArrow(
        c,
        x0,
        this.rowTop(from) + rowHeight / 2,
        this.x(arrows.to[i]),
        y1,
        strong,
        arrows.wait[i] < 0,
      );
      ++drawn.arrows;
    }
    c.restore();
  }
}

class ThreadPane extends Pane {
  constructor() {
    super("threads", "threadRows");
    this.byFiber = true;
  }
  get rowCount() {
    return threadRows.length;
  }
  rowAt(r) {
    return threadRows[r].row;
  }
  labelOf(r) {
    const t = meta.threads[threadRows[r].thread],
      row = threadRows[r].row;
    return [
      t.name,
      row.busy ?? (row.busy = busyText(row)),
      selected?.thread === threadRows[r].thread,
    ];
  }
  labeller(r) {
    const row = threadRows[r].row;
    return (i) => {
      if (row.refTo[i] === refTo.nothing) return kinds[row.kind[i]].text;
      const f =
        row.refTo[i] === refTo.slice
          ? trace.slices.fiber[row.ref[i]]
          : trace.offloads.fiber[row.ref[i]];
      return f < 0 ? "" : fiberName(f) || String(trace.fibers.id[f]);
    };
  }
  paintMore(brush, r, place) {
    const m = trace.markers;
    for (const k of markersOfThread.of(threadRows[r].thread)) {
      if (m.kind[k] !== 1 || m.at[k] < view.begin || m.at[k] > view.end) continue;
      brush.rect(colours.stall, this.x(m.at[k]) - 1, place.top - 2, 3, rowHeight);
      ++drawn.markers;
    }
  }
  paintSelection(c, first, last) {
    if (!selected || selected.type === refTo.wait || selected.thread < 0) return;
    const r = threadRows.findIndex((x) => x.thread === selected.thread);
    if (r >= first && r < last) this.outline(c, selected.begin, selected.end, r);
  }
  arrowRows(i) {
    const to = sliceAt(arrows.target[i], arrows.to[i]);
    let thread = arrows.thread[i];
    if (thread < 0 && arrows.source[i] >= 0) {
      const from = sliceAt(arrows.source[i], arrows.from[i]);
      thread = from < 0 ? -1 : trace.slices.thread[from];
    }
    const rowOf = (t) => threadRows.findIndex((x) => x.thread === t);
    return [thread < 0 ? -1 : rowOf(thread), to < 0 ? -1 : rowOf(trace.slices.thread[to])];
  }
}

class FiberPane extends Pane {
  constructor() {
    super("fibers", "fiberRows");
    this.byFiber = false;
  }
  get rowCount() {
    return fiberOrder.length;
  }
  rowAt(r) {
    return fiberRow(fiberOrder[r]);
  }
  labelOf(r) {
    const f = fiberOrder[r],
      name = fiberName(f),
      id = String(trace.fibers.id[f]);
    return [name ? `${id} ${name}` : id, name ? "" : fiberPlaceShort(f), selected?.fiber === f];
  }
  labeller(r) {
    const row = this.rowAt(r);
    return (i) => {
      if (row.refTo[i] === refTo.slice)
        return row.kind[i] === kindNumber.kernel
          ? "in the kernel"
          : meta.threads[trace.slices.thread[row.ref[i]]].name;
      if (row.refTo[i] === refTo.wait) return reasonText(trace.waits.reason[row.ref[i]]);
      return row.kind[i] === kindNumber.runnable ? "runnable" : kinds[row.kind[i]].text;
    };
  }
  paintMore(brush, r, place) {
    const f = fiberOrder[r],
      g = trace.regions,
      m = trace.markers;
    for (const k of regionsOfFiber.of(f)) {
      const a = Math.max(labelWidth, this.x(g.begin[k])),
        b = Math.min(this.width, this.x(g.end[k]));
      if (b < labelWidth || a > this.width || b - a < 0) continue;
      brush.rect(colours.region, a, place.top + place.height, Math.max(1, b - a), 3);
      ++drawn.regions;
    }
    for (const k of markersOfFiber.of(f)) {
      if (m.at[k] < view.begin || m.at[k] > view.end) continue;
      const x = this.x(m.at[k]);
      brush.rect(
        m.kind[k] === 1 ? colours.stall : colours.log,
        x - 1,
        place.top - 2,
        2,
        rowHeight - 1,
      );
      brush.rect(m.kind[k] === 1 ? colours.stall : colours.log, x - 1, place.top - 2, 7, 5);
      ++drawn.markers;
    }
  }
  paintSelection(c, first, last) {
    if (!selected || selected.fiber < 0) return;
    const r = rowOfFiber[selected.fiber];
    if (r >= first && r < last) this.outline(c, selected.begin, selected.end, r);
  }
  arrowRows(i) {
    return [arrows.source[i] < 0 ? -1 : rowOfFiber[arrows.source[i]], rowOfFiber[arrows.target[i]]];
  }
}

function busyText(row) {
  if (row.to <= row.from) return "";
  totals.fill(0);
  row.addTotals(0, row.length, totals);
  return Math.round((100 * totals[kindNumber.running]) / (row.to - row.from)) + " % running";
}
