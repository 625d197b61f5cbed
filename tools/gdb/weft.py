# SPDX-License-Identifier: BSL-1.0
# tools/gdb/weft.py - fibers in gdb: live processes and core files.
#
#   info fibers [TEXT]              all of them, or those whose line holds TEXT
#   fiber ID                        its calls for bt, up, print; `fiber none` goes back to the
#                                   thread
#   fiber apply ID... | all COMMAND
#   print of a channel, a mutex, a fiber handle
#
# The script is this file and weft_commands.py behind it, put together by the build.
# weft's library carries it in its section .debug_gdb_scripts, so gdb loads it by itself
# wherever its auto-load safe-path allows (gdb says what to write into ~/.gdbinit where it does
# not). `source weft.py` does the same. A parked fiber is shown by an unwinder: the caller of the
# selected thread's innermost frame is then what the fiber's saved context says. No register is
# written, so it works on a core file, and `continue` continues what was there. Where weft's fields
# are is read from a table in the library, so neither the program nor weft needs debug information
# for all this (printing a variable does).
import re
from collections import namedtuple
from types import SimpleNamespace

import gdb
import gdb.printing
import gdb.unwinder
from gdb.FrameDecorator import FrameDecorator

THREAD_BIT = 1 << 63

# By gdb's name of the architecture: its registers, and what jump_fcontext leaves on a stack, by
# words from the one the fiber's context points to; None is not needed.
Machine = namedtuple("Machine", "pc sp fp saved address_bits")
MACHINES = {
    "i386:x86-64": Machine(
        "rip", "rsp", "rbp", (None, "r12", "r13", "r14", "r15", "rbx", "rbp", "rip"), 64
    ),
    "aarch64": Machine(
        # d8 to d15 first; the bits above a return address may be its signature
        *("pc", "sp", "x29"),
        (None,) * 8 + tuple("x%d" % i for i in range(19, 31)) + ("pc", None),
        48,
    ),
}


def machine():
    """None: not known here."""
    return MACHINES.get(gdb.selected_inferior().architecture().name())


def plain(value):
    """What an atomic holds."""
    t = value.type.strip_typedefs()
    if t.code == gdb.TYPE_CODE_STRUCT and "atomic<" in str(t):
        return value.address.cast(t.template_argument(0).pointer()).dereference()
    return value


def number(value):
    return int(plain(value))


