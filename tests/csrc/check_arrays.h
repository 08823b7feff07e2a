/* check_arrays.h - the arrays of kernels_check.c. They end at a page that may not be touched, so a read beyond the end is
 * a crash, which names its kernel; they begin, and their rows are apart, by canaries. Two copies of all arrays go through
 * two kernels and must stay alike. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fastbp.h"
#include "threads.h" /* and windows.h */
#if !defined _WIN32
#include <sys/mman.h>
#include <unistd.h>
#endif

enum { ARRAYS = 5, REGION = 1 << 20, MARGIN = 256, CANARY = 0xFF };

typedef struct {
    char *end;              /* of the region: the next byte belongs to the forbidden page */
    char *data;             /* (m, n), rows ld apart */
    ptrdiff_t m, n, ld;
} array;
static array set[2][ARRAYS]; /* [0]: what is expected, [1]: what the kernel under test does */
static int itemsize;
static char doing[200];

/* REGION bytes before a page that may not be touched; their end, or NULL. */
#if defined _WIN32
static char *guarded(void)
{
    SYSTEM_INFO system;
    DWORD before;
    GetSystemInfo(&system);
    char *region = VirtualAlloc(NULL, REGION + system.dwPageSize, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (region == NULL || !VirtualProtect(region + REGION, system.dwPageSize, PAGE_NOACCESS, &before)) return NULL;
    return region + REGION;
}
#else
static char *guarded(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *region = mmap(NULL, REGION + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return region == MAP_FAILED || mprotect(region + REGION, page, PROT_NONE) != 0 ? NULL : region + REGION;
}
#endif

static void allocate(void)
{
    for (int s = 0; s < 2; s++)
        for (int a = 0; a < ARRAYS; a++) {
            set[s][a].end = guarded();
            if (set[s][a].end == NULL) {
                printf("kernels_check: there is no memory\n");
                exit(2);
            }
        }
}

static double get(const char *p) { return itemsize == 4 ? *(const float *)p : *(const double *)p; }
static void put(char *p, double x)
{
    if (itemsize == 4) *(float *)p = (float)x;
    else *(double *)p = x;
}

static double uniform(void)
{
    static uint64_t counter;
    return (double)(fbp_threefry(7, counter++) >> 11) * 0x1p-53;
}

/* Array a of both sets becomes (m, n) random numbers between low and high, `pad` elements between the rows. */
static void fill(int a, ptrdiff_t m, ptrdiff_t n, ptrdiff_t pad, double low, double high)
{
    ptrdiff_t ld = n + pad, bytes = (m > 0 ? (m - 1) * ld + n : 0) * itemsize;
    for (int s = 0; s < 2; s++) {
        array *x = &set[s][a];
        x->m = m, x->n = n, x->ld = ld, x->data = x->end - bytes;
        memset(x->data - MARGIN, CANARY, (size_t)(bytes + MARGIN));
    }
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            double x = low + (high - low) * uniform();
            for (int s = 0; s < 2; s++) put(set[s][a].data + (i * ld + j) * itemsize, x);
        }
}

static int canary(const char *p, const char *end)
{
    for (; p < end; p++)
        if ((unsigned char)*p != CANARY) return 0;
    return 1;
}

static int near(double want, double got, double tolerance)
{
    return fabs(want - got) <= tolerance * (1 + fabs(want)) || (isnan(want) && isnan(got));
}

/* The `count` arrays of both sets agree to `tolerance`, and nothing around them was written. */
static int alike(int count, double tolerance)
{
    for (int a = 0; a < count; a++) {
        array *want = &set[0][a], *got = &set[1][a];
        int clean = canary(got->data - MARGIN, got->data);
        for (ptrdiff_t i = 0; i < got->m; i++) {
            char *row = got->data + i * got->ld * itemsize;
            for (ptrdiff_t j = 0; j < got->n; j++) {
                double x = get(want->data + (i * want->ld + j) * itemsize), y = get(row + j * itemsize);
                if (!near(x, y, tolerance)) {
                    printf("%s: array %d (%td, %td) is %.17g, expected %.17g\n", doing, a, i, j, y, x);
                    return 0;
                }
            }
            if (i + 1 < got->m) clean &= canary(row + got->n * itemsize, row + got->ld * itemsize);
        }
        if (!clean) {
            printf("%s: array %d was written outside its rows\n", doing, a);
            return 0;
        }
    }
    return 1;
}
