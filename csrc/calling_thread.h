/* calling_thread.h - what the operating system knows of the calling thread: its stack, signals, CPUs. For os_threads.pyx alone,
 * behind Python.h, which asks for all that the C library has. */
#ifndef FASTBP_CALLING_THREAD_H
#define FASTBP_CALLING_THREAD_H
#include <stdint.h>
#if defined _WIN32
#include "threads.h"
#else
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#endif
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
    if (syscall(SYS_gettid) == getpid()) return; /* musl knows only what the main thread's stack has grown to */
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
#elif defined _WIN32
    ULONG_PTR lowest, highest;
    GetCurrentThreadStackLimits(&lowest, &highest);
    stack->lowest = lowest, stack->highest = highest;
#endif
}

/* The bytes of stack that the caller has left; SIZE_MAX where that is not known: on other systems, and where a library runs
 * the thread on a stack of its own. */
static size_t fastbp_stack_left(void)
{
    static __thread fastbp_stack stack;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (!stack.measured) fastbp_measure_stack(&stack);
    return here >= stack.lowest && here < stack.highest ? here - stack.lowest : SIZE_MAX;
}

/* A thread's number, and a wait until the system has let go of it: for some microseconds after it was joined, it still counts
 * against the limits. */
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

/* The process's signals are for threads that know of them. What is started between these two takes only faults of its own:
 * threads are born with the mask of whoever starts them. Windows has no signals that are sent to a thread. */
#if defined _WIN32
static void fastbp_hold_signals(void) {}
static void fastbp_take_signals(void) {}
#else
static __thread sigset_t fastbp_mask;
static void fastbp_hold_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV), sigdelset(&all, SIGBUS), sigdelset(&all, SIGFPE), sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &fastbp_mask);
}
static void fastbp_take_signals(void) { pthread_sigmask(SIG_SETMASK, &fastbp_mask, NULL); }
#endif

/* A thread may run where its process's first one may, not only where the one that happened to start it does: on Linux the
 * first one's CPUs are handed down from thread to thread, elsewhere all threads have those of the process. */
static void fastbp_run_anywhere(void)
{
#if defined __linux__
    cpu_set_t cpus;
    if (sched_getaffinity(getpid(), sizeof cpus, &cpus) == 0) sched_setaffinity(0, sizeof cpus, &cpus);
#endif
}

#endif
