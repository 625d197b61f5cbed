// SPDX-License-Identifier: BSL-1.0
// input.js - mouse and keyboard.

function listenToPane(pane) {
  const canvas = pane.canvas;
  let drag = null;
  canvas.addEventListener(
    "wheel",
    (event) => {
      const overflows = pane.root.scrollHeight > pane.root.clientHeight + 1;
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (event.ctrlKey || event.metaKey || (!overflows && !event.shiftKey && !sideways)) {
        event.preventDefault();
        zoom(1.0015 ** event.deltaY, pane.timeAt(Math.max(labelWidth, event.offsetX)));
      } else if (event.shiftKey || sideways) {
        event.preventDefault();
        move((event.deltaX + (event.shiftKey ? event.deltaY : 0)) / 1000);
      }
    },
    { passive: false },
  );
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    drag = {
      x: event.clientX,
      y: event.clientY,
      begin: view.begin,
      end: view.end,
      top: pane.root.scrollTop,
      moved: false,
    };
    canvas.setPointerCapture(event.pointerId);
    showTooltip(event, null);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drag) {
      const dx = event.clientX - drag.x,
        dy = event.clientY - drag.y;
      if (Math.abs(dx) + Math.abs(dy) > 4) drag.moved = true;
      if (!drag.moved) return;
      const by = -dx / ((pane.width - labelWidth) / (drag.end - drag.begin));
      pane.root.scrollTop = drag.top - dy;
      show(drag.begin + by, drag.end + by);
      return;
    }
    const hit = pane.hit(event.clientX, event.clientY);
    showTooltip(event, hit && describeHit(hit));
  });
  canvas.addEventListener("pointerup", (event) => {
    const clicked = drag && !drag.moved;
    drag = null;
    if (clicked) choose(pane.hit(event.clientX, event.clientY));
  });
  canvas.addEventListener("pointerleave", (event) => showTooltip(event, null));
  canvas.addEventListener("dblclick", zoomToSelection);
}

function choose(hit) {
  if (!hit) return select(null);
  const thread = hit.pane === panes.threads ? threadRows[hit.rowIndex].thread : -1;
  const fiber = hit.pane === panes.fibers ? fiberOrder[hit.rowIndex] : -1;
  if (!hit.label && hit.i >= 0) {
    selectSegment(hit.row, hit.i, fiber, thread);
    // The other pane follows, so that a run is seen with its fiber.
    if (thread >= 0 && selected.fiber >= 0 && rowOfFiber[selected.fiber] >= 0)
      panes.fibers.scrollTo(rowOfFiber[selected.fiber]);
  } else if (fiber >= 0) selectFiber(fiber);
  else select(null);
}
function zoomToSelection() {
  if (!selected) return;
  const room = Math.max(selected.end - selected.begin, shortest) * 0.25;
  show(selected.begin - room, selected.end + room);
}

function listenToAxis() {
  const axis = element("axis"),
    overview = element("overview");
  const time = (event) => panes.fibers.timeAt(event.offsetX);
  axis.addEventListener("pointerdown", (event) => {
    pointer.dragFrom = time(event);
    axis.setPointerCapture(event.pointerId);
  });
  axis.addEventListener("pointerup", (event) => {
    const from = pointer.dragFrom,
      to = time(event);
    pointer.dragFrom = NaN;
    if (Math.abs(to - from) * panes.fibers.scale > 4) show(Math.min(from, to), Math.max(from, to));
    else redraw();
  });
  for (const canvas of [axis, overview])
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        zoom(1.0015 ** event.deltaY, time(event));
      },
      { passive: false },
    );
  let dragging = false;
  const go = (event) => {
    const at = ((event.offsetX - labelWidth) / (panes.fibers.width - labelWidth)) * meta.length,
      half = (view.end - view.begin) / 2;
    show(at - half, at + half);
  };
  overview.addEventListener("pointerdown", (event) => {
    dragging = true;
    overview.setPointerCapture(event.pointerId);
    go(event);
  });
  overview.addEventListener("pointermove", (event) => {
    if (dragging) go(event);
  });
  overview.addEventListener("pointerup", () => (dragging = false));
  const stage = element("stage");
  stage.addEventListener("pointermove", (event) => {
    pointer.x = event.clientX - stage.getBoundingClientRect().left;
    redraw();
  });
  stage.addEventListener("pointerleave", () => {
    pointer.x = -1;
    redraw();
  });
  const splitter = element("splitter");
  let height = null;
  splitter.addEventListener("pointerdown", (event) => {
    height = panes.threads.root.clientHeight - event.clientY;
    splitter.setPointerCapture(event.pointerId);
  });
  splitter.addEventListener("pointermove", (event) => {
    if (height === null) return;
    panes.threads.root.style.height =
      Math.max(30, Math.min(height + event.clientY, stage.clientHeight - 150)) + "px";
    redraw();
  });
  splitter.addEventListener("pointerup", () => (height = null));
}

const keys = {
  w: () => zoom(0.7),
  "+": () => zoom(0.7),
  "=": () => zoom(0.7),
  s: () => zoom(1 / 0.7),
  "-": () => zoom(1 / 0.7),
  a: () => move(-0.2),
  d: () => move(0.2),
  ArrowLeft: () => move(-0.2),
  ArrowRight: () => move(0.2),
  ArrowUp: () => (panes.fibers.root.scrollTop -= 3 * rowHeight),
  ArrowDown: () => (panes.fibers.root.scrollTop += 3 * rowHeight),
  PageUp: () => (panes.fibers.root.scrollTop -= panes.fibers.root.clientHeight),
  PageDown: () => (panes.fibers.root.scrollTop += panes.fibers.root.clientHeight),
  Home: () => (panes.fibers.root.scrollTop = 0),
  End: () => (panes.fibers.root.scrollTop = fiberOrder.length * rowHeight),
  0: showAll,
  f: zoomToSelection,
  Enter: zoomToSelection,
  Escape: () => select(null),
  "[": () => selectNeighbour(-1),
  "]": () => selectNeighbour(1),
  k: selectWaker,
  n: () => goToMatch(search.at + 1),
  N: () => goToMatch(search.at - 1),
  "/": () => {
    element("search").focus();
    element("search").select();
  },
  "?": () => element("help").showModal(),
};
function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || element("help").open) return;
    if (
      event.target instanceof HTMLSelectElement ||
      (event.target instanceof HTMLButtonElement && event.key === "Enter")
    )
      return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
