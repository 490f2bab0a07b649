# ./build.sh install, uninstall and package: sourced by build.sh.
# shellcheck shell=bash

# can_make FOLDER: is it writable, or the nearest folder above it that exists?
can_make() {
    local folder=$1
    while [[ ! -e $folder ]]; do folder=$(dirname "$folder"); done
    [[ -d $folder && -w $folder ]]
}

# Where install lists the files that it has put under PREFIX.
readonly FILE_LIST=share/doc/leadpipe/installed-files

# read_prefix COMMAND [PREFIX]: sets prefix, an absolute path without a slash at its end.
read_prefix() {
    prefix=${2:-/usr/local}
    if [[ $# -gt 2 || $prefix == -* ]]; then
        die "$1: expected at most one directory, as in: ./build.sh $1 ~/.local"
    fi
    if [[ $prefix != /* ]]; then prefix=$START_DIR/$prefix; fi
    while [[ $prefix == ?*/ ]]; do prefix=${prefix%/}; done
    if [[ -z ${DESTDIR:-} ]] && ! can_make "$prefix"; then
        die "$prefix is not writable: run this as root, or give a directory: ./build.sh $1 PREFIX"
    fi
}

# Files that the version before had, and this one has not, are removed.
cmd_install() {
    local prefix list new
    read_prefix install "$@"
    list=${DESTDIR:-}$prefix/$FILE_LIST
    new=$BUILD/release/install_manifest.txt # CMake's
    require build
    step "build" build_preset release OFF
    step "install" cmake --install "$BUILD/release" --prefix "$prefix"
    if [[ -e $list ]]; then
        remove_files "$prefix" < <(grep -vxFf "$new" "$list")
    fi
    sort "$new" >"$list" # a line end at the end, too
    note_path "${prefix%/}/bin"
    note_units
}

# remove_files PREFIX: those whose paths are on standard input, which are all under PREFIX.
remove_files() {
    local file
    while IFS= read -r file; do
        if [[ $file != "${1%/}"/* || $file == *..* ]]; then
            die "$1/$FILE_LIST names a file that is not under $1: $file"
        fi
        rm -f -- "${DESTDIR:-}$file"
    done
}

cmd_uninstall() {
    local prefix list
    read_prefix uninstall "$@"
    list=${DESTDIR:-}$prefix/$FILE_LIST
    if [[ ! -e $list ]]; then
        die "nothing is installed under $prefix: there is no $list"
    fi
    remove_files "$prefix" <"$list"
    rm -f -- "$list"
    find "${list%/*}" -depth -type d -empty -delete # other folders may be shared with others
    say "removed from $prefix"
}

cmd_package() {
    no_arguments package "$@"
    require package
    step "build" build_preset release OFF
    step "package" cpack --config "$BUILD/release/CPackConfig.cmake" -B "$BUILD"
}

# The shell finds the program only in a folder of $PATH.
note_path() {
    if [[ -n ${DESTDIR:-} || :$PATH: == *:"$1":* || :$PATH: == *:"$1"/:* ]]; then return; fi
    note "$1 is not in your PATH: run the program as $1/leadpipe, or add to your shell's profile:" \
        "export PATH=\"$1:\$PATH\""
}

# systemd looks for units below few prefixes only.
note_units() {
    case $prefix in
    / | /usr | /usr/local)
        if [[ -z ${DESTDIR:-} ]]; then
            note "for jobs that systemd runs, now run: systemctl daemon-reload"
        fi
        ;;
    *) note "systemd does not look into $prefix/lib/systemd/system: for jobs that it runs every night, install the" \
        "program as root to /usr/local, or as a package" ;;
    esac
}
