#!/usr/bin/env bash
# cross.sh - compiles csrc, the kernels' check and the C that Cython has made for systems that this machine is not, by Zig's
# Clang (pip install ziglang):
#
#     cross.sh                        Windows x86_64, macOS arm64 and x86_64
#     cross.sh x86_64-windows-gnu     one of them
#
# csrc and the check are linked; the check for Windows runs under Wine where that is installed (Debian: wine64). The modules of
# fastbp/_core are compiled with OpenMP's pragmas, behind Python's and NumPy's headers of this machine, with what differs in
# them: such a module can be linked and loaded on its own system alone. They are left out where Cython has not been at work
# (python setup.py build_ext --inplace) or python3 has no NumPy. ZIG names another command than `python3 -m ziglang`. Skips,
# with a reason and exit 0, where there is none.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
csrc=$here/../../csrc core=$here/../../fastbp/_core
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$here/build_check.sh"

zig=${ZIG:-python3 -m ziglang}
if ! $zig version > "$work/version" 2>&1; then
    echo "cross.sh: skipped: '$zig' is not there (pip install ziglang)"
    exit 0
fi
echo "cross.sh: Zig $(cat "$work/version")"

# Not optimised, which takes a tenth of the time: it is the sources that are looked at, and the builds that are tested are.
# The check with the few sizes of its sanitized build, for the same reason.
strict="-O0 -g0 -std=gnu99 -fno-sanitize=undefined -fno-math-errno -fno-trapping-math -ffp-contract=off -Wall -Wextra -Werror -I $csrc"
strict_check="$strict -O2 -DFEW_SIZES=1"

headers() { # $1: windows or macos; a folder of Python's and NumPy's headers for it
    folder=$work/include_$1
    python3 - "$folder" <<'PYTHON' || return 1
import shutil, sys, sysconfig
try:
    import numpy
except ImportError:
    sys.exit("cross.sh: python3 has no NumPy")
shutil.copytree(sysconfig.get_path("include"), sys.argv[1])
shutil.copytree(numpy.get_include() + "/numpy", sys.argv[1] + "/numpy", dirs_exist_ok=True)
PYTHON
    config=$folder/numpy/_numpyconfig.h
    sed '/NPY_HAVE_ENDIAN_H/d' "$config" > "$config.new"
    mv "$config.new" "$config"
    if [ "$1" = windows ]; then
        sed -e 's/NPY_SIZEOF_LONG 8/NPY_SIZEOF_LONG 4/' -e 's/NPY_SIZEOF_WCHAR_T 4/NPY_SIZEOF_WCHAR_T 2/' \
            -e 's/NPY_SIZEOF_LONGDOUBLE 16/NPY_SIZEOF_LONGDOUBLE 8/' "$config" > "$config.new"
        mv "$config.new" "$config"
        cp "$here/cross/pyconfig.h" "$folder/pyconfig.h"
    fi
    cp "$here/cross/omp.h" "$folder/"
}

modules() { # $1: the target, $2: its headers
    # shellcheck disable=SC2086
    for module in "$core"/*.c; do
        start $zig cc -target $1 -O0 -g0 -w -std=gnu99 -fno-sanitize=undefined -Xclang -fopenmp -I "$2" -I "$csrc" \
            -DFASTBP_BUILD_FLAGS='""' -DFASTBP_WANTED_OPENMP=1 -DNPY_NO_DEPRECATED_API=NPY_1_7_API_VERSION \
            -c "$module" -o "$work/$(basename "$module" .c)_$1.o"
    done
    finish_all
    echo "$1: $(ls "$work"/*_"$1".o | wc -l) modules of fastbp/_core compiled"
}

[ $# -gt 0 ] || set -- x86_64-windows-gnu aarch64-macos x86_64-macos
for target; do
    case $target in *-windows-*) system=windows program=kernels_check_$target.exe ;; *) system=macos program=kernels_check_$target ;; esac
    build_check "$zig cc -target $target" "${target%%-*}" "$strict" "$strict_check" "" "$work/$program"
    echo "$target: csrc and kernels_check.c compiled and linked"
    if ! ls "$core"/*.c > /dev/null 2>&1; then
        echo "$target: the modules of fastbp/_core are left out: Cython has not been at work"
    elif [ -d "$work/include_$system" ] || headers "$system"; then
        modules "$target" "$work/include_$system"
    fi
    wine=${WINE:-$(command -v wine64 || ls /usr/lib/wine/wine64 2> /dev/null || command -v wine || true)}
    if [ "$system" = windows ] && [ -n "$wine" ]; then
        WINEPREFIX=$work/wine WINEDEBUG=-all DISPLAY='' "$wine" "$work/$program" > "$work/said" 2> "$work/wine_said" || {
            cat "$work/said" "$work/wine_said"
            exit 1
        }
        for isa in avx2:avx2 avx512:avx512vl; do # an ISA of this processor that is not found would not have been tried
            if grep -qw "${isa#*:}" /proc/cpuinfo && ! grep -q "^${isa%:*} " "$work/said"; then
                echo "$target: the processor has ${isa%:*}, and csrc/dispatch.c does not find it on Windows"
                exit 1
            fi
        done
        echo "$target: kernels_check runs under Wine: $(grep -c ' ok' "$work/said") kernels and the queue are right"
    fi
done
