# What the operating system has for threads.

cdef enum:
    # The deepest kernels (maps of three operands) take 13 KB, what calls them 1 KB. A signal that arrives meanwhile puts
    # the vector registers on the stack too: 3 KB, or 11 KB on a CPU with matrix registers.
    STACK = 32768           # bytes that a thread must have left for compiled code

cdef size_t stack_left() noexcept nogil
cdef int check_stack() except -1
cdef void hold_signals() noexcept nogil
cdef void take_signals() noexcept nogil
cdef void run_anywhere() noexcept nogil
cdef int startable(int count, size_t stack) noexcept nogil
