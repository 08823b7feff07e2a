#!/usr/bin/env bash
# neon.sh - compiles csrc and kernels_check.c and runs the check: for AArch64, under qemu unless this machine is one,
# or for this machine with `neon.sh native`, or `neon.sh sanitized`: with the compiler's checks of memory and of undefined
# behaviour, which end it at the first fault. For AArch64 the compiler is NEON_CC, or a cross compiler of GCC's, or Zig's
# (pip install ziglang). Skips, with a reason and exit 0, where the tools are missing
# (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static; for CC=clang libclang-rt-dev). With an emulator or the
# compiler's checks every instruction takes ten to a hundred times as long: fewer sizes then.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
csrc=$here/../../csrc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$here/build_check.sh"
flags="-O3 -std=gnu99 -fno-math-errno -fno-trapping-math -ffp-contract=off -Wall -Wextra -Werror -I $csrc"
link="-static -pthread" check_flags=

skip() {
    echo "neon.sh: skipped: $*"
    exit 0
}
compiles() { printf '#include <%s>\n#include <stdio.h>\n' "$1" | $compiler -x c -E - > /dev/null 2>&1; }

if [ "${1:-}" = native ] || [ "${1:-}" = sanitized ] || [ "$(uname -m)" = aarch64 ]; then
    compiler=${CC:-cc} emulator= isa=
    machine=$($compiler -dumpmachine | cut -d- -f1) || skip "$compiler is not installed"
else
    machine=aarch64 isa=neon
    compiler=${NEON_CC:-aarch64-linux-gnu-gcc}
    zig=${ZIG:-python3 -m ziglang}
    if [ -z "${NEON_CC:-}" ] && ! compiles arm_neon.h && $zig version > /dev/null 2>&1; then
        compiler="$zig cc -target aarch64-linux-musl"
    fi
    compiles arm_neon.h || skip "$compiler is not installed, or has no C library for AArch64 (libc6-dev-arm64-cross)"
    emulator=${NEON_QEMU:-$(command -v qemu-aarch64-static || command -v qemu-aarch64 || echo qemu-aarch64-static)}
    command -v "$emulator" > /dev/null || skip "$emulator is not installed"
    check_flags="$flags -DFEW_SIZES=1"
fi

if [ "${1:-}" = sanitized ]; then
    # Not optimised: with the checks in them, unrolled loops take minutes to compile. Without what a debugger wants, which is
    # a third of the time: reports name line or function all the same. No -Werror: GCC takes what it checks for what could be
    # uninitialised. The program around the kernels is not what is checked: as it always is, but with fewer sizes.
    check_flags="-O2 -std=gnu99 -I $csrc -DFEW_SIZES=1"
    flags="-O0 -g0 -std=gnu99 -fno-math-errno -fno-trapping-math -ffp-contract=off -I $csrc"
    link="-pthread -fsanitize=address,undefined -fno-sanitize-recover=all"
    flags="$flags $link -fno-omit-frame-pointer"
    # shellcheck disable=SC2086
    echo 'int main(void) { return 0; }' | $compiler $link -x c - -o "$work/probe" 2> /dev/null ||
        skip "$compiler has no libraries for -fsanitize=address,undefined"
fi

build_check "$compiler" "$machine" "$flags" "${check_flags:-$flags}" "$link" "$work/kernels_check"
# shellcheck disable=SC2086
$emulator "$work/kernels_check" $isa
