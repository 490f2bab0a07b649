# Which packages the source tree needs, and how they are installed; sourced by build.sh and used by
# nothing else. Only this part uses the network.
# shellcheck shell=bash

# One need a line: its set; its packages on Debian and Ubuntu, of which any one
# will do, and the first that the release knows is installed; how to see that it
# is there without asking the package manager, and for what.
needs() {
    cat <<'EOF'
build     gcc                              command  cc
build     libc6-dev                        header   stdio.h
build     cmake                            command  cmake
build     ninja-build                      command  ninja
build     mawk|gawk                        command  awk
build     pkg-config|pkgconf               command  pkg-config
build     libcurl4-openssl-dev             module   libcurl
build     libuv1-dev                       module   libuv
build     libmsgpack-c-dev|libmsgpack-dev  module   msgpack-c|msgpack
build     libcjson-dev                     module   libcjson
build     zlib1g-dev                       module   zlib
build     libdeflate-dev                   module   libdeflate
build     libxxhash-dev                    module   libxxhash
build     libsqlite3-dev                   module   sqlite3
build     libzstd-dev                      module   libzstd
build     libpq-dev                        module   libpq
build     librdkafka-dev                   module   rdkafka
build     libexpat1-dev                    module   expat
build     libfyaml-dev                     module   libfyaml
build     libssl-dev                       module   libcrypto
build     ca-certificates                  file     /etc/ssl/certs/ca-certificates.crt|/etc/pki/tls/certs/ca-bundle.crt|/etc/ssl/cert.pem
test      libcmocka-dev                    module   cmocka
test      python3                          command  python3
test      python3-pytest                   python   pytest
test      python3-venv                     python   ensurepip
test      python3-msgpack                  python   msgpack
test      python3-h2                       python   h2
test      python3-prometheus-client        python   prometheus_client
test      python3-html5lib                 python   html5lib
test      python3-yaml                     python   yaml
test      parallel                         command  parallel
test      openssl                          command  openssl
test      tmux                             command  tmux
test      nginx-light|nginx                command  nginx|/usr/sbin/nginx
test      mandoc                           command  mandoc
test      postgresql                       command  pg_ctlcluster
test      sqlite3                          command  sqlite3
test      kcat                             command  kcat
test      jq                               command  jq
test      zsh                              command  zsh
test      fish                             command  fish
test      dpkg-dev                         command  dpkg-shlibdeps
test      file                             command  file
test      systemd                          command  systemd-analyze
test      lintian                          command  lintian
browser   chromium                         command  chromium|google-chrome
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
package   dpkg-dev                         command  dpkg-shlibdeps
package   file                             command  file
EOF
}

# Not in every release: Ubuntu has it as a snap only.
knows_chromium() {
    has_command chromium || [[ -n $(apt-cache show --no-all-versions chromium 2>/dev/null) ]]
}

# What a command needs, in sets of needs().
sets_of() {
    case $1 in
    build) say build ;;
    test) say build test; if knows_chromium; then say browser; fi ;;
    lint) say build test clang lint ;;
    coverage) say build test coverage ;;
    fuzz) say build clang fuzz ;;
    demo) say build demo ;;
    bench) say build bench ;;
    package) say build package ;;
    *) die "deps: unknown set '$1' (sets: build, test, lint, coverage, fuzz, demo, bench, package)" ;;
    esac
}

# The Python that has all modules which the tests want. Debian's has those of Debian's packages,
# another one that comes first in PATH may have its own; half of them in each is none.
complete_python() {
    local python
    for python in /usr/bin/python3 python3; do
        if "$python" -c 'import pytest, msgpack, h2' 2>/dev/null; then
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
        die "installing them requires root: run './build.sh deps $*' once as root"
    fi
}

apt() {
    "${AS_ROOT[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -y -q -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

install_packages() {
    local group names=()
    # a source that does not answer need not be the one that has the packages
    apt update || note "apt-get update failed; trying with the existing package lists"
    for group; do
        names+=("$(pick_package "$group")")
    done
    apt install --no-install-recommends "${names[@]}"
}

# npm_packages NAME PACKAGE: what tests/NAME/package-lock.json lists, in build/NAME. Fails where it cannot be had.
npm_packages() {
    local dir=$BUILD/$1
    if ! has_command node || ! has_command npm; then return 1; fi
    if cmp -s "tests/$1/package-lock.json" "$dir/package-lock.json" &&
        [[ -f $dir/node_modules/$2/package.json ]]; then
        return 0
    fi
    mkdir -p "$dir"
    cp "tests/$1/package.json" "tests/$1/package-lock.json" "$dir"
    if ! timeout 180 npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund \
        --loglevel=error >"$dir/npm.log" 2>&1; then
        note "npm cannot install $2 (see build/$1/npm.log); skipping the tests that use it"
        rm -f "$dir/package-lock.json"
        return 1
    fi
}

# Where Node is installed and the packages can be had: the signing of webhooks is verified with the
# specification's own library, and requests to CRMs against OpenAPI descriptions, with Prism.
prepare_node() {
    if npm_packages node standardwebhooks; then export LEADPIPE_NODE_MODULES=$BUILD/node/node_modules; fi
    if npm_packages prism @stoplight/prism-cli; then export LEADPIPE_PRISM_MODULES=$BUILD/prism/node_modules; fi
}

# Parquet files are read by programs that Debian has no packages of.
prepare_readers() {
    local venv=$BUILD/venv packages
    if [[ -n ${LEADPIPE_VENV:-} ]]; then return; fi
    if "$venv/bin/python" -c 'import pyarrow, duckdb, polars, kubernetes_validate' 2>/dev/null; then return; fi
    mapfile -t packages < <(grep -E '^(pyarrow|duckdb|polars|kubernetes-validate)==' tests/requirements.txt)
    if ! python3 -m venv "$venv" >"$BUILD/venv.log" 2>&1 ||
        ! timeout 300 "$venv/bin/pip" install -q "${packages[@]}" >>"$BUILD/venv.log" 2>&1; then
        note "pip cannot install ${packages[*]} (see build/venv.log); skipping the tests that use them"
    fi
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
        die "still missing after installation: ${lacking[*]//|/ or }"
    fi
    note "please install (Debian package names):"
    printf '  %s\n' "${lacking[@]//|/ or }" >&2
    exit 1
}

