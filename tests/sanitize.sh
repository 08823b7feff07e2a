#!/usr/bin/env bash
# The compilers' sanitizers over fastbp: what reads or writes beyond its memory, is undefined, or races.
#
#     bash tests/sanitize.sh                      all parts, in this order
#     bash tests/sanitize.sh kernels queue        some of them
#     bash tests/sanitize.sh memory tests/ir      the tests named instead of those below; words after `memory` are pytest's
#
#   kernels   AddressSanitizer and UndefinedBehaviorSanitizer: the kernels' C check, every ISA of this machine
#   queue     ThreadSanitizer: teams over csrc/queue.c in C; and that a race is found, by a planted one
#   threads   ThreadSanitizer: all that runs on several threads (tests/threads_at_once.py), compiled by GCC, whose parallel
#             regions are made of threads of POSIX; and that a race is found
#   memory    AddressSanitizer and UndefinedBehaviorSanitizer: the core of the Python suite; and that a write beyond is found
#
# Python's modules are built and tried in a copy of the tree, with the scalar kernels alone unless FASTBP_SCALAR=0. What a
# sanitizer reports, in whatever process of a test's, ends the part with exit code 1. CC: the compiler of all parts but
# `threads`, Clang by default. Needs (Debian) gcc, and clang libomp-dev libclang-rt-14-dev, or CC=gcc.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compiler=${CC:-clang}
export FASTBP_SCALAR=${FASTBP_SCALAR:-1} OMP_WAIT_POLICY=passive MPLBACKEND=Agg
say() { printf '\n== %s\n' "$*"; }

# The library of a sanitizer that a compiler has, as Python itself is not compiled with it: runtime COMPILER asan|tsan
runtime() {
    case $("$1" --version) in
        *clang*) "$1" -print-file-name="libclang_rt.$2-$(uname -m).so" ;;
        *) "$1" -print-file-name="lib$2.so" ;;
    esac
}

# A copy of the tree, built: build FOLDER COMPILER "flags" "flags of the kernels". They come after those of setup.py.
build() {
    mkdir -p "$1/tree"
    tar -C "$root" --exclude=./.git --exclude=./build --exclude='*.so' --exclude=__pycache__ -cf - . | tar -C "$1/tree" -xf -
    cat >"$1/compiler" <<COMPILER
#!/usr/bin/env bash
how="$3"
for word in "\$@"; do [ "\$word" != csrc/kernels.c ] || how="$4"; done
exec $(command -v ccache || true) $2 "\$@" \$how
COMPILER
    chmod +x "$1/compiler"
    (cd "$1/tree" && CC="$1/compiler" python setup.py -q build_ext --inplace >"$1/build.log" 2>&1) || { tail -n 30 "$1/build.log"; exit 1; }
}

# What was reported, if anything: the part has failed.
no_reports() {
    for report in "$1"/report*; do
        [ -e "$report" ] || return 0
        head -n 60 "$report"
    done
    echo "sanitize.sh: $2: reports as above"
    exit 1
}
reports() { compgen -G "$1/report*" >/dev/null; }

part_kernels() {
    say "kernels: their C check with AddressSanitizer and UndefinedBehaviorSanitizer"
    CC=$compiler bash "$root/tests/csrc/neon.sh" sanitized
}

part_queue() {
    say "queue: teams over csrc/queue.c with ThreadSanitizer"
    local how="-O1 -g -std=gnu99 -Wall -Wextra -Wno-unknown-warning-option -Wno-tsan -fsanitize=thread -I $root/csrc"
    # shellcheck disable=SC2086
    "$compiler" $how "$root/csrc/queue.c" "$root/tests/csrc/threads_check.c" -o "$work/threads_check" -lpthread
    "$work/threads_check"
    # a thread that finishes a phase's last task no longer sees what the other tasks have written
    sed 's/\(atomic_sub_fetch(&queue->left, 1, \)__ATOMIC_ACQ_REL/\1__ATOMIC_RELAXED/' "$root/csrc/queue.c" >"$work/planted.c"
    ! cmp -s "$root/csrc/queue.c" "$work/planted.c"
    # shellcheck disable=SC2086
    "$compiler" $how "$work/planted.c" "$root/tests/csrc/threads_check.c" -o "$work/planted" -lpthread
    if "$work/planted" 500 >"$work/planted.log" 2>&1; then
        echo "sanitize.sh: queue: a planted race was not reported"
        exit 1
    fi
    grep -m 1 SUMMARY "$work/planted.log" | sed "s/^.*SUMMARY: /a planted race is reported: /"
}

