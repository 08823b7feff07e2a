/* threads.h - threads, locks, conditions and a clock of POSIX and of Windows, under one set of names.
 *
 * No other file says a name of <pthread.h> or of <windows.h>, but for calling_thread.h, and openmp.pxd, which asks for the
 * file of OpenMP's runtime. */
#ifndef FASTBP_THREADS_H
#define FASTBP_THREADS_H
#include <stddef.h>

#if defined _WIN32

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#include <process.h>
#undef near /* words of 16-bit compilers */
#undef far
#undef small

typedef SRWLOCK fbp_mutex;
typedef CONDITION_VARIABLE fbp_condition;
typedef HANDLE fbp_thread;
#define FBP_MUTEX_INIT SRWLOCK_INIT
#define FBP_CONDITION_INIT CONDITION_VARIABLE_INIT

static inline void fbp_mutex_init(fbp_mutex *mutex) { InitializeSRWLock(mutex); }
static inline void fbp_mutex_lock(fbp_mutex *mutex) { AcquireSRWLockExclusive(mutex); }
static inline void fbp_mutex_unlock(fbp_mutex *mutex) { ReleaseSRWLockExclusive(mutex); }
static inline void fbp_mutex_destroy(fbp_mutex *mutex) { (void)mutex; }
static inline void fbp_condition_init(fbp_condition *changed) { InitializeConditionVariable(changed); }
static inline void fbp_condition_wait(fbp_condition *changed, fbp_mutex *mutex)
{
    SleepConditionVariableSRW(changed, mutex, INFINITE, 0);
}
static inline void fbp_condition_broadcast(fbp_condition *changed) { WakeAllConditionVariable(changed); }

/* The system's own type of such a function returns an unsigned; every 64-bit Windows has one calling convention, in which a
 * pointer comes back in the same register. */
static inline int fbp_thread_start(fbp_thread *thread, size_t stack, void *(*run)(void *), void *argument)
{
    typedef unsigned(__stdcall * entry)(void *);
    if (stack > 0x7FFFFFFF) return -1;
    *thread = (HANDLE)_beginthreadex(NULL, (unsigned)stack, (entry)(void *)run, argument, STACK_SIZE_PARAM_IS_A_RESERVATION,
                                     NULL);
    return *thread == NULL ? -1 : 0;
}
static inline void fbp_thread_join(fbp_thread thread)
{
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}
static inline void fbp_thread_detach(fbp_thread thread) { CloseHandle(thread); }

static inline int fbp_at_fork(void (*child)(void)) /* there is no fork */
{
    (void)child;
    return 0;
}

static inline double fbp_seconds(void)
{
    LARGE_INTEGER ticks, each_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&each_second);
    return (double)ticks.QuadPart / (double)each_second.QuadPart;
}

#else

#include <pthread.h>
#include <time.h>

typedef pthread_mutex_t fbp_mutex;
typedef pthread_cond_t fbp_condition;
typedef pthread_t fbp_thread;
#define FBP_MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define FBP_CONDITION_INIT PTHREAD_COND_INITIALIZER

static inline void fbp_mutex_init(fbp_mutex *mutex) { pthread_mutex_init(mutex, NULL); }
static inline void fbp_mutex_lock(fbp_mutex *mutex) { pthread_mutex_lock(mutex); }
static inline void fbp_mutex_unlock(fbp_mutex *mutex) { pthread_mutex_unlock(mutex); }
static inline void fbp_mutex_destroy(fbp_mutex *mutex) { pthread_mutex_destroy(mutex); }
static inline void fbp_condition_init(fbp_condition *changed) { pthread_cond_init(changed, NULL); }
static inline void fbp_condition_wait(fbp_condition *changed, fbp_mutex *mutex) { pthread_cond_wait(changed, mutex); }
static inline void fbp_condition_broadcast(fbp_condition *changed) { pthread_cond_broadcast(changed); }

/* 0 if `run(argument)` is on its way in a thread of its own, whose stack has so many bytes; 0, and a size that the system
 * refuses: its default. Such a thread is joined or detached. */
static inline int fbp_thread_start(fbp_thread *thread, size_t stack, void *(*run)(void *), void *argument)
{
    pthread_attr_t attr;
    int failed = pthread_attr_init(&attr);
    if (failed) return failed;
    if (stack > 0) pthread_attr_setstacksize(&attr, stack);
    failed = pthread_create(thread, &attr, run, argument);
    pthread_attr_destroy(&attr);
    return failed;
}
static inline void fbp_thread_join(fbp_thread thread) { pthread_join(thread, NULL); }
static inline void fbp_thread_detach(fbp_thread thread) { pthread_detach(thread); }

/* Has `child` called in every process that is forked from this one, by its one thread; 0 if that is so. */
static inline int fbp_at_fork(void (*child)(void)) { return pthread_atfork(NULL, NULL, child); }

/* Seconds since some moment, by a clock that nobody sets. */
static inline double fbp_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
#endif
