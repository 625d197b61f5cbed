// SPDX-License-Identifier: BSL-1.0
// rows.js - a row is what one fiber or one thread did: segments in order that do not overlap, each
// of a kind (a colour). Rows are made when they come into view; those with many segments get
// running sums per kind, so that a pixel that covers ten thousand segments costs a binary search
// and not ten thousand steps.

const kinds = [
  ["running", "running"],
  ["kernel", "blocked in the kernel"],
  ["runnable", "runnable: waits for a turn"],
  ["inline", "runs a child on its stack"],
  ["lock", "parked: lock"],
  ["channel", "parked: channel, select"],
  ["sync", "parked: condition, semaphore, latch \u2026"],
  ["io", "parked: I/O"],
  ["join", "parked: join"],
  ["offload", "parked: offload; an offloaded call"],
  ["sleep", "parked: sleep, timer"],
  ["other", "parked: other"],
  ["frozen", "frozen: its fiber was preempted"],
  ["searching", "searching for work"],
  ["idle", "idle"],
].map(([name, text], number) => ({ name, text, number }));
const kindNumber = Object.fromEntries(kinds.map((k) => [k.name, k.number]));
const reasonKinds = {
  sleep: ["sleep", "timer", "rate_limiter"],
  io: ["fd read", "fd write", "accept", "connect"],
  lock: ["mutex", "shared_mutex", "call_once"],
  channel: ["channel send", "channel receive", "select"],
  join: ["join", "scope join", "scope limit"],
  offload: ["offload"],
  sync: ["condition_variable", "semaphore", "latch", "barrier", "wait_group", "event"],
};
const kindOfReason = new Uint8Array(256).fill(kindNumber.other);
for (const [id, text] of Object.entries(meta.reasons))
  for (const [kind, texts] of Object.entries(reasonKinds))
    if (texts.includes(text)) kindOfReason[id] = kindNumber[kind];

const howTexts = [
  "parked",
  "yielded",
  "ended",
  "was preempted",
  "ran a child",
  "blocked in the kernel",
  "goes on",
];
const how = { park: 0, yield: 1, end: 2, preempted: 3, inlineJoin: 4, blocked: 5, cutOff: 6 };

// What a segment's `ref` is an index of.
const refTo = { nothing: 0, slice: 1, wait: 2, offload: 3 };

class Row {
  constructor(gapKind = -1) {
    this.begin = [];
    this.end = [];
    this.kind = [];
    this.ref = [];
    this.refTo = [];
    this.gapKind = gapKind; // what is between the segments, from `from` to `to`
    this.from = 0;
    this.to = 0;
    this.sums = null;
  }
  get length() {
    return this.begin.length;
  }
  add(begin, end, kind, to = refTo.nothing, ref = -1) {
    const last = this.length - 1;
    // two clocks disagree by some ns
    if (last >= 0 && begin < this.end[last]) begin = this.end[last];
    if (end < begin) return;
    this.begin.push(begin);
    this.end.push(end);
    this.kind.push(kind);
    this.ref.push(ref);
    this.refTo.push(to);
  }
  finish() {
    this.begin = Float64Array.from(this.begin);
    this.end = Float64Array.from(this.end);
    this.kind = Uint8Array.from(this.kind);
    if (this.length < 2048) return this;
    this.sums = [];
    for (const k of new Set(this.kind)) {
      const sum = new Float64Array(this.length + 1);
      for (let i = 0; i < this.length; ++i)
        sum[i + 1] = sum[i] + (this.kind[i] === k ? this.end[i] - this.begin[i] : 0);
      this.sums.push({ kind: k, sum });
    }
    return this;
  }
  // The first segment that ends after `time`.
  after(time, from = 0) {
    return firstThat(from, this.length, (i) => this.end[i] > time);
  }
  // Adds how long each kind is in segments [i, j) to `totals`.
  addTotals(i, j, totals) {
    if (this.sums && j - i > 16) {
      for (const { kind, sum } of this.sums) totals[kind] += sum[j] - sum[i];
    } else {
      for (let k = i; k < j; ++k) totals[this.kind[k]] += this.end[k] - this.begin[k];
    }
  }
}

function makeFiberRow(f) {
  const row = new Row(),
    s = trace.slices,
    w = trace.waits;
  const runs = slicesOfFiber.of(f),
    waits = waitsOfFiber.of(f);
  let queuedSince = trace.fibers.created[f],
    inlineSince = NaN;
  const waited = (until) => {
    if (!Number.isNaN(queuedSince)) row.add(queuedSince, until, kindNumber.runnable);
    if (!Number.isNaN(inlineSince)) row.add(inlineSince, until, kindNumber.inline);
    queuedSince = inlineSince = NaN;
  };
  for (let i = 0, j = 0; i < runs.length || j < waits.length;) {
    const a = runs[i],
      b = waits[j];
    if (j >= waits.length || (i < runs.length && s.begin[a] <= w.begin[b])) {
      waited(s.begin[a]);
      row.add(
        s.begin[a],
        s.end[a],
        s.how[a] & 8 ? kindNumber.kernel : kindNumber.running,
        refTo.slice,
        a,
      );
      const ended = s.how[a] & 7;
      if (ended === how.yield || ended === how.preempted || ended === how.blocked)
        queuedSince = s.end[a];
      if (ended === how.inlineJoin) inlineSince = s.end[a];
      ++i;
    } else {
      waited(w.begin[b]);
      row.add(w.begin[b], w.end[b], kindOfReason[w.reason[b]], refTo.wait, b);
      if (w.flags[b] & 1) queuedSince = w.end[b];
      ++j;
    }
  }
  // How it goes on is not in the page; when it is cut, that is only known to its end.
  if (Number.isNaN(trace.fibers.ended[f]) && !meta.leftOut) waited(meta.length);
  return row.finish();
}

