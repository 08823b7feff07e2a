"""fastbp: the compiled loop that `net.fit` runs, without its checks, validation and history."""
import fastbp as fb
from fastbp import train

NAME, VERSION = "fastbp", fb.__version__


def network(case):
    """The net of a case, at its initial parameters."""
    layers = [fb.Dense(inputs, units, activation)
              for (inputs, units), activation in zip(case.shapes, case.activations, strict=True)]
    net = fb.Sequential(*layers, loss=case.loss)
    net.params[:] = case.initial_parameters()
    return net


def optimizer(case):
    """The update of a case, or None."""
    return {None: lambda: None, "sgd": lambda: fb.SGD(lr=case.lr), "momentum": lambda: fb.SGD(lr=case.lr, momentum=0.9),
            "adam": lambda: fb.Adam(lr=case.lr)}[case.update]()


class Contender:
    """One workload in fastbp; see bench/peers/__init__.py."""

    multiple = 1

    def __init__(self, case, X, y, threads=1):
        self.case, self.X, self.y, self.threads = case, X, y, threads
        self.net, self.optimizer, self.calls = network(case), optimizer(case), 0

    def run(self, steps):
        self.calls += 1
        train.run_steps(self.net, self.X, self.y, self.optimizer, self.case.batch, steps, seed=self.calls,
                        threads=self.threads)

    def loss(self):
        B = self.case.batch
        return float(self.net.loss_and_grad(self.X[:B], self.y[:B]))
