#!/usr/bin/env bash
#
# The commands for working with this source tree; see usage().

set -euo pipefail

readonly START_DIR=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
readonly ROOT=$PWD
readonly BUILD=$ROOT/build
JOBS=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
readonly JOBS
# More tests at a time than there are processors: most of them wait for something.
readonly LANES=${LEADPIPE_TEST_LANES:-$((2 * JOBS + 1))}

usage() {
    cat <<'END'
usage: ./build.sh [COMMAND]

  deps [SET]...      install missing packages on Debian and Ubuntu, list them elsewhere
                     (sets: build test lint coverage fuzz demo bench package;
                     default: build test)
  build              build build/release/leadpipe (the default command)
  test [ARG]...      build and run the tests; ARGs are passed to ctest, such as: -R e2e/test_ids
  demo [ARG]...      run a demo against a mock server on this machine
  bench [ARG]...     measure throughput against a server on this machine (nginx, whose
                     package may start its own server on port 80)
  install [PREFIX]   install under PREFIX (default /usr/local)
  uninstall [PREFIX] remove what install has put there
  package            build a Debian package: build/leadpipe_*.deb
  clean              remove build/

for development:

  asan, tsan [ARG]...  run tests under AddressSanitizer and UndefinedBehaviorSanitizer, or
                     under ThreadSanitizer: the unit tests and some of the others
                     (LEADPIPE_ALL=1: all of them)
  lint [quick]       run clang-format, clang-tidy and cppcheck; quick: without clang-tidy's
                     static analyzer, which takes minutes
  format             format every C file with clang-format
  fuzz [SECONDS [TARGET]...]
                     run fuzz targets for SECONDS each (default 60), and the program with
                     randomly mutated payloads, compared with the reference
  nightly [SECONDS]  run what takes too long for every change: all tests under every
                     sanitizer, many kills and power cuts, a million IDs, the tests on other
                     distributions (as root), every fuzz target for SECONDS (default 600)
  coverage           measure line coverage of core/ and sinks/

environment:

  LEADPIPE_WERROR=ON     make warnings errors
  LEADPIPE_TEST_LANES=N  tests to run in parallel (default: two for each processor, and one more)
  DESTDIR                prepended to PREFIX by install and uninstall
END
}

say() { printf '%s\n' "$*"; }
note() { printf 'build.sh: %s\n' "$*" >&2; }

die() {
    note "$@"
    exit 1
}

