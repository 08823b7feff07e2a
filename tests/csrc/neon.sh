#!/usr/bin/env bash
# neon.sh - compiles csrc and kernels_check.c and runs the check: for AArch64, under qemu unless this machine is one,
# or for this machine with `neon.sh native`, or `neon.sh sanitized`: with the compiler's checks of memory and of undefined
# behaviour, which end it at the first fault. Skips, with a reason and exit 0, where the tools are missing
# (Debian: gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static; for CC=clang libclang-rt-dev).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
csrc=$here/../../csrc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-O3 -std=gnu99 -fno-math-errno -fno-trapping-math -ffp-contract=off -Wall -Wextra -Werror -I $csrc"
link=-static check_flags=

if [ "${1:-}" = native ] || [ "${1:-}" = sanitized ] || [ "$(uname -m)" = aarch64 ]; then
    compiler=${CC:-cc} emulator= isa=
else
    compiler=${NEON_CC:-aarch64-linux-gnu-gcc} emulator=${NEON_QEMU:-qemu-aarch64-static} isa=neon
fi
for tool in $compiler $emulator; do
    if ! command -v "$tool" > /dev/null; then
        echo "neon.sh: skipped: $tool is not installed"
        exit 0
    fi
done
if ! printf '#include <arm_neon.h>\n#include <stdio.h>\n' | "$compiler" -E - > /dev/null 2>&1 && [ "$isa" = neon ]; then
    echo "neon.sh: skipped: $compiler has no C library for AArch64 (libc6-dev-arm64-cross)"
    exit 0
fi

if [ "${1:-}" = sanitized ]; then
    # Not optimised: with the checks in them, unrolled loops take minutes to compile. Without what a debugger wants, which is
    # a third of the time: reports name line or function all the same. No -Werror: GCC takes what it checks for what could be
    # uninitialised. The program around the kernels is not what is checked: as it always is, but with fewer sizes.
    check_flags="-O2 -std=gnu99 -I $csrc -DFEW_SIZES=1"
    flags="-O0 -g0 -std=gnu99 -fno-math-errno -fno-trapping-math -ffp-contract=off -I $csrc"
    link="-fsanitize=address,undefined -fno-sanitize-recover=all"
    flags="$flags $link -fno-omit-frame-pointer"
    if ! echo 'int main(void) { return 0; }' | "$compiler" $link -x c - -o "$work/probe" 2> /dev/null; then
        echo "neon.sh: skipped: $compiler has no libraries for -fsanitize=address,undefined"
        exit 0
    fi
fi

# As many files at a time as there are processors; one that does not compile ends the script.
at_once=$(nproc 2> /dev/null || echo 2) running=0
finish_one() {
    wait -n
    running=$((running - 1))
}
objects=
compile() { # source, object, more flags
    how=$flags
    case $1 in */kernels_check.c) how=${check_flags:-$flags} ;; esac
    # shellcheck disable=SC2086
    "$compiler" $how ${3:-} -c "$1" -o "$work/$2.o" &
    running=$((running + 1))
    [ "$running" -lt "$at_once" ] || finish_one
    objects="$objects $work/$2.o"
}
for source in "$csrc"/*.c "$here/kernels_check.c"; do
    [ "$source" = "$csrc/kernels.c" ] || compile "$source" "$(basename "$source" .c)"
done
machine=$("$compiler" -dumpmachine | cut -d- -f1)
for name in $(sed -n 's/^#include "\(.*\)\.h".*/\1/p' "$csrc/isa/isas.def"); do
    own=$(sed -n "s/^ \* flags on $machine: //p" "$csrc/isa/$name.h")
    for real in f32 f64; do
        compile "$csrc/kernels.c" "${name}_$real" "$own -DISA=$name -DREAL=$real"
    done
done
while [ "$running" -gt 0 ]; do finish_one; done
# shellcheck disable=SC2086
"$compiler" $link $objects -o "$work/kernels_check" -lm -lpthread
# shellcheck disable=SC2086
$emulator "$work/kernels_check" $isa
