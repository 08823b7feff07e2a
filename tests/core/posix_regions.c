/* posix_regions.c - loaded before GCC's OpenMP runtime: a parallel region made of threads of POSIX, for ThreadSanitizer, which
 * does not see how the runtime, that is not compiled for it, starts and joins its own. All else of fastbp's teams is its own. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
    void (*body)(void *);
    void *data;
    int number, count;
} Part;

static __thread int number, count = 1;

static void *run(void *argument)
{
    const Part *part = argument;
    number = part->number, count = part->count;
    part->body(part->data);
    return NULL;
}

void GOMP_parallel(void (*body)(void *), void *data, unsigned wanted, unsigned flags)
{
    pthread_t *threads = calloc(wanted, sizeof *threads);
    Part *parts = calloc(wanted, sizeof *parts);
    (void)flags;
    if (!threads || !parts) abort();
    for (unsigned i = 0; i < wanted; i++) parts[i] = (Part){body, data, (int)i, (int)wanted};
    for (unsigned i = 1; i < wanted; i++)
        if (pthread_create(&threads[i], NULL, run, &parts[i])) abort();
    run(&parts[0]);
    for (unsigned i = 1; i < wanted; i++) pthread_join(threads[i], NULL);
    number = 0, count = 1;
    free(threads);
    free(parts);
}

int omp_get_thread_num(void) { return number; }
int omp_get_num_threads(void) { return count; }
int omp_get_max_threads(void) { return (int)sysconf(_SC_NPROCESSORS_ONLN); }
int omp_get_thread_limit(void) { return INT_MAX; }
int omp_get_proc_bind(void) { return 0; }
int omp_get_num_places(void) { return 0; }
