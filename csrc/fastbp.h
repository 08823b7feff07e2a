/* fastbp.h - the only header Cython includes: what floor 0 offers to the floors above.
 *
 * A kernel is a C function without threads, allocation or Python. Every kernel exists once for each
 * (ISA, real) pair: real is float or double, an ISA is one of isa/isas.def. Kernels of one (ISA, real) pair form a table, in which a plan looks them up by name when it is made.
 *
 * Pointers to reals are void * here, so that one signature serves both reals (as in BLIS). The bodies, in the
 * .inc files, name the real. Outputs come first, then inputs, then sizes. `ld` is the distance in elements
 * from one row to the next. Nothing needs to be aligned but to its elements. Unless a comment says otherwise, sizes may be zero,
 * an output may be the same array as an input of the same shape, and arrays do not overlap otherwise.
 */
#ifndef FASTBP_H
#define FASTBP_H
#include <stddef.h>
#include <stdint.h>

/* A prefetch cursor: rows that are read soon, `bytes` each: row i is at base + index[i] * stride, or base + i * stride
 * where index is NULL; the next line to be prefetched is in `row`, at its byte `at`. Kernels that compute for long
 * prefetch `lines` cache lines at a time in between, into the L2 cache. */
typedef struct {
    const char *base;
    ptrdiff_t stride;
    const int64_t *index;
    ptrdiff_t rows, bytes, row, at, lines;
} fbp_prefetch;
static inline const char *fbp_prefetch_row(const fbp_prefetch *prefetch, ptrdiff_t i)
{
    return prefetch->base + (prefetch->index != NULL ? (ptrdiff_t)prefetch->index[i] : i) * prefetch->stride;
}
static inline void fbp_prefetch_lines(fbp_prefetch *prefetch, ptrdiff_t lines)
{
    for (ptrdiff_t i = 0; i < lines && prefetch->row < prefetch->rows; i++) {
        __builtin_prefetch(fbp_prefetch_row(prefetch, prefetch->row) + prefetch->at, 0, 2);
        prefetch->at += 64;
        if (prefetch->at >= prefetch->bytes) prefetch->at = 0, prefetch->row++;
    }
}

/* The first and the last line of every row, all at once: one whose page the processor does not know holds everything up
 * while it is looked up (90 ns in a virtual machine), but several are looked up at a time. */
static inline void fbp_prefetch_ends(const fbp_prefetch *prefetch)
{
    for (ptrdiff_t i = 0; i < prefetch->rows; i++) {
        const char *row = fbp_prefetch_row(prefetch, i);
        __builtin_prefetch(row, 0, 2);
        __builtin_prefetch(row + prefetch->bytes - 1, 0, 2);
    }
}

/* ---- signatures: one line for each shape a kernel can have ------------------------------------------------ */

/* C (m, n) = A (m, k) B (k, n), or += where accumulate. Element (i, p) of A is A[i * rsa + p * csa], one of the
 * strides being 1; or, where a_tile is not 0, A is packed (see fbp_pack_a), each tile of `a_tile` elements, rsa 1 and csa mr;
 * or, where index is not NULL, A is made of rows that lie in an order of their own: with csa 1 element (i, p) is
 * A[index[i] * rsa + p], with rsa 1 A[i + index[p] * csa]. ones (0 or 1; rsa 1, no index, not packed): the last row of A is
 * of ones and not read, so that the last row of C is the sum of B's rows. n <= the table's nr. prefetch: a cursor, or
 * NULL: `lines` are prefetched every 4 p of each tile (none where k is so small that there are no tiles). Each element
 * of C is one chain of fused multiply-adds over p = 0 .. k-1 (beginning with C where accumulate), so its bits do not
 * depend on how m, n or k were cut. */
typedef void fbp_gemm(void *C, ptrdiff_t ldc, const void *A, ptrdiff_t rsa, ptrdiff_t csa, ptrdiff_t a_tile,
                      const int64_t *index, const void *B, ptrdiff_t ldb, fbp_prefetch *prefetch, ptrdiff_t m,
                      ptrdiff_t n, ptrdiff_t k, int accumulate, int ones);

/* P (ceil(n / nr), k, nr) = B (k, n) cut into tiles of nr columns, the last one filled up with zeros.
 * pack_b reads B[p * ldb + j]; pack_b_transposed reads its transpose, B[j * ldb + p]. */
typedef void fbp_pack_b(void *P, const void *B, ptrdiff_t ldb, ptrdiff_t k, ptrdiff_t n);

/* P (ceil(m / mr), k, mr) = A (m, k), its strides as in gemm, cut into the rows of gemm's tiles, which are of nearly equal
 * height: the first ones of floor(m / tiles) rows, the others of one more. Each transposed and filled up with zeros. */
