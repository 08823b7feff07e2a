"""fastbp as its users call it: whole trainings by `net.fit` or `plan.fit`, with all that belongs to them - the checks
of the data, an order for each epoch, the accuracy, validation, early stopping, the History. There is no progress bar,
which would depend on where stderr goes.

Each training has the epochs of its workload and begins at the same initial parameters; plans that a model has compiled
once it keeps, as it does for its user.
"""
import fastbp as fb
from bench.peers import fastbp

NAME, VERSION = "fastbp_fit", fb.__version__


class Contender:
    """One workload through `net.fit`; see bench/peers/__init__.py. multiple: the steps of a training."""

    def __init__(self, case, X, y, threads=1):
        if case.update is None:
            raise NotImplementedError("fit updates the parameters, where this workload asks for a gradient alone")
        self.case, self.X, self.y, self.threads = case, X, y, threads
        self.model, self.start = self.made(), case.initial_parameters()
        self.multiple = case.epochs * case.epoch_steps
        self.held = case.held_data() if case.held else None
        self.history = None  # of the last training

    def made(self):
        """The model at its initial parameters."""
        return fastbp.network(self.case)

    def data(self):
        """What fit is told to train on."""
        return self.X, self.y

    def run(self, steps):
        for _ in range(steps // self.multiple):
            self.fit(self.multiple // self.case.epoch_steps)

    def fit(self, epochs):
        """A training from its beginning."""
        self.model.params[:] = self.start
        self.model.epochs = 0
        settings = {"epochs": epochs, "batch_size": self.case.batch, "optimizer": fastbp.optimizer(self.case),
                    "threads": self.threads, "progress": False}
        if self.held:  # as many bad epochs as there are: it never stops
            settings |= {"validation_data": self.held, "early_stopping": fb.EarlyStopping(patience=epochs)}
        self.history = self.model.fit(*self.data(), **settings)

    def loss(self):
        B = self.case.batch
        return float(self.model.loss_and_grad(self.X[:B], self.y[:B]))


Validating = Contender


class Curve(Contender):
    """A polynomial through `plan.fit`."""

    def made(self):
        return fastbp.curve(self.case)

    def data(self):
        return ({"x": self.X, "y": self.y},)

    def loss(self):
        return self.model.loss(x=self.X, y=self.y)
