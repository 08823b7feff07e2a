"""What an operation's fields mean, once for the three places that they are in.

An operation is written in Python as a fastbp._compiler.program.Operation, lies in a plan as the C struct Op
(fastbp/_core/program.pxd), and fastbp/_core/executable.pyx makes the one of the other. FIELDS has a row for each field,
with those of Op that come of it; DRIVERS has a row for each kind of operation, with the fields that mean something to
it. Tests compare all of it with the three.

In shapes B is the rows of the block at hand; G = `group` rows that each sample has; R = `rows`, of what is
batch-invariant.
"""

from typing import NamedTuple


class Field(NamedTuple):
    """becomes: the fields of Op that are made of it; meaning: shape or unit, and what it is."""

    becomes: tuple
    meaning: str


class Driver(NamedTuple):
    """fields: those that an operation of this driver may set, besides its name; computes: what it does with them."""

    fields: tuple
    computes: str


FIELDS = {
    "name": Field(("drive",), "the driver: a row of DRIVERS"),
    "kernel": Field(
        ("kernel",), "a row of csrc/kernels.def; None: there is nothing to do beside the product or the copy"
    ),
    "out": Field(("out",), "the value that is written"),
    "kept": Field(("kept",), "rows: what the activation was applied to, for backward; None: nobody reads it"),
    "x": Field(("x",), "the value that is read first; int32 where it holds row numbers"),
    "y": Field(("y",), "a second value; int32 where it holds class numbers; None: there is none"),
    "w": Field(("w",), "(B,) weights of samples; None: all are 1"),
    "W": Field(("W",), "(n_in, n_out) an invariant value, its rows one after another"),
    "bias": Field(("bias",), "(n_out,) an invariant value; None: there is none"),
    "a": Field(("a",), "an Operand of an elementwise operation or a sum"),
    "b": Field(("b",), "a second one; None: there is none"),
    "c": Field(("c",), "a third one; None: there is none"),
    "group": Field(("group",), "rows of n_out numbers that each sample has, 1 or more"),
    "rows": Field(
        ("invariant_rows",), "rows of an operation on what is batch-invariant; 0: it is over the rows of the batch"
    ),
    "packed_b": Field(
        ("packed_b", "packed_b_bytes"), 'W, or its transpose, packed: "own" (of each thread) or "shared"; None: not'
    ),
    "packed_a": Field(("pack_a", "packed_a", "packed_a_bytes"), "whether the left operand is packed"),
    "partial": Field(
        ("partial", "slice_bytes"), "number where its sum begins in a slice's vector of sums; -1: nowhere"
    ),
    "partial_ld": Field(("partial_ld",), "numbers between two rows of that sum"),
    "begins": Field(("begins",), "whether it is the first to write there; others add"),
    "ones": Field(("ones",), "whether the sum of y over the rows follows there, as one more row"),
    "sums": Field(("sums",), "number of its sum over the batch, float64, one of each slice"),
    "n_in": Field(("n_in",), "columns that are read, rows of W or of a table; of `convert` bytes of an element"),
    "n_out": Field(
        ("n_out",), "columns that are written, or read where none are; of `gather_rows` and `prefetch` bytes of a row"
    ),
    "scale": Field(("scale",), "what a sum, or each converted number, is multiplied by"),
    "param": Field(("param",), "the kernel's number: an exponent, a rate in [0, 1), a loss's parameter"),
    "number": Field(("number",), "of a dropout's mask"),
    "prefetch": Field(
        ("prefetch",), "whether it prefetches the next step's rows; of what brings rows in: whether its rows are"
    ),
}

# Fields of Op that come of the plan, its dtype and ISA: kernels of the products, their tiles, the bytes of a real.
OF_THE_PLAN = ("gemm", "pack_b", "copy", "mr", "nr", "kc", "mc", "b_tile", "b_row", "item", "slices")

_PRODUCT = ("x", "n_in", "n_out")

