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


def loss_of(case):
    """f(params, X, y) -> loss of one batch."""
    def loss(params, X, y):
        for (W, b), activation in zip(params, case.activations, strict=True):
            X = ACTIVATIONS[activation](X @ W + b)
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
        self.multiple = min(32, case.rows // case.batch) if case.shuffled else 32
        if case.flop > 1e9:
            self.multiple = 2  # a step of many milliseconds gains nothing from a longer scan
        params = [(jnp.asarray(W), jnp.asarray(b)) for W, b in views(case.initial_parameters(), case.shapes)]
        zeros = [(jnp.zeros_like(W), jnp.zeros_like(b)) for W, b in params]
        m = zeros if case.update in ("momentum", "adam") else ()
        v = jax.tree.map(jnp.copy, zeros) if case.update == "adam" else ()
        self.carry = (params, m, v, jnp.float32(0), jnp.float32(case.lr))
        self.batches = Batches(case.rows, case.batch, np.random.default_rng(0), "int32")
        step = step_of(case)

        def many(carry, X, y, index):
            def one(carry, rows):
                return step(carry, X[rows], y[rows]) if case.shuffled else step(carry, X, y)
            return jax.lax.scan(one, carry, index, length=self.multiple)

        self.many = jax.jit(many, donate_argnums=0)
        self.value = jax.jit(loss_of(case))

    def run(self, steps):
        for _ in range(steps // self.multiple):
            index = None
            if self.case.shuffled:
                index = self.batches.take(self.multiple).reshape(self.multiple, self.case.batch)
            self.carry, _ = self.many(self.carry, self.X, self.y, index)
        jax.block_until_ready(self.carry)

    def loss(self):
        return float(self.value(self.carry[0], self.X[:self.case.batch], self.y[:self.case.batch]))
