# Threads, locks, conditions and a clock: csrc/threads.h for Cython. These threads are those that OpenMP does not make.

cdef extern from "threads.h" nogil:
    ctypedef struct fbp_mutex:
        pass
    ctypedef struct fbp_condition:
        pass
    ctypedef struct fbp_thread:
        pass
    void fbp_mutex_init(fbp_mutex *mutex)
    void fbp_mutex_lock(fbp_mutex *mutex)
    void fbp_mutex_unlock(fbp_mutex *mutex)
    void fbp_mutex_destroy(fbp_mutex *mutex)
    void fbp_condition_init(fbp_condition *changed)
    void fbp_condition_wait(fbp_condition *changed, fbp_mutex *mutex)
    void fbp_condition_broadcast(fbp_condition *changed)
    int fbp_thread_start(fbp_thread *thread, size_t stack, void *(*run)(void *) noexcept nogil, void *argument)
    void fbp_thread_join(fbp_thread thread)
    void fbp_thread_detach(fbp_thread thread)
    int fbp_at_fork(void (*child)() noexcept nogil)
    double fbp_seconds()
