#define ISA avx512
#define ISA_avx512
#define REAL_IS_DOUBLE 0
#if defined __AVX512F__ && defined __AVX512BW__ && defined __AVX512DQ__ && defined __AVX512VL__ && defined __F16C__
#define ISA_COMPILED 1
#endif
#include "isa.inc"
