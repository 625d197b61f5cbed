#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""A value of a thread is not kept over a call after which the fiber may be on another one.

usage: thread_values.py ROOT            every function in ROOT/src and ROOT/include
       thread_values.py ROOT --self-test   what it must find, and must not

Values of a thread: what this_worker(), enter(), switch_stack() and the like return (a worker*), a
`worker&` or `worker*` a function was given, the address of errno. Calls that may end on another
thread, found from their seeds through all functions that call them, by name: outside weft `enter`
is one, for it may queue the fiber for a processor; inside weft only those are that leave the stack.
A name that is used again after such a call, without a new value, is told of. Branches that end
(return, throw, continue, break) do not reach what follows them; loops are gone through twice.

`// same thread: WHY` on the line of the use, or above it, is the exception, for a reader to judge.
"""

import pathlib
import re
import sys

from thread_value_cases import CASES

BIND = (
    r"(?:this_worker|enter|enter_to_park|enter_slow|enter_to_park_slow|switch_stack|switch_to"
    r"|switch_to_park|run_on_this_stack|end_fiber)"
)
LEAVES_STACK = {
    "switch_to",
    "switch_stack",
    "finish_park",
    "park_thread",
    "finish_park_inside",
    "yield",
    "run_on_this_stack",
    "run_inline",
    "yield_if_requested",
    "invoke",
    "finish_in_user_mode",
    "finish_rare",
    "dispose_result",
}
MAY_ENTER = {"enter", "enter_slow", "enter_to_park", "enter_to_park_slow"}
# By name these are too common to be followed, or they never leave while the caller is inside (the
# argument is the worker).
NOT_FOLLOWED = {
    "size",
    "resize",
    "lock",
    "unlock",
    "wait",
    "wake",
    "run",
    "stop",
    "get",
    "take",
    "add",
    "push",
    "pop",
    "join",
    "look",
    "main",
    "start",
    "close",
    "end",
    "begin",
    "clear",
    "set",
    "accept",
    "connect",
    "emit",
    "record",
    "reset",
    "operator",
    "load",
    "store",
    "find",
    "submit",
    "release",
    "send",
    "receive",
    "name",
}
KEYWORDS = {
    "if",
    "for",
    "while",
    "switch",
    "return",
    "sizeof",
    "catch",
    "static_cast",
    "reinterpret_cast",
    "const_cast",
    "alignof",
    "decltype",
    "noexcept",
    "requires",
    "throw",
    "new",
    "delete",
    "static_assert",
    "alignas",
    "assert",
    "defined",
}


def strip(text):
    """Comments and literals go, places stay."""

    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))

    text = re.sub(
        r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', blank, text, flags=re.S
    )
    return re.sub(r"^[ \t]*#[^\n]*(?:\\\n[^\n]*)*", blank, text, flags=re.M)


def closing(text, at, left="{", right="}"):
    depth = 0
    for i in range(at, len(text)):
        if text[i] == left:
            depth += 1
        elif text[i] == right:
            depth -= 1
            if depth == 0:
                return i
    return len(text)


def functions(text):
    """(name, parameters, begin, end) of each body."""
    i, head = 0, 0
    while i < len(text):
        c = text[i]
        if c in ";}":
            head = i + 1
        elif c == "{":
            before = text[head:i]
            signature = re.sub(r"\[\[.*?\]\]", " ", before, flags=re.S)
            call = re.search(
                r"([~\w]+)\s*\(",
                re.sub(r"\b(?:requires|alignas|decltype|__attribute__)\s*\(", " ", signature),
            )
            if (
                re.search(r"\bnamespace\b|\bextern\s*$", signature)
                or not call
                or re.match(
                    r"\s*(?:template\s*<.*>\s*)?(?:class|struct|union|enum)\b", signature, re.S
                )
            ):
                head = i + 1
            else:
                end = closing(text, i)
                at = before.find(call.group(1))
                opened = before.find("(", at)
                yield call.group(1), before[opened:], i, end
                i, head = end, end + 1
        i += 1


# A lease's enter is not the runtime entry's.
CALL = re.compile(
    r"(?<![\w.>])((?:enter|leave)\w*|(?<!\w)[A-Za-z_]\w*)\s*(?:<[^;<>()]*>)?\s*\("
    r"|(?<=[.>])((?!enter\b|leave\b)[A-Za-z_]\w*)\s*(?:<[^;<>()]*>)?\s*\("
)


class Checker:
    def __init__(self, files):
        self.files = files  # path -> text
        self.bodies = []
        calls = {}
        for path, raw in files.items():
            text = strip(raw)
            for name, parameters, begin, end in functions(text):
                self.bodies.append((path, raw, text, name, parameters, begin, end))
                if name not in KEYWORDS:
                    calls.setdefault(name, set()).update(
                        m.group(1) or m.group(2) for m in CALL.finditer(text, begin, end)
                    )
        self.outside = self.closure(calls, LEAVES_STACK | MAY_ENTER)
        self.inside = set(LEAVES_STACK)

    @staticmethod
    def closure(calls, seeds):
        found = set(seeds)
        while True:
            more = {
                n
                for n, c in calls.items()
                if n not in found and n not in NOT_FOLLOWED and c & found
            }
            if not more:
                return found
            found |= more

    def check(self):
        faults = []
        for path, raw, text, name, parameters, begin, end in self.bodies:
            state = {}
            for m in re.finditer(r"\bworker\s*[&*]\s*(\w+)", parameters):
                if not re.search(r"worker\s*\*\s*&", m.group(0)):
                    # by the house's habit a worker is handed on inside weft
                    state[m.group(1)] = "inside"
            self.block(
                text,
                begin + 1,
                end,
                state,
                lambda at, who, why: faults.append(
                    (path, raw.count("\n", 0, at) + 1, name, who, why, raw)
                ),
            )
        seen, out = set(), []
        for path, line, name, who, why, raw in faults:
            lines = raw.split("\n")
            if (
                any("same thread:" in l for l in lines[max(0, line - 2) : line])
                or (path, line, who) in seen
            ):
                continue
            seen.add((path, line, who))
            out.append(
                f"{path}:{line}: `{who}` in {name}() is of the thread before {why}(), "
                "which may end on another"
            )
        return out

    def block(self, text, at, end, state, tell):
        """Goes through [at, end); state: name -> outside | inside | the call that made it stale.

        True: it does not go on.
        """
        while at < end:
            m = re.compile(r"\S").search(text, at, end)
            if not m:
                return False
            at = m.start()
            c = text[at]
            if c == "{":
                close = closing(text, at)
                if self.block(text, at + 1, min(close, end), state, tell):
                    return True
                at = close + 1
                continue
            if c in "};":
                at += 1
                continue
            word = re.compile(r"\w+").match(text, at, end)
            w = word.group(0) if word else ""
            if w in ("if", "for", "while", "switch", "catch"):
                opened = text.find("(", at, end)
                close = closing(text, opened, "(", ")")
                self.statement(text, opened, close, state, tell)
                body_at, body_end = self.extent(text, close + 1, end)
                then = dict(state)
                ended = self.block(text, body_at, body_end, then, tell)
                if w in ("for", "while") and not ended:
                    again = dict(then)
                    self.statement(text, opened, close, again, tell)
                    self.block(text, body_at, body_end, again, tell)
                rest = re.compile(r"\s*else\b").match(text, body_end, end) if w == "if" else None
                if rest:
                    else_at, else_end = self.extent(text, rest.end(), end)
                    other = dict(state)
                    other_ended = self.block(text, else_at, else_end, other, tell)
                    state.clear()
                    self.merge(
                        state, [s for s, e in ((then, ended), (other, other_ended)) if not e]
                    )
                    body_end = else_end
                    if ended and other_ended:
                        return True
                elif not ended:
                    old = dict(state)
                    state.clear()
                    self.merge(state, [old, then])
                at = body_end
                continue
            if w in ("do", "try", "else"):
                at = word.end()
                continue
            stop = self.statement_end(text, at, end)
            self.statement(text, at, stop, state, tell)
            if w in ("return", "throw", "continue", "break", "goto"):
                return True
            at = stop + 1
        return False

    def extent(self, text, at, end):
        m = re.compile(r"\s*(?:\[\[\w+\]\]\s*)?").match(text, at, end)
        at = m.end()
        if at < end and text[at] == "{":
            return at, closing(text, at) + 1
        word = re.compile(r"(?:if|for|while|switch)\b").match(text, at, end)
        if word:
            close = closing(text, text.find("(", at), "(", ")")
            _, stop = self.extent(text, close + 1, end)
            rest = re.compile(r"\s*else\b").match(text, stop, end)
            return (at, self.extent(text, rest.end(), end)[1]) if rest else (at, stop)
        return at, self.statement_end(text, at, end) + 1

    @staticmethod
    def statement_end(text, at, end):
        depth = 0
        for i in range(at, end):
            if text[i] in "([{":
                depth += 1
            elif text[i] in ")]}":
                depth -= 1
            elif text[i] == ";" and depth <= 0:
                return i
        return end

    @staticmethod
    def merge(into, states):
        for s in states:
            for k, v in s.items():
                if k not in into or v not in ("inside", "outside"):
                    into[k] = v
                elif into[k] == "inside" and v == "outside":
                    into[k] = v

    def statement(self, text, at, end, state, tell):
        piece = text[at:end]
        binds = re.search(
            r"(?:\bworker\s*(?:const\s*)?[*&]\s*(?:const\s+)?|\bauto\s*[*&]?\s*|(?<![\w.>]))"
            r"(\w+)\s*=\s*(?:&\s*)?(?:\*\s*)?" + BIND + r"\s*\(",
            piece,
        )
        calls = [m.group(1) or m.group(2) for m in CALL.finditer(piece)]
        calls = [c for c in calls if c not in KEYWORDS]
        uses = [
            (m.start(), n) for n in state for m in re.finditer(r"(?<![\w.>])" + n + r"\b", piece)
        ]
        for where, n in sorted(uses):
            if binds and n == binds.group(1) and where < binds.end(1):
                continue
            if state[n] not in ("inside", "outside"):
                tell(at + where, n, state[n])
        # Arguments are read before the call; what the statement calls counts from the next one on.
        handed_back = re.search(r"finish_park_inside\s*\([^;]*", piece)
        for callee in calls:
            if callee == "leave":
                for n in state:
                    if state[n] == "inside":
                        state[n] = "outside"
                continue
            for n, s in list(state.items()):
                if handed_back and re.search(r"\b" + n + r"\b", handed_back.group(0)):
                    continue
                if (s == "outside" and callee in self.outside) or (
                    s == "inside" and callee in self.inside
                ):
                    state[n] = callee
        if binds:
            state[binds.group(1)] = "outside" if "this_worker" in binds.group(0) else "inside"
        address = re.search(r"\bint\s*[*&]\s*(?:const\s+)?(\w+)\s*=\s*&?\s*errno\b", piece)
        if address:
            state[address.group(1)] = "outside"


def self_test():
    wrong = 0
    for name, (bad, text) in CASES.items():
        found = Checker({"x.cpp": text}).check()
        if bool(found) != bad:
            wrong += 1
            print(f'self-test "{name}": {"not found" if bad else found}')
    print(f"{len(CASES) - wrong} of {len(CASES)} self-tests hold")
    return wrong


def main():
    root = pathlib.Path(sys.argv[1])
    if "--self-test" in sys.argv:
        return 1 if self_test() else 0
    files = {
        str(p.relative_to(root)): p.read_text()
        for d in ("src", "include")
        for p in sorted((root / d).rglob("*"))
        if p.suffix in (".cpp", ".hpp")
    }
    checker = Checker(files)
    faults = checker.check()
    for f in faults:
        print(f)
    print(
        f"{len(checker.bodies)} functions; {len(checker.outside)} names may end on another thread; "
        f"{len(faults)} faults"
    )
    return 1 if faults else 0


sys.exit(main())
