// SPDX-License-Identifier: BSL-1.0
// data.js - unpacks what columns.cpp packed, and indexes it: what is there of each fiber, of each
// thread. Times are ns since the page's begin; NaN: not known. An index of -1: none.

const meta = JSON.parse(document.getElementById("data-json").textContent);

function unpackColumns() {
  const text = atob(document.getElementById("data-columns").textContent.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  let at = 0;
  const number = () => {
    let value = 0;
    for (let unit = 1; at < bytes.length; unit *= 128) {
      const b = bytes[at++];
      value += (b & 127) * unit;
      if (b < 128) break;
    }
    return value;
  };
  const unzigzag = (v) => (v % 2 === 0 ? v / 2 : -(v + 1) / 2);
  const signed = () => unzigzag(number());
  const orNone = () => number() - 1;
  const moment = () => {
    const v = number();
    return v === 0 ? NaN : unzigzag(v - 1);
  };
  // fields: name -> [array type, how to read it]; one row after the other.
  const table = (count, fields) => {
    const names = Object.keys(fields),
      columns = { count };
    for (const n of names) columns[n] = new fields[n][0](count);
    for (let i = 0; i < count; ++i) for (const n of names) columns[n][i] = fields[n][1]();
    return columns;
  };
  let before = 0;
  const step = () => (before += signed());
  const next = (...arguments_) => {
    before = 0;
    return table(...arguments_);
  };
  const F = Float64Array,
    U = Uint32Array,
    I = Int32Array,
    B = Uint8Array,
    n = meta.counts;
  const trace = {
    fibers: next(n.fibers, {
      id: [F, step],
      name: [U, number],
      place: [I, orNone],
      parent: [I, orNone],
      created: [F, moment],
      ended: [F, moment],
    }),
    slices: next(n.slices, {
      begin: [F, step],
      end: [F, number],
      fiber: [U, number],
      thread: [U, number],
      how: [B, number],
    }),
    waits: next(n.waits, {
      end: [F, step],
      begin: [F, number],
      fiber: [U, number],
      reason: [B, number],
      object: [U, number],
      resumed: [F, orNone],
      waker: [I, orNone],
      wakerThread: [I, orNone],
      flags: [B, number],
    }),
    stretches: next(n.stretches, {
      thread: [U, number],
      what: [B, number],
      begin: [F, step],
      end: [F, number],
    }),
    regions: next(n.regions, {
      fiber: [I, orNone],
      thread: [U, number],
      begin: [F, step],
      end: [F, number],
      name: [U, number],
    }),
    markers: next(n.markers, {
      fiber: [I, orNone],
      thread: [U, number],
      at: [F, step],
      text: [U, number],
      kind: [B, number],
    }),
    offloads: next(n.offloads, {
      fiber: [I, orNone],
      thread: [U, number],
      begin: [F, step],
      end: [F, number],
    }),
    stacks: next(n.stacks, { slice: [U, () => (before += number())], stack: [U, number] }),
    objects: next(n.objects, { address: [F, () => (before += number())] }),
  };
  // What stands in the columns as a length becomes the other end.
  for (const t of [trace.slices, trace.stretches, trace.regions, trace.offloads])
    for (let i = 0; i < t.count; ++i) t.end[i] += t.begin[i];
  const w = trace.waits;
  for (let i = 0; i < w.count; ++i) {
    w.begin[i] = w.end[i] - w.begin[i];
    w.resumed[i] = w.resumed[i] < 0 ? NaN : w.end[i] + w.resumed[i];
  }
  return trace;
}

// Which rows of a table have key k: index.of(k) is a stretch of numbers, in the table's order.
function indexBy(keys, keyCount) {
  const start = new Uint32Array(keyCount + 1),
    rows = new Uint32Array(keys.length);
  for (let i = 0; i < keys.length; ++i)
    if (keys[i] < keyCount && keys[i] >= 0) ++start[keys[i] + 1];
  for (let k = 0; k < keyCount; ++k) start[k + 1] += start[k];
  const fill = start.slice();
  for (let i = 0; i < keys.length; ++i)
    if (keys[i] < keyCount && keys[i] >= 0) rows[fill[keys[i]]++] = i;
  return { of: (k) => rows.subarray(start[k], start[k + 1]) };
}

// The first i in [low, high) for which test(i); the tests are false, then true.
function firstThat(low, high, test) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (test(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

const trace = unpackColumns();
const fiberCount = trace.fibers.count,
  threadCount = meta.threads.length;
const slicesOfFiber = indexBy(trace.slices.fiber, fiberCount),
  waitsOfFiber = indexBy(trace.waits.fiber, fiberCount);
const slicesOfThread = indexBy(trace.slices.thread, threadCount),
  stretchesOfThread = indexBy(trace.stretches.thread, threadCount);
const offloadsOfThread = indexBy(trace.offloads.thread, threadCount);
const regionsOfFiber = indexBy(trace.regions.fiber, fiberCount),
  markersOfFiber = indexBy(trace.markers.fiber, fiberCount);
const markersOfThread = indexBy(trace.markers.thread, threadCount);

// Who made whom runnable, by time: wakes, and spawns (wait -1). A source fiber of -1: a timer, the
// poller, a thread that is no fiber.
const arrowBlock = 512;
const arrows = (() => {
  const w = trace.waits,
    b = trace.fibers,
    all = [];
  for (let i = 0; i < w.count; ++i)
    if (w.flags[i] & 1 && !Number.isNaN(w.resumed[i]))
      all.push([w.end[i], w.resumed[i], w.waker[i], w.wakerThread[i], w.fiber[i], i]);
  for (let f = 0; f < fiberCount; ++f) {
    const first = slicesOfFiber.of(f)[0];
    if (first !== undefined && b.created[f] >= 0 && b.parent[f] >= 0)
      all.push([
        b.created[f],
        Math.max(b.created[f], trace.slices.begin[first]),
        b.parent[f],
        -1,
        f,
        -1,
      ]);
  }
  all.sort((a, b2) => a[0] - b2[0]);
  const out = {
    count: all.length,
    from: new Float64Array(all.length),
    to: new Float64Array(all.length),
    source: new Int32Array(all.length),
    thread: new Int32Array(all.length),
    target: new Uint32Array(all.length),
    wait: new Int32Array(all.length),
    // the latest `to` of each block: few wakes are slow, and only their blocks are
    // looked through
    latest: [],
  };
  all.forEach((a, i) => {
    [out.from[i], out.to[i], out.source[i], out.thread[i], out.target[i], out.wait[i]] = a;
    const block = Math.floor(i / arrowBlock);
    if (!(out.latest[block] >= a[1])) out.latest[block] = a[1];
  });
  return out;
})();

// The arrows between two moments, or only how many there are if that is more than `most`.
function arrowsBetween(begin, end, most) {
  const first = firstThat(0, arrows.count, (i) => arrows.from[i] >= begin),
    last = firstThat(first, arrows.count, (i) => arrows.from[i] > end),
    list = [];
  if (last - first > most) return { count: last - first, list: null };
  for (let block = 0; block * arrowBlock < first; ++block) {
    if (arrows.latest[block] < begin) continue;
    for (let i = block * arrowBlock; i < Math.min(first, (block + 1) * arrowBlock); ++i)
      if (arrows.to[i] >= begin) list.push(i);
  }
  for (let i = first; i < last; ++i) list.push(i);
  return list.length > most ? { count: list.length, list: null } : { count: list.length, list };
}
const arrowsInto = indexBy(arrows.target, fiberCount),
  arrowsFrom = indexBy(arrows.source, fiberCount);

const fiberName = (f) => meta.texts[trace.fibers.name[f]];
const fiberPlace = (f) =>
  trace.fibers.place[f] < 0 ? "" : meta.places[trace.fibers.place[f]].text;
const fiberPlaceShort = (f) =>
  trace.fibers.place[f] < 0 ? "" : meta.places[trace.fibers.place[f]].line;
const fiberLabel = (f) =>
  "fiber " + trace.fibers.id[f] + (fiberName(f) ? ` "${fiberName(f)}"` : "");
const reasonText = (r) => meta.reasons[r] ?? `reason ${r}`;

// The slice with which fiber f goes on at `time`, or -1.
function sliceAt(f, time) {
  const mine = slicesOfFiber.of(f);
  const i = firstThat(0, mine.length, (k) => trace.slices.end[mine[k]] >= time);
  return i < mine.length && trace.slices.begin[mine[i]] <= time + 1 ? mine[i] : -1;
}

function durationText(ns) {
  if (!(Math.abs(ns) >= 1)) return "0 ns";
  const [unit, name] =
    Math.abs(ns) < 1e3
      ? [1, "ns"]
      : Math.abs(ns) < 1e6
        ? [1e3, "\u00b5s"]
        : Math.abs(ns) < 1e9
          ? [1e6, "ms"]
          : [1e9, "s"];
  const v = ns / unit;
  return (
    (unit === 1 ? v.toFixed(0) : v.toFixed(Math.abs(v) < 10 ? 2 : Math.abs(v) < 100 ? 1 : 0)) +
    " " +
    name
  );
}
// A moment of the trace, to the digit that a step of `step` ns needs.
function momentText(ns, step) {
  const total = meta.offset + ns;
  const [unit, name] =
    meta.offset + meta.length < 1e6
      ? [1e3, "\u00b5s"]
      : meta.offset + meta.length < 1e9
        ? [1e6, "ms"]
        : [1e9, "s"];
  const digits = Math.max(
    0,
    Math.min(9, Math.ceil(-Math.log10(Math.max(step, 0.1) / unit) - 1e-9)),
  );
  return (total / unit).toFixed(digits) + " " + name;
}
