#!/usr/bin/env bash
#
# run.sh [NAME]...: the whole test suite in a root of each distribution (bookworm, trixie, noble), made
# by debootstrap and kept in $LEADPIPE_ROOTS (default: build/roots). Needs root, and Debian's package
# debootstrap. Roots hold packages only; the source in them is what is committed here.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/distros/roots.sh
source tests/distros/roots.sh

test_in() {
    local root=$ROOTS/$1
    rm -rf "$root/src"
    mkdir "$root/src"
    git archive HEAD | tar -x -C "$root/src"
    in_root "$root" "cd /src && apt-get -q update && ./build.sh test"
}

# A call of its own for each, as set -e does not hold behind "||".
if [[ ${1:-} == --one ]]; then
    make_root "" "$2"
    test_in "$2"
    exit
fi

failed=()
mkdir -p build
if (($# == 0)); then set -- bookworm trixie noble; fi
for name; do
    printf '\n== %s\n' "$name"
    "$PWD/tests/distros/run.sh" --one "$name" >"build/distro-$name.log" 2>&1 || failed+=("$name")
    tail -n 12 "build/distro-$name.log"
done
if ((${#failed[@]})); then
    printf 'distros: failed: %s (see build/distro-*.log)\n' "${failed[*]}" >&2
    exit 1
fi
