"""fastbp, the network written as an expression: the same plan by another door."""
import fastbp as fb
from bench.peers import fastbp
from fastbp import graph as g
from fastbp._training import loop
from fastbp._training.expression_fit import ExpressionJob

NAME, VERSION = "fastbp_expression", fb.__version__


class Contender(fastbp.Contender):
    """One workload as an expression; see bench/peers/__init__.py."""

    def __init__(self, case, X, y, threads=1):
        super().__init__(case, X, y, threads)
        x, target = g.input("x", case.widths[0]), self.target()
        self.plan = g.compile(self.loss_node(self.net(x), target))
        self.job = ExpressionJob(self.plan, {"x": X, "y": y}, case.batch, None, 0.0, threads)

    def target(self):
        return g.input("y", integer=True) if self.case.classes else g.input("y", self.case.widths[-1])

    def loss_node(self, y, target):
        return getattr(g, self.case.loss)(y, target)

    def run(self, steps):
        self.calls += 1
        loop.run_steps(self.job, self.optimizer, steps, self.calls)

    def loss(self):
        B = self.case.batch
        return self.plan.loss(x=self.X[:B], y=self.y[:B])
