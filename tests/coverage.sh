#!/usr/bin/env bash
# How much of fastbp its tests run: branches of the C of the scalar build, by gcov, and of Python, by coverage.py.
#
#     bash tests/coverage.sh                        by the whole suite, two tests at a time
#     bash tests/coverage.sh tests/core tests/ir    by some of it; words are pytest's
#
# In a copy of the tree, built without optimisation, with a coverage.py of its own. Says a line for each C file
# and each module that is not run whole, with what is not, and the two sums. FASTBP_COVERAGE=90 ends with exit code 1 where
# less of the lines of C or of Python is run.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- -n 2
command -v gcov >/dev/null || { echo "there is no gcov here, expected that of GCC; install gcc"; exit 2; }
python -m pip install --quiet --disable-pip-version-check --target "$work/packages" coverage
mkdir "$work/tree"
tar -C "$root" --exclude=./.git --exclude=./build --exclude='*.so' --exclude=__pycache__ -cf - . | tar -C "$work/tree" -xf -
cd "$work/tree"
# Flags that come after setup.py's own, for what is compiled of csrc and for all that is linked; not for the C that Cython makes,
# whose branches are Cython's.
cat >"$work/compiler" <<'COMPILER'
#!/usr/bin/env bash
how=--coverage
for word in "$@"; do
    case $word in
        csrc/*.c) how="-O0 --coverage" ;;
        fastbp/*.c) how=-O1 ;;
    esac
done
exec gcc "$@" $how
COMPILER
chmod +x "$work/compiler"
FASTBP_SCALAR=1 CC="$work/compiler" python setup.py -q build_ext --inplace >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; exit 1; }
cat >"$work/coverage.ini" <<INI
[run]
branch = True
parallel = True
source = fastbp
data_file = $work/covered
[report]
show_missing = True
skip_covered = True
exclude_also =
    if TYPE_CHECKING:
omit = */fastbp/reference/*
INI
# Processes that tests start are looked at as well: they find this beside fastbp, whatever else their path has.
cat >sitecustomize.py <<PYTHON
import os
import sys
sys.path.append("$work/packages")
if "COVERAGE_PROCESS_START" in os.environ:
    import coverage
    coverage.process_startup()
PYTHON
export PYTHONPATH=$work/tree OMP_WAIT_POLICY=passive MPLBACKEND=Agg
failed=0
COVERAGE_PROCESS_START=$work/coverage.ini python -m pytest -q -p no:cacheprovider "$@" || failed=$?
python -m coverage combine --quiet --rcfile="$work/coverage.ini"
printf '\n== Python\n'
python -m coverage report --rcfile="$work/coverage.ini" | tee "$work/python.txt"
printf '\n== C, scalar\n'
# in a folder for each object, as what is included by kernels.c is written again for each dtype
number=0
while read -r data; do
    number=$((number + 1))
    mkdir -p "$work/gcov/$number"
    ln -s "$PWD/csrc" "$work/gcov/$number/csrc" # gcov says nothing of a source that it does not find
    (cd "$work/gcov/$number" && gcov -b -c "$data") >/dev/null 2>&1
done < <(find "$PWD/build" -name '*.gcda')
python "$root/tests/gcov_sums.py" "$work/gcov" | tee "$work/c.txt"
for file in python c; do
    share=$(tail -n 1 "$work/$file.txt" | grep -o '[0-9.]*%' | tail -n 1 | tr -d %)
    [ "${share%.*}" -ge "${FASTBP_COVERAGE:-0}" ] || { echo "coverage.sh: $file: $share %, expected ${FASTBP_COVERAGE} % or more"; failed=1; }
done
exit "$failed"
