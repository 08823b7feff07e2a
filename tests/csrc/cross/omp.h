/* omp.h - what fastbp/_core/openmp.pxd asks of OpenMP's API, for compilers that bring no runtime: cross.sh only compiles. */
#ifndef FASTBP_OMP_H
#define FASTBP_OMP_H
typedef enum { omp_proc_bind_false } omp_proc_bind_t;
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);
int omp_get_thread_limit(void);
omp_proc_bind_t omp_get_proc_bind(void);
int omp_get_num_places(void);
int omp_get_place_num_procs(int place);
void omp_get_place_proc_ids(int place, int *cpus);
#endif
