#!/usr/bin/env bash
#
# ./build.sh fuzz [SECONDS [TARGET]...]: runs fuzz targets for SECONDS each, then, unless targets are
# named, the program with randomly mutated payloads for as long, compared with the reference.
# Expects the fuzz preset to be built. What a target learns stays in build/fuzz/corpus; the seeds in
# tests/fuzz/corpus are only read.

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
readonly BUILD=$PWD/build/fuzz
seconds=${1:-60}
if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then
    echo "fuzz: '$seconds' is not a number of seconds" >&2
    exit 2
fi
shift $(($# > 0))

# fuzz_target PROGRAM: prints in one piece, as others run beside it.
fuzz_target() {
    local program=$1 name seeds learned executions
    name=$(basename "$program")
    seeds=tests/fuzz/corpus/${name#fuzz_}
    learned=$BUILD/corpus/${name#fuzz_}
    mkdir -p "$learned" "$BUILD/findings"
    set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$BUILD/findings/$name-" "$learned"
    if [[ -d $seeds ]]; then set -- "$@" "$seeds"; fi
    if ! "$program" "$@" >"$BUILD/$name.log" 2>&1; then
        printf '\n== %s\n%s\n%s: a finding, kept as build/fuzz/findings/%s-*\n' "$name" "$(<"$BUILD/$name.log")" \
            "$name" "$name" >&2
        return 1
    fi
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$BUILD/$name.log")
    printf '%-20s %10s executions in %s s\n' "$name" "$executions" "$seconds"
}
export -f fuzz_target
export BUILD seconds

programs=()
for name; do programs+=("$BUILD/tests/fuzz/fuzz_${name#fuzz_}"); done
if (($# == 0)); then
    mapfile -t programs < <(find "$BUILD/tests/fuzz" -maxdepth 1 -name 'fuzz_*' -type f -perm -u+x | sort)
fi
if ((${#programs[@]} == 0)); then
    echo 'fuzz: there is no fuzz target' >&2
    exit 1
fi

failed=0
printf '%s\0' "${programs[@]}" |
    xargs -0 -n 1 -P "$(getconf _NPROCESSORS_ONLN)" bash -c 'fuzz_target "$1"' - || failed=1
if (($# == 0)); then
    printf '\n== differential, %s s\n' "$seconds"
    PYTHONDONTWRITEBYTECODE=1 "${PYTHON:-python3}" tests/fuzz/differential.py "$BUILD/leadpipe" \
        --seconds "$seconds" --keep "$BUILD/findings" || failed=1
fi
if ((failed)); then
    echo 'fuzz: there are findings' >&2
    exit 1
fi
printf '\nfuzz: no findings in %d targets\n' "${#programs[@]}"