part_threads() {
    say "threads: all that runs on several threads with ThreadSanitizer"
    mkdir "$work/threads"
    build "$work/threads" gcc "-O1 -g1 -fsanitize=thread -Wno-tsan" "-O1 -g1 -fsanitize=thread -Wno-tsan"
    gcc -O1 -g -std=gnu99 -Wall -Wextra -fsanitize=thread -shared -fPIC "$root/tests/core/posix_regions.c" -o "$work/threads/regions.so"
    at_once() {
        # A fork of a process with threads is what `forks` tries: the sanitizer would end the child.
        (cd "$work" && LD_PRELOAD="$(runtime gcc tsan) $work/threads/regions.so" PYTHONPATH=$work/threads/tree \
            TSAN_OPTIONS="log_path=$work/threads/report exitcode=0 die_after_fork=0" \
            python "$work/threads/tree/tests/threads_at_once.py" "$@")
    }
    at_once race
    reports "$work/threads" || { echo "sanitize.sh: threads: a planted race was not reported"; exit 1; }
    rm "$work/threads"/report*
    at_once
    no_reports "$work/threads" threads
}

# Tests that a sanitizer's own memory and threads make no sense of, or that start a process with libraries of their own.
UNFIT="tests/core/test_allocations.py tests/core/test_failing_allocations.py tests/test_sanitize.py"

part_memory() {
    say "memory: $compiler's AddressSanitizer and UndefinedBehaviorSanitizer over the Python suite's core"
    local sanitizers="-fsanitize=address,undefined -fno-omit-frame-pointer" shared=""
    case $("$compiler" --version) in *clang*) shared=-shared-libasan ;; esac
    mkdir "$work/memory"
    # the kernels' undefined behaviour is looked at by the C check: with both, they take minutes to compile
    build "$work/memory" "$compiler" "-O1 -g1 $sanitizers $shared" "-O1 -g1 -fsanitize=address -fno-omit-frame-pointer $shared"
    under() {
        LD_PRELOAD=$(runtime "$compiler" asan) PYTHONMALLOC=malloc PYTHONPATH=$work/memory/tree \
            ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1:log_path=$work/memory/report" \
            UBSAN_OPTIONS="print_stacktrace=1:log_path=$work/memory/report" "$@"
    }
    cat >"$work/beyond.py" <<PYTHON
import ctypes
from fastbp._core import cpu
room = ctypes.CDLL(None).malloc
room.restype = ctypes.c_void_p
words = ctypes.CDLL(cpu.__file__).fbp_threefry_words
words(ctypes.c_void_p(room(80)), ctypes.c_uint64(0), ctypes.c_uint64(0), ctypes.c_long(11))  # 88 bytes
PYTHON
    under python "$work/beyond.py" >"$work/beyond.log" 2>&1 || true
    reports "$work/memory" || { echo "sanitize.sh: memory: a planted write beyond an array was not reported"; exit 1; }
    rm "$work/memory"/report*
    local tests=("$@") left_out=()
    [ $# -gt 0 ] || tests=(tests/core tests/compiler tests/training tests/models tests/csrc tests/ir tests/test_agreement.py tests/test_network.py)
    for each in $UNFIT; do left_out+=(--ignore "$each"); done
    (cd "$work/memory/tree" && under python -m pytest -q -p no:cacheprovider "${left_out[@]}" "${tests[@]}") || failed=$?
    no_reports "$work/memory" memory
    return "${failed:-0}"
}

[ $# -gt 0 ] || set -- kernels queue threads memory
while [ $# -gt 0 ]; do
    part=$1
    shift
    case $part in
        kernels | queue | threads) "part_$part" ;;
        memory) part_memory "$@"; break ;;
        *) echo "tests/sanitize.sh has no part '$part', expected: kernels queue threads memory; name one"; exit 2 ;;
    esac
done
