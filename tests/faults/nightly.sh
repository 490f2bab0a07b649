#!/usr/bin/env bash
#
# The rigs of this folder at the sizes that a night has time for: kills, power cuts and stops of
# larger runs, and every bad day at its real length. Expects build/release with its tests.

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
readonly PYTHON=${PYTHON:-/usr/bin/python3}
export PYTHONDONTWRITEBYTECODE=1

failed=0
# rig ARG...
rig() {
    printf '\n== %s\n' "$*"
    "$PYTHON" "tests/faults/$1" "${@:2}" || failed=1
}

rig crash.py 50 --leads 20000
rig crash.py 50 --leads 20000 --power-cut --first 50
rig crash.py 20 --leads 20000 --signal TERM --first 700
rig crash.py 20 --leads 5000 --changed-only --signal MIXED --first 100
rig crash.py 30 --leads 20000 --all --signal MIXED --first 200
rig crash.py 20 --leads 5000 --all --power-cut --first 300
rig every_call.py
rig every_call.py --power-cut
rig every_call.py --all --eager
rig every_call.py --fail ENOSPC --for-good
rig every_call.py --fail EIO
rig table.py --slow
exit $failed