# The rows of a sum of rows are put where its slice has room for them.
DRIVERS = {
    # products
    "dense": Driver(
        ("kernel", "out", "kept", "W", "bias", "packed_b", "packed_a", "prefetch", *_PRODUCT),
        "out (B, n_out) = kernel(x (B, n_in) W + bias), or x W without a kernel; kept (B, n_out) = x W + bias",
    ),
    "input_gradient": Driver(
        ("out", "y", "W", "packed_b", "packed_a", "n_in", "n_out"), "out (B, n_in) = y (B, n_out) W^T"
    ),
    "weight_gradient": Driver(
        ("y", "packed_a", "partial", "partial_ld", "begins", "ones", "prefetch", *_PRODUCT),
        "the sum (n_in, n_out) += x (B, n_in)^T y (B, n_out); below it the sum of y, where ones",
    ),
    "matmul": Driver(("out", "y", "rows", *_PRODUCT), "out (R, n_out) = x (R, n_in) y (n_in, n_out), all invariant"),
    "outer": Driver(
        ("kernel", "out", "y", "c", *_PRODUCT), "out (B, n_in n_out) = x (B, n_in) times y (B, n_out), each sample; + c"
    ),
    # the caller's rows
    "gather_rows": Driver(
        ("out", "x", "n_out", "prefetch"), "out (B,) = the rows of x, n_out bytes each, in the order of training"
    ),
    "prefetch": Driver(
        ("x", "n_out", "prefetch"), "nothing is written: the next step's rows of x, n_out bytes each, are prefetched"
    ),
    "convert": Driver(
        ("kernel", "out", "scale", "prefetch", *_PRODUCT),
        "out (B, n_out) = scale times x (B, n_out), whose elements have n_in bytes",
    ),
    # row by row
    "map": Driver(
        ("kernel", "out", "a", "b", "c", "group", "rows", "n_out", "param"), "out (B G or R, n_out) = kernel(a, b, c)"
    ),
    "row_reduce": Driver(
        ("kernel", "out", "x", "group", "rows", "n_out"),
        "out (B G or R, 1) = kernel of each row of x (B G or R, n_out)",
    ),
    "activate": Driver(
        ("kernel", "out", "kept", "x", "bias", "group", "rows", "n_out"), "out (B G or R, n_out) = kernel(x + bias)"
    ),
    "activation_gradient": Driver(
        ("kernel", "out", "x", "y", "group", "rows", "n_out"),
        "out (B G or R, n_out) = y times the activation's derivative, x being its output or its input",
    ),
    "dropout": Driver(
        ("kernel", "out", "x", "n_out", "param", "number"), "out (B, n_out) = x, kept or zeroed by the mask"
    ),
    "embedding_lookup": Driver(
        ("kernel", "out", "x", "W", "n_out"), "out (B, n_out) = the rows of W (., n_out) that x (B,) names"
    ),
    # sums over the batch
    "batch_sum": Driver(
        ("kernel", "y", "a", "b", "partial", "partial_ld", "begins", "n_out"),
        "the sum (n_out,) += a (B, n_out), or a times b; made by range, it reads y, which is a",
    ),
    "scatter": Driver(
        ("kernel", "y", "partial", "partial_ld", "begins", *_PRODUCT),
        "row x[i] of the sum (n_in, n_out) += row i of y (B, n_out); never begins, as it only adds",
    ),
    "zero": Driver(("partial", "n_out"), "the sum (n_out,) = 0, for those that only add to it"),
    "reduce_partials": Driver(
        ("kernel", "out", "rows", "partial", "n_out"), "out (n_out,) = the slices' sums, in their order"
    ),
    "total": Driver(
        ("kernel", "a", "b", "sums", "n_out", "scale"), "the sum += scale times that of a (B, n_out), or a b"
    ),
    "finish_total": Driver(("out", "rows", "sums"), "out, one number = the slices' sums, in their order"),
    "loss": Driver(
        ("kernel", "out", "x", "y", "w", "sums", "n_out", "scale", "param"),
        "the sum += the loss of outputs x (B, n_out) for targets y; out (B, n_out) = its gradient for x",
    ),
    "correct": Driver(
        ("kernel", "x", "y", "sums", "n_out", "scale"), "the sum += how many of x (B, n_out) are correct for targets y"
    ),
    # what is batch-invariant
    "column_sum": Driver(
        ("kernel", "out", "x", "rows", "n_out"), "out (n_out,) = the sum of x (R, n_out) over its rows"
    ),
    "transpose": Driver(("kernel", "out", "x", "rows", "n_out"), "out (R, n_out) = x (n_out, R)^T"),
}
