"""The kernels that expressions are made of, in NumPy and float64: elementwise maps, sums, rows of a table.

One function for each row of csrc/kernels.def, of the same name, as in kernels.py. Operands A, B, C of a map or a sum
broadcast against each other as in NumPy.
"""

import numpy as np

# ---- maps of one operand ---------------------------------------------------------------------------------------------


def copy(A):
    return A.copy()


def exp(A):
    return np.exp(A)


def log(A):
    return np.log(A)


def sqrt(A):
    return np.sqrt(A)


def abs(A):
    return np.abs(A)


def sign(A):
    """-1, 0 or 1; 0 at 0."""
    return np.sign(A)


def square(A):
    return A * A


def sin(A):
    return np.sin(A)


def cos(A):
    return np.cos(A)


def power(A, param):
    """A ** param; of a negative A only for integers of at most 64 in size, and NaN for others."""
    if param == round(param) and -64 <= param <= 64:
        return np.power(A, float(param))
    return np.where(A < 0, np.nan, np.power(np.abs(A), param))


# ---- of two: NaN of either gives NaN; comparisons give 1 or 0 --------------------------------------------------------


def add(A, B):
    return A + B


def subtract(A, B):
    return A - B


def multiply(A, B):
    return A * B


def divide(A, B):
    return A / B


def maximum(A, B):
    return np.maximum(A, B)


def minimum(A, B):
    return np.minimum(A, B)


def less(A, B):
    return np.where(A < B, 1.0, 0.0)


def less_equal(A, B):
    return np.where(A <= B, 1.0, 0.0)


def equal(A, B):
    return np.where(A == B, 1.0, 0.0)


# ---- of three --------------------------------------------------------------------------------------------------------


def multiply_add(A, B, C):
    return A * B + C


def select(A, B, C):
    """B where A is not 0, else C; NaN is not 0."""
    return np.where(A != 0, B, C)


def variable_power(A, B, C, param):
    """C * A ** B * log(A) ** param, of a negative A for whole B without a logarithm. 0 ** 0 is 1, log(0) counts as 0
    beside A ** B with B >= 0, and all of it is 0 where C is."""
    with np.errstate(all="ignore"):
        power = np.power(np.abs(A), B) * np.where((A < 0) & (np.abs(B) % 2 == 1), -1, 1)
        power = np.where((A < 0) & (np.round(B) != B), np.nan, power)
        log = np.where((A == 0) & ~(B < 0), 0, np.log(A))
        return np.where(C == 0, 0, C * power * log**param)


# ---- reductions ------------------------------------------------------------------------------------------------------


def row_sum(A):
    """Of each row of A (m, n)."""
    return A.sum(axis=1)


def row_max(A):
    """The largest of each row, or NaN where one is."""
    return A.max(axis=1)


def row_logsumexp(A):
    """log(sum_j exp(A_ij)), which is infinite where the largest of a row is."""
    top = A.max(axis=1, keepdims=True)
    top = np.where(np.isinf(top), 0, top)
    return (top + np.log(np.exp(A - top).sum(axis=1, keepdims=True)))[:, 0]


def sum_product(A, B, s=None):
    """Sum (n,) over the rows of A times B, (m, n) together, added to s where given; B None: of A."""
    return (A if B is None else A * B).sum(axis=0) + (0 if s is None else s)


def total(A, B):
    """Sum of all elements of A times B, (m, n) together; B None: of A."""
    return float((A if B is None else A * B).sum())


# ---- rows of a table -------------------------------------------------------------------------------------------------


def embedding_lookup(W, index):
    """Y (m, n): the rows index (m,) of W."""
    return W[index]


def scatter_add(dW, dY, index, first):
    """dW (count, n), which is for the rows first .. first + count - 1 of a table, plus those rows of dY (m, n) whose
    index (m,) is one of them: the gradient of embedding_lookup."""
    dW = dW.copy()
    for i, row in enumerate(index - first):
        if 0 <= row < len(dW):
            dW[row] += dY[i]
    return dW
