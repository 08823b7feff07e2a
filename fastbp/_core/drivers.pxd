from fastbp._core.program cimport Driver, RangeDriver

cdef Driver driver_named(str name) except NULL
cdef RangeDriver range_driver_named(str name) except NULL
