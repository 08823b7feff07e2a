"""Warnings of a training that comes to nothing: inputs too large to learn from, layers that are dead, labels in order.

Whoever trains for the first time sees a loss that stands still, and no reason. These looks cost nearly nothing: one at
the classes that are held out, before the first step; all others only where the loss has not moved. They change nothing,
and each says one thing once a training.
"""

import numpy as np

from fastbp._training.finite import magnitude

LARGE = 100.0  # inputs of this magnitude saturate or kill the units of a network that begins as ours do
STILL = 0.01  # a loss that has moved by less, relatively, has not moved
FIRST = 3  # epochs after which the loss is looked at the first time; then after 6, 12, 24 ...
ROWS = 1000  # looked at first; all of them only where these are suspicious
UNSEEN = 0.1  # a class of which training sees less than this part of its due is hardly seen


def unseen_classes(trained, held):
    """What to say of labels, ints (n,) trained on and (m,) held out from the end of the data, or "" for nothing:
    whether many of those held out are of classes that are hardly trained on."""
    classes = max(trained.max(), held.max()) + 1
    seen, asked = np.bincount(trained, minlength=classes), np.bincount(held, minlength=classes)
    hardly = (asked > 0) & (seen < UNSEEN * asked * (len(trained) / len(held)))
    rows = int(asked[hardly].sum())
    if rows < max(2, 0.1 * len(held)):
        return ""
    first = int(np.flatnonzero(hardly)[0])
    return (
        f"validation_split holds out the last {len(held)} samples, and {rows} of them are of classes that training "
        f"hardly sees: class {first} is there {asked[first]} times, and {seen[first]} times in the {len(trained)} "
        "samples trained on; shuffle X and y first, or pass validation_data"
    )


def stands_still(history, known):
    """The number of epochs after which it was time to look, of those since the first `known` ones, and the loss had not
    moved by 1 %: since the first epoch, or since half as many epochs before. 0 where there is none."""
    losses, look = history.history["loss"], FIRST
    while look <= len(losses):
        if look > known:
            past = losses[0 if look == FIRST else look // 2 - 1 : look]
            if max(past) - min(past) <= STILL * abs(past[0]):
                return look
        look *= 2
    return 0


def from_the_start(history, optimizer, look, why):
    """`why`, a reason or "", as the hint of a training whose loss has stood still from its first step on, as a look
    after so many epochs found; of others "": who goes on with an optimizer that has taken steps before may have
    arrived."""
    if not why or look != FIRST or optimizer.steps != len(history.epoch) * history.params["steps"]:
        return ""
    return f"the loss has not moved by 1 % in {FIRST} epochs: {why}"


def large_inputs(inputs, n, scale):
    """What to say of the size of n samples' inputs, which a network multiplies by `scale`, or "".

    inputs(slice): rows of X.
    """
    size = magnitude(inputs(slice(0, n, max(1, n // ROWS)))) * scale
    if size < LARGE:
        return ""
    return (
        f"X goes up to {size:.4g} in magnitude, and networks learn from inputs of about 1: pass "
        f"input_scale={scale / size:.3g} to the network, or standardise X"
    )


def large_data(arrays):
    """What to say of the size of an expression's inputs, {name: array with a row for each sample}, or ""."""
    # what is of longer integers is an index
    real = {name: array for name, array in arrays.items() if array.dtype.kind == "f" or array.dtype.itemsize == 1}
    sizes = {name: magnitude(array[:: max(1, len(array) // ROWS)]) for name, array in real.items()}
    name = max(sizes, key=sizes.get, default=None)
    if name is None or sizes[name] < LARGE:
        return ""
    return (
        f"{name!r} goes up to {sizes[name]:.4g} in magnitude, and gradient descent learns from numbers of about 1: "
        f"divide it by {sizes[name]:.3g}, in the data or in the expression, or standardise it"
    )


def dead_layer(net, inputs, n):
    """What to say of the first relu layer whose outputs are 0 for all of n samples, or "". inputs(slice): rows of X, as
    the network reads it.

    Its gradient is 0 then; that of the last batch is there, and is looked at first, where no penalty is in it.
    """
    for i, layer in enumerate(net.layers):
        if layer.activation == "relu" and not any(gradient.any() for gradient in _of_data(layer)):
            head = net.head(i)
            parts = [slice(0, n, max(1, n // ROWS)), *(slice(first, first + ROWS) for first in range(0, n, ROWS))]
            if not any(head._outputs(inputs(part))[0].any() for part in parts):
                return (
                    f"every output of layer {i} ({layer!r}) is 0 for every sample trained on, so nothing before it can "
                    "learn any more; use a smaller lr, or another activation such as 'leaky_relu'"
                )
    return ""


def _of_data(layer):
    """The gradients of a layer that no penalty is a part of."""
    return [getattr(layer, f"d{each.name}") for each in layer.parameters() if not each.penalised]
