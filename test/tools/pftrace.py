# SPDX-License-Identifier: BSL-1.0
"""What convert --pftrace writes is read by Perfetto's own description of the format, and says what
the JSON form says: the same tracks, stretches, instants and arrows.

usage: pftrace.py WEFT_TRACE KNOWN_PROGRAM
"""

import json
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path

try:
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent
except ImportError:
    print(
        "SKIPPED: there is no perfetto for Python. tools/test installs it, or: pip install perfetto"
    )
    sys.exit(0)

tool, program = sys.argv[1:]


def converted(folder, form):
    out = folder / form
    subprocess.run([tool, "convert", f"--{form}", folder / "a.trace", "-o", out], check=True)
    return out.read_bytes()


def packets(data):
    for packet in Trace.FromString(data).packet:
        if packet.HasField("compressed_packets"):
            assert packet.ByteSize() < 512 * 1024
            yield from packets(zlib.decompress(packet.compressed_packets))
        else:
            yield packet


class Binary:
    """Goes through the packets as Perfetto does: in order, with interned texts and open slices."""

    def __init__(self, data):
        self.texts, self.tracks, self.parents = {}, {}, {}
        self.stretches, self.instants = Counter(), Counter()
        self.flows, self.flow_ends = {}, {}
        self.open, self.last = {}, 0
        for packet in packets(data):
            assert packet.trusted_packet_sequence_id == 1
            if packet.HasField("track_descriptor"):
                d = packet.track_descriptor
                assert d.uuid not in self.tracks, d
                self.tracks[d.uuid], self.parents[d.uuid] = d.name, d.parent_uuid
            if packet.HasField("interned_data"):
                self.intern(packet.interned_data)
            if packet.HasField("track_event"):
                self.event(packet.timestamp, packet.track_event)
        assert not any(self.open.values()), "a stretch without an end"

    def intern(self, data):
        for kind in (
            "event_names",
            "event_categories",
            "debug_annotation_names",
            "debug_annotation_string_values",
        ):
            for one in getattr(data, kind):
                text = one.str.decode() if kind.endswith("values") else one.name
                assert (kind, one.iid) not in self.texts
                self.texts[kind, one.iid] = text

    def event(self, at, e):
        assert at >= self.last, "not in the order of time"
        self.last = at
        track = self.track(e.track_uuid)
        stack = self.open.setdefault(e.track_uuid, [])
        if e.type == TrackEvent.TYPE_SLICE_END:
            begin, name, category, said = stack.pop()
            self.stretches[track, name, category, begin, at - begin, said] += 1
            return
        name = self.texts["event_names", e.name_iid]
        category = self.texts["event_categories", e.category_iids[0]]
        if e.type == TrackEvent.TYPE_INSTANT:
            for flow in e.flow_ids:
                self.flows[flow] = (track, at)
            if not e.flow_ids:
                self.instants[track, name, category, at] += 1
            return
        assert e.type == TrackEvent.TYPE_SLICE_BEGIN, e
        for flow in e.terminating_flow_ids:
            self.flow_ends[flow] = (track, at)
        said = tuple(
            (
                self.texts["debug_annotation_names", a.name_iid],
                self.texts["debug_annotation_string_values", a.string_value_iid],
            )
            for a in e.debug_annotations
        )
        stack.append((at, name, category, said))

    def track(self, uuid):
        """The name of a thread or of a fiber; of regions, that of what they belong to."""
        return (
            self.track(self.parents[uuid]) if self.tracks[uuid] == "regions" else self.tracks[uuid]
        )


class Json:
    def __init__(self, data):
        names, self.stretches, self.instants = {}, Counter(), Counter()
        self.arrows, ends = Counter(), {}
        events = json.loads(data)["traceEvents"]
        for e in events:
            if e["ph"] == "M" and e["name"] == "thread_name":
                names[e["pid"], e["tid"]] = e["args"]["name"]
        for e in events:
            if e["ph"] == "M":
                continue
            track, at = names[e["pid"], e["tid"]], round(e["ts"] * 1000)
            if e["ph"] == "X":
                said = tuple(e["args"].items())
                self.stretches[track, e["name"], e["cat"], at, round(e["dur"] * 1000), said] += 1
            elif e["ph"] == "i":
                self.instants[track, e["name"], e["cat"], at] += 1
            elif e["ph"] == "s":
                ends[e["id"]] = (track, at)
            else:
                self.arrows[ends.pop(e["id"]), (track, at)] += 1
        self.tracks = Counter(names.values())


def compare(folder, how):
    subprocess.run(
        [tool, "record", "-o", folder / "a.trace", "--", program, *how],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    binary_form, json_form = converted(folder, "pftrace"), converted(folder, "perfetto")
    binary, text = Binary(binary_form), Json(json_form)
    tracks = Counter(
        name for uuid, name in binary.tracks.items() if uuid >= 16 and name != "regions"
    )
    assert tracks == text.tracks, (tracks - text.tracks, text.tracks - tracks)
    for kind in ("stretches", "instants"):
        mine, other = getattr(binary, kind), getattr(text, kind)
        assert mine == other, (
            kind,
            list((mine - other).items())[:5],
            list((other - mine).items())[:5],
        )
    assert len(binary.flow_ends) >= 0.9 * len(binary.flows)
    arrows = Counter((binary.flows[f], end) for f, end in binary.flow_ends.items())
    assert not arrows - text.arrows, arrows - text.arrows
    assert len(binary.flows) == sum(text.arrows.values())
    assert binary.flows or how, "no arrows"
    share = len(json_form) / len(binary_form)
    print(
        f"{how}: {sum(text.stretches.values())} stretches, {len(json_form)} bytes of JSON, "
        f"{share:.1f} times the binary form"
    )
    return share


with tempfile.TemporaryDirectory() as folder:
    shares = [compare(Path(folder), how) for how in ([], ["convoy"], ["names"], ["hog"])]
assert max(shares) >= 10, shares
