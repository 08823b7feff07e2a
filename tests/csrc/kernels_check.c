/* kernels_check.c - every kernel of every table this machine has against the scalar table (or a plain loop), as a
 * program without Python: it also runs a cross-compiled build under qemu (neon.sh).
 *
 *     kernels_check [isa]      a line per kernel; exit 1 where one is wrong, 2 where `isa` is not available
 *
 * check_arrays.h has the arrays, check_products.h the matrix products. */
#define _DEFAULT_SOURCE
#include <signal.h>
#include "check_arrays.h"

enum { CASE_SIZES = 7 };

/* Where every load and store of a kernel is checked, which takes a hundred times as long, fewer sizes: every height of a tile,
 * but of its columns only those at which a vector or the tile ends; and no matrix that is of many vectors both ways. */
#ifndef FEW_SIZES
#define FEW_SIZES 0
#endif

static int is(const char *a, const char *b) { return strcmp(a, b) == 0; }
static int contains(const char *a, const char *b) { return strstr(a, b) != NULL; }

#include "check_products.h"

/* ---- calls: the arrays of one set through one kernel ------------------------------------------------------------ */

static double call(const fbp_kernel *kernel, array *x, ptrdiff_t m, ptrdiff_t n, int place)
{
    static const double h[H_COUNT] = {0.1, 0.01, 0.9, 0.99, 1e-8, 0.19, 0.02, 0.5, 0.3};
    const char *as = kernel->signature;
    array *out = place ? &x[place] : &x[0];
    if (is(as, "forward"))
        ((fbp_forward *)kernel->function)(x[0].data, x[0].ld, place ? NULL : x[1].data, x[1].ld,
                                          place ? NULL : x[2].data, m, n);
    else if (is(as, "backward"))
        ((fbp_backward *)kernel->function)(out->data, out->ld, x[1].data, x[1].ld, x[2].data, x[2].ld, m, n);
    else if (is(as, "loss"))
        return ((fbp_loss *)kernel->function)(out->data, out->ld, x[1].data, x[1].ld, x[2].data, x[2].ld,
                                              x[3].data, m, n, 0.7, 0.3);
    else if (is(as, "correct"))
        return ((fbp_correct *)kernel->function)(NULL, 0, x[1].data, x[1].ld, x[2].data, x[2].ld, NULL, m, n, 1, 0);
    else if (is(as, "update"))
        return ((fbp_update *)kernel->function)(x[0].data, x[1].data, x[2].data, x[3].data, n, h);
    else if (is(as, "reduce_partials"))
        ((fbp_reduce_partials *)kernel->function)(x[0].data, x[1].data, x[1].ld, m, n);
    else if (is(as, "reduce"))
        return ((fbp_reduce *)kernel->function)(x[0].data, n);
    else if (is(as, "penalty"))
        return ((fbp_penalty *)kernel->function)(place ? NULL : x[0].data, x[1].data, n, 0.3, 0.7);
    else if (is(as, "dropout"))
        ((fbp_dropout *)kernel->function)(out->data, out->ld, x[1].data, x[1].ld, m, n, 0xFFFFFFFE,
                                          0xFEDCBA9876543210, 0.3);
    else if (is(as, "map")) {
        int odd = (int)(m % 2); /* B is a row or one number */
        ((fbp_map *)kernel->function)(out->data, out->ld, x[1].data, x[1].ld, 1, x[2].data, 0, odd, x[3].data, x[3].ld,
                                      1, m, n, odd ? 2.5 : 3);
    } else if (is(as, "row_reduce"))
        ((fbp_row_reduce *)kernel->function)(x[0].data, x[0].ld, x[1].data, x[1].ld, m, n);
    else if (is(as, "sum_product"))
        ((fbp_sum_product *)kernel->function)(x[0].data, x[1].data, x[1].ld, 1, place ? NULL : x[2].data, x[2].ld, 1,
                                              m, n, place);
    else if (is(as, "total"))
        return ((fbp_total *)kernel->function)(x[1].data, x[1].ld, 1, place ? NULL : x[2].data, x[2].ld, 1, m, n);
    else if (is(as, "embedding_lookup"))
        ((fbp_embedding_lookup *)kernel->function)(x[0].data, x[0].ld, x[1].data, x[1].ld, (int32_t *)x[3].data, m, n);
    else if (is(as, "scatter"))
        ((fbp_scatter *)kernel->function)(x[0].data, x[0].ld, x[1].data, x[1].ld, (int32_t *)x[3].data, 1, m - 1, m, n);
    else if (is(as, "convert"))
        ((fbp_convert *)kernel->function)(x[0].data, x[0].ld, x[1].data, x[1].ld * itemsize,
                                          place ? (int64_t *)x[3].data : NULL, m, n, 0.3);
    else {
        printf("%s: kernels_check.c cannot call signature %s\n", doing, as);
        exit(1);
    }
    return 0;
}

