/* check_products.h - gemm, pack_a and pack_b: their tiles differ from table to table, so plain loops say what is right. */

static long check_gemm(const fbp_table *table, const fbp_kernel *kernel)
{
    const int V = table->lanes, depths[] = {0, 1, V, 4 * V + 3};
    fbp_gemm *gemm = (fbp_gemm *)kernel->function;
    fbp_pack_a *copy = (fbp_pack_a *)fbp_find_kernel(table, "pack_a");
    const int mr = table->mr;
    static double room[8 * 16 * 256];
    int64_t in_order[256];
    long cases = 0;
    for (int i = 0; i < 256; i++) in_order[i] = i;
    for (ptrdiff_t m = 1; m <= 2 * mr + 1; m++)
        for (ptrdiff_t n = 1; n <= table->nr; n++)
            for (int variant = 0; variant < 4 * 6; variant++) {
                ptrdiff_t k = depths[variant / 6], pad = n % 3;
                if (FEW_SIZES && n > 1 && (n + 1) % V > 2 && n + 1 < table->nr) continue;
                int accumulate = variant & 1, by_columns = variant / 2 % 3 == 1, packed = variant / 2 % 3 == 2;
                sprintf(doing, "%s %s gemm m=%td n=%td k=%td accumulate=%d by_columns=%d packed=%d", table->isa,
                        itemsize == 4 ? "f32" : "f64", m, n, k, accumulate, by_columns, packed);
                fill(0, m, n, pad, -1, 1);
                fill(1, by_columns ? k : m, by_columns ? m : k, pad, -1, 1);
                fill(2, k, n, pad, -1, 1);
                array *C = &set[1][0], *A = &set[1][1], *B = &set[1][2], *want = &set[0][0];
                ptrdiff_t rsa = by_columns ? 1 : A->ld, csa = by_columns ? A->ld : 1;
                for (ptrdiff_t i = 0; i < m; i++)
                    for (ptrdiff_t j = 0; j < n; j++) {
                        char *c = want->data + (i * want->ld + j) * itemsize;
                        gemm(c, want->ld, A->data + i * rsa * itemsize, rsa, csa, 0, NULL, B->data + j * itemsize, B->ld, NULL,
                             1, 1, k, accumulate, 0);
                        double sum = accumulate ? get(C->data + (i * C->ld + j) * itemsize) : 0;
                        for (ptrdiff_t p = 0; p < k; p++)
                            sum += get(A->data + (i * rsa + p * csa) * itemsize) *
                                   get(B->data + (p * B->ld + j) * itemsize);
                        if (!(fabs(sum - get(c)) <= (itemsize == 4 ? 1e-5 : 1e-12) * (double)(k + 1))) {
                            printf("%s: (%td, %td) is %.17g, expected %.17g\n", doing, i, j, get(c), sum);
                            return 0;
                        }
                    }
                if (packed) {
                    fbp_prefetch prefetch = {B->data, B->ld * itemsize, NULL, k, n * itemsize, 0, 0, 3};
                    copy(room, A->data, rsa, csa, m, k);
                    gemm(C->data, C->ld, room, 1, mr, mr * k, NULL, B->data, B->ld, &prefetch, m, n, k, accumulate, 0);
                } else
                    gemm(C->data, C->ld, A->data, rsa, csa, 0, k % 2 ? in_order : NULL, B->data, B->ld, NULL, m, n, k,
                         accumulate, 0);
                if (!alike(3, 0)) return 0;
                cases++;
            }
    return cases;
}

static long check_pack_a(const fbp_table *table, const fbp_kernel *kernel)
{
    const int V = table->lanes, mr = table->mr, depths[] = {0, 1, V - 1, V, 4 * V + 3};
    long cases = 0;
    for (ptrdiff_t m = 0; m <= 3 * mr; m++)
        for (int variant = 0; variant < 5 * 2 * 2; variant++) {
            ptrdiff_t k = depths[variant / 4], tiles = (m + mr - 1) / mr, row = 0;
            int by_columns = variant & 1;
            sprintf(doing, "%s %s pack_a m=%td k=%td by_columns=%d", table->isa, itemsize == 4 ? "f32" : "f64", m, k,
                    by_columns);
            fill(0, 1, tiles * k * mr, 0, -1, 1);
            fill(1, by_columns ? k : m, by_columns ? m : k, variant / 2 % 2 * 3, -1, 1);
            array *S = &set[0][0], *A = &set[1][1];
            ptrdiff_t rsa = by_columns ? 1 : A->ld, csa = by_columns ? A->ld : 1;
            for (ptrdiff_t t = 0; t < tiles; t++) {
                ptrdiff_t rows = (m - row) / (tiles - t);
                for (ptrdiff_t p = 0; p < k; p++)
                    for (ptrdiff_t i = 0; i < mr; i++)
                        put(S->data + ((t * k + p) * mr + i) * itemsize,
                            i < rows ? get(A->data + ((row + i) * rsa + p * csa) * itemsize) : 0);
                row += rows;
            }
            ((fbp_pack_a *)kernel->function)(set[1][0].data, A->data, rsa, csa, m, k);
            if (!alike(2, 0)) return 0;
            cases++;
        }
    return cases;
}

static long check_pack_b(const fbp_table *table, const fbp_kernel *kernel)
{
    const int V = table->lanes, sizes[CASE_SIZES] = {0, 1, V - 1, V, V + 1, 4 * V + 3, 9 * V + 1};
    const int transposed = is(kernel->name, "pack_b_transposed");
    long cases = 0;
    for (int variant = 0; variant < CASE_SIZES * CASE_SIZES * 2; variant++) {
        ptrdiff_t k = sizes[variant / 2 % CASE_SIZES], n = sizes[variant / 2 / CASE_SIZES], nr = table->nr;
        sprintf(doing, "%s %s %s k=%td n=%td", table->isa, itemsize == 4 ? "f32" : "f64", kernel->name, k, n);
        fill(0, 1, (n + nr - 1) / nr * k * nr, 0, -1, 1);
        fill(1, transposed ? n : k, transposed ? k : n, variant % 2 * 3, -1, 1);
        array *P = &set[0][0], *B = &set[1][1];
        for (ptrdiff_t at = 0; at < P->n; at++) {
            ptrdiff_t p = k ? at / nr % k : 0, j = k ? at / nr / k * nr + at % nr : 0;
            const char *element = B->data + (transposed ? j * B->ld + p : p * B->ld + j) * itemsize;
            put(P->data + at * itemsize, j < n ? get(element) : 0);
        }
        ((fbp_pack_b *)kernel->function)(set[1][0].data, B->data, B->ld, k, n);
        if (!alike(2, 0)) return 0;
        cases++;
    }
    return cases;
}
