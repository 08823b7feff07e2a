"""What the operating system has for threads: stacks, signals, CPUs, and how many more of them it would start."""
from libc.stdlib cimport calloc, free
from fastbp._core.locks cimport *

cdef extern from "calling_thread.h" nogil:
    size_t fastbp_stack_left() noexcept nogil
    long thread_number "fastbp_thread_number"() noexcept nogil
    void wait_until_gone "fastbp_wait_until_gone"(long number) noexcept nogil
    void fastbp_hold_signals() noexcept nogil
    void fastbp_take_signals() noexcept nogil
    void fastbp_run_anywhere() noexcept nogil


cdef size_t stack_left() noexcept nogil:
    """The bytes of stack that the calling thread has left, SIZE_MAX where that is not known."""
    return fastbp_stack_left()


cdef int check_stack() except -1:
    """Raises RuntimeError where the calling thread has too little stack left for a kernel."""
    cdef size_t left = stack_left()
    if left < STACK:
        raise RuntimeError(
            f"the stack of this thread has {left // 1024} KB left, expected {STACK // 1024} KB for compiled code; start "
            "the thread after threading.stack_size(1 << 20), or Python after ulimit -s 8192"
        )
    return 0


cdef void hold_signals() noexcept nogil:
    """Keeps the process's signals from the calling thread, and from threads that it starts, until `take_signals`."""
    fastbp_hold_signals()


cdef void take_signals() noexcept nogil:
    fastbp_take_signals()


cdef void run_anywhere() noexcept nogil:
    """The calling thread may run wherever the process's first one may."""
    fastbp_run_anywhere()


cdef struct Probe:
    fbp_thread thread
    fbp_mutex *gate
    long number


cdef void *wait_at_gate(void *argument) noexcept nogil:
    cdef Probe *probe = <Probe *>argument
    probe.number = thread_number()
    fbp_mutex_lock(probe.gate)
    fbp_mutex_unlock(probe.gate)
    return NULL


cdef int startable(int count, size_t stack) noexcept nogil:
    """How many of `count` more threads with stacks of so many bytes, 0 for the system's default, can be started: as many are
    started, wait for each other, and end."""
    cdef fbp_mutex gate
    cdef Probe *probes
    cdef int started = 0, i
    if count < 1:
        return 0
    probes = <Probe *>calloc(count, sizeof(Probe))
    if probes is NULL:
        return 0
    fbp_mutex_init(&gate)
    fbp_mutex_lock(&gate)
    while started < count:
        probes[started].gate = &gate
        if fbp_thread_start(&probes[started].thread, stack, wait_at_gate, &probes[started]) != 0:
            break
        started += 1
    fbp_mutex_unlock(&gate)
    for i in range(started):
        fbp_thread_join(probes[i].thread)
    for i in range(started):
        wait_until_gone(probes[i].number)
    fbp_mutex_destroy(&gate)
    free(probes)
    return started
