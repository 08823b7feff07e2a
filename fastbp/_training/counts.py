"""What a model - a network or an expression - counts while it is trained, and training goes on from: the epochs, and
the steps that have drawn dropout masks."""

from fastbp import _check as check


def _set_epochs(model, value):
    value = check.integer("epochs", value, minimum=0, maximum=2**62)
    if not value:
        model._draws = 0  # the masks begin anew, as the orders do
    model._epochs = value


epochs = property(lambda model: model._epochs, _set_epochs)  # of the classes of models


def counts_of(model):
    """The counts as a file has them; {} where nothing has been trained."""
    return {"epochs": model.epochs, "draws": model._draws} if model.epochs or model._draws else {}


def go_on(model, counts):
    """Sets the counts to those of a file; where it has none, nothing was trained, or an older version wrote it: 0."""
    model.epochs = counts.get("epochs", 0)
    model._draws = counts.get("draws", 0)  # after the epochs, as 0 of them rewind it
