# ./build.sh install: sourced by build.sh.
# shellcheck shell=bash

# can_make FOLDER: is it writable, or the nearest folder above it that exists?
can_make() {
    local folder=$1
    while [[ ! -e $folder ]]; do folder=$(dirname "$folder"); done
    [[ -d $folder && -w $folder ]]
}

cmd_install() {
    local prefix=${1:-/usr/local}
    if [[ $# -gt 1 || $prefix == -* ]]; then
        die "install: expected at most one directory, as in: ./build.sh install ~/.local"
    fi
    if [[ $prefix != /* ]]; then prefix=$START_DIR/$prefix; fi
    if [[ -z ${DESTDIR:-} ]] && ! can_make "$prefix"; then
        die "$prefix is not writable: run this as root, or give a directory: ./build.sh install PREFIX"
    fi
    require build
    step "build" build_preset release OFF
    step "install" cmake --install "$BUILD/release" --prefix "$prefix"
    note_path "${prefix%/}/bin"
}

# The shell finds the program only in a folder of $PATH.
note_path() {
    if [[ -n ${DESTDIR:-} || :$PATH: == *:"$1":* || :$PATH: == *:"$1"/:* ]]; then return; fi
    note "$1 is not in your PATH: run the program as $1/leadpipe, or add to your shell's profile:" \
        "export PATH=\"$1:\$PATH\""
}
