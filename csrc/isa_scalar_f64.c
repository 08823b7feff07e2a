#define ISA scalar
#define ISA_scalar
#define REAL_IS_DOUBLE 1
#if 1
#define ISA_COMPILED 1
#endif
#include "isa.inc"