typedef void fbp_pack_a(void *P, const void *A, ptrdiff_t rsa, ptrdiff_t csa, ptrdiff_t m, ptrdiff_t k);

/* Y (m, n) = activation(Y + b), b (n) or NULL. Where Z is not NULL, Z (m, n) = Y + b is kept for backward. */
typedef void fbp_forward(void *Y, ptrdiff_t ldy, void *Z, ptrdiff_t ldz, const void *b, ptrdiff_t m, ptrdiff_t n);

/* dZ (m, n) = dY (m, n) * activation'(.), from V (m, n): the output Y or the input Z, as the list says. */
typedef void fbp_backward(void *dZ, ptrdiff_t lddz, const void *dY, ptrdiff_t lddy, const void *V, ptrdiff_t ldv,
                          ptrdiff_t m, ptrdiff_t n);

/* Returns sum_i w_i * scale * loss(Y_i, T_i); dY (m, n) = its gradient, unless dY is NULL. w (m) or NULL for ones.
 * Y (m, n). T (m, n) of reals, for <name>_missing with NaN where there is no target, which adds nothing; for
 * cross_entropy_labels T (m) of int32 and ldt is not used. param is the loss's own number. */
typedef double fbp_loss(void *dY, ptrdiff_t lddy, const void *Y, ptrdiff_t ldy, const void *T, ptrdiff_t ldt,
                        const void *w, ptrdiff_t m, ptrdiff_t n, double scale, double param);

/* Returns scale * how many answers are correct; the arguments are those of a loss, so that a plan runs both alike: dY,
 * w and param are not used. correct_labels: rows of Y (m, n) whose first largest element is that of the label, T (m) of
 * int32; correct_multiclass: that of the row of T (m, n); correct_multilabel: elements, Y > 0 for T > 0.5. What has a
 * NaN as its target, or among its row's, is not counted. */
typedef fbp_loss fbp_correct;

/* p (n) and its state s0 (n), s1 (n) (NULL where the update has none) move by one step against g (n).
 * h is indexed by enum fbp_hyper. Returns 1 if every new p is finite, else 0. g is not changed. */
typedef int fbp_update(void *p, void *s0, void *s1, const void *g, ptrdiff_t n, const double *h);

/* g (n) = the sum of `slices` vectors of n, `stride` elements apart, in order 0, 1, 2 ... */
typedef void fbp_reduce_partials(void *g, const void *partials, ptrdiff_t stride, ptrdiff_t slices, ptrdiff_t n);

/* One number of x (n): sum_squares, accumulated in double; all_finite, 1.0 or 0.0. */
typedef double fbp_reduce(const void *x, ptrdiff_t n);

/* Returns l1 * sum |W| + l2 * sum W^2 and adds its gradient to g (n), unless g is NULL. W (n). sign(0) is 0. */
typedef double fbp_penalty(void *g, const void *W, ptrdiff_t n, double l1, double l2);

/* Y (m, n) = X (m, n) * keep / (1 - rate): element (i, j) is kept when the first word of
 * threefry2x32(key, counter = (row + i, j)) is at least rate * 2^32. */
typedef void fbp_dropout(void *Y, ptrdiff_t ldy, const void *X, ptrdiff_t ldx, ptrdiff_t m, ptrdiff_t n,
                         uint64_t row, uint64_t key, double rate);

/* Z (m, n) = f(A, B, C), element by element. Element (i, j) of an operand is P[i * rsP + j * csP]: csP is 0 or 1, and rsP
 * any distance, 0 among them, so that an operand may be (m, n), a row, a column or one number. Operands that f does not
 * have are NULL. Z may be an operand that has its layout. param is the map's own number. A column (n = 1) whose
 * elements touch (ldz and rsP 1, or rsP 0) is as fast as a row. */
typedef void fbp_map(void *Z, ptrdiff_t ldz, const void *A, ptrdiff_t rsa, ptrdiff_t csa, const void *B, ptrdiff_t rsb,
                     ptrdiff_t csb, const void *C, ptrdiff_t rsc, ptrdiff_t csc, ptrdiff_t m, ptrdiff_t n, double param);

/* s[i * lds] = f(A[i, 0 .. n-1]) for the m rows of A (m, n), n >= 1. */
typedef void fbp_row_reduce(void *s, ptrdiff_t lds, const void *A, ptrdiff_t lda, ptrdiff_t m, ptrdiff_t n);

/* s (n) = or += the sum over the m rows of A_ij * B_ij, or of A_ij where B is NULL; operands as in a map. */
typedef void fbp_sum_product(void *s, const void *A, ptrdiff_t rsa, ptrdiff_t csa, const void *B, ptrdiff_t rsb,
                             ptrdiff_t csb, ptrdiff_t m, ptrdiff_t n, int accumulate);

