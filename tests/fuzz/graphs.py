"""Random expressions, three bytes an operation: compiled, they give what single numbers and differences give."""

import numpy as np
from expression_cases import arrays
from ir.test_random_graphs import STEPS, expression, of_parameters
from oracle import agrees, central, close, compiled

import fastbp as fb
from fuzz.judge import Finding

CORPUS = "graphs"
NAMES = sorted(STEPS)
KINKS = {"maximum", "where", "max"}  # differences across one are those of no slope
MOST = 9  # operations: what is longer takes differences to fewer digits
ROWS = {name: array for name, array in arrays(2).items() if name in "xyz"}


def mutate(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice((1, 2, 3, 6))):
        if len(data) < 3 * MOST + 1 and rng.random() < 0.5:
            at = rng.randrange(len(data) // 3 + 1) * 3 + 1
            data[at:at] = bytes(rng.randrange(256) for _ in range(3))
        elif data and rng.random() < 0.7:
            data[rng.randrange(len(data))] = rng.randrange(256)
        elif len(data) > 4:
            at = rng.randrange(len(data) // 3) * 3 + 1
            del data[at : at + 3]
    return bytes(data[: 3 * MOST + 1])


def run(data):
    """Always taken: every graph is one."""
    kind = data[0] if data else 0
    steps = [(NAMES[data[i] % len(NAMES)], data[i + 1] % 13, data[i + 2] % 31) for i in range(1, len(data) - 2, 3)][
        :MOST
    ]
    loss, rows = (of_parameters(steps)[0], {}) if kind % 4 == 0 else (expression(steps)[0], ROWS)
    try:
        plan = agrees(loss, rows, tolerance=1e-11)
        if kind % 3 == 0 and not KINKS & {name for name, _, _ in steps}:
            central(plan, rows, tolerance=3e-6)
        if kind % 10 == 0:
            single = compiled(loss, "float32")
            value = single.loss_and_grad(**rows)[0]
            if not close(value, plan.loss_and_grad(**rows)[0], 1e-3) and np.isfinite(value):
                raise Finding("float32 is far from float64")
        if kind % 14 == 0:
            of_steps(loss, rows)
    except AssertionError as error:
        raise Finding(f"{steps}: {error}") from error
    return True


def of_steps(loss, rows):
    """Two epochs of fit are the loop by hand, bit for bit."""
    if not rows:
        return
    one, other = compiled(loss), compiled(loss)
    one.fit(rows, epochs=2, batch_size=2, shuffle=False, optimizer=fb.SGD(0.01), progress=False)
    optimizer = fb.SGD(0.01)
    for _ in range(2):
        other.loss_and_grad(**rows)
        optimizer.step(other)
    if one.params.tobytes() != other.params.tobytes():
        raise Finding("fit is not the loop by hand")
