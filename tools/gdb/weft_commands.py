# SPDX-License-Identifier: BSL-1.0
# tools/gdb/weft_commands.py - the second half of the script: commands and printers. The build puts
# it behind weft.py, whose names it uses; one file is loaded and installed.


class InfoFibers(gdb.Command):
    """Lists weft's fibers: info fibers [TEXT], those whose line holds it."""

    def __init__(self):
        super().__init__("info fibers", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        count = 0
        for fiber in fibers():
            selected = Selection.fiber is not None and Selection.fiber.address == fiber.address
            line = "%s %s, %s" % ("*" if selected else " ", fiber.title(), fiber.status())
            place = fiber.place()
            if place:
                line += "  in " + place
            if argument and argument not in line:
                continue
            count += 1
            print(line)
        print("%d fibers" % count)


class FiberCommand(gdb.Command):
    """Shows the calls of one weft fiber: fiber ID; back to the thread: fiber none."""

    def __init__(self):
        super().__init__("fiber", gdb.COMMAND_STACK, prefix=True)

    def invoke(self, argument, from_tty):
        if argument == "none":
            Selection.clear()
            return
        if not argument.isdigit():
            raise gdb.GdbError(
                "fiber ID, fiber none, fiber apply ID... COMMAND or fiber apply all COMMAND"
            )
        fiber = find_fiber(int(argument))
        by_selection = select(fiber)
        print("[%s, %s]" % (fiber.title(), fiber.status()))
        if by_selection:
            gdb.execute("frame")


class FiberApply(gdb.Command):
    """Runs a command for weft fibers: fiber apply ID... COMMAND, or: fiber apply all COMMAND."""

    def __init__(self):
        super().__init__("fiber apply", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split()
        if words[:1] == ["all"]:
            chosen, command = [f for f in fibers() if not f.is_thread], words[1:]
        else:
            ids = []
            while words and words[0].isdigit():
                ids.append(int(words.pop(0)))
            chosen, command = [find_fiber(i) for i in ids], words
        if not chosen or not command:
            raise gdb.GdbError("fiber apply ID... COMMAND or fiber apply all COMMAND")
        before = gdb.selected_thread()
        try:
            for fiber in chosen:
                print("\n%s (%s)" % (fiber.title(), fiber.status()))
                try:
                    select(fiber)
                    gdb.execute(" ".join(command))
                except gdb.error as e:
                    print(e)
        finally:
            Selection.clear()
            before.switch()


class ChannelPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        at, core = layout(), int(self.value["core_"])
        text = "%d of %d items" % (
            at.read(core, "channel_core.size_"),
            at.read(core, "channel_core.capacity_"),
        )
        if at.read(core, "channel_core.closed_"):
            text += ", closed"
        for side in ("senders", "receivers"):
            waiting = 0
            queue = at.member(core, "channel_core.%s_" % side)
            waiter = at.read(queue, "waiter_queue.first_")
            while waiter != 0 and waiting < 1000:
                waiting += 1
                waiter = at.read(waiter, "channel_waiter.next")
            if waiting:
                text += ", %d waiting %s" % (waiting, side)
        return text


class MutexPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        state = self.value["state_"]
        word = number(state["word"])
        if not word & 1:
            return "free"
        by = " by " + Fiber(number(state["owner"])).title() if word & 8 else ""
        return "locked" + by + (", waited for" if word & 2 else "")


class FiberPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        task = int(self.value["task_"])  # the first part of its record
        if task == 0:
            return "no fiber"
        fiber = Fiber(task)
        return "%s, %s" % (fiber.title(), fiber.status())


def printers():
    all_ = gdb.printing.RegexpCollectionPrettyPrinter("weft")
    all_.add_printer("channel", "^weft::channel<.*>$", ChannelPrinter)
    all_.add_printer("mutex", "^weft::mutex$", MutexPrinter)
    all_.add_printer("fiber", "^weft::fiber<.*>$", FiberPrinter)
    return all_


def load():
    gdb.printing.register_pretty_printer(None, printers(), replace=True)
    if "weft-fiber" in gdb.frame_filters:
        return  # sourced, and carried by the program
    gdb.unwinder.register_unwinder(None, FiberUnwinder(), replace=True)
    FiberFrames()
    for command in (InfoFibers, FiberCommand, FiberApply):
        command()
    gdb.events.cont.connect(lambda event: Selection.clear())


load()
