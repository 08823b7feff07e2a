# What csrc/fastbp.h offers, and the one place that knows which C type a NumPy dtype is. Shapes and meanings of the
# arguments stand in that header.
from libc.stdint cimport int32_t, int64_t, uint64_t

cdef extern from "fastbp.h" nogil:
    enum: FBP_LANES
    ctypedef struct fbp_prefetch:
        const char *base
        Py_ssize_t stride
        const int64_t *index
        Py_ssize_t rows, bytes, row, at, lines
    void fbp_prefetch_ends(const fbp_prefetch *prefetch) noexcept
    ctypedef void fbp_gemm(void *C, Py_ssize_t ldc, const void *A, Py_ssize_t rsa, Py_ssize_t csa, Py_ssize_t a_tile,
                           const int64_t *index, const void *B, Py_ssize_t ldb, fbp_prefetch *prefetch, Py_ssize_t m,
                           Py_ssize_t n, Py_ssize_t k, int accumulate, int ones) noexcept
    ctypedef void fbp_pack_b(void *P, const void *B, Py_ssize_t ldb, Py_ssize_t k, Py_ssize_t n) noexcept
    ctypedef void fbp_pack_a(void *P, const void *A, Py_ssize_t rsa, Py_ssize_t csa, Py_ssize_t m,
                             Py_ssize_t k) noexcept
    ctypedef void fbp_forward(void *Y, Py_ssize_t ldy, void *Z, Py_ssize_t ldz, const void *b, Py_ssize_t m,
                              Py_ssize_t n) noexcept
    ctypedef void fbp_backward(void *dZ, Py_ssize_t lddz, const void *dY, Py_ssize_t lddy, const void *V,
                               Py_ssize_t ldv, Py_ssize_t m, Py_ssize_t n) noexcept
    ctypedef double fbp_loss(void *dY, Py_ssize_t lddy, const void *Y, Py_ssize_t ldy, const void *T, Py_ssize_t ldt,
                             const void *w, Py_ssize_t m, Py_ssize_t n, double scale, double param) noexcept
    ctypedef int fbp_update(void *p, void *s0, void *s1, const void *g, Py_ssize_t n, const double *h) noexcept
    ctypedef void fbp_reduce_partials(void *g, const void *partials, Py_ssize_t stride, Py_ssize_t slices,
                                      Py_ssize_t n) noexcept
    ctypedef double fbp_reduce(const void *x, Py_ssize_t n) noexcept
    ctypedef double fbp_penalty(void *g, const void *W, Py_ssize_t n, double l1, double l2) noexcept
    ctypedef void fbp_dropout(void *Y, Py_ssize_t ldy, const void *X, Py_ssize_t ldx, Py_ssize_t m, Py_ssize_t n,
                              uint64_t row, uint64_t key, double rate) noexcept
    ctypedef void fbp_map(void *Z, Py_ssize_t ldz, const void *A, Py_ssize_t rsa, Py_ssize_t csa, const void *B,
                          Py_ssize_t rsb, Py_ssize_t csb, const void *C, Py_ssize_t rsc, Py_ssize_t csc, Py_ssize_t m,
                          Py_ssize_t n, double param) noexcept
    ctypedef void fbp_row_reduce(void *s, Py_ssize_t lds, const void *A, Py_ssize_t lda, Py_ssize_t m,
                                 Py_ssize_t n) noexcept
    ctypedef void fbp_sum_product(void *s, const void *A, Py_ssize_t rsa, Py_ssize_t csa, const void *B,
                                  Py_ssize_t rsb, Py_ssize_t csb, Py_ssize_t m, Py_ssize_t n,
                                  int accumulate) noexcept
    ctypedef double fbp_total(const void *A, Py_ssize_t rsa, Py_ssize_t csa, const void *B, Py_ssize_t rsb,
                              Py_ssize_t csb, Py_ssize_t m, Py_ssize_t n) noexcept
    ctypedef void fbp_embedding_lookup(void *Y, Py_ssize_t ldy, const void *W, Py_ssize_t ldw, const int32_t *index,
                                       Py_ssize_t m, Py_ssize_t n) noexcept
    ctypedef void fbp_scatter(void *dW, Py_ssize_t lddw, const void *dY, Py_ssize_t lddy, const int32_t *index,
                              Py_ssize_t first, Py_ssize_t count, Py_ssize_t m, Py_ssize_t n) noexcept
    ctypedef void fbp_convert(void *out, Py_ssize_t ldo, const void *source, Py_ssize_t source_bytes,
                              const int64_t *index, Py_ssize_t m, Py_ssize_t n, double scale) noexcept

    enum:
        H_LR, H_WEIGHT_DECAY, H_BETA1, H_BETA2, H_EPS, H_CORRECTION1, H_CORRECTION2, H_SCALE, H_LIMIT, H_COUNT
        H_LOG1, H_LOG1_LOW, H_LOG2, H_LOG2_LOW, H_CONSTANTS

    ctypedef void fbp_any() noexcept
    ctypedef struct fbp_kernel:
        const char *name
        const char *signature
        const char *reads
        fbp_any *function
    ctypedef void fbp_hook() noexcept
    ctypedef struct fbp_table:
        const char *isa
        int itemsize
        int lanes
        int mr, nr, kr, mc, kc
        int a_bytes, b_bytes, limbs
        fbp_hook *enter
        fbp_hook *leave
        int count
        const fbp_kernel *kernels
    ctypedef struct fbp_queue:
        const void *job

ctypedef fused real:
    float
    double


cdef inline int itemsize_of(dtype) except -1:
    """4 for float32, 8 for float64, in the machine's byte order; nothing else is computed with."""
    if dtype == "float32":
        return sizeof(float)
    if dtype == "float64":
        return sizeof(double)
    raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")


cdef inline double get_real(const void *p, Py_ssize_t item) noexcept nogil:
    """The real of `item` bytes at p."""
    return (<const float *>p)[0] if item == sizeof(float) else (<const double *>p)[0]


cdef inline void put_real(void *p, Py_ssize_t item, double value) noexcept nogil:
    """Writes a real of `item` bytes at p."""
    if item == sizeof(float):
        (<float *>p)[0] = <float>value
    else:
        (<double *>p)[0] = value
