"""Whether the operating system has the threads that a team wants: found out before OpenMP is asked, as GCC's runtime
ends the process where it cannot start a thread, and waits forever for threads that a fork has left behind.
"""
from cython.parallel cimport parallel
from libc.stdint cimport SIZE_MAX
from libc.stdlib cimport calloc, free
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from . import threads as _threads

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

    /* What is known of the calling thread: that the last team it wanted was of `asked`, itself included, and `had` came
     * (0: none was wanted yet); where fewer came, the second from which on it may try again; the ends of its stack; and
     * whether the fork at hand leaves threads behind. */
    typedef struct {
        int asked, had;
        double again;
        int measured;
        uintptr_t lowest, highest;
        int left_behind;
    } fastbp_seat;

    static fastbp_seat *fastbp_own_seat(void)
    {
        static __thread fastbp_seat seat;
        return &seat;
    }

    static void fastbp_measure_stack(fastbp_seat *seat)
    {
        seat->measured = 1;
    #if defined __linux__ && !defined __GLIBC__
        if (syscall(SYS_gettid) == getpid()) return;    /* musl knows only what the main thread's stack has grown to */
    #endif
    #if defined __linux__
        pthread_attr_t attr;
        void *lowest;
        size_t size;
        if (pthread_getattr_np(pthread_self(), &attr) != 0) return;
        if (pthread_attr_getstack(&attr, &lowest, &size) == 0) {
            seat->lowest = (uintptr_t)lowest;
            seat->highest = (uintptr_t)lowest + size;
        }
        pthread_attr_destroy(&attr);
    #elif defined __APPLE__
        seat->highest = (uintptr_t)pthread_get_stackaddr_np(pthread_self());
        seat->lowest = seat->highest - pthread_get_stacksize_np(pthread_self());
    #endif
    }

    /* The bytes of stack that the caller has left; SIZE_MAX where that is not known: on other systems, and where a
     * library runs the thread on a stack of its own. */
    static size_t fastbp_stack_left(void)
    {
        fastbp_seat *seat = fastbp_own_seat();
        uintptr_t here = (uintptr_t)__builtin_frame_address(0);
        if (!seat->measured) fastbp_measure_stack(seat);
        return here >= seat->lowest && here < seat->highest ? here - seat->lowest : SIZE_MAX;
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

    /* The threads of a team: whose it is, how many there are, and the least stack that one of the others has. */
    typedef struct {
        fastbp_seat *caller;
        int members;
        size_t least_stack;
    } fastbp_muster;

    static void fastbp_report(fastbp_muster *muster)
    {
        size_t mine = fastbp_stack_left(), least = __atomic_load_n(&muster->least_stack, __ATOMIC_RELAXED);
        __atomic_add_fetch(&muster->members, 1, __ATOMIC_RELAXED);
        if (fastbp_own_seat() == muster->caller) return;
        while (mine < least && !__atomic_compare_exchange_n(&muster->least_stack, &least, mine, 0, __ATOMIC_RELAXED,
                                                            __ATOMIC_RELAXED))
            ;
    }
    """
    ctypedef struct Seat "fastbp_seat":
        int asked, had
        double again
        bint left_behind
    Seat *own_seat "fastbp_own_seat"() noexcept nogil
    size_t stack_left "fastbp_stack_left"() noexcept nogil
    long thread_number "fastbp_thread_number"() noexcept nogil
    void wait_until_gone "fastbp_wait_until_gone"(long number) noexcept nogil
    ctypedef struct Muster "fastbp_muster":
        Seat *caller
        int members
        size_t least_stack
    void report "fastbp_report"(Muster *muster) noexcept nogil

    ctypedef struct pthread_t:
        pass
    ctypedef struct pthread_attr_t:
        pass
    ctypedef struct pthread_mutex_t:
        pass
    int pthread_attr_init(pthread_attr_t *attr) nogil
    int pthread_attr_setstacksize(pthread_attr_t *attr, size_t size) nogil
    int pthread_attr_destroy(pthread_attr_t *attr) nogil
    int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *) noexcept nogil,
                       void *argument) nogil
    int pthread_join(pthread_t thread, void **result) nogil
    int pthread_mutex_init(pthread_mutex_t *mutex, const void *attr) nogil
    int pthread_mutex_lock(pthread_mutex_t *mutex) nogil
    int pthread_mutex_unlock(pthread_mutex_t *mutex) nogil
    int pthread_mutex_destroy(pthread_mutex_t *mutex) nogil
    int pthread_atfork(void (*prepare)() noexcept nogil, void (*parent)() noexcept nogil, void (*child)() noexcept nogil)

# The deepest kernels (maps of three operands) take 13 KB, what calls them 1 KB. A signal that arrives meanwhile puts the
# vector registers on the stack too: 3 KB, or 11 KB on a CPU with matrix registers.
cdef size_t STACK = 32 * 1024
cdef double PATIENCE = 1.0          # seconds after which a thread that had fewer than it wanted tries again

cdef EndPool _end_pool = NULL
cdef bint _recovers = False         # whether OpenMP notices by itself that it is in a forked process
cdef bint _cut_off = False          # whether a team would wait for threads that a fork has left behind
cdef long _generation = 1           # 1 more with every fork on the way to this process
cdef size_t _worker_stack = 0       # bytes; 0: the system's default
cdef int _most = _threads.MOST_TEAM
cdef str _refused = ""              # why there can be no teams, in words


# ---- forks ---------------------------------------------------------------------------------------------------------


cdef int watch_forks(EndPool end_pool, bint recovers, size_t stack) except -1:
    """From now on a process forked from this one has teams of its own, or knows that it cannot have any.

    Of all threads only the forking one lives on in the child, and with it OpenMP's belief that it has a pool of threads,
    whichever library filled it. So the pool is ended before the fork, as OpenBLAS does with its own; the parent's next
    team starts it again. end_pool: NULL where the runtime has no such function. recovers: it needs none. stack: bytes of that
    of its threads, 0 for the system's default.
    """
    global _end_pool, _recovers, _worker_stack
    _end_pool, _recovers, _worker_stack = end_pool, recovers, stack
    if pthread_atfork(before_fork, NULL, after_fork) != 0:
        raise MemoryError("no memory to watch forks")
    return 0


cdef void before_fork() noexcept nogil:
    cdef Seat *seat = own_seat()
    if _cut_off or _recovers:
        seat.left_behind = _cut_off
    elif _end_pool is not NULL and _end_pool() == 0:
        seat.asked = seat.had = 0
        seat.left_behind = False
    else:
        seat.left_behind = True     # within a parallel region the pool cannot be ended


cdef void after_fork() noexcept nogil:
    global _cut_off, _generation
    cdef Seat *seat = own_seat()
    seat.asked = seat.had = 0
    _cut_off = seat.left_behind
    _generation += 1


cdef long generation() noexcept nogil:
    """A number that no process has in common with the one that it was forked from."""
    return _generation


cdef bint is_cut_off() noexcept nogil:
    """Whether this process has no teams, as it was forked from one that may have had some."""
    return _cut_off


cdef void cut_off() noexcept:
    global _cut_off
    _cut_off = True


# ---- stacks --------------------------------------------------------------------------------------------------------


cdef int check_stack() except -1:
    """Raises RuntimeError where the calling thread has too little stack left for a kernel."""
    cdef size_t left = stack_left()
    if left < STACK:
        raise RuntimeError(
            f"the stack of this thread has {left // 1024} KB left, expected {STACK // 1024} KB for compiled code; start "
            "the thread after threading.stack_size(1 << 20), or Python after ulimit -s 8192"
        )
    return 0


cdef void refuse(str why) noexcept:
    """No teams from now on, for this reason in words; "" for none."""
    global _refused
    _refused = why


# ---- teams ---------------------------------------------------------------------------------------------------------


cdef int team_of(int wanted) except -1:
    """How many threads there are of a team of `wanted`, 2 or more, when OpenMP is asked for so many next.

    All `wanted`, where they can be had; the first time, and where the team grows, that is tried. Else it is looked up.
    """
    cdef Seat *seat = own_seat()
    if _cut_off:
        return 1
    if seat.asked == wanted and (seat.had == wanted or seconds() < seat.again):
        return seat.had
    if wanted == seat.had:      # what came where more was asked for, which stays noted
        return wanted
    if wanted < seat.had:       # OpenMP ends the threads that a smaller team leaves over
        seat.asked = seat.had = wanted
        return wanted
    return grown(seat, wanted)


cdef int grown(Seat *seat, int wanted) except -1:
    """Lets OpenMP's pool of this thread grow to a team of `wanted`, or as many as there can be; returns how many.

    The interpreter's lock is held: two threads that both found room for the last one would end the process.
    """
    cdef int had = max(seat.had, 1), team = capped(wanted), started
    cdef Muster muster
    why = _refused
    if why:
        team = 1
    else:
        started = startable(team - had)
        if had + started < team:
            team = had + started
            why = "the system starts no more (ulimit -u and -v, or the container's pids.max)"
    if team > had:
        muster.caller, muster.members, muster.least_stack = seat, 0, SIZE_MAX
        call_together(&muster, team)
        if muster.members < team:
            why = "OpenMP starts no more (OMP_THREAD_LIMIT, OMP_DYNAMIC, or a parallel region around this one)"
        team = muster.members
        if muster.least_stack < STACK:
            team = 1
            why = (f"the stacks of OpenMP's threads have {muster.least_stack // 1024} KB, expected {STACK // 1024} KB; "
                   "set OMP_STACKSIZE=1M before Python starts")
    seat.asked, seat.had, seat.again = wanted, team, seconds() + PATIENCE
    if why:
        warn_of_fewer(wanted, team, why)
    return team


cdef int capped(int wanted) except -1:
    """The size of a team of at most `wanted` threads. Warns, once, where that is more than anybody needs."""
    if wanted > _most:
        warn_of_fewer(wanted, _most, f"more would only wait for each other on {_threads.CPUS} CPUs")
    return min(wanted, _most)


cdef int warn_of_fewer(int wanted, int team, why) except -1:
    _threads.warn_once(
        "teams", f"{wanted} threads were asked for, {team} {'runs' if team == 1 else 'run'}: {why}; results are the same"
    )
    return 0


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


cdef int startable(int count) noexcept nogil:
    """How many of `count` threads can be started beside those there are: as many are, wait for each other, and end."""
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
    if _worker_stack > 0:
        pthread_attr_setstacksize(&attr, _worker_stack)     # one that is too small is refused, as OpenMP refuses it
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


cdef void call_together(Muster *muster, int team) noexcept nogil:
    """A parallel region in which every thread says that it is there."""
    with parallel(num_threads=team):
        report(muster)


cdef double seconds() noexcept nogil:
    """Seconds since some moment."""
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + 1e-9 * now.tv_nsec
