"""fastbp: the compiled steps that `fit` takes, a chunk of them a call, without its checks, validation and History.
fastbp_fit.py is `fit` itself."""
import fastbp as fb
from fastbp import graph as g
from fastbp._training import loop, network_fit
from fastbp._training.expression_fit import ExpressionJob

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


def curve(case):
    """The plan of a polynomial, at its initial parameters."""
    x, y = g.inputs("x", "y")
    k = g.parameter("k", case.parameters, init=case.initial_parameters())
    return g.compile(g.mean((g.sum(k[i] * x**i for i in range(case.parameters)) - y) ** 2))


class Contender:
    """One workload in fastbp; see bench/peers/__init__.py."""

    multiple = 1

    def __init__(self, case, X, y, threads=1):
        self.case, self.X, self.y, self.threads = case, X, y, threads
        self.net, self.optimizer, self.calls = network(case), optimizer(case), 0

    def run(self, steps):
        self.calls += 1
        network_fit.run_steps(self.net, self.X, self.y, self.optimizer, self.case.batch, steps, seed=self.calls,
                        threads=self.threads)

    def loss(self):
        B = self.case.batch
        return float(self.net.loss_and_grad(self.X[:B], self.y[:B]))


class Curve:
    """A polynomial as an expression of fastbp; see bench/peers/__init__.py."""

    multiple = 1

    def __init__(self, case, X, y, threads=1):
        self.case, self.data, self.plan, self.optimizer = case, {"x": X, "y": y}, curve(case), optimizer(case)
        self.job = ExpressionJob(self.plan, self.data, case.batch, None, 0.0, threads)

    def run(self, steps):
        loop.run_steps(self.job, self.optimizer, steps)

    def loss(self):
        return self.plan.loss(**self.data)