/* Returns the sum of all A_ij * B_ij, or of all A_ij where B is NULL; operands as in a map. */
typedef double fbp_total(const void *A, ptrdiff_t rsa, ptrdiff_t csa, const void *B, ptrdiff_t rsb, ptrdiff_t csb,
                         ptrdiff_t m, ptrdiff_t n);

/* Y (m, n): row i is row index[i] of W (rows, n). index (m), 0 <= index[i] < rows. */
typedef void fbp_embedding_lookup(void *Y, ptrdiff_t ldy, const void *W, ptrdiff_t ldw, const int32_t *index,
                                  ptrdiff_t m, ptrdiff_t n);

/* Its gradient for rows first .. first + count - 1 of W: for i = 0 .. m-1, where index[i] is one of them, row
 * index[i] - first of dW (count, n) += row i of dY (m, n). */
typedef void fbp_scatter(void *dW, ptrdiff_t lddw, const void *dY, ptrdiff_t lddy, const int32_t *index, ptrdiff_t first,
                         ptrdiff_t count, ptrdiff_t m, ptrdiff_t n);

/* out (m, n) = scale * rows of source, which are source_bytes BYTES apart and of the NumPy dtype that the kernel's name
 * ends in: row index[i], or row i where index is NULL. Rounded to a real, then multiplied by (real)scale. No overlap. */
typedef void fbp_convert(void *out, ptrdiff_t ldo, const void *source, ptrdiff_t source_bytes, const int64_t *index,
                         ptrdiff_t m, ptrdiff_t n, double scale);
/* The prefetch distance: rows in an order of their own are prefetched this many before they are read (fbp_gather_rows). */
enum { FBP_PREFETCH_DISTANCE = 4 };

/* Places in the array of hyperparameters that every update reads. */
enum fbp_hyper { H_LR, H_WEIGHT_DECAY, H_BETA1, H_BETA2, H_EPS, H_CORRECTION1, H_CORRECTION2, H_SCALE, H_LIMIT, H_COUNT,
/* What an optimizer keeps beside them, for the corrections: log(beta1) and log(beta2) as fbp_log gives them. */
                 H_LOG1 = H_COUNT, H_LOG1_LOW, H_LOG2, H_LOG2_LOW, H_CONSTANTS };
/* H_BETA1 is also SGD's momentum and RMSprop's rho. H_CORRECTION1 = 1 - beta1^t, H_CORRECTION2 = 1 - beta2^t, t = 1, 2 ...
 * The gradient an update sees is clamp(g * H_SCALE, -H_LIMIT, H_LIMIT): clipping by norm, then by value. */

/* ---- tables ------------------------------------------------------------------------------------------------ */

typedef void fbp_any(void);
typedef struct {
    const char *name;       /* as in kernels.def, with _forward / _backward for an activation's pair */
    const char *signature;  /* the name of its type above, without fbp_ */
    const char *reads;      /* an activation's backward: "OUTPUT" or "INPUT"; an update: its vectors of state, "0", "1", "2"; else "" */
    fbp_any *function;
} fbp_kernel;

typedef void fbp_hook(void);
typedef struct {
    const char *isa;    /* a name of isa/isas.def */
    const char *narrow; /* the ISA of fbp_narrow_table, or NULL */
    int itemsize;       /* 4: float, 8: double */
    int lanes;          /* reals in a vector */
    int mr, nr;         /* rows and columns of gemm's largest tile, and so of a tile of packed A and of packed B */
    int kr;             /* the room of packed A and B is for k rounded up to a multiple of it */
    int mc, kc;         /* rows of A, and of B, that a product packs or reads again and again before it goes on to the next */
    int a_bytes;        /* of a limb of an element of packed A: of a real, where packing changes no bit */
    int b_bytes;        /* the same of packed B */
    int limbs;          /* numbers whose sum an element of packed A or B is: 1, or 3 where bfloat16s stand for a float */
    fbp_hook *enter;    /* called by each thread before its first product, or NULL */
    fbp_hook *leave;    /* and after its last one, or NULL */
    int count;
    const fbp_kernel *kernels;
} fbp_table;

/* The table, or NULL where this machine or this build does not have the ISA. itemsize is 4 or 8. */
const fbp_table *fbp_find_table(const char *isa, int itemsize);
/* The best ISA of this machine that this build has; the i-th ISA known (best first), or NULL at the end. */
const char *fbp_best_isa(void);
const char *fbp_known_isa(int i);
/* The table with narrower vectors, whose gemm, pack_a and pack_b make products of at most one of its vectors of columns
 * sooner, with the same bits; or NULL. */