/* What working in place should leave: in array `place` the output of a call that did not, and array 0 untouched. */
static void expect_in_place(int place)
{
    array *out = &set[0][0], *moved = &set[0][place], *untouched = &set[1][0];
    for (ptrdiff_t i = 0; i < out->m; i++) {
        memcpy(moved->data + i * moved->ld * itemsize, out->data + i * out->ld * itemsize, (size_t)(out->n * itemsize));
        memcpy(out->data + i * out->ld * itemsize, untouched->data + i * out->ld * itemsize,
               (size_t)(out->n * itemsize));
    }
}

/* Array a of both sets becomes m numbers (i * 7) % n. */
static void fill_numbers(int a, ptrdiff_t m, ptrdiff_t n)
{
    fill(a, 1, (m * 4 + itemsize - 1) / itemsize, 0, 0, 0);
    for (int s = 0; s < 2; s++)
        for (ptrdiff_t i = 0; i < m; i++) ((int32_t *)set[s][a].data)[i] = (int32_t)((i * 7) % n);
}

/* Array 1 of both sets becomes m rows of n numbers of the type that a conversion is named after, array 3 the numbers of m
 * rows as int64. Bytes are random, but the last one of a number: no half is infinite, floats and doubles are below 2. */
static void fill_source(const char *name, ptrdiff_t m, ptrdiff_t n, ptrdiff_t pad)
{
    const ptrdiff_t size = contains(name, "64") ? 8 : contains(name, "32") ? 4 : contains(name, "16") ? 2 : 1;
    fill(1, m, (n * size + itemsize - 1) / itemsize, size > itemsize ? pad * (size / itemsize) : pad, 0, 0); /* aligned */
    fill(3, 1, (m * 8 + itemsize - 1) / itemsize, 0, 0, 0);
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t at = 0; at < n * size; at++) {
            int byte = (int)(uniform() * 256);
            if (at % size == size - 1 && (size > 2 || (size == 2 && (byte & 0x7C) == 0x7C))) byte = (byte & 0x80) | 0x3F;
            for (int s = 0; s < 2; s++) set[s][1].data[i * set[s][1].ld * itemsize + at] = (char)byte;
        }
    for (int s = 0; s < 2; s++)
        for (ptrdiff_t i = 0; i < m; i++) {
            int64_t row = i * 7 % m;
            memcpy(set[s][3].data + i * 8, &row, sizeof row);
        }
}

/* Random numbers in the ranges the kernel is meant for. */
static void draw(const fbp_kernel *kernel, ptrdiff_t m, ptrdiff_t n, ptrdiff_t pad)
{
    const char *as = kernel->signature;
    int vectors = is(as, "update") || is(as, "reduce") || is(as, "penalty"), positive = is(as, "update") || is(as, "map");
    int one_row = vectors || is(as, "reduce_partials") || is(as, "sum_product");
    fill(0, one_row ? 1 : m, is(as, "row_reduce") ? 1 : n, pad, -3, 3);
    fill(1, vectors ? 1 : m, n, pad, positive ? 0.1 : is(as, "backward") ? -1 : -3, 3);
    fill(2, positive || is(as, "forward") ? 1 : m, n, pad, is(as, "backward") ? -0.95 : 0.1, 0.95);
    fill(3, is(as, "map") ? m : 1, is(as, "loss") ? m : n, is(as, "map") ? pad : 0, 0.1, 2);
    if (contains(kernel->name, "labels")) fill_numbers(2, m, n);
    if (is(as, "embedding_lookup") || is(as, "scatter")) fill_numbers(3, m, m);
    if (is(as, "convert")) fill_source(kernel->name, m, n, pad);
}

