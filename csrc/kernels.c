/* kernels.c - all the kernels of one (ISA, real) pair and their table, fbp_<isa>_<real>. It is compiled once for each pair,
 * with -DISA=<isa> -DREAL=<f32 or f64> and the ISA's flags. Where the compiler does not know these the table is empty, and
 * dispatch.c does not offer the ISA. */
#if !defined ISA || !defined REAL
#error "kernels.c needs -DISA=..., a name of isa/isas.def, and -DREAL=f32 or -DREAL=f64"
#endif
#include "fastbp.h"
#include "simd.h"

#define TABLE PASTE(PASTE(PASTE(fbp_, ISA), _), REAL)

#if defined VECTOR_BYTES

/* prototypes: a body that does not have the signature of its row does not compile */
#define KERNEL(name, signature) static fbp_##signature name;
#define ACTIVATION(name, from) static fbp_forward name##_forward; static fbp_backward name##_backward;
#define LOSS(name) static fbp_loss name##_loss;
#define UPDATE(name, slots) static fbp_update name##_update;
#define MAP(name, operands) static fbp_map map_##name;
#include "kernels.def"

#include "gemm.inc"
#include "packing.inc"
#include "elementwise.inc"
#include "vecmath.inc"
#include "activations.inc"
#include "losses.inc"
#include "correct.inc"
#include "updates.inc"
#include "maps.inc"
#include "reductions.inc"
#include "convert.inc"

static const fbp_kernel kernels[] = {
#define KERNEL(name, signature) {#name, #signature, "", (fbp_any *)name},
#define ACTIVATION(name, from) {#name "_forward", "forward", "", (fbp_any *)name##_forward}, \
                               {#name "_backward", "backward", #from, (fbp_any *)name##_backward},
#define LOSS(name) {#name "_loss", "loss", "", (fbp_any *)name##_loss},
#define UPDATE(name, slots) {#name "_update", "update", #slots, (fbp_any *)name##_update},
#define MAP(name, operands) {#name, "map", "", (fbp_any *)map_##name},
#include "kernels.def"
};
const fbp_table TABLE = {
    .isa = STRING(ISA), .narrow = NARROW, .itemsize = sizeof(real), .lanes = V,
    .mr = MR, .nr = NR, .kr = KR, .mc = MC, .kc = KC, .a_bytes = A_BYTES, .b_bytes = B_BYTES, .limbs = LIMBS,
    .enter = ENTER, .leave = LEAVE, .count = sizeof kernels / sizeof *kernels, .kernels = kernels,
};
#else
const fbp_table TABLE = {.isa = STRING(ISA)};
#endif
