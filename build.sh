#!/usr/bin/env bash
#
# Everything that is done with this source tree, one word each; see usage().
# Only deps (packages) and the Node part of the tests (npm) use the network.

set -euo pipefail

readonly START_DIR=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
readonly ROOT=$PWD
readonly BUILD=$ROOT/build
JOBS=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
readonly JOBS
readonly LANES=${LEADPIPE_TEST_LANES:-$((JOBS + JOBS / 2))}

usage() {
    cat <<'EOF'
usage: ./build.sh [COMMAND]

  deps [SET]...      install what is missing on Debian and Ubuntu, name it elsewhere
                     (sets: build test lint coverage fuzz demo bench; default: build test)
  build              the program, as build/release/leadpipe (the default command)
  test [ARG]...      build, unit tests, end-to-end tests; ARGs go to pytest in the place
                     of all end-to-end tests, such as: tests/e2e/test_csv.py -k header
  demo [ARG]...      a tour against a stand-in server on this machine
  bench [ARG]...     measure throughput against a server on this machine (nginx, whose
                     package may start a server of its own on port 80)
  install [PREFIX]   install under PREFIX (default /usr/local)
  clean              remove build/

for work on leadpipe itself:

  asan, tsan [ARG]...  the tests under AddressSanitizer and UndefinedBehaviorSanitizer,
                     or under ThreadSanitizer
  lint               clang-format, clang-tidy, cppcheck
  format             bring every C file into the form that lint asks for
  fuzz [SECONDS]     run every fuzz target for SECONDS (default 60), and as long the
                     program with payloads bent at random, compared with the reference
  coverage           line coverage of core/ and sinks/

environment:

  LEADPIPE_WERROR=ON     make warnings errors
  LEADPIPE_TEST_LANES=N  end-to-end tests in N processes (default: three for two processors)
  DESTDIR                put before PREFIX by install
EOF
}

say() { printf '%s\n' "$*"; }
note() { printf 'build.sh: %s\n' "$*" >&2; }

die() {
    note "$@"
    exit 1
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

# --- what the machine must have ---------------------------------------------------

# One need a line: its set; its packages on Debian and Ubuntu, of which any one
# will do, and the first that the release knows is installed; how to see that it
# is there without asking the package manager, and for what.
needs() {
    cat <<'EOF'
build     gcc                              command  cc
build     libc6-dev                        header   stdio.h
build     cmake                            command  cmake
build     ninja-build                      command  ninja
build     pkg-config|pkgconf               command  pkg-config
build     libcurl4-openssl-dev             module   libcurl
build     libuv1-dev                       module   libuv
build     libmsgpack-c-dev|libmsgpack-dev  module   msgpack-c|msgpack
build     libcjson-dev                     module   libcjson
build     zlib1g-dev                       module   zlib
build     libdeflate-dev                   module   libdeflate
build     libsqlite3-dev                   module   sqlite3
build     libssl-dev                       module   libcrypto
build     ca-certificates                  file     /etc/ssl/certs/ca-certificates.crt|/etc/pki/tls/certs/ca-bundle.crt|/etc/ssl/cert.pem
test      libcmocka-dev                    module   cmocka
test      python3                          command  python3
test      python3-pytest                   python   pytest
test      python3-msgpack                  python   msgpack
test      openssl                          command  openssl
test      mandoc|man-db                    command  mandoc|man
clang     clang                            command  clang
clang     libclang-rt-dev                  fuzzer   clang
lint      clang-tidy                       command  clang-tidy
lint      clang-format                     command  clang-format
lint      cppcheck                         command  cppcheck
coverage  gcovr                            command  gcovr
fuzz      libcmocka-dev                    module   cmocka
fuzz      python3                          command  python3
fuzz      python3-msgpack                  python   msgpack
demo      python3                          command  python3
bench     nginx-light|nginx                command  nginx|/usr/sbin/nginx
bench     jq                               command  jq
bench     curl                             command  curl
bench     python3                          command  python3
EOF
}

# What a command needs, in sets of needs().
sets_of() {
    case $1 in
    build) say build ;;
    test) say build test ;;
    lint) say build test clang lint ;;
    coverage) say build test coverage ;;
    fuzz) say build clang fuzz ;;
    demo) say build demo ;;
    bench) say build bench ;;
    *) die "deps: no set '$1' (build, test, lint, coverage, fuzz, demo, bench)" ;;
    esac
}