/* The last element of what the kernel reads becomes a NaN, which minima and maxima must not lose. */
static void spoil(const fbp_kernel *kernel)
{
    const char *as = kernel->signature;
    if (is(as, "convert")) return; /* its NaN are in tests/csrc/test_kernels.py */
    int a = is(as, "forward") || is(as, "reduce") ? 0 : is(as, "update") ? 3 : 1;
    for (int s = 0; s < 2; s++)
        if (set[s][a].m > 0 && set[s][a].n > 0) put(set[s][a].end - itemsize, NAN);
}

/* Forward, backward and maps: each element alone gives the bits it has in its row. */
static int placeless(const fbp_kernel *kernel, ptrdiff_t n)
{
    draw(kernel, 1, n, 0);
    call(kernel, set[1], 1, n, 0);
    for (ptrdiff_t j = 0; j < n; j++) {
        array one[ARRAYS];
        for (int a = 0; a < ARRAYS; a++) {
            one[a] = set[0][a];
            if (one[a].data != NULL) one[a].data += j * itemsize;
        }
        call(kernel, one, 1, 1, 0);
        if (memcmp(one[0].data, set[1][0].data + j * itemsize, (size_t)itemsize) != 0) {
            printf("%s: element %td of %td has other bits alone\n", doing, j, n);
            return 0;
        }
    }
    return 1;
}

/* Returns the number of cases, or 0 where one is wrong. */
static long check(const fbp_table *table, const fbp_kernel *kernel, const fbp_kernel *expected)
{
    const int V = table->lanes, sizes[CASE_SIZES] = {0, 1, V - 1, V, V + 1, 4 * V + 3, 9 * V + 1};
    const double tolerance = itemsize == 4 ? 1e-5 : 1e-12;
    const char *as = kernel->signature;
    const int rowwise = contains(kernel->name, "softmax");
    const int never_empty = rowwise || contains(kernel->name, "cross_e") || is(as, "row_reduce") || is(as, "correct");
    const int in_place = is(as, "backward") || is(as, "loss") || is(as, "dropout") || is(as, "map");
    const int places = is(as, "backward") || is(as, "loss") ? 3 : 2;
    long cases = 0;
    for (int im = 0; im < CASE_SIZES; im++)
        for (int in = 0; in < CASE_SIZES; in++)
            for (int place = 0; place < places; place++)
                for (int variant = 0; variant < 3; variant++) {
                    ptrdiff_t m = sizes[im], n = sizes[in], pad = variant ? 3 : 0;
                    if ((never_empty && n == 0) || (place == 2 && contains(kernel->name, "labels"))) continue;
                    if (FEW_SIZES && m > V + 1 && n > V + 1) continue;
                    sprintf(doing, "%s %s %s m=%td n=%td place=%d%s%s", table->isa, itemsize == 4 ? "f32" : "f64",
                            kernel->name, m, n, place, pad ? " padded" : "", variant == 2 ? " NaN" : "");
                    draw(kernel, m, n, pad);
                    if (variant == 2) spoil(kernel);
                    double want = call(expected, set[0], m, n, in_place ? 0 : place);
                    if (in_place && place) expect_in_place(place);
                    double got = call(kernel, set[1], m, n, place);
                    if (!near(want, got, tolerance * (double)(1 + m * n))) {
                        printf("%s: returned %.17g, expected %.17g\n", doing, got, want);
                        return 0;
                    }
                    if (!alike(4, tolerance)) return 0;
                    cases++;
                }
    if ((is(as, "forward") || is(as, "backward") || is(as, "map")) && !rowwise)
        for (int in = 0; in < CASE_SIZES; in++)
            if (!placeless(kernel, sizes[in])) return 0;
    return cases;
}

/* ---- the rest --------------------------------------------------------------------------------------------------- */

enum { JOBS = 40, PHASES_OF_JOB = 50, PHASES = JOBS * PHASES_OF_JOB, TASKS = 7 };
static fbp_queue queue;
static int phase, done[PHASES][TASKS];
static long wrong_by[3]; /* what each thread saw */