function makeThreadRow(t) {
  const thread = meta.threads[t],
    worker = thread.role === "worker";
  const row = new Row(worker ? kindNumber.searching : -1),
    s = trace.slices,
    q = trace.stretches,
    o = trace.offloads;
  const runs = slicesOfThread.of(t),
    rests = stretchesOfThread.of(t),
    calls = offloadsOfThread.of(t);
  if (calls.length > 0 && runs.length === 0) {
    for (const c of calls) row.add(o.begin[c], o.end[c], kindNumber.offload, refTo.offload, c);
  } else {
    for (let i = 0, j = 0; i < runs.length || j < rests.length;) {
      const a = runs[i],
        b = rests[j];
      if (j >= rests.length || (i < runs.length && s.begin[a] <= q.begin[b])) {
        row.add(
          s.begin[a],
          s.end[a],
          s.how[a] & 8 ? kindNumber.kernel : kindNumber.running,
          refTo.slice,
          a,
        );
        ++i;
      } else {
        // A thread that is blocked in the kernel with a fiber is there as that fiber's slice.
        const preempted = i > 0 && (s.how[runs[i - 1]] & 7) === how.preempted;
        row.add(
          q.begin[b],
          q.end[b],
          q.what[b] === 2 ? kindNumber.idle : preempted ? kindNumber.frozen : kindNumber.kernel,
        );
        ++j;
      }
    }
  }
  row.from = thread.from ?? 0;
  row.to = Math.min(thread.to ?? 0, meta.length);
  return row.finish();
}

// Rows that were made, the least recently used forgotten when they hold too many segments.
const fiberRows = new Map();
let fiberRowSegments = 0;
function fiberRow(f) {
  let row = fiberRows.get(f);
  if (row) fiberRows.delete(f);
  else {
    row = makeFiberRow(f);
    fiberRowSegments += row.length;
    for (const [old, gone] of fiberRows) {
      if (fiberRowSegments < 2e6) break;
      fiberRowSegments -= gone.length;
      fiberRows.delete(old);
    }
  }
  fiberRows.set(f, row);
  return row;
}

const threadRows = meta.threads
  .map((thread, t) => ({ thread: t, row: makeThreadRow(t) }))
  .filter((r) => r.row.length > 0 || r.row.to > r.row.from)
  .sort(
    (a, b) =>
      (meta.threads[a.thread].role === "worker" ? 0 : 1) -
        (meta.threads[b.thread].role === "worker" ? 0 : 1) ||
      meta.threads[a.thread].name.localeCompare(meta.threads[b.thread].name, "en", {
        numeric: true,
      }),
  );

// Sums per fiber, for the order of the rows and the details.
const fiberSums = (() => {
  const sums = {
    first: new Float64Array(fiberCount).fill(Infinity),
    last: new Float64Array(fiberCount).fill(-Infinity),
    ran: new Float64Array(fiberCount),
    parked: new Float64Array(fiberCount),
    queued: new Float64Array(fiberCount),
    kernel: new Float64Array(fiberCount),
  };
  const seen = (f, begin, end) => {
    if (begin < sums.first[f]) sums.first[f] = begin;
    if (end > sums.last[f]) sums.last[f] = end;
  };
  const s = trace.slices,
    w = trace.waits,
    b = trace.fibers;
  for (let f = 0; f < fiberCount; ++f)
    if (!Number.isNaN(b.created[f])) seen(f, b.created[f], b.created[f]);
  for (let i = 0; i < s.count; ++i) {
    seen(s.fiber[i], s.begin[i], s.end[i]);
    (s.how[i] & 8 ? sums.kernel : sums.ran)[s.fiber[i]] += s.end[i] - s.begin[i];
  }
  for (let i = 0; i < w.count; ++i) {
    seen(w.fiber[i], w.begin[i], w.end[i]);
    sums.parked[w.fiber[i]] += w.end[i] - w.begin[i];
    if (!Number.isNaN(w.resumed[i])) sums.queued[w.fiber[i]] += w.resumed[i] - w.end[i];
  }
  for (let f = 0; f < fiberCount; ++f) {
    const first = slicesOfFiber.of(f)[0];
    if (first !== undefined && !Number.isNaN(b.created[f]))
      sums.queued[f] += Math.max(0, s.begin[first] - b.created[f]);
    if (sums.first[f] === Infinity) sums.first[f] = sums.last[f] = 0;
  }
  // Queued after a yield or a preemption: until the fiber's next run.
  for (let f = 0; f < fiberCount; ++f) {
    const mine = slicesOfFiber.of(f);
    for (let i = 0; i + 1 < mine.length; ++i) {
      const ended = s.how[mine[i]] & 7;
      if (ended === how.yield || ended === how.preempted || ended === how.blocked)
        sums.queued[f] += Math.max(0, s.begin[mine[i + 1]] - s.end[mine[i]]);
    }
  }
  return sums;
})();
