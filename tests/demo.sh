#!/usr/bin/env bash
# A run that needs no key and no network: starts the sandbox on loopback, exports 1,000 leads of each
# provider to four sinks, and says which files to look at. Called by `./build.sh demo`.
#
#   tests/demo.sh [FOLDER]      FOLDER: where the outputs go, default demo-output
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
leadpipe=${LEADPIPE_BIN:-$here/../build/release/leadpipe}
python=${PYTHON:-python3}
out=${1:-demo-output}
leads=1000

# The sandbox ends when its standard input does: with this script, however that ends.
coproc SANDBOX { exec "$python" "$here/sandbox/sandbox.py" --stdin-watch; }
IFS= read -r ready <&"${SANDBOX[0]}" || {
    echo "demo: the sandbox did not start" >&2
    exit 1
}
member() { printf '%s' "$ready" | "$python" -c "import json, sys; print(json.load(sys.stdin)['$1'])"; }

export OMNI_API_KEY CONVOCORE_API_KEY
OMNI_API_KEY=$(member key)
CONVOCORE_API_KEY=$OMNI_API_KEY

# export_provider NAME [OPTION]...: to CSV (one file a table), NDJSON, MessagePack and a webhook
export_provider() {
    local name=$1
    shift
    mkdir -p "$out/$name"
    echo
    echo "== $name: $leads leads"
    seq -f 'plain-%04.0f' "$leads" |
        "$leadpipe" export -p "$name" --base-url "$(member "$name")" "$@" \
            -t "csv:$out/$name/csv/" \
            -t "ndjson:$out/$name/leads.ndjson" \
            -t "msgpack:$out/$name/leads.msgpack.gz" \
            -t "webhook,batch=50:$(member hooks)/demo-$name" \
            --failed "$out/$name/failed.ndjson" \
            --manifest "$out/$name/manifest.json"
}

export_provider omni
export_provider convocore --param agentId=demo-agent

cat <<TEXT

Look at:
  $out/omni/csv/leads.csv            one row per lead; beside it a file for each other table
  $out/omni/csv/checklist_items.csv  one row per item of a lead's checklist
  $out/convocore/leads.ndjson        one JSON object per lead, with its tables inside
  $out/convocore/leads.msgpack.gz    the same as compressed MessagePack
  $out/omni/manifest.json            what the run did: counts, files, digests, latencies
The webhook receiver got 20 batches of 50 leads from each run.
TEXT