# The Python that has all modules which the tests want. Debian's has those of Debian's packages,
# another one that comes first in PATH may have its own; half of them in each is none.
complete_python() {
    local python
    for python in /usr/bin/python3 python3; do
        if "$python" -c 'import pytest, msgpack' 2>/dev/null; then
            say "$python"
            return
        fi
    done
    return 1
}

# Where none is complete: the one that the packages are for.
py() {
    local python=python3
    if [[ -x /usr/bin/python3 ]]; then python=/usr/bin/python3; fi
    "$(complete_python || say "$python")" "$@"
}

is_debian() { has_command apt-get && has_command dpkg-query; }

has_package() {
    [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) == ?i* ]]
}
has_command() { command -v "$1" >/dev/null; }
has_module() { pkg-config --exists "$1" 2>/dev/null; }
has_python() { py -c "import $1" 2>/dev/null; }
has_file() { [[ -e $1 ]]; }
has_header() { say "#include <$1>" | cc -E -x c -o /dev/null - 2>/dev/null; }
has_fuzzer() {
    say 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' |
        "$1" -fsanitize=fuzzer,address,undefined -x c -o /dev/null - 2>/dev/null
}

# any PREDICATE A|B|...
any() {
    local predicate=$1 name names
    IFS='|' read -ra names <<<"$2"
    for name in "${names[@]}"; do
        if "$predicate" "$name"; then return 0; fi
    done
    return 1
}

# missing SET...: the packages of every need that is not met, one need a line.
missing() {
    local wanted=" $* " set packages probe names
    while read -r set packages probe names; do
        [[ $wanted == *" $set "* ]] || continue
        if is_debian && any has_package "$packages"; then continue; fi
        if any "has_$probe" "$names"; then continue; fi
        say "$packages"
    done < <(needs) | sort -u
}

