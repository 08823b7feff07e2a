"""Buffer assignment: which values use the same memory, by their liveness. A value's slot is free for the next one when
nothing reads it any more.

Row operations read and write one block of rows at a time. So a plan needs memory for a block of the values that are
alive at once, not of all values, and that memory stays in the L1 cache.
"""

from types import MappingProxyType

from fastbp._compiler.program import Slot

# Drivers that may work in place: their output takes the slot of an operand of the same layout that they read last.
IN_PLACE = {"map", "activate", "activation_gradient", "dropout"}


def assign_buffers(program, pinned, keep=False, exclusive=frozenset(), until=MappingProxyType({})):
    """Gives the local and shared values of a program their slots. pinned: values that are read after the row
    operations; keep: backward is a call of its own, which may be made again; exclusive: values whose slot no other
    value may use; until: {value: the first operation that may write where it was}, beside its last reader."""
    values = program.values
    last, sweep_of = {}, {}
    sweeps = [0 for first, last in program.splits for _ in range(first, last)]
    sweeps += [number for number, sweep in enumerate(program.sweeps) for _ in range(sweep.row, sweep.row_end)]
    if keep:
        sweeps = [number + (i >= program.forward) for i, number in enumerate(sweeps)]
    touched = [_touched(program, operation) for operation in program.operations]
    for i, (written, read) in enumerate(touched):
        for value in (*written, *read):
            last[value] = i
            sweep_of.setdefault(value, sweeps[i])
    for value, i in last.items():  # read in a later sweep, or call, than written: kept for all rows
        if sweeps[i] != sweep_of[value] or value in pinned:
            values[value].mode = "shared"
            last[value] = len(program.operations)
    for value in exclusive:
        last[value] = len(program.operations)
    free, waiting = {}, {}
    for i, (written, read) in enumerate(touched):
        _release(values, waiting.pop(i, ()), free)
        dying = [value for value in dict.fromkeys((*read, *written)) if last[value] == i]
        for value in [value for value in dying if until.get(value, 0) > i]:
            dying.remove(value)
            waiting.setdefault(until[value], []).append(value)
        early = program.operations[i].name in IN_PLACE
        if early:
            reusable = [value for value in dying if value not in written and _whole(program, i, value)]
            _release(values, reusable, free)
            dying = [value for value in dying if value not in reusable]
        for value in written:
            if values[value].slot is None:
                _place(program, value, free)
        _release(values, dying, free)


def _touched(program, operation):
    """(values written, values read) by an operation, by the memory they are in, rows only."""

    def rows(indices):
        roots = {program.root_of(index): None for index in indices if index is not None}
        return [root for root in roots if program.values[root].mode in ("local", "shared")]

    operands = [operand.value for operand in (operation.a, operation.b, operation.c) if operand is not None]
    return rows((operation.out, operation.kept)), rows((operation.x, operation.y, operation.w, *operands))


def _whole(program, i, value):
    """Whether operation i reads this value at the elements that it writes alone, so that it may work in place."""
    operation = program.operations[i]
    if program.root_of(operation.out) != operation.out:
        return False
    for operand in (operation.a, operation.b, operation.c):
        if operand is not None and program.root_of(operand.value) == value:
            own = program.values[operand.value]
            if operand.value != value or own.width != program.values[operation.out].width or not operand.step:
                return False
    return True


def _key(value):
    return Slot(value.mode, value.width, value.itemsize, value.padded)


def _place(program, index, free):
    value = program.values[index]
    slots = free.setdefault(_key(value), [])
    if slots:
        value.slot = slots.pop()
    else:
        value.slot = len(program.slots)
        program.slots.append(_key(value))


def _release(values, indices, free):
    for index in indices:
        if values[index].slot is not None:
            free.setdefault(_key(values[index]), []).append(values[index].slot)