/* A thread of the team, until it is to leave; thread 0 until the job is over. */
static void *take_tasks(void *member)
{
    long *wrong = &wrong_by[(size_t)member];
    uint64_t job;
    for (int task; (task = fbp_take(&queue, (int)(size_t)member, &job)) >= 0;) {
        *wrong += job != (uint64_t)(phase / PHASES_OF_JOB + 1);
        if (phase > 0)
            for (int i = 0; i < TASKS; i++) *wrong += done[phase - 1][i] != 1;
        done[phase][task]++;
        if (!fbp_finish(&queue)) continue;
        phase++;
        fbp_open(&queue, phase % PHASES_OF_JOB ? TASKS : 0);
    }
    return NULL;
}

static int has_bits(double x, uint64_t bits) { return memcmp(&x, &bits, sizeof x) == 0; }

/* Literals of tests/core/test_portable.py: the same for every compiler and processor. */
static int check_portable(void)
{
    double low, high = fbp_log(0.999, &low);
    int right = has_bits(high, 0xbf5064670d979b73) & has_bits(low, 0xbbde46a88405b164);
    right &= has_bits(fbp_power(0.999, 1000), 0x3fd788526411ed72) & has_bits(fbp_power(0.97, 0.5), 0x3fef842f2f055704);
    right &= has_bits(fbp_cos_pi(0.1), 0x3fee6f0e134454ff) & has_bits(fbp_cos_pi(0.7), 0xbfe2cf2304755a5d);
    right &= has_bits(fbp_normal(fbp_threefry(1, 1)), 0xbfed8f5451b67f6a);
    right &= has_bits(fbp_normal(fbp_threefry(1, 2)), 0x3f5df990857015aa);
    printf("%-6s     %-30s %s\n", "", "portable", right ? "ok" : "WRONG");
    return right;
}

static int check_dispatch(void)
{
    fbp_thread thread[2];
    long wrong = fbp_threefry(0x0370734413198A2E, 0x85A308D3243F6A88) != 0x483DF7A0C4923A9C;
    fbp_start(&queue);
    for (size_t i = 0; i < 2; i++) wrong += fbp_thread_start(&thread[i], 0, take_tasks, (void *)(i + 1)) != 0;
    for (int job = 0; job < JOBS; job++) {
        fbp_post(&queue, NULL, 3, job % 2, TASKS);
        take_tasks(0);
    }
    fbp_end(&queue);
    for (size_t i = 0; i < 2; i++) fbp_thread_join(thread[i]);
    for (size_t i = 0; i < 3; i++) wrong += wrong_by[i];
    printf("%-6s     %-30s %s\n", "", "threefry, queue", wrong ? "WRONG" : "ok");
    return wrong == 0;
}

static void crashed(int number)
{
    (void)number;
    printf("%s: crashed\n", doing);
    fflush(stdout);
    _Exit(1);
}

int main(int argc, char **argv)
{
    int right = 1, found = 0;
    allocate();
    signal(SIGSEGV, crashed);
#if defined SIGBUS
    signal(SIGBUS, crashed);
#endif
    signal(SIGILL, crashed);
    right &= check_dispatch() & check_portable();
    for (int i = 0; fbp_known_isa(i) != NULL; i++)
        for (itemsize = 4; itemsize <= 8; itemsize += 4) {
            const fbp_table *table = fbp_find_table(fbp_known_isa(i), itemsize);
            const fbp_table *scalar = fbp_find_table("scalar", itemsize);
            if (table == NULL || (argc > 1 && !is(argv[1], table->isa))) continue;
            found++;
            for (int k = 0; k < table->count; k++) {
                const fbp_kernel *kernel = &table->kernels[k];
                long cases = is(kernel->signature, "gemm")   ? check_gemm(table, kernel)
                             : is(kernel->signature, "pack_b") ? check_pack_b(table, kernel)
                             : is(kernel->signature, "pack_a") ? check_pack_a(table, kernel)
                                                             : check(table, kernel, &scalar->kernels[k]);
                printf("%-6s %s %-30s %s (%ld cases)\n", table->isa, itemsize == 4 ? "f32" : "f64", kernel->name,
                       cases ? "ok" : "WRONG", cases);
                fflush(stdout);
                right &= cases > 0;
            }
        }
    if (!found) {
        printf("kernels_check: there is no table for %s on this machine\n", argc > 1 ? argv[1] : "any ISA");
        return 2;
    }
    return right ? 0 : 1;
}