# libFuzzer and the sanitizers are packaged by clang's version, under two names.
clang_runtime_packages() {
    local version
    version=$(apt-cache depends clang | awk '/Depends: clang-[0-9]+$/ { sub(/.*-/, ""); v = $0 }
                                             END { print v }')
    say "libclang-rt-$version-dev|libclang-common-$version-dev"
}

# The first of A|B|... that this release has; the first of all if it has none,
# so that apt-get's message names something.
pick_package() {
    local name names packages=$1
    if [[ $packages == libclang-rt-dev ]]; then packages=$(clang_runtime_packages); fi
    IFS='|' read -ra names <<<"$packages"
    for name in "${names[@]}"; do
        if [[ -n $(apt-cache show --no-all-versions "$name" 2>/dev/null) ]]; then
            say "$name"
            return
        fi
    done
    say "${names[0]}"
}

# become_root SET...: sets AS_ROOT to what must stand before a command, or ends
# here and says what to run as root.
become_root() {
    if [[ $(id -u) -eq 0 ]]; then
        AS_ROOT=()
    elif has_command sudo && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
        AS_ROOT=(sudo)
    else
        die "installing them needs root: run './build.sh deps $*' as root once"
    fi
}

apt() {
    "${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -y -q -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

install_packages() {
    local group names=()
    # a source that does not answer need not be the one that has the packages
    apt update || note "apt-get update failed; trying with the lists that are here"
    for group; do
        names+=("$(pick_package "$group")")
    done
    apt install --no-install-recommends "${names[@]}"
}

# require NAME...: the sets of these commands are met, or the script ends.
require() {
    local name lacking sets=()
    for name; do
        # shellcheck disable=SC2207 # plain words
        sets+=($(sets_of "$name"))
    done
    mapfile -t lacking < <(missing "${sets[@]}")
    if [[ ${#lacking[@]} -eq 0 ]]; then return; fi
    if is_debian; then
        note "missing: ${lacking[*]//|/ or }"
        become_root "$@"
        install_packages "${lacking[@]}"
        mapfile -t lacking < <(missing "${sets[@]}")
        if [[ ${#lacking[@]} -eq 0 ]]; then return; fi
        die "still missing after the installation: ${lacking[*]//|/ or }"
    fi
    note "please install (names as on Debian):"
    printf '  %s\n' "${lacking[@]//|/ or }" >&2
    exit 1
}

cmd_deps() {
    if [[ $# -eq 0 ]]; then set -- build test; fi
    require "$@"
    say "nothing is missing for: $*"
}

# --- building ---------------------------------------------------------------------

# configure PRESET [CMAKE-ARG...]: with the tests, which need packages that the
# program alone does not, unless an ARG says otherwise.
configure() {
    local preset=$1
    shift
    if [[ -n ${LEADPIPE_WERROR:-} ]]; then set -- -DLEADPIPE_WERROR="$LEADPIPE_WERROR" "$@"; fi
    mkdir -p "$BUILD"
    if ! cmake --preset "$preset" -DLEADPIPE_TESTS=ON "$@" >"$BUILD/configure-$preset.log" 2>&1; then
        cat "$BUILD/configure-$preset.log" >&2
        die "configuring $preset failed"
    fi
}

# build_preset PRESET [CMAKE-ARG...]
build_preset() {
    configure "$@"
    cmake --build --preset "$1"
}

build_fuzz_targets() {
    configure fuzz
    cmake --build --preset fuzz --target tests/fuzz/all leadpipe
}

build_program() { build_preset release -DLEADPIPE_TESTS=OFF; }

cmd_build() {
    require build
    step "build" build_program
    if [[ ! -x $BUILD/release/leadpipe ]]; then die "the build made no program"; fi
    say "build/release/leadpipe"
}

# can_make FOLDER: is it writable, or the nearest folder above it that exists?
can_make() {
    local folder=$1
    while [[ ! -e $folder ]]; do folder=$(dirname "$folder"); done
    [[ -d $folder && -w $folder ]]
}

cmd_install() {
    local prefix=${1:-/usr/local}
    if [[ $prefix != /* ]]; then prefix=$START_DIR/$prefix; fi
    if [[ -z ${DESTDIR:-} ]] && ! can_make "$prefix"; then
        die "$prefix is not yours to write: run it as root, or give a folder: ./build.sh install PREFIX"
    fi
    require build
    step "build" build_program
    step "install" cmake --install "$BUILD/release" --prefix "$prefix"
}

cmd_clean() { rm -rf "$BUILD"; }

# --- running the tests ------------------------------------------------------------

# attempt COMMAND...: its failure is remembered in FAILED, and the work goes on.
# For single commands: set -e does not hold inside.
FAILED=0
attempt() { "$@" || FAILED=1; }

# The signing of webhooks is checked with the specification's own Node library
# too, where Node is there and the package can be had.
prepare_node() {
    local dir=$BUILD/node
    if ! has_command node || ! has_command npm; then return; fi
    if [[ ! -f $dir/node_modules/standardwebhooks/package.json ]]; then
        mkdir -p "$dir"
        if ! timeout 120 npm install --prefix "$dir" --no-audit --no-fund --loglevel=error \
            standardwebhooks@1 >"$dir/npm.log" 2>&1; then
            note "npm could not install standardwebhooks (see build/node/npm.log);" \
                "the test that uses it is skipped"
            return
        fi
    fi
    export LEADPIPE_NODE_MODULES=$dir/node_modules
}

# Sanitizers report into files, so that nothing is lost where a test looks at
# the exit status alone, and exit with a status that leadpipe never has.
prepare_sanitizer() {
    local preset=$1 common
    rm -rf "$BUILD/$preset/reports"
    mkdir -p "$BUILD/$preset/reports"
    common="exitcode=86:log_path=$BUILD/$preset/reports/report"
    export ASAN_OPTIONS="$common:detect_stack_use_after_return=1"
    export UBSAN_OPTIONS="$common:print_stacktrace=1"
    export LSAN_OPTIONS="exitcode=86"
    # the second signal ends the program at once, with threads that nobody joined
    export TSAN_OPTIONS="$common:second_deadlock_stack=1:report_thread_leaks=0"
    # tests that measure time or memory allow for it, or skip themselves
    export LEADPIPE_SANITIZER=$preset
}

# print_reports PRESET: what its sanitizers wrote; fails if that is anything.
print_reports() {
    local file status=0
    for file in "$BUILD/$1/reports"/*; do
        [[ -s $file ]] || continue
        note "$file:"
        cat "$file" >&2
        status=1
    done
    return $status
}

# run_ctest PRESET
run_ctest() {
    ctest --preset "$1" -j "$JOBS" --output-junit "$BUILD/$1/results/unit.xml"
}

# run_pytest PRESET SUITE ARG...
run_pytest() {
    local preset=$1 suite=$2
    shift 2
    PYTHONDONTWRITEBYTECODE=1 py -m pytest -q -rs -o testpaths=tests/e2e \
        -o cache_dir="$BUILD/$preset/pytest_cache" \
        --junit-xml="$BUILD/$preset/results/$suite.xml" "$@"
}

# cmd_end_to_end_file PRESET FILE: one file of tests in a process of its own, its
# output in one piece.
cmd_end_to_end_file() {
    local preset=$1 file=$2 name status=0
    name=end-to-end-$(basename "$file" .py)
    run_pytest "$preset" "$name" "$file" >"$BUILD/$preset/results/$name.log" 2>&1 || status=$?
    printf '%s\n%s\n' "-- $file" "$(<"$BUILD/$preset/results/$name.log")"
    # 5: the options left nothing to do here
    if ((status != 5)); then exit "$status"; fi
}

# run_lanes PRESET: the files of tests/e2e, more at a time than there are
# processors, for these tests mostly wait; those with slow tests first.
run_lanes() {
    {
        grep -ls 'mark\.slow' tests/e2e/test_*.py || true
        grep -Ls 'mark\.slow' tests/e2e/test_*.py || true
    } | xargs -r -n 1 -P "$LANES" "$ROOT/build.sh" end_to_end_file "$1"
}

# run_end_to_end PRESET ARG...: with ARGs, which may name tests, in one process.
run_end_to_end() {
    local preset=$1
    shift
    if [[ $# -gt 0 ]]; then
        attempt run_pytest "$preset" end-to-end "$@"
    else
        attempt run_lanes "$preset"
    fi
}

# run_tests PRESET ARG...: the tests of PRESET's program.
run_tests() {
    local preset=$1
    shift
    rm -rf "$BUILD/$preset/results"
    mkdir -p "$BUILD/$preset/results"
    export LEADPIPE_BIN=$BUILD/$preset/leadpipe
    prepare_node
    step "unit tests" attempt run_ctest "$preset"
    step "end-to-end tests" run_end_to_end "$preset" "$@"
}

# run_tool_tests: those of the stand-in servers, of the reference that outputs are
# compared with, and of what lets disks fail. The program has no part in them.
run_tool_tests() {
    run_pytest release tools tests/sandbox/test_sandbox.py tests/reference/test_reference.py \
        tests/faults
}

# suites_of PRESET: the names of its results.
suites_of() {
    say unit end-to-end
    if [[ $1 == release ]]; then say tools; fi
}

# tally PRESET: one line that sums up its results; fails if a suite did not run,
# was empty, or counts a failure.
tally() {
    # shellcheck disable=SC2046 # plain words
    py - "$BUILD/$1/results" $(suites_of "$1") <<'EOF'
import glob, os, sys
import xml.etree.ElementTree as ET

folder, suites = sys.argv[1], sys.argv[2:]
tests = failed = skipped = 0
remarks = []
for name in suites:
    paths = glob.glob(os.path.join(glob.escape(folder), name + "*.xml"))
    nodes = [node for path in paths for node in ET.parse(path).getroot().iter("testsuite")]

    def count(*keys):
        return sum(int(node.get(key) or 0) for node in nodes for key in keys)

    tests += count("tests")
    failed += count("failures", "errors")
    skipped += count("skipped", "disabled")
    if count("tests"):
        remarks.append(f"{name}: {count('tests')}")
    else:
        failed += 1
        remarks.append(f"{name}: did not run")
        tests += 1
print(f"{tests - failed - skipped} passed, {failed} failed, {skipped} skipped"
      f" ({'; '.join(remarks)})")
sys.exit(failed > 0)
EOF
}

# conclude PRESET: the last line, and the exit status of the whole.
conclude() {
    printf '\n%s: ' "$1"
    attempt tally "$1"
    exit "$FAILED"
}

cmd_test() {
    require test
    step "build" build_preset release
    run_tests release "$@"
    step "tests of the test tools" attempt run_tool_tests
    conclude release
}

cmd_asan() {
    require test
    step "build" build_preset asan
    prepare_sanitizer asan
    run_tests asan "$@"
    attempt print_reports asan
    conclude asan
}

# GCC 12's ThreadSanitizer does not start where addresses are randomised wider
# than it expects.
disable_wide_aslr() {
    local bits=0
    if [[ -r /proc/sys/vm/mmap_rnd_bits ]]; then bits=$(</proc/sys/vm/mmap_rnd_bits); fi
    if ((bits > 28)) && [[ -z ${LEADPIPE_ASLR_OFF:-} ]]; then
        LEADPIPE_ASLR_OFF=1 exec setarch "$(uname -m)" -R "$ROOT/build.sh" "$@"
    fi
}

cmd_tsan() {
    disable_wide_aslr tsan "$@"
    require test
    step "build" build_preset tsan
    prepare_sanitizer tsan
    run_tests tsan "$@"
    attempt print_reports tsan
    conclude tsan
}

print_coverage() {
    # A program that was killed while it wrote its counters leaves some that are no number.
    gcovr --gcov-ignore-parse-errors \
        --root . --object-directory "$BUILD/coverage" --filter core/ --filter sinks/ \
        --print-summary
}

cmd_coverage() {
    require coverage
    step "build" build_preset coverage
    find "$BUILD/coverage" -name '*.gcda' -delete
    run_tests coverage "$@"
    step "coverage" attempt print_coverage
    conclude coverage
}

# --- other checks -----------------------------------------------------------------

# format_all OPTION...: version 14 where it is, another version has another taste.
format_all() {
    local format=clang-format
    if has_command clang-format-14; then format=clang-format-14; fi
    find cmd core sinks tests -name '*.[ch]' -print0 | xargs -0 "$format" --style=file "$@"
}

cmd_format() {
    require lint
    format_all -i
}

# The database is GCC's: clang does not know all of its warnings.
check_tidy() {
    find cmd core sinks -name '*.c' -print0 |
        xargs -0 -n 1 -P "$JOBS" clang-tidy --quiet -p "$BUILD/debug" \
            --extra-arg=-Wno-unknown-warning-option 2> >(grep -v 'warnings\? generated' >&2)
}

# Who frees what goes into a compound literal, and what is filled through a
# pointer, cppcheck does not see; clang-tidy and the sanitizers do.
check_cppcheck() {
    mkdir -p "$BUILD/cppcheck"
    cppcheck --quiet -j "$JOBS" --error-exitcode=1 --cppcheck-build-dir="$BUILD/cppcheck" \
        --std=c11 --library=posix --enable=warning,performance,portability \
        --inline-suppr --suppress=missingIncludeSystem \
        --suppress=memleak --suppress=ctuuninitvar -D_GNU_SOURCE -I . cmd core sinks
}

cmd_lint() {
    require lint
    step "build for the checks" build_preset debug
    step "clang-format" attempt format_all --dry-run -Werror
    step "clang-tidy" attempt check_tidy
    step "cppcheck" attempt check_cppcheck
    if ((FAILED)); then die "lint: there are findings"; fi
    printf '\nlint: no findings\n'
}

# fuzz_target PROGRAM SECONDS: what it learns stays in build/fuzz/corpus; the
# seeds in tests/fuzz/corpus are only read.
fuzz_target() {
    local program=$1 seconds=$2 name seeds learned
    name=$(basename "$program")
    seeds=tests/fuzz/corpus/${name#fuzz_}
    learned=$BUILD/fuzz/corpus/${name#fuzz_}
    mkdir -p "$learned" "$BUILD/fuzz/findings"
    set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$BUILD/fuzz/findings/$name-" "$learned"
    if [[ -d $seeds ]]; then set -- "$@" "$seeds"; fi
    if ! "$program" "$@" >"$BUILD/fuzz/$name.log" 2>&1; then
        cat "$BUILD/fuzz/$name.log" >&2
        note "$name: a finding, kept as build/fuzz/findings/$name-*"
        return 1
    fi
    sed -n 's/^stat::number_of_executed_units: */executions: /p' "$BUILD/fuzz/$name.log"
}

fuzz_differential() {
    PYTHONDONTWRITEBYTECODE=1 py tests/fuzz/differential.py "$BUILD/fuzz/leadpipe" \
        --seconds "$1" --keep "$BUILD/fuzz/findings"
}

cmd_fuzz() {
    local seconds=${1:-60} program programs
    if [[ ! $seconds =~ ^[1-9][0-9]*$ ]]; then die "fuzz: '$seconds' is no number of seconds"; fi
    require fuzz
    step "build" build_fuzz_targets
    mapfile -t programs < <(find "$BUILD/fuzz/tests/fuzz" -maxdepth 1 -name 'fuzz_*' -type f \
        -perm -u+x 2>/dev/null | sort)
    if [[ ${#programs[@]} -eq 0 ]]; then die "fuzz: there is no fuzz target"; fi
    for program in "${programs[@]}"; do
        step "$(basename "$program")" attempt fuzz_target "$program" "$seconds"
    done
    step "differential" attempt fuzz_differential "$seconds"
    if ((FAILED)); then die "fuzz: there are findings"; fi
    printf '\nfuzz: no findings in %d targets\n' "${#programs[@]}"
}

# --- scripts that use the program -------------------------------------------------

# run_script NAME SCRIPT ARG...: where the user stands, so that paths mean what
# they say.
run_script() {
    local name=$1 script=$2
    shift 2
    require "$name"
    step "build" build_program
    cd "$START_DIR"
    LEADPIPE_BIN=$BUILD/release/leadpipe "$ROOT/$script" "$@"
}

cmd_demo() { run_script demo tests/demo.sh "$@"; }
cmd_bench() { run_script bench tests/bench/run.sh "$@"; }

main() {
    local command=${1:-build}
    if [[ $# -gt 0 ]]; then shift; fi
    case $command in
    -h | --help | help) usage ;;
    deps | build | test | demo | bench | install | clean | asan | tsan | lint | format | \
        fuzz | coverage)
        "cmd_$command" "$@"
        ;;
    end_to_end_file) cmd_end_to_end_file "$@" ;; # for run_lanes
    tally) tally "$@" ;;                         # for .ci/run
    *)
        usage >&2
        note "no command '$command'"
        exit 2
        ;;
    esac
}

main "$@"
