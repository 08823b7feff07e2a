"""JAX at its best: the whole step jitted, many steps in one lax.scan, the parameters donated."""
import os

import numpy as np

from bench.peers import Batches
from bench.peers.numpy import BETA1, BETA2, EPS, MOMENTUM, views

if os.environ.get("OPENBLAS_NUM_THREADS") == "1":  # the worker's one word for threads; XLA reads its own at import
    os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false "
                               "intra_op_parallelism_threads=1").strip()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import jax
import jax.numpy as jnp

NAME, VERSION = "jax", jax.__version__
ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid, "linear": lambda z: z}


def outputs_of(case, params, X):
    """Those of the last layer, (n, outputs)."""
    for (W, b), activation in zip(params, case.activations, strict=True):
        X = ACTIVATIONS[activation](X @ W + b)
    return X


def loss_of(case):
    """f(params, X, y) -> loss of one batch."""
    def loss(params, X, y):
        X = outputs_of(case, params, X)
        if case.classes:
            picked = jnp.take_along_axis(X, y[:, None], axis=1)[:, 0]
            return jnp.mean(jax.nn.logsumexp(X, axis=1) - picked)
        return jnp.sum((X - y) ** 2) / (case.batch if case.loss == "squared_error" else X.size)
    return loss


def step_of(case):
    """f(carry, X, y) -> (carry, loss): one training step. carry = params, m, v, steps taken, a learning rate."""
    value_and_grad, each = jax.value_and_grad(loss_of(case)), jax.tree.map

    def step(carry, X, y):
        params, m, v, t, lr = carry
        value, grads = value_and_grad(params, X, y)
        t = t + 1
        if case.update == "momentum":
            m = each(lambda m, g: MOMENTUM * m + g, m, grads)
            params = each(lambda p, m: p - lr * m, params, m)
        elif case.update == "adam":
            m = each(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, grads)
            v = each(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, grads)
            c1, c2 = 1 - BETA1 ** t, 1 - BETA2 ** t
            params = each(lambda p, m, v: p - lr * (m / c1) / (jnp.sqrt(v / c2) + EPS), params, m, v)
        else:  # without an update lr is 0, which the compiler cannot know: else it would compute the gradient once
            params = each(lambda p, g: p - lr * g, params, grads)
        return (params, m, v, t, lr), value
    return step


class Contender:
    """One workload in JAX; see bench/peers/__init__.py."""

    def __init__(self, case, X, y, threads=1):
        self.case, self.X, self.y = case, jnp.asarray(X), jnp.asarray(y.astype(np.int32) if case.classes else y)
        self.taken = min(32, case.rows // case.batch) if case.shuffled else 32  # steps of one order
        self.multiple = self.taken * -(-32 // self.taken)  # a scan goes on over the end of a short epoch
        if case.flop > 1e9:
            self.taken = self.multiple = 2  # a step of many milliseconds gains nothing from a longer scan
        params = [(jnp.asarray(W), jnp.asarray(b)) for W, b in views(case.initial_parameters(), case.shapes)]
        zeros = [(jnp.zeros_like(W), jnp.zeros_like(b)) for W, b in params]
        m = zeros if case.update in ("momentum", "adam") else ()
        v = jax.tree.map(jnp.copy, zeros) if case.update == "adam" else ()
        self.carry = (params, m, v, jnp.float32(0), jnp.float32(case.lr))
        self.batches = Batches(case.rows, case.batch, np.random.default_rng(0), "int32")
        self.many = jax.jit(self.scanned(step_of(case)), donate_argnums=0)
        self.value = jax.jit(loss_of(case))

    def scanned(self, step):
        """f(carry, X, y, index) -> (carry, losses): `multiple` steps, over the rows of index where the case gathers."""
        case = self.case

        def many(carry, X, y, index):
            def one(carry, rows):
                return step(carry, X[rows], y[rows]) if case.shuffled else step(carry, X, y)
            return jax.lax.scan(one, carry, index, length=self.multiple)

        return many

    def index(self):
        """The rows of the next `multiple` steps, int32 (multiple, batch); None where all rows are one batch."""
        if not self.case.shuffled:
            return None
        parts = [self.batches.take(self.taken) for _ in range(self.multiple // self.taken)]
        return np.concatenate(parts).reshape(self.multiple, self.case.batch)

    def run(self, steps):
        for _ in range(steps // self.multiple):
            self.carry, _ = self.many(self.carry, self.X, self.y, self.index())
        jax.block_until_ready(self.carry)

    def loss(self):
        return float(self.value(self.carry[0], self.X[:self.case.batch], self.y[:self.case.batch]))


class Validating(Contender):
    """A classification whose epochs end with a look at the validation data: a scan of scans. See
    bench/peers/__init__.py."""

    def __init__(self, case, X, y, threads=1):
        super().__init__(case, X, y, threads)
        self.carry = (self.carry, jnp.float32(jnp.inf), jax.tree.map(jnp.copy, self.carry[0]))
        self.validated = None

    def scanned(self, step):
        value, (X_held, y_held) = loss_of(self.case), (jnp.asarray(array) for array in self.case.held_data())

        def many(carry, X, y, index):
            def one(carry, rows):
                return step(carry, X[rows], y[rows])

            def epoch(carry, rows):
                carry, least, best = carry
                carry, _ = jax.lax.scan(one, carry, rows)
                found = value(carry[0], X_held, y_held)
                right = jnp.mean(outputs_of(self.case, carry[0], X_held).argmax(axis=1) == y_held)
                best = jax.tree.map(lambda now, kept: jnp.where(found < least, now, kept), carry[0], best)
                return (carry, jnp.minimum(found, least), best), (found, right)

            return jax.lax.scan(epoch, carry, index.reshape(-1, self.taken, self.case.batch))

        return many

    def run(self, steps):
        for _ in range(steps // self.multiple):
            self.carry, self.validated = self.many(self.carry, self.X, self.y, self.index())
        jax.block_until_ready(self.carry)

    def loss(self):
        return float(self.value(self.carry[0][0], self.X[:self.case.batch], self.y[:self.case.batch]))


class Curve:
    """A polynomial in JAX; see bench/peers/__init__.py."""

    def __init__(self, case, X, y, threads=1):
        self.x, self.y, self.multiple = jnp.asarray(X), jnp.asarray(y), 32
        self.k = jnp.asarray(case.initial_parameters())

        def loss(k, x, y):
            return jnp.mean((sum(k[i] * x**i for i in range(case.parameters)) - y) ** 2)

        def many(k, x, y):
            def one(k, _):
                value, gradient = jax.value_and_grad(loss)(k, x, y)
                return k - case.lr * gradient, value
            return jax.lax.scan(one, k, None, length=self.multiple)

        self.many, self.value = jax.jit(many, donate_argnums=0), jax.jit(loss)

    def run(self, steps):
        for _ in range(steps // self.multiple):
            self.k, _ = self.many(self.k, self.x, self.y)
        jax.block_until_ready(self.k)

    def loss(self):
        return float(self.value(self.k, self.x, self.y))
