# Sourced by run.sh, package.sh, units.sh and postgres.sh: roots of distributions, made by debootstrap and kept in $LEADPIPE_ROOTS
# (default: build/roots). Needs root, and Debian's package debootstrap.
# shellcheck shell=bash

readonly ROOTS=${LEADPIPE_ROOTS:-$PWD/build/roots}
readonly SCRIPTS=/usr/share/debootstrap/scripts

if [[ $(id -u) -ne 0 ]]; then
    printf '%s: needs root (debootstrap, chroot)\n' "${0##*/}" >&2
    exit 1
fi
command -v debootstrap >/dev/null || apt-get install -y -q debootstrap

# make_root PREFIX NAME [FUNCTION]: the root $ROOTS/PREFIXNAME, in which FUNCTION ROOT then installs what is
# needed. An Ubuntu is verified with the keyring that Debian 13 has as a package.
make_root() {
    local prefix=$1 name=$2 finish=${3:-:} script=sid options=()
    local root=$ROOTS/$prefix$name
    if [[ -e $root/.complete ]]; then return; fi
    rm -rf "$root"
    case $name in
    jammy | noble)
        make_root "$prefix" trixie "$finish"
        chroot "$ROOTS/${prefix}trixie" apt-get install -y -q ubuntu-keyring
        script=gutsy # that of all later releases
        options=(--components=main,universe
            --keyring="$ROOTS/${prefix}trixie/usr/share/keyrings/ubuntu-archive-keyring.gpg")
        ;;
    esac
    mkdir -p "$ROOTS"
    debootstrap --variant=minbase --include=ca-certificates "${options[@]}" "$name" "$root" \
        "$(sed -n 's/^default_mirror //p' "$SCRIPTS/$script")" "$SCRIPTS/$script" >/dev/null
    "$finish" "$root"
    touch "$root/.complete"
}

# in_root ROOT COMMAND: a shell's command; the mounts are gone with the shell that made them.
in_root() {
    unshare --mount bash -euc '
        mount -t proc proc "$1/proc"
        mount -t sysfs sysfs "$1/sys"
        mount --rbind /dev "$1/dev"
        cp --remove-destination -L /etc/resolv.conf "$1/etc/resolv.conf"
        chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            OMNI_API_KEY="${key:-}" bash -euo pipefail -c "$2"' - "$@"
}
