"""Every kernel of csrc/kernels.def in NumPy and float64: one function for each row, of the same name.

Shapes: B samples, O outputs; matrices are (rows, columns). A gradient begins with d. An activation's backward reads
its output Y or its input Z, whichever the list says: the argument's name tells which.
"""

from math import erfc, pi, sqrt
from typing import NamedTuple

import numpy as np

# ---- products, sums and masks ----------------------------------------------------------------------------------------


def gemm(A, B, C=None):
    """A (m, k) times B (k, n), added to C (m, n) where given."""
    product = np.asarray(A, dtype=np.float64) @ np.asarray(B, dtype=np.float64)
    return product if C is None else C + product


def pack_b(B, nr):
    """Packed B (ceil(n / nr), k, nr): B (k, n) cut into tiles of nr columns, the last one filled up with zeros."""
    k, n = B.shape
    packed = np.zeros((-(-n // nr), k, nr))
    for j in range(n):
        packed[j // nr, :, j % nr] = B[:, j]
    return packed


def pack_b_transposed(B, nr):
    """pack_b of the transpose of B (n, k)."""
    return pack_b(B.T, nr)


def pack_a(A, mr):
    """Packed A (tiles, k, mr) of A (m, k): its rows in tiles of nearly equal height, at most mr, the lower ones first,
    each transposed and filled up with zeros."""
    tiles = -(-len(A) // mr)
    heights = [len(A) // tiles + (t >= tiles - len(A) % tiles) for t in range(tiles)] if tiles else []
    out = np.zeros((tiles, A.shape[1], mr))
    for t, height in enumerate(heights):
        begin = sum(heights[:t])
        out[t, :, :height] = A[begin : begin + height].T
    return out


def reduce_partials(partials):
    """Sum (n,) of the rows of partials (slices, n)."""
    return partials.sum(axis=0)


def sum_squares(x):
    return float(np.sum(x * x))


def all_finite(x):
    return float(np.isfinite(x).all())


def penalty(W, l1, l2):
    """l1 sum |W| + l2 sum W^2, and its gradient; that of |W| is 0 at 0."""
    return l1 * np.abs(W).sum() + l2 * (W * W).sum(), l1 * np.sign(W) + 2 * l2 * W


def threefry2x32(key, counter):
    """Threefry-2x32 with 20 rounds (Salmon et al., SC 2011, section 4.2). key and counter are pairs of 32-bit words or
    of arrays of them; returns the pair of random words (uint32 arrays)."""
    rotations = [13, 15, 26, 6, 17, 29, 16, 24]
    keys = [np.atleast_1d(np.asarray(word, dtype=np.uint32)) for word in key]
    keys.append(np.uint32(0x1BD11BDA) ^ keys[0] ^ keys[1])
    a, b = (np.atleast_1d(np.asarray(word, dtype=np.uint32)) + k for word, k in zip(counter, keys, strict=False))
    for round_ in range(20):
        bits = rotations[round_ % 8]
        a = a + b
        b = (b << np.uint32(bits) | b >> np.uint32(32 - bits)) ^ a
        if round_ % 4 == 3:  # every fourth round a part of the key goes in
            i = round_ // 4 + 1
            a = a + keys[i % 3]
            b = b + keys[(i + 1) % 3] + np.uint32(i)
    return a, b


def dropout(X, row, key, rate):
    """X (m, n) with a part `rate` of its elements set to zero and the others divided by 1 - rate. Element (i, j) stays
    where the first random word of the counter (row + i, j) is at least rate * 2^32."""
    i, j = np.indices(X.shape).reshape(2, -1)
    row_words = (i + row) % 2**32
    word, _ = threefry2x32((key % 2**32, key // 2**32), (row_words, j))
    keep = word.reshape(X.shape) >= rate * 2.0**32
    return np.where(keep, X / (1 - rate), 0.0)


# ---- the caller's data: one function for each dtype that it may have -------------------------------------------------


def convert(source, index, dtype, scale):
    """Rows index (m,) of source (rows, n), or all where it is None, rounded to dtype and then multiplied in it."""
    rows = source if index is None else source[index]
    return rows.astype(dtype) * np.dtype(dtype).type(scale)


convert_uint8 = convert_int8 = convert_float16 = convert_float32 = convert_float64 = convert


# ---- activations: forward Y = f(Z), backward dZ = dY f'(Z) -----------------------------------------------------------

LEAKY_SLOPE = 0.01
ELU_ALPHA = 1.0
SELU_SCALE = 1.0507009873554804934  # Klambauer et al., 2017, equation 14
SELU_ALPHA = 1.6732632423543772848


def linear_forward(Z):
    return Z.copy()


def linear_backward(dY, Y):  # compiled code leaves it out
    return dY.copy()


def relu_forward(Z):
    return np.where(Z > 0, Z, 0)


def relu_backward(dY, Y):
    return np.where(Y > 0, dY, 0)


def leaky_relu_forward(Z):
    return np.where(Z > 0, Z, LEAKY_SLOPE * Z)


def leaky_relu_backward(dY, Y):
    return np.where(Y > 0, dY, LEAKY_SLOPE * dY)


def elu_forward(Z):
    """Clevert et al., 2016."""
    return np.where(Z > 0, Z, ELU_ALPHA * np.expm1(np.minimum(Z, 0)))


def elu_backward(dY, Y):
    return np.where(Y > 0, dY, dY * (Y + ELU_ALPHA))  # alpha exp(Z) = Y + alpha


def selu_forward(Z):
    return SELU_SCALE * np.where(Z > 0, Z, SELU_ALPHA * np.expm1(np.minimum(Z, 0)))


def selu_backward(dY, Y):
    return np.where(Y > 0, SELU_SCALE * dY, dY * (Y + SELU_SCALE * SELU_ALPHA))


def normal_cdf(Z):
    """Phi of the standard normal distribution; by erfc, because 1 + erf loses the digits of the lower tail."""
    return np.vectorize(lambda z: 0.5 * erfc(-z / sqrt(2)), otypes=[float])(Z)


def gelu_forward(Z):
    """Z Phi(Z), Hendrycks and Gimpel, 2016."""
    return Z * normal_cdf(Z)


def gelu_backward(dY, Z):
    return dY * (normal_cdf(Z) + Z * np.exp(-Z * Z / 2) / sqrt(2 * pi))


def gelu_tanh_forward(Z):
    """The same paper's approximation by tanh."""
    return 0.5 * Z * (1 + np.tanh(sqrt(2 / pi) * (Z + 0.044715 * Z**3)))


def gelu_tanh_backward(dY, Z):
    t = np.tanh(sqrt(2 / pi) * (Z + 0.044715 * Z**3))
    slope = sqrt(2 / pi) * (1 + 3 * 0.044715 * Z**2)
    return dY * (0.5 * (1 + t) + 0.5 * Z * (1 - t * t) * slope)


def silu_forward(Z):
    return Z * sigmoid_forward(Z)


def silu_backward(dY, Z):
    s = sigmoid_forward(Z)
    return dY * (s + Z * s * (1 - s))


def mish_forward(Z):
    """Z tanh(softplus(Z)), Misra, 2019."""
    return Z * np.tanh(softplus_forward(Z))


def mish_backward(dY, Z):
    t = np.tanh(softplus_forward(Z))
    return dY * (t + Z * (1 - t * t) * sigmoid_forward(Z))


def softplus_forward(Z):
    """log(1 + exp(Z))."""
    return np.maximum(Z, 0) + np.log1p(np.exp(-np.abs(Z)))


def softplus_backward(dY, Y):
    return dY * -np.expm1(-Y)  # sigmoid(Z) = 1 - exp(-Y)


def sigmoid_forward(Z):
    e = np.exp(-np.abs(Z))  # at most 1: never overflows
    return np.where(Z >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_backward(dY, Y):
    return dY * Y * (1 - Y)


def hard_sigmoid_forward(Z):
    """clip(Z / 6 + 1 / 2, 0, 1)."""
    return np.clip(Z / 6 + 0.5, 0, 1)


def hard_sigmoid_backward(dY, Y):
    return np.where((Y > 0) & (Y < 1), dY / 6, 0)


def tanh_forward(Z):
    return np.tanh(Z)


def tanh_backward(dY, Y):
    return dY * (1 - Y * Y)


def softsign_forward(Z):
    return Z / (1 + np.abs(Z))


def softsign_backward(dY, Y):
    return dY * (1 - np.abs(Y)) ** 2  # 1 - |Y| = 1 / (1 + |Z|)


def exponential_forward(Z):
    return np.exp(Z)


def exponential_backward(dY, Y):
    return dY * Y


def softmax_forward(Z):
    """exp(Z) / sum exp(Z) of each row."""
    e = np.exp(Z - Z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(dY, Y):
    return Y * (dY - (dY * Y).sum(axis=1, keepdims=True))


ACTIVATIONS = [name.removesuffix("_forward") for name in dir() if name.endswith("_forward")]


# ---- losses: (value, dY) of sum_i w_i scale loss(Y_i, T_i); param: the loss's own number -----------------------------

OVER_SAMPLES = {"squared_error", "half_squared_error", "cross_entropy"}  # means over samples; others over outputs too


def weighted(per_sample, gradient, w, scale):
    """per_sample (B,), gradient (B, O), w (B,)."""
    return float((w * scale * per_sample).sum()), scale * w[:, None] * gradient


def squared_error_loss(Y, T, w, scale, param):
    return weighted(((Y - T) ** 2).sum(axis=1), 2 * (Y - T), w, scale)


def half_squared_error_loss(Y, T, w, scale, param):
    return weighted(((Y - T) ** 2).sum(axis=1) / 2, Y - T, w, scale)


def mae_loss(Y, T, w, scale, param):
    return weighted(np.abs(Y - T).sum(axis=1), np.sign(Y - T), w, scale)


def huber_loss(Y, T, w, scale, param=1.0):
    """d^2 / 2 up to |d| = delta = param, a straight line beyond (Huber, 1964)."""
    d = Y - T
    loss = np.where(np.abs(d) <= param, d * d / 2, param * (np.abs(d) - param / 2))
    return weighted(loss.sum(axis=1), np.clip(d, -param, param), w, scale)


def quantile_loss(Y, T, w, scale, param=0.5):
    """max(q (t - y), (q - 1) (t - y)) with q = param; the gradient at y = t is 0."""
    d = T - Y
    gradient = np.where(d > 0, -param, np.where(d < 0, 1 - param, 0))
    return weighted(np.maximum(param * d, (param - 1) * d).sum(axis=1), gradient, w, scale)


def poisson_loss(Y, T, w, scale, param):
    """exp(y) - t y: the negative log likelihood of a count t of rate exp(y), without log t!."""
    return weighted((np.exp(Y) - T * Y).sum(axis=1), np.exp(Y) - T, w, scale)


def binary_cross_entropy_loss(Y, T, w, scale, param):
    """Of the logit y: -t log s - (1 - t) log(1 - s), s = sigmoid(y)."""
    loss = np.maximum(Y, 0) - Y * T + np.log1p(np.exp(-np.abs(Y)))
    return weighted(loss.sum(axis=1), sigmoid_forward(Y) - T, w, scale)


def cross_entropy_loss(Y, T, w, scale, param):
    """Of logits Y (B, O): -sum_j t'_j log softmax(Y)_j with t' = (1 - eps) t + eps / O, eps = param."""
    smooth = (1 - param) * T + param / Y.shape[1]
    top = Y.max(axis=1, keepdims=True)
    log_sum = top + np.log(np.exp(Y - top).sum(axis=1, keepdims=True))
    mass = smooth.sum(axis=1, keepdims=True)
    loss = mass * log_sum - (smooth * Y).sum(axis=1, keepdims=True)
    return weighted(loss[:, 0], mass * softmax_forward(Y) - smooth, w, scale)


def cross_entropy_labels_loss(Y, T, w, scale, param):
    """The same with T (B,) the numbers of the classes."""
    return cross_entropy_loss(Y, np.eye(Y.shape[1])[T], w, scale, param)


def _ignoring(loss):
    """The same loss, an element at a time, of the targets that are there: NaN adds nothing and has a gradient of 0."""

    def ignoring(Y, T, w, scale, param):
        total, gradient = 0.0, np.zeros_like(Y)
        for j in range(Y.shape[1]):
            there = ~np.isnan(T[:, j])
            part = loss(Y[there, j : j + 1], T[there, j : j + 1], w[there], scale, param)
            total, gradient[there, j] = total + part[0], part[1][:, 0]
        return total, gradient

    return ignoring


LOSSES = [name.removesuffix("_loss") for name in dir() if name.endswith("_loss")]
for _name in LOSSES:
    if not _name.startswith("cross_entropy"):  # whose rows have one target together
        globals()[f"{_name}_missing_loss"] = _ignoring(globals()[f"{_name}_loss"])


# ---- correct answers: how many there are, times scale ----------------------------------------------------------------


def correct_labels(Y, T, scale):
    """Rows of Y (B, O) whose largest element, the first of equal ones, is that of the number T (B,)."""
    return scale * float((Y.argmax(axis=1) == T).sum()) if Y.size else 0.0


def correct_multiclass(Y, T, scale):
    """The same with the largest of each row of T (B, O); rows in which one is NaN do not count."""
    there = ~np.isnan(T).any(axis=1)
    return correct_labels(Y[there], T[there].argmax(axis=1) if T.size else [], scale)


def correct_multilabel(Y, T, scale):
    """Elements that say yes, Y > 0, where it is wanted, T > 1/2, and no where it is not; not where T is NaN."""
    return scale * float((((Y > 0) == (T > 0.5)) & ~np.isnan(T)).sum())


# ---- updates: new (p, s0, s1); s0 and s1 are returned as they came where the update has no use for them --------------


class Hyper(NamedTuple):
    """In the order of fastbp.h's enum fbp_hyper. beta1 is also momentum and RMSprop's rho."""

    lr: float = 0.1
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    correction1: float = 1.0  # 1 - beta1^t
    correction2: float = 1.0  # 1 - beta2^t
    scale: float = 1.0
    limit: float = np.inf


def clipped(g, h):
    return np.clip(g * h.scale, -h.limit, h.limit)


def decayed(g, p, h):
    return clipped(g, h) + h.weight_decay * p


def sgd_update(p, s0, s1, g, h):
    return p - h.lr * decayed(g, p, h), s0, s1


def momentum_update(p, s0, s1, g, h):
    s0 = h.beta1 * s0 + decayed(g, p, h)
    return p - h.lr * s0, s0, s1


def nesterov_update(p, s0, s1, g, h):
    """The momentum looks one step ahead (Sutskever et al., 2013)."""
    g = decayed(g, p, h)
    s0 = h.beta1 * s0 + g
    return p - h.lr * (g + h.beta1 * s0), s0, s1


def adam_step(p, s0, s1, g, h):
    s0 = h.beta1 * s0 + (1 - h.beta1) * g
    s1 = h.beta2 * s1 + (1 - h.beta2) * g * g
    return p - h.lr * (s0 / h.correction1) / (np.sqrt(s1 / h.correction2) + h.eps), s0, s1


def adam_update(p, s0, s1, g, h):
    """Kingma and Ba, 2015, algorithm 1."""
    return adam_step(p, s0, s1, decayed(g, p, h), h)


def adamw_update(p, s0, s1, g, h):
    """Weight decay apart from the gradient (Loshchilov and Hutter, 2019)."""
    return adam_step(p - h.lr * h.weight_decay * p, s0, s1, clipped(g, h), h)


def rmsprop_update(p, s0, s1, g, h):
    g = decayed(g, p, h)
    s0 = h.beta1 * s0 + (1 - h.beta1) * g * g
    return p - h.lr * g / (np.sqrt(s0) + h.eps), s0, s1


def adagrad_update(p, s0, s1, g, h):
    """Duchi et al., 2011."""
    g = decayed(g, p, h)
    s0 = s0 + g * g
    return p - h.lr * g / (np.sqrt(s0) + h.eps), s0, s1
