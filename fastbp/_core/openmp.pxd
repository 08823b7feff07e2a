# OpenMP's API, and what a build without OpenMP has in its place. No other file says a word of it.

cdef extern from *:
    """
    #ifndef FASTBP_OPENMP
    #include <stddef.h>
    #ifndef _WIN32
    #include <dlfcn.h>
    #endif
    #define FASTBP_MAY_BE_UNUSED static inline __attribute__((unused))
    #ifdef _OPENMP
    #include <omp.h>
    #define FASTBP_OPENMP _OPENMP
    #else
    #define FASTBP_OPENMP 0
    FASTBP_MAY_BE_UNUSED int omp_get_thread_num(void) { return 0; }
    FASTBP_MAY_BE_UNUSED int omp_get_num_threads(void) { return 1; }
    FASTBP_MAY_BE_UNUSED int omp_get_max_threads(void) { return 1; }
    FASTBP_MAY_BE_UNUSED int omp_get_thread_limit(void) { return 1; }
    #endif

    /* The places, sets of CPUs, that OpenMP binds threads to, in an order of its own; 0 where it binds none. */
    #if FASTBP_OPENMP >= 201511
    FASTBP_MAY_BE_UNUSED int fastbp_places(void) { return omp_get_proc_bind() == omp_proc_bind_false ? 0 : omp_get_num_places(); }
    FASTBP_MAY_BE_UNUSED int fastbp_place_size(int place) { return omp_get_place_num_procs(place); }
    FASTBP_MAY_BE_UNUSED void fastbp_place_cpus(int place, int *cpus) { omp_get_place_proc_ids(place, cpus); }
    #else
    FASTBP_MAY_BE_UNUSED int fastbp_places(void) { return 0; }
    FASTBP_MAY_BE_UNUSED int fastbp_place_size(int place) { return 0 * place; }
    FASTBP_MAY_BE_UNUSED void fastbp_place_cpus(int place, int *cpus) { (void)place, (void)cpus; }
    #endif

    /* The file of the runtime, or NULL; and whether it is LLVM's or Intel's, under whatever name. On Windows Clang has no other,
     * and nobody asks for the file, which matters in forked processes. */
    FASTBP_MAY_BE_UNUSED const char *fastbp_runtime(int *llvm)
    {
        *llvm = 0;
    #if FASTBP_OPENMP && defined _WIN32
        *llvm = 1;
        return NULL;
    #elif FASTBP_OPENMP
        Dl_info found;
        if (dladdr((void *)&omp_get_thread_limit, &found) == 0 || found.dli_fname == NULL) return NULL;
        void *library = dlopen(found.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
        *llvm = library != NULL && dlsym(library, "__kmpc_fork_call") != NULL;
        if (library != NULL) dlclose(library);
        return found.dli_fname;
    #else
        return NULL;
    #endif
    }
    #endif
    """
    int FASTBP_OPENMP                                       # the standard's date, or 0
    int thread_number "omp_get_thread_num"() nogil          # in a region: 0 for the thread that has opened it
    int threads_here "omp_get_num_threads"() nogil          # in a region
    int most_threads "omp_get_max_threads"() nogil          # of the next region of the calling thread
    int thread_limit "omp_get_thread_limit"() nogil
    int places "fastbp_places"() nogil
    int place_size "fastbp_place_size"(int place)
    void place_cpus "fastbp_place_cpus"(int place, int *cpus)
    const char *runtime "fastbp_runtime"(int *llvm)
