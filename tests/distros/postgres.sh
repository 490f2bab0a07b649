#!/usr/bin/env bash
#
# postgres.sh [RELEASE]... [-- PYTEST ARGUMENTS]: the tests of the sink postgres against the PostgreSQL of other
# releases, 13 to 18: its server runs in a root of that release, made by debootstrap and kept in $LEADPIPE_ROOTS
# (default: build/roots); the program and the tests are those of this system. Needs root, and Debian's package
# debootstrap.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/distros/roots.sh
source tests/distros/roots.sh
readonly RELEASES=(bullseye jammy bookworm noble trixie forky) # PostgreSQL 13, 14, 15, 16, 17, 18

# install_server ROOT: no server is started there.
install_server() {
    local root=$1
    cp --remove-destination -L /etc/resolv.conf "$root/etc/resolv.conf"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    unshare --mount bash -euc 'mount -t proc proc "$1/proc"; chroot "$1" env DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 \
        apt-get install -y -q --no-install-recommends postgresql' - "$root"
}

# The mounts are gone with the shell that made them. The server's folder has the same name on both sides.
test_with() {
    local root=$ROOTS/postgres-$1
    shift
    unshare --mount bash -euc '
        root=$1
        shift
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --bind /tmp "$root/tmp"
        LEADPIPE_POSTGRES_ROOT=$root exec /usr/bin/python3 -m pytest -q "$@"' - "$root" "$@"
}

# A call of its own for each, as set -e does not hold behind "||".
if [[ ${1:-} == --one ]]; then
    make_root postgres- "$2" install_server >&2
    test_with "${@:2}"
    exit
fi

names=()
while (($#)) && [[ $1 != -- ]]; do
    names+=("$1")
    shift
done
if (($#)); then shift; fi
if ((${#names[@]} == 0)); then names=("${RELEASES[@]}"); fi
if (($# == 0)); then set -- tests/e2e/test_postgres{,_faults,_plans,_same}.py; fi

failed=()
mkdir -p build
for name in "${names[@]}"; do
    printf '\n== PostgreSQL of %s\n' "$name"
    "$PWD/tests/distros/postgres.sh" --one "$name" "$@" >"build/postgres-$name.log" 2>&1 || failed+=("$name")
    tail -n 12 "build/postgres-$name.log"
done
if ((${#failed[@]})); then
    printf 'postgres.sh: failed: %s (see build/postgres-*.log)\n' "${failed[*]}" >&2
    exit 1
fi
