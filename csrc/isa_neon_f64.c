#define ISA neon
#define ISA_neon
#define REAL_IS_DOUBLE 1
#if defined __aarch64__
#define ISA_COMPILED 1
#endif
#include "isa.inc"