const fbp_table *fbp_narrow_table(const fbp_table *table);
/* A kernel by name, or NULL. */
fbp_any *fbp_find_kernel(const fbp_table *table, const char *name);

/* ---- what is not vector code ------------------------------------------------------------------------------- */

/* Threefry-2x32, 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): 64 bits for a
 * key and a counter; the first word is the low half. The low half of key and counter is their first word. */
uint64_t fbp_threefry(uint64_t key, uint64_t counter);
/* words (count) of the counters first, first + 1 ..., several at a time: a third of the time of one by one. */
void fbp_threefry_words(uint64_t *words, uint64_t key, uint64_t first, ptrdiff_t count);

/* Functions of doubles with the same bits on every machine (portable.c). Errors in units in the last place: tests/core/test_portable.py.
 * log(x), x >= 0, as the sum of what is returned and *low: to 2^-62 of its size; of 0 -infinity. */
double fbp_log(double x, double *low);
double fbp_power(double x, double y);                                   /* x^y, 0 <= x <= 1, y >= 0; 0^0 is 1 */
double fbp_power_of_log(double high, double low, double y);             /* the same with high + low = log(x) */
double fbp_cos_pi(double x);                                            /* cos(pi x), 0 <= x <= 1 */
double fbp_normal(uint64_t word); /* standard normal: the distribution's quantile at (k + 1/2) 2^-53, k = word >> 11 */

/* out (m rows of row_bytes, out_stride bytes apart) = rows index[0 .. m-1] of source, source_stride bytes apart. */
void fbp_gather_rows(void *out, ptrdiff_t out_stride, const void *source, ptrdiff_t source_stride, const int64_t *index,
                     ptrdiff_t m, ptrdiff_t row_bytes);

/* The work of a team of threads that stay together: jobs one after another, each of phases one after another, each of a
 * number of tasks. Task i waits in lane i % lanes; a thread takes from its own lane first and then from the others', and the
 * one that finishes the last task of a phase opens the next phase, or closes the queue: then the job is over, and whoever
 * posted it may go on.
 * Nobody waits for a thread, only for tasks: one that the system has put aside holds up the task it is at, and nothing where
 * it is at none, whether it sleeps, spins or comes late. Nothing of a job is read but by who has taken one of its tasks, as
 * the job may be over and gone for whoever has not. And a task goes to the same thread step after step, whose caches hold
 * what it needs. */
enum { FBP_LANES = 32, FBP_BITS = 32 };
typedef struct {
    uint64_t taken; /* phase, and how many of the lane's tasks are taken */
    char pad[56];
} fbp_lane;
typedef struct {
    uint64_t open;   /* phase and its tasks; a bit: closed */
    char pad[56];
    int64_t left;    /* tasks of the phase that are not finished */
    char pad2[56];
    int32_t opened;  /* how often a phase was opened: what a thread of the job that has waited long sleeps on */
    int32_t asleep;  /* threads that do */
    char pad3[56];
    int32_t posted;  /* how often a job was posted: what the others sleep on */
    int32_t ended;   /* no job will come: threads leave */
    const void *job; /* this and what follows are the job's, written while the queue is closed */
    uint64_t number;
    int32_t team;    /* threads 0 .. team - 1 may take part */
    int32_t lanes;
    int32_t spins;   /* looks at `open` before a thread of the job sleeps */
    int32_t rest;    /* looks at `posted` before another one sleeps */
    uint64_t era;    /* of the phases: when the lanes were told the time last */
    char pad4[16];
    int32_t resting[FBP_BITS]; /* threads that do, by the bits of their numbers that a futex tells apart */
    fbp_lane lane[FBP_LANES];
} fbp_queue;
void fbp_start(fbp_queue *queue); /* closed, and nobody is there */
/* The caller, thread 0, begins a job of a first phase of 1 task or more; the queue must be closed. crowded: threads are more
 * than cores, so that a waiting one is in the way. */
void fbp_post(fbp_queue *queue, const void *job, int team, int crowded, int tasks);
void fbp_open(fbp_queue *queue, int tasks); /* begins a phase of 1 task or more; 0 closes the queue */
/* A task's number; waits for one. -1: for thread 0 that the job is over, for the others that threads leave. number: of the
 * task's job, from 1 on. */
int fbp_take(fbp_queue *queue, int member, uint64_t *number);
int fbp_finish(fbp_queue *queue); /* after every task taken: 1 if it was the phase's last, else 0 */
void fbp_end(fbp_queue *queue);   /* the other threads leave; the queue must be closed */
void fbp_forked(void);            /* in a forked process: threads that slept are not there */

#endif
