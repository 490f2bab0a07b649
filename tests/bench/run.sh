#!/usr/bin/env bash
#
# ./build.sh bench: builds what is measured and what measures, then measures.
# Arguments go to bench.py.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root
readonly build=$root/build/release

if [[ ! -f $build/build.ninja ]]; then
    (cd "$root" && cmake --preset release -DLEADPIPE_TESTS=OFF)
fi
cmake --build "$build" --target leadpipe bench_programs
exec python3 -B "$root/tests/bench/bench.py" \
    --leadpipe "${LEADPIPE_BIN:-$build/leadpipe}" --programs "$build/bench" "$@"