def read_bytes(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def one_line(name):
    """As in the library's reports. gdb prints no text with a zero byte, and controls raw."""
    known = {"\n": "\\n", "\t": "\\t"}
    return "".join(
        c if c.isprintable() else known.get(c, "".join("\\x%02x" % b for b in c.encode()))
        for c in name.decode(errors="backslashreplace")
    )


def read_number(address, size):
    return int.from_bytes(read_bytes(address, size), "little")


class Layout:
    """Where the fields are: the library's table (src/debug/debug_offsets.hpp)."""

    VERSION, ENTRY = 1, 40

    def __init__(self, address):
        version, count = read_number(address, 4), read_number(address + 4, 4)
        if version != self.VERSION:
            raise gdb.GdbError(
                "weft's table of offsets has the version %d, this script reads %d; "
                "the library carries the script that fits" % (version, self.VERSION)
            )
        self.records = read_number(address + 8, 8)
        self.entries = {}
        memory = read_bytes(address + 16, count * self.ENTRY)
        for at in range(0, len(memory), self.ENTRY):
            name = memory[at : at + 32].rstrip(b"\0").decode()
            numbers = memory[at + 32 : at + 40]
            self.entries[name] = tuple(int.from_bytes(numbers[i : i + 4], "little") for i in (0, 4))
        self.states = self.names("state.")
        self.reasons = self.names("reason.")

    def names(self, kind):
        found = {n[len(kind) :]: v[0] for n, v in self.entries.items() if n.startswith(kind)}
        return {value: name for name, value in found.items()}

    def constant(self, name):
        return self.entries[name][0]

    def member(self, address, name):
        """The address of a member of the object at `address`."""
        return address + self.entries[name][0]

    def read(self, address, name):
        offset, size = self.entries[name]
        return read_number(address + offset, size)


def layout():
    """Of the process or core file that is looked at."""
    if not gdb.selected_inferior().threads():
        raise gdb.GdbError("there is no process, and no core file")
    try:
        address = int(gdb.parse_and_eval("(unsigned long)&weft_debug_offsets"))
    except gdb.error:
        raise gdb.GdbError(
            "weft's symbol weft_debug_offsets is not there: the program does not use weft, "
            "or its symbol table was stripped"
        )
    if layout.last is None or layout.last[0] != (gdb.selected_inferior().pid, address):
        layout.last = ((gdb.selected_inferior().pid, address), Layout(address))
    return layout.last[1]


layout.last = None


class Fiber:
    def __init__(self, address, at=None):
        self.layout = at or layout()
        self.address = address
        self.id = self.field("id")
        self.flags = self.field("flags")
        word = read_number(self.layout.member(address, "fiber_record.word"), 1)
        self.state = self.layout.states.get(word, "in state %d" % word)

    def field(self, name):
        return self.layout.read(self.address, "fiber_record." + name)

    @property
    def is_thread(self):
        return bool(self.flags & self.layout.constant("flag.is_thread"))

    @property
    def is_inlined(self):
        return bool(self.flags & self.layout.constant("flag.inlined"))

    @property
    def name(self):
        extras = self.field("extras")
        if extras == 0 or "fiber_extras.name" not in self.layout.entries:
            return ""
        text = self.layout.member(extras, "fiber_extras.name")
        size = min(read_number(text + 8, 8), 256)
        return one_line(read_bytes(read_number(text, 8), size)) if size else ""

    def reason(self):
        if self.state not in ("parking", "parked", "woken"):
            return ""
        reason = self.field("reason")
        return self.layout.reasons.get(reason, "reason %d" % reason)

    def title(self):
        kind = "thread %d" % (self.id & ~THREAD_BIT) if self.is_thread else "fiber %d" % self.id
        return kind + (' "%s"' % self.name if self.name else "")

    def status(self):
        what, reason = self.field("wait_object"), self.reason()
        return (
            self.state
            + (": " + reason if reason else "")
            + (" 0x%x" % what if reason and what else "")
        )

    def registers(self):
        """Of a fiber whose stack is at rest, by what jump_fcontext saved."""
        context, of = self.field("context"), machine()
        if self.state not in ("parked", "runnable") or context == 0 or of is None:
            return None
        found = {of.sp: context + 8 * len(of.saved)}
        for i, name in enumerate(of.saved):
            if name is not None:
                found[name] = read_number(context + 8 * i, 8)
        return found

    def place(self):
        """The innermost function that is not weft's; the library's own have frame pointers."""
        registers = self.registers()
        if registers is None:
            return ""
        of = machine()
        address, frame = registers[of.pc], registers[of.fp]
        for _ in range(16):
            name = function_at((address & ((1 << of.address_bits) - 1)) - 1)
            if name and not is_of(name, "weft::"):
                return name
            if not registers[of.sp] <= frame < registers[of.sp] + (1 << 20):
                break
            address, frame = read_number(frame + 8, 8), read_number(frame, 8)
        return ""


def function_at(address):
    """By debug information, or else by the symbol table."""
    block = gdb.current_progspace().block_for_pc(address)
    while block is not None:
        if block.function is not None:
            return block.function.name
        block = block.superblock
    text = gdb.execute("info symbol 0x%x" % address, to_string=True)
    found = re.match(r"(.+?)(?: \+ \d+)? in section ", text)
    return found[1] if found else None


def fibers():
    """All that live, and plain threads that wait.

    Slabs are read as bytes first: most records are unused.
    """
    at = layout()
    size, bits = at.constant("fiber_record"), at.constant("slab_bits")
    unused = [value for value, name in at.states.items() if name in ("unused", "dead")]
    word = at.entries["fiber_record.word"][0]
    slabs = at.member(at.records, "record_table.slabs")
    for i in range(at.read(at.records, "record_table.count") >> bits):
        slab = read_number(slabs + 8 * i, 8)
        if slab == 0:
            continue
        memory = read_bytes(slab, size << bits)
        for k in range(1 << bits):
            if memory[k * size + word] in unused:
                continue
            fiber = Fiber(slab + k * size, at)
            if fiber.is_thread and fiber.state != "parked":
                continue
            if not fiber.is_thread and fiber.field("home") == 0:
                continue
            yield fiber


def find_fiber(id_):
    for fiber in fibers():
        if fiber.id == id_:
            return fiber
    raise gdb.GdbError("there is no fiber %d; `info fibers` lists them" % id_)


def workers():
    at = layout()
    for home in {fiber.field("home") for fiber in fibers() if not fiber.is_thread}:
        threads = at.member(home, "scheduler.threads_")
        first = read_number(at.member(threads, "worker_threads.workers_"), 8)
        for i in range(at.read(threads, "worker_threads.count_")):
            yield read_number(first + 8 * i, 8)


def thread_of(fiber):
    """The gdb thread a running fiber is on."""
    at = layout()
    for worker in workers():
        if at.read(worker, "worker.current") == fiber.address:
            lwp = at.read(worker, "worker.tid")
            return next(
                (t for t in gdb.selected_inferior().threads() if lwp in (t.ptid[1], t.ptid[2])),
                None,
            )
    return None


class Selection:
    """The fiber whose stack is shown, and on which thread: in place of its innermost frame."""

    fiber = None
    registers = None
    thread = None
    stack_pointer = 0

    @classmethod
    def clear(cls):
        if cls.registers is not None:
            cls.fiber = cls.registers = cls.thread = None
            gdb.invalidate_cached_frames()

    @classmethod
    def select(cls, fiber):
        cls.clear()
        if machine() is None:
            raise gdb.GdbError(
                "stacks of fibers that do not run are shown on x86-64 and aarch64 only"
            )
        registers = fiber.registers()
        if registers is None:
            raise gdb.GdbError(
                "%s has no stack that rests: it is %s" % (fiber.title(), fiber.state)
            )
        cls.stack_pointer = int(gdb.newest_frame().read_register(machine().sp))
        cls.fiber, cls.registers, cls.thread = fiber, registers, gdb.selected_thread().global_num
        gdb.invalidate_cached_frames()


class FiberUnwinder(gdb.unwinder.Unwinder):
    def __init__(self):
        super().__init__("weft fibers")

    def __call__(self, frame):
        if Selection.registers is None or gdb.selected_thread() is None:
            return None
        if gdb.selected_thread().global_num != Selection.thread:
            return None
        of = machine()
        sp = frame.read_register(of.sp)
        if int(sp) != Selection.stack_pointer:
            return None
        info = frame.create_unwind_info(SimpleNamespace(sp=sp, pc=frame.read_register(of.pc)))
        for name, value in Selection.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(frame.read_register(name).type))
        return info


