# build_check.sh - the function that builds the kernels' check, kernels_check.c with all of csrc, for one machine; for neon.sh
# and cross.sh, which name the folders: here (of this file), csrc, work (for objects).

# As many files at a time as there are processors; one that does not compile ends the script.
at_once=$(nproc 2> /dev/null || echo 2) running=0
finish_one() {
    wait -n
    running=$((running - 1))
}
finish_all() { while [ "$running" -gt 0 ]; do finish_one; done; }
start() {
    "$@" &
    running=$((running + 1))
    [ "$running" -lt "$at_once" ] || finish_one
}

# $1: the compiler, words; $2: the machine, as the headers of csrc/isa say it; $3: flags; $4: flags of the program around the
# kernels; $5: flags of the link; $6: the program
build_check() {
    objects=$work/objects_$(basename "$6")
    mkdir -p "$objects"
    # shellcheck disable=SC2086
    for source in "$csrc"/*.c "$here/kernels_check.c"; do
        case $source in
            */kernels.c) ;;
            */kernels_check.c) start $1 $4 -c "$source" -o "$objects/kernels_check.o" ;;
            *) start $1 $3 -c "$source" -o "$objects/$(basename "$source" .c).o" ;;
        esac
    done
    for name in $(sed -n 's/^#include "\(.*\)\.h".*/\1/p' "$csrc/isa/isas.def"); do
        own=$(sed -n "s/^ \* flags on $2: //p" "$csrc/isa/$name.h")
        for real in f32 f64; do
            # shellcheck disable=SC2086
            start $1 $3 $own -DISA="$name" -DREAL="$real" -c "$csrc/kernels.c" -o "$objects/${name}_$real.o"
        done
    done
    finish_all
    # shellcheck disable=SC2086
    $1 $5 "$objects"/*.o -o "$6" -lm
}
