"""What the operating system has for threads: stacks, signals, CPUs, and how many more of them it would start."""
from libc.stdlib cimport calloc, free
from fastbp._core.pthreads cimport *

cdef extern from *:
    """
    #include <pthread.h>
    #include <sched.h>
    #include <signal.h>
    #include <stdint.h>
    #if defined __linux__
    #include <sys/syscall.h>
    #include <unistd.h>
    #endif

    /* The ends of the calling thread's stack. */
    typedef struct {
        int measured;
        uintptr_t lowest, highest;
    } fastbp_stack;

    static void fastbp_measure_stack(fastbp_stack *stack)
    {
        stack->measured = 1;
    #if defined __linux__ && !defined __GLIBC__
        if (syscall(SYS_gettid) == getpid()) return;    /* musl knows only what the main thread's stack has grown to */
    #endif
    #if defined __linux__
        pthread_attr_t attr;
        void *lowest;
        size_t size;
        if (pthread_getattr_np(pthread_self(), &attr) != 0) return;
        if (pthread_attr_getstack(&attr, &lowest, &size) == 0) {
            stack->lowest = (uintptr_t)lowest;
            stack->highest = (uintptr_t)lowest + size;
        }
        pthread_attr_destroy(&attr);
    #elif defined __APPLE__
        stack->highest = (uintptr_t)pthread_get_stackaddr_np(pthread_self());
        stack->lowest = stack->highest - pthread_get_stacksize_np(pthread_self());
    #endif
    }

    /* The bytes of stack that the caller has left; SIZE_MAX where that is not known: on other systems, and where a
     * library runs the thread on a stack of its own. */
    static size_t fastbp_stack_left(void)
    {
        static __thread fastbp_stack stack;
        uintptr_t here = (uintptr_t)__builtin_frame_address(0);
        if (!stack.measured) fastbp_measure_stack(&stack);
        return here >= stack.lowest && here < stack.highest ? here - stack.lowest : SIZE_MAX;
    }

    /* A thread's number, and a wait until the system has let go of it: for some microseconds after it was joined, it
     * still counts against the limits. */
    #if defined __linux__
    static long fastbp_thread_number(void) { return syscall(SYS_gettid); }
    static void fastbp_wait_until_gone(long number)
    {
        for (int i = 0; i < 10000 && syscall(SYS_tgkill, getpid(), number, 0) == 0; i++) sched_yield();
    }
    #else
    static long fastbp_thread_number(void) { return 0; }
    static void fastbp_wait_until_gone(long number) { (void)number; }
    #endif

    /* The process's signals are for threads that know of them. What is started between these two takes only faults of its
     * own: threads are born with the mask of whoever starts them. */
    static __thread sigset_t fastbp_mask;
    static void fastbp_hold_signals(void)
    {
        sigset_t all;
        sigfillset(&all);
        sigdelset(&all, SIGSEGV), sigdelset(&all, SIGBUS), sigdelset(&all, SIGFPE), sigdelset(&all, SIGILL);
        pthread_sigmask(SIG_SETMASK, &all, &fastbp_mask);
    }
    static void fastbp_take_signals(void) { pthread_sigmask(SIG_SETMASK, &fastbp_mask, NULL); }

    /* A thread may run where its process's first one may, not only where the one that happened to start it does. */
    static void fastbp_run_anywhere(void)
    {
    #if defined __linux__
        cpu_set_t cpus;
        if (sched_getaffinity(getpid(), sizeof cpus, &cpus) == 0) sched_setaffinity(0, sizeof cpus, &cpus);
    #endif
    }
    """
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
    pthread_t thread
    pthread_mutex_t *gate
    long number


cdef void *wait_at_gate(void *argument) noexcept nogil:
    cdef Probe *probe = <Probe *>argument
    probe.number = thread_number()
    pthread_mutex_lock(probe.gate)
    pthread_mutex_unlock(probe.gate)
    return NULL


cdef int startable(int count, size_t stack) noexcept nogil:
    """How many of `count` more threads with stacks of so many bytes, 0 for the system's default, can be started: as many are
    started, wait for each other, and end."""
    cdef pthread_mutex_t gate
    cdef pthread_attr_t attr
    cdef Probe *probes
    cdef int started = 0, i
    if count < 1:
        return 0
    probes = <Probe *>calloc(count, sizeof(Probe))
    if probes is NULL:
        return 0
    pthread_attr_init(&attr)
    if stack > 0:
        pthread_attr_setstacksize(&attr, stack)     # one that is too small is refused, as OpenMP refuses it
    pthread_mutex_init(&gate, NULL)
    pthread_mutex_lock(&gate)
    while started < count:
        probes[started].gate = &gate
        if pthread_create(&probes[started].thread, &attr, wait_at_gate, &probes[started]) != 0:
            break
        started += 1
    pthread_mutex_unlock(&gate)
    for i in range(started):
        pthread_join(probes[i].thread, NULL)
    for i in range(started):
        wait_until_gone(probes[i].number)
    pthread_mutex_destroy(&gate)
    pthread_attr_destroy(&attr)
    free(probes)
    return started