def qualified(name):
    """The function's name alone: symbols without debug information say types and arguments, too."""
    name = (name or "").replace("(anonymous namespace)", "{anonymous}")
    shorter = re.sub(r"<[^<>]*>", "", name)
    while shorter != name and "operator" not in name:
        name, shorter = shorter, re.sub(r"<[^<>]*>", "", shorter)
    return name.partition("(")[0].rpartition(" ")[2]


def is_of(name, space):
    name = qualified(name)
    return name.startswith(space) and not name.startswith("weft::detail::run_callable")


class FiberFrame(FrameDecorator):
    """A caller's frame.

    Without debug information gdb takes its function from the address it goes on at, which lies
    behind a function that ends with the call.
    """

    def function(self):
        function = super().function()
        return function_at(function - 1) or function if isinstance(function, int) else function


class FiberFrames:
    """While a fiber is selected: leaves out the thread's own frame and those of weft's that wait.

    `bt -no-filters` shows them.
    """

    def __init__(self):
        self.name, self.priority, self.enabled = "weft-fiber", 100, True
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        inside = Selection.registers is not None
        for frame in frames:
            if inside and (
                frame.inferior_frame().level() == 0
                or is_of(frame.inferior_frame().name(), "weft::detail::")
            ):
                continue
            inside = False
            yield FiberFrame(frame) if Selection.registers is not None else frame


def select(fiber):
    """True if it is shown by the selection, False if by its thread."""
    if fiber.state in ("running", "parking", "woken"):
        Selection.clear()
        thread = thread_of(fiber)
        if thread is None:
            inner = next(
                (f for f in fibers() if f.is_inlined and f.field("outer") == fiber.address),
                None,
            )
            if inner is None:
                raise gdb.GdbError("%s is between two states; no thread has it" % fiber.title())
            return select(inner)
        thread.switch()
        return False
    Selection.select(fiber)
    first = gdb.newest_frame().older()
    frame = first
    while frame is not None and is_of(frame.name(), "weft::"):
        frame = frame.older()
    (frame or first).select()
    return True
