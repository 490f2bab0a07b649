#!/usr/bin/env bash
#
# package.sh [FILE.deb]: the Debian package is installed in a fresh Debian 12, runs an export there against a server
# of this machine, and is removed again without leaving anything; then its systemd units are tested (units.sh). Without
# FILE.deb it is built in the root that run.sh uses. Needs root, and Debian's package debootstrap; roots are kept in
# $LEADPIPE_ROOTS (default: build/roots).

set -euo pipefail
trap 'printf "package.sh: failed in line %d\n" "$LINENO" >&2' ERR
if (($#)); then
    package=$(realpath "$1")
    readonly package
fi
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/distros/roots.sh
source tests/distros/roots.sh
readonly RELEASE=bookworm

if [[ -z ${package:-} ]]; then
    make_root "" $RELEASE
    rm -rf "$ROOTS/$RELEASE/package"
    mkdir "$ROOTS/$RELEASE/package"
    git archive HEAD | tar -x -C "$ROOTS/$RELEASE/package"
    in_root "$ROOTS/$RELEASE" "cd /package && apt-get -q update && ./build.sh package"
    package=$(echo "$ROOTS/$RELEASE"/package/build/leadpipe_*.deb)
fi

# A copy of a root in which nothing was ever installed.
make_root fresh- $RELEASE
root=$ROOTS/used-$RELEASE
rm -rf "$root"
cp -a "$ROOTS/fresh-$RELEASE" "$root"

# Every path, but for what packages are recorded in and what the test itself writes.
everything() {
    (cd "$root" && find . \( -path ./tmp -o -path ./proc -o -path ./var/cache -o -path ./var/log -o -path ./var/lib/apt \
        -o -path ./var/lib/dpkg \) -prune -o -print | sort)
}

coproc sandbox { exec python3 tests/sandbox/sandbox.py --stdin-watch; }
read -r ready <&"${sandbox[0]}"
url=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["omni"])' "$ready")
key=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["key"])' "$ready")
export key

cp "$package" "$root/leadpipe.deb"
in_root "$root" "apt-get -q update && apt-get install -y -q --no-install-recommends --download-only /leadpipe.deb"
# What it depends on comes first, so that the difference is the package's own.
in_root "$root" "apt-get install -y -q --no-install-recommends \
    \$(dpkg-deb -f /leadpipe.deb Depends | tr ',' '\n' | sed 's/[|(].*//')"
before=$(everything)
in_root "$root" "dpkg -i /leadpipe.deb"
in_root "$root" "
    cd /tmp
    leadpipe version --json | grep -q '\"sinks\"'
    leadpipe export -q -p omni --base-url '$url' -t csv:out/ -t sqlite:leads.db -t parquet:out/ --id plain-1 --id plain-2
    [[ \$(wc -l <out/leads.csv) -eq 3 && -s leads.db && -s out/leads.parquet ]]
    source /usr/share/bash-completion/completions/leadpipe
    complete -p leadpipe
    for command in \$(leadpipe __complete help '' | sed -n '3,\$s/\t.*//p'); do
        [[ -s /usr/share/man/man1/leadpipe-\$command.1.gz ]]
    done"
in_root "$root" "apt-get purge -y -q leadpipe"
left=$(comm -13 <(echo "$before") <(everything))
if [[ -n $left ]]; then
    printf 'package.sh: left behind:\n%s\n' "$left" >&2
    exit 1
fi
eval "exec ${sandbox[1]}>&-" # the sandbox ends with its standard input
rm -rf "$root"
printf 'package.sh: installed, run and removed\n'
tests/distros/units.sh "$package"
