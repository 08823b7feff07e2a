#define ISA avx2
#define ISA_avx2
#define REAL_IS_DOUBLE 0
#if defined __AVX2__ && defined __FMA__ && defined __F16C__
#define ISA_COMPILED 1
#endif
#include "isa.inc"
