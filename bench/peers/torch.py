"""PyTorch, eager: functional layers, autograd, the fused optimizers."""
import torch
import torch.nn.functional as F

from bench.peers.numpy import views

NAME, VERSION = "torch", torch.__version__
ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "linear": lambda z: z}


class Contender:
    """One workload in PyTorch; see bench/peers/__init__.py."""

    multiple = 1

    def __init__(self, case, X, y, threads=1):
        torch.set_num_threads(threads)
        self.case, self.X, self.y = case, torch.from_numpy(X), torch.from_numpy(y)
        self.params = []
        for W, b in views(case.initial_parameters(), case.shapes):
            self.params += [torch.tensor(W.T.copy(), requires_grad=True), torch.tensor(b, requires_grad=True)]
        self.optimizer = {
            None: lambda: None,
            "sgd": lambda: torch.optim.SGD(self.params, lr=case.lr, fused=True),
            "momentum": lambda: torch.optim.SGD(self.params, lr=case.lr, momentum=0.9, fused=True),
            "adam": lambda: torch.optim.Adam(self.params, lr=case.lr, fused=True),
        }[case.update]()
        self.generator = torch.Generator().manual_seed(0)
        self.order, self.next = None, case.rows
        self.value = self.forward

    def outputs(self, x):
        """Those of the last layer."""
        for i, activation in enumerate(self.case.activations):
            x = ACTIVATIONS[activation](F.linear(x, self.params[2 * i], self.params[2 * i + 1]))
        return x

    def forward(self, x, y):
        """The loss of one batch."""
        x = self.outputs(x)
        if self.case.classes:
            return F.cross_entropy(x, y)
        if self.case.loss == "squared_error":
            return F.mse_loss(x, y, reduction="sum") / self.case.batch
        return F.mse_loss(x, y)

    def batch(self):
        """The rows of the next shuffled batch."""
        case = self.case
        if not case.shuffled:
            return self.X, self.y
        if self.next + case.batch > case.rows:
            self.order, self.next = torch.randperm(case.rows, generator=self.generator), 0
        index = self.order[self.next:self.next + case.batch]
        self.next += case.batch
        return self.X.index_select(0, index), self.y.index_select(0, index)

    def run(self, steps):
        for _ in range(steps):
            value = self.value(*self.batch())
            if self.optimizer is None:
                torch.autograd.grad(value, self.params)
            else:
                self.optimizer.zero_grad(set_to_none=True)
                value.backward()
                self.optimizer.step()

    def loss(self):
        with torch.no_grad():
            return float(self.forward(self.X[:self.case.batch], self.y[:self.case.batch]))


class Validating(Contender):
    """A classification whose epochs end with a look at the validation data; see bench/peers/__init__.py."""

    def __init__(self, case, X, y, threads=1):
        super().__init__(case, X, y, threads)
        self.held = [torch.from_numpy(array) for array in case.held_data()]
        self.least, self.best = float("inf"), [torch.empty_like(p) for p in self.params]
        self.validated = None

    def run(self, steps):
        for _ in range(steps):
            super().run(1)
            if self.next + self.case.batch > self.case.rows:
                self.validate()

    @torch.no_grad()
    def validate(self):
        """The cross-entropy and the accuracy of the validation data; keeps the parameters where it is the least."""
        X, y = self.held
        outputs = self.outputs(X)
        value = float(F.cross_entropy(outputs, y))
        self.validated = value, float((outputs.argmax(dim=1) == y).float().mean())
        if value < self.least:
            self.least = value
            for kept, now in zip(self.best, self.params, strict=True):
                kept.copy_(now)


class Curve:
    """A polynomial in PyTorch; see bench/peers/__init__.py."""

    multiple = 1

    def __init__(self, case, X, y, threads=1):
        torch.set_num_threads(threads)
        self.x, self.y = torch.from_numpy(X), torch.from_numpy(y)
        self.k = torch.tensor(case.initial_parameters(), requires_grad=True)
        self.optimizer = torch.optim.SGD([self.k], lr=case.lr, fused=True)

    def value(self):
        return ((sum(self.k[i] * self.x**i for i in range(len(self.k))) - self.y) ** 2).mean()

    def run(self, steps):
        for _ in range(steps):
            value = self.value()
            self.optimizer.zero_grad(set_to_none=True)
            value.backward()
            self.optimizer.step()

    def loss(self):
        with torch.no_grad():
            return float(self.value())