# no_arguments COMMAND ARG...: ends if there is one.
no_arguments() {
    if [[ $# -gt 1 ]]; then die "$1: takes no arguments, but was given '$2'"; fi
}

# step TITLE COMMAND...: a heading, the command, how long it took. Never call it
# in a condition: that would switch off set -e inside the command.
step() {
    local title=$1 start=$SECONDS
    shift
    printf '\n== %s\n' "$title"
    "$@"
    printf '== %s: done in %d s\n' "$title" $((SECONDS - start))
}

# shellcheck source=scripts/packages.sh
source "$ROOT/scripts/packages.sh"

cmd_deps() {
    if [[ $# -eq 0 ]]; then set -- build test; fi
    require "$@"
    say "all packages are installed for: $*"
}

# --- building ---------------------------------------------------------------------

# build_failed WHAT PRESET: ends; says so if files in build/ belong to someone else, as after a build as root.
build_failed() {
    local locked
    locked=$(find "$BUILD" ! -type l ! -writable -print -quit 2>/dev/null) || true
    if [[ -n $locked ]]; then
        note "$locked is not writable: was it built by another user, such as root?" \
            "As that user run: ./build.sh clean"
    fi
    die "$1 $2 failed"
}

# configure_preset PRESET TESTS, build_preset PRESET TESTS [TARGET]...: with TESTS (ON or OFF),
# which need packages that the program alone does not.
configure_preset() {
    local preset=$1 tests=$2
    mkdir -p "$BUILD"
    if ! cmake --preset "$preset" -DLEADPIPE_TESTS="$tests" \
        ${LEADPIPE_WERROR:+-DLEADPIPE_WERROR="$LEADPIPE_WERROR"} >"$BUILD/configure-$preset.log" 2>&1; then
        cat "$BUILD/configure-$preset.log" >&2
        build_failed "configuring" "$preset"
    fi
}

build_preset() {
    local preset=$1
    configure_preset "$1" "$2"
    shift 2
    cmake --build --preset "$preset" ${@:+--target "$@"} || build_failed "building" "$preset"
}

cmd_build() {
    no_arguments build "$@"
    require build
    step "build" build_preset release OFF
    say "build/release/leadpipe"
}

# shellcheck source=scripts/install.sh
source "$ROOT/scripts/install.sh"

cmd_clean() {
    no_arguments clean "$@"
    rm -rf "$BUILD"
}

# --- tests ------------------------------------------------------------------------

# run_tests PRESET CTEST-ARG...
run_tests() {
    local preset=$1
    shift
    require test
    step "build" build_preset "$preset" ON
    prepare_node
    prepare_readers
    step "tests" ctest --preset "$preset" -j "$LANES" "$@"
}

# The labels are explained in tests/CMakeLists.txt.
# usual PRESET LABELS...: LABELS are options of ctest; with LEADPIPE_ALL, all but what is nightly.
usual() {
    local preset=$1
    shift
    if [[ -n ${LEADPIPE_ALL:-} ]]; then set -- -LE nightly "${@:3}"; fi
    run_tests "$preset" "$@"
}

cmd_test() { run_tests release -LE nightly "$@"; }
cmd_asan() { usual asan -L asan "$@"; }

# GCC 12's ThreadSanitizer does not start where addresses are randomised wider
# than it expects.
cmd_tsan() {
    local bits=0
    if [[ -r /proc/sys/vm/mmap_rnd_bits ]]; then bits=$(</proc/sys/vm/mmap_rnd_bits); fi
    if ((bits > 28)) && [[ -z ${LEADPIPE_ASLR_OFF:-} ]]; then
        LEADPIPE_ASLR_OFF=1 exec setarch "$(uname -m)" -R "$ROOT/build.sh" tsan "$@"
    fi
    usual tsan -L tsan "$@"
}

# A program that was killed while it wrote its counters leaves some that are no number.
cmd_coverage() {
    require coverage
    run_tests coverage -LE nightly "$@"
    step "coverage" gcovr --gcov-ignore-parse-errors --root . --object-directory "$BUILD/coverage" \
        --filter core/ --filter sinks/ --print-summary
}

# --- other checks -----------------------------------------------------------------

cmd_lint() {
    if [[ ${1:-} == quick ]]; then
        export LEADPIPE_ANALYZE=OFF
        shift
    fi
    no_arguments lint "$@"
    require lint
    configure_preset debug ON # for its list of compile commands
    scripts/lint.sh
}

cmd_format() {
    no_arguments format "$@"
    require lint
    scripts/lint.sh format
}

cmd_fuzz() {
    require fuzz
    step "build" build_preset fuzz ON tests/fuzz/all leadpipe
    PYTHON=$(complete_python) tests/fuzz/run.sh "$@"
}

cmd_nightly() { scripts/nightly.sh "$@"; }

# --- scripts that use the program -------------------------------------------------

# run_script NAME SCRIPT ARG...: in the user's own folder, so that paths mean what
# the user typed.
run_script() {
    local name=$1 script=$2
    shift 2
    require "$name"
    step "build" build_preset release OFF
    cd "$START_DIR"
    LEADPIPE_BIN=$BUILD/release/leadpipe "$ROOT/$script" "$@"
}

cmd_demo() { run_script demo tests/demo.sh "$@"; }
cmd_bench() { run_script bench tests/bench/run.sh "$@"; }

command=${1:-build}
if [[ $# -gt 0 ]]; then shift; fi
case $command in
-h | --help | help) usage ;;
nightly_tests) run_tests release -L nightly ;; # for scripts/nightly.sh
deps | build | test | demo | bench | install | uninstall | package | clean | asan | tsan | lint | format | fuzz | nightly | coverage)
    "cmd_$command" "$@"
    ;;
*)
    usage >&2
    note "unknown command '$command'"
    exit 2
    ;;
esac
