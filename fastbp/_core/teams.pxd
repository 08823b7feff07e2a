# Whether the operating system has the threads that a team wants. Only cpu.pyx knows of this file.

ctypedef int (*EndPool)() noexcept nogil    # ends the threads that OpenMP keeps for the calling one; 0 where none is left

cdef long generation() noexcept nogil
cdef bint is_cut_off() noexcept nogil
cdef void cut_off() noexcept
cdef int watch_forks(EndPool end_pool, bint recovers, size_t stack) except -1
cdef void refuse(str why) noexcept
cdef int check_stack() except -1
cdef int capped(int wanted) except -1
cdef int team_of(int wanted) except -1
