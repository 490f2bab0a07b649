#!/usr/bin/env bash
#
# ./build.sh lint and ./build.sh format: clang-format, clang-tidy, cppcheck on every C file of ours.
# Expects the debug preset to be configured, for its list of compile commands: no source includes what is made.

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
readonly BUILD=$PWD/build
JOBS=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
readonly JOBS

# format_all OPTION...: with version 14 where it is installed, since other versions format differently.
format_all() {
    local format=clang-format
    if command -v clang-format-14 >/dev/null; then format=clang-format-14; fi
    find check cmd core merge monitor sinks tests -name '*.[ch]' -print0 | xargs -0 "$format" --style=file "$@"
}

# The compile commands are GCC's: clang does not know all of its warnings.
check_tidy() {
    local more=()
    if [[ ${LEADPIPE_ANALYZE:-ON} == OFF ]]; then more=(--checks='-clang-analyzer-*'); fi
    find check cmd core merge monitor sinks -name '*.c' -print0 |
        xargs -0 -n 1 -P "$JOBS" clang-tidy --quiet -p "$BUILD/debug" \
            --extra-arg=-Wno-unknown-warning-option "${more[@]}" 2> >(grep -v 'warnings\? generated' >&2)
}

# cppcheck does not see who frees what goes into a compound literal, nor what is filled through a
# pointer; clang-tidy and the sanitizers do.
check_cppcheck() {
    mkdir -p "$BUILD/cppcheck"
    cppcheck --quiet -j "$JOBS" --error-exitcode=1 --cppcheck-build-dir="$BUILD/cppcheck" \
        --std=c11 --library=posix --enable=warning,performance,portability \
        --inline-suppr --suppress=missingIncludeSystem \
        --suppress=memleak --suppress=ctuuninitvar -D_GNU_SOURCE -I . check cmd core merge monitor sinks
}

if [[ ${1:-} == format ]]; then
    format_all -i
    exit
fi

failed=0
# check TITLE COMMAND...: a failure is remembered, and the next check runs all the same.
check() {
    printf '\n== %s\n' "$1"
    "${@:2}" || failed=1
}
check clang-format format_all --dry-run -Werror
check clang-tidy check_tidy
check cppcheck check_cppcheck
if ((failed)); then
    echo 'lint: there are findings' >&2
    exit 1
fi
printf '\nlint: no findings\n'
