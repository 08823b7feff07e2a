"""Which driver runs an operation: a row for each name that fastbp/_compiler/operations.py knows."""
from fastbp._core cimport gemm, maps, rows
from fastbp._core.program cimport Driver, RangeDriver


cdef Driver driver_named(str name) except NULL:
    """The driver of an operation: one row an operation."""
    if name == "map":
        return maps.map_rows
    if name == "dense":
        return gemm.dense
    if name == "input_gradient":
        return gemm.input_gradient
    if name == "weight_gradient":
        return gemm.partial_weight_gradient
    if name == "batch_sum":
        return maps.batch_sum
    if name == "activation_gradient":
        return rows.activation_gradient
    if name == "activate":
        return maps.activate
    if name == "dropout":
        return rows.dropout
    if name == "loss" or name == "correct":
        return rows.loss
    if name == "gather_rows":
        return rows.gather_rows
    if name == "prefetch":
        return rows.prefetch
    if name == "convert":
        return rows.convert
    if name == "row_reduce":
        return maps.row_reduce
    if name == "total":
        return maps.total
    if name == "finish_total":
        return maps.finish_total
    if name == "zero":
        return maps.zero
    if name == "reduce_partials":
        return maps.reduce_partials
    if name == "column_sum":
        return maps.column_sum
    if name == "transpose":
        return maps.transpose
    if name == "matmul":
        return gemm.matmul
    if name == "outer":
        return maps.outer
    if name == "embedding_lookup":
        return maps.embedding_lookup
    if name == "scatter":
        return maps.scatter
    raise ValueError(f"no driver runs the operation {name!r}")


cdef RangeDriver range_driver_named(str name) except NULL:
    """The driver of an operation that makes a range's gradient from the whole batch."""
    if name == "weight_gradient":
        return gemm.weight_rows
    if name == "batch_sum":
        return gemm.bias_columns
    if name == "scatter":
        return gemm.table_rows
    raise ValueError(f"no driver makes the gradient of a range by {name!r}")
