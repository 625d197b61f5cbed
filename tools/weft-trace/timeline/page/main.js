// SPDX-License-Identifier: BSL-1.0
// main.js - puts the page together. window.weftTimeline says what the page has and drew, and lets a
// test drive it.

const panes = { threads: new ThreadPane(), fibers: new FiberPane() };

function setTheme(dark) {
  document.documentElement.classList.toggle("dark", dark);
  readColours();
  element("legend").replaceChildren(...legend());
  showDetails();
  redraw();
}

function legend() {
  const seen = new Set(threadRows.flatMap((r) => [...new Set(r.row.kind)]));
  for (let i = 0; i < trace.waits.count; ++i) seen.add(kindOfReason[trace.waits.reason[i]]);
  for (const k of ["running", "runnable", "searching"]) seen.add(kindNumber[k]);
  if (trace.slices.how.some((h) => (h & 7) === how.inlineJoin)) seen.add(kindNumber.inline);
  const out = kinds
    .filter((k) => seen.has(k.number))
    .map((k) => node("span", [chip(colours.kinds[k.number]), k.text]));
  out.push(node("span", "\u2937 who readied whom (dashed: spawned)"));
  if (trace.regions.count > 0) out.push(node("span", [chip(colours.region), "region"]));
  if (trace.markers.count > 0)
    out.push(
      node("span", [chip(colours.log), "log"]),
      node("span", [chip(colours.stall), "stall"]),
    );
  out.push(
    node("span", element("status")?.textContent ?? "", { className: "status", id: "status" }),
  );
  return out;
}

function notices() {
  const out = [];
  const add = (text) => out.push(node("p", "\u26a0 " + text));
  if (meta.leftOut) add("This page " + meta.leftOut + ".");
  if (meta.dropped > 0)
    add(
      `${meta.dropped.toLocaleString("en")} events were dropped while recording: ` +
        "what is here is not the whole truth.",
    );
  if (meta.overwritten > 0)
    add(
      `From a flight recorder: ${meta.overwritten.toLocaleString("en")} ` +
        "older events were overwritten.",
    );
  if (meta.crash) add("The program crashed; these are its last moments.");
  for (const p of meta.problems) add(p);
  return out;
}

function begin() {
  element("title").textContent = meta.title;
  const workers = threadRows.filter((r) => meta.threads[r.thread].role === "worker").length;
  element("facts").textContent =
    `${durationText(meta.length)}, ${workers} worker threads, ` +
    `${fiberCount.toLocaleString("en")} fibers, process ${meta.pid}`;
  element("notices").replaceChildren(...notices());
  for (const pane of Object.values(panes)) listenToPane(pane);
  listenToAxis();
  listenToKeys();
  listenToSearch();
  element("zoom-in").onclick = () => zoom(0.6);
  element("zoom-out").onclick = () => zoom(1 / 0.6);
  element("fit").onclick = showAll;
  element("arrows").onchange = redraw;
  element("order").onchange = orderFibers;
  element("only-view").onchange = orderFibers;
  element("help-button").onclick = () => element("help").showModal();
  element("theme").onclick = () => setTheme(!document.documentElement.classList.contains("dark"));
  panes.threads.root.style.height = Math.min(threadRows.length * rowHeight + 4, 260) + "px";
  // Of thousands of fibers, most are dead or not yet born wherever one looks.
  element("only-view").checked = fiberCount > 500;
  setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
  orderFibers();
  showAll();
  new ResizeObserver(redraw).observe(element("stage"));
}

begin();
window.weftTimeline = {
  counts: {
    ...meta.counts,
    threads: threadCount,
    threadRows: threadRows.length,
    arrows: arrows.count,
  },
  drawn,
  view,
  length: meta.length,
  search: searchFor,
  goToMatch,
  show,
  zoom,
  setTheme,
  selected: () =>
    selected && {
      ...selected,
      id: trace.fibers.id[selected.fiber],
      name: selected.fiber >= 0 ? fiberName(selected.fiber) : "",
    },
  // The colours that a pixel of a row has, for tests that look.
  fiberTop: (f) => rowOfFiber[f] * rowHeight - panes.fibers.root.scrollTop,
};
