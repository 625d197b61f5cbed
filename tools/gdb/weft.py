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
# written, so it works on a core file, and `continue` continues what was there. Needs weft's debug
# information (-g), which tells where its fields are. Stacks of fibers that do not run: x86-64.
from types import SimpleNamespace

import gdb
import gdb.printing
import gdb.unwinder

STATES = ("unused", "not started", "runnable", "running", "parking", "parked", "woken", "dead")
UNUSED, FRESH, RUNNABLE, RUNNING, PARKING, PARKED, WOKEN, DEAD = range(8)
IS_THREAD, INLINED = 2, 4
SLAB_BITS = 10
THREAD_BIT = 1 << 63


def weft_type(name):
    return gdb.lookup_type("weft::detail::" + name)


def plain(value):
    """What an atomic holds."""
    t = value.type.strip_typedefs()
    if t.code == gdb.TYPE_CODE_STRUCT and "atomic<" in str(t):
        return value.address.cast(t.template_argument(0).pointer()).dereference()
    return value


def number(value):
    return int(plain(value))


def offset_of(type_, name):
    return next(f.bitpos // 8 for f in type_.fields() if f.name == name)


def read_number(address, size):
    memory = gdb.selected_inferior().read_memory(address, size)
    return int.from_bytes(bytes(memory), "little")


class Fiber:
    def __init__(self, record):
        self.record = record  # a gdb.Value
        self.address = int(record.address)
        self.id = int(record["id"])
        self.flags = number(record["flags"])
        self.state = read_number(int(record["word"].address), 1)

    @property
    def is_thread(self):
        return bool(self.flags & IS_THREAD)

    @property
    def name(self):
        extras = plain(self.record["extras"])
        return (
            "" if int(extras) == 0 else extras.dereference()["name"]["_M_dataplus"]["_M_p"].string()
        )

    @property
    def context(self):
        return int(self.record["context"])

    def reason(self):
        return (
            str(plain(self.record["reason"])).rpartition("::")[2]
            if self.state in (PARKING, PARKED, WOKEN)
            else ""
        )

    def title(self):
        kind = "thread %d" % (self.id & ~THREAD_BIT) if self.is_thread else "fiber %d" % self.id
        return kind + (' "%s"' % self.name if self.name else "")

    def status(self):
        what, reason = number(self.record["wait_object"]), self.reason()
        return (
            STATES[self.state]
            + (": " + reason if reason else "")
            + (" 0x%x" % what if reason and what else "")
        )

    def registers(self):
        """Of a fiber whose stack is at rest, by what jump_fcontext saved on x86-64."""
        if self.state not in (PARKED, RUNNABLE) or self.context == 0:
            return None
        saved = [read_number(self.context + 8 * i, 8) for i in range(8)]
        names = ("r12", "r13", "r14", "r15", "rbx", "rbp", "rip")
        return dict(zip(names, saved[1:]), rsp=self.context + 64)

    def place(self):
        """The innermost function that is not weft's; the library's own have frame pointers."""
        registers = self.registers()
        if registers is None:
            return ""
        address, frame = registers["rip"], registers["rbp"]
        for _ in range(16):
            name = function_at(address - 1)
            if name and not is_of(name, "weft::"):
                return name
            if not registers["rsp"] <= frame < registers["rsp"] + (1 << 20):
                break
            address, frame = read_number(frame + 8, 8), read_number(frame, 8)
        return ""


def function_at(address):
    block = gdb.current_progspace().block_for_pc(address)
    while block is not None:
        if block.function is not None:
            return block.function.name
        block = block.superblock
    return None


def record_table():
    try:
        return gdb.parse_and_eval("'weft::detail::(anonymous namespace)::all_records'")
    except gdb.error:
        raise gdb.GdbError(
            "weft's debug information is not there: build the weft library with -g, "
            "or install its debug package"
        )


def fibers():
    """All that live, and plain threads that wait.

    Slabs are read as bytes first: most records are unused.
    """
    table = record_table()
    record_type = weft_type("fiber_record")
    word_at = offset_of(record_type, "word")
    slabs = number(table["count"]) >> SLAB_BITS
    for i in range(slabs):
        slab = number(table["slabs"][i])
        if slab == 0:
            continue
        memory = bytes(gdb.selected_inferior().read_memory(slab, record_type.sizeof << SLAB_BITS))
        for k in range(1 << SLAB_BITS):
            state = memory[k * record_type.sizeof + word_at]
            if state in (UNUSED, DEAD):
                continue
            fiber = Fiber(
                gdb.Value(slab + k * record_type.sizeof).cast(record_type.pointer()).dereference()
            )
            if fiber.is_thread and state != PARKED:
                continue
            if not fiber.is_thread and int(fiber.record["home"]) == 0:
                continue
            yield fiber


def find_fiber(id_):
    for fiber in fibers():
        if fiber.id == id_:
            return fiber
    raise gdb.GdbError("there is no fiber %d; `info fibers` lists them" % id_)


def workers():
    homes = {}
    for fiber in fibers():
        if not fiber.is_thread:
            homes[int(fiber.record["home"])] = fiber.record["home"]
    for home in homes.values():
        s = home.dereference()
        start = s["threads_"]["workers_"]["_M_impl"]["_M_start"]
        for i in range(number(s["threads_"]["count_"])):
            pointer = (start + i).cast(weft_type("worker").pointer().pointer())
            yield pointer.dereference().dereference()


def thread_of(fiber):
    """The gdb thread a running fiber is on."""
    for worker in workers():
        if int(worker["current"]) == fiber.address:
            lwp = number(worker["tid"])
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
        if gdb.selected_inferior().architecture().name() != "i386:x86-64":
            raise gdb.GdbError("stacks of fibers that do not run are shown on x86-64 only")
        registers = fiber.registers()
        if registers is None:
            raise gdb.GdbError(
                "%s has no stack that rests: it is %s" % (fiber.title(), STATES[fiber.state])
            )
        cls.stack_pointer = int(gdb.newest_frame().read_register("rsp"))
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
        sp = frame.read_register("rsp")
        if int(sp) != Selection.stack_pointer:
            return None
        info = frame.create_unwind_info(SimpleNamespace(sp=sp, pc=frame.read_register("rip")))
        for name, value in Selection.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(frame.read_register(name).type))
        return info


def is_of(name, space):
    return (name or "").startswith(space) and not name.startswith("weft::detail::run_callable")


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
            yield frame


def select(fiber):
    """True if it is shown by the selection, False if by its thread."""
    if fiber.state in (RUNNING, PARKING, WOKEN):
        Selection.clear()
        thread = thread_of(fiber)
        if thread is None:
            inner = next(
                (
                    f
                    for f in fibers()
                    if f.flags & INLINED and int(f.record["outer"]) == fiber.address
                ),
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
