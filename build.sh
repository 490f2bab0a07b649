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

usage() {
    cat <<'EOF'
usage: ./build.sh [COMMAND]

  deps [SET]...      install what is missing on Debian and Ubuntu, name it elsewhere
                     (sets: build test lint coverage fuzz demo bench; default: build test)
  build              the program, as build/release/leadpipe (the default command)
  test [ARG]...      build, unit tests, end-to-end tests; ARGs go to the latter's pytest
  demo [ARG]...      a tour against a stand-in server on this machine
  bench [ARG]...     measure throughput against a server on this machine
  install [PREFIX]   install under PREFIX (default /usr/local; DESTDIR is respected)
  clean              remove build/

for work on leadpipe itself:

  asan, tsan [ARG]...  the tests under AddressSanitizer and UndefinedBehaviorSanitizer,
                     or under ThreadSanitizer
  lint               clang-format, clang-tidy, cppcheck
  fuzz [SECONDS]     run every fuzz target for SECONDS (default 60)
  coverage           line coverage of core/ and sinks/

environment:

  LEADPIPE_WERROR=ON   make warnings errors
  DESTDIR              where install puts its tree
EOF
}

say() { printf '%s\n' "$*"; }
note() { printf 'build.sh: %s\n' "$*" >&2; }

die() {
    note "$@"
    exit 1
}

# step TITLE COMMAND...: a heading, the command, how long it took. The command
# runs outside of any condition, so that set -e stays in force inside it.
step() {
    local title=$1 start=$SECONDS
    shift
    printf '\n== %s\n' "$title"
    "$@"
    printf '== %s: %d s\n' "$title" $((SECONDS - start))
}

# --- what the machine must have -------------------------------------------------

# One need a line: the set, its packages on Debian and Ubuntu (any one of them
# will do, the first that the release knows is installed), and how to see that
# it is there without asking the package manager.
needs() {
    cat <<'EOF'
build     gcc                               command cc
build     libc6-dev                         header stdio.h
build     cmake                             command cmake
build     ninja-build                       command ninja
build     pkg-config pkgconf                command pkg-config
build     libcurl4-openssl-dev              module libcurl
build     libuv1-dev                        module libuv
build     libmsgpack-c-dev libmsgpack-dev   module msgpack-c msgpack
build     libcjson-dev                      module libcjson
build     libsqlite3-dev                    module sqlite3
build     zlib1g-dev                        module zlib
build     libssl-dev                        module libcrypto
test      libcmocka-dev                     module cmocka
test      python3                           command python3
test      python3-pytest                    python pytest
test      python3-msgpack                   python msgpack
test      openssl                           command openssl
test      mandoc man-db                     command mandoc man
clang     clang                             command clang
clang     @clang-runtime                    clang-runtime
lint      clang-tidy                        command clang-tidy
lint      clang-format                      command clang-format
lint      cppcheck                          command cppcheck
coverage  gcovr                             command gcovr
demo      python3                           command python3
demo      openssl                           command openssl
bench     nginx-light nginx                 command nginx /usr/sbin/nginx
bench     hyperfine                         command hyperfine
bench     jq                                command jq
bench     curl                              command curl
bench     python3                           command python3
EOF
}

# The sets of needs() that a set named by the user stands for.
expand_set() {
    case $1 in
    build) say build ;;
    test) say build test ;;
    lint) say build test clang lint ;;
    coverage) say build test coverage ;;
    fuzz) say build clang ;;
    demo) say build demo ;;
    bench) say build bench ;;
    *) die "deps: no such set: $1 (build test lint coverage fuzz demo bench)" ;;
    esac
}

is_debian() { command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; }

# Debian's own Python comes with Debian's modules; another one first in PATH does not.
python() {
    if /usr/bin/python3 -c 'import pytest, msgpack' 2>/dev/null; then
        /usr/bin/python3 "$@"
    else
        python3 "$@"
    fi
}

any_of() {
    local probe=$1 candidate
    shift
    for candidate; do
        "$probe" "$candidate" && return 0
    done
    return 1
}

has_package() {
    [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) == ?i* ]]
}
has_command() { command -v "$1" >/dev/null; }
has_module() { pkg-config --exists "$1" 2>/dev/null; }
has_header() { printf '#include <%s>\n' "$1" | cc -E -o /dev/null -x c - 2>/dev/null; }
has_python() { python -c "import $1" 2>/dev/null; }
has_clang_runtime() {
    local source='int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }'
    say "$source" |
        clang -fsanitize=fuzzer,address,undefined -x c -o /dev/null - 2>/dev/null
}

# is_met PACKAGES PROBE [ARG...]
is_met() {
    local packages=$1 probe=$2
    shift 2
    # shellcheck disable=SC2086 # a list of alternatives
    if [[ $packages != @* ]] && is_debian && any_of has_package $packages; then
        return 0
    fi
    case $probe in
    clang-runtime) has_clang_runtime ;;
    *) any_of "has_$probe" "$@" ;;
    esac
}

# missing SET...: the packages column of every need that is not met.
missing() {
    local wanted=" $* " set packages probe
    while read -r set packages probe; do
        # shellcheck disable=SC2086 # the probe and its arguments
        if [[ $wanted == *" $set "* ]] && ! is_met "${packages//|/ }" $probe; then
            say "${packages//|/ }"
        fi
    done < <(needs | sed -E 's/^(\S+)\s+(.*\S)\s{2,}(\S.*)$/\1\t\2\t\3/; s/ /|/; s/\t/ /g')
}
