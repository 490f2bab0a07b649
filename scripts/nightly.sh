#!/usr/bin/env bash
#
# ./build.sh nightly [SECONDS]: checks that take too long for every change. Every part runs, even if an
# earlier one failed.

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
seconds=${1:-600}
failed=()

# part COMMAND...
part() {
    printf '\n===== %s\n' "$*"
    "$@" || failed+=("$*")
}

# Python packages that the README's recipes use and Debian does not have.
prepare_venv() {
    mkdir -p build
    python3 -m venv build/venv && build/venv/bin/pip install -q -r tests/requirements.txt
}

part prepare_venv
part ./build.sh test
part ./build.sh lint
part ./build.sh nightly_tests
part env LEADPIPE_ALL=1 ./build.sh asan
part env LEADPIPE_ALL=1 ./build.sh tsan
part tests/faults/nightly.sh
part tests/distros/run.sh
part tests/distros/package.sh
part tests/distros/postgres.sh
part ./build.sh fuzz "$seconds"

if ((${#failed[@]})); then
    printf 'nightly: failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
printf '\nnightly: everything passed\n'
