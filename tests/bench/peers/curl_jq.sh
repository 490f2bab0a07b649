#!/bin/sh
# curl fetches, many at once; jq makes CSV of what came.
#
#   curl_jq.sh BASE-URL IDS-FILE FOLDER CONCURRENCY KEY
set -eu
base_url=$1 ids=$2 folder=$3 concurrency=$4 key=$5
here=$(dirname "$0")

mkdir -p "$folder/bodies"
awk -v base="$base_url" -v dir="$folder/bodies" \
    '{ printf "url = \"%s/leads/%s\"\noutput = \"%s/%s\"\n", base, $1, dir, $1 }' \
    "$ids" >"$folder/urls"
curl --silent --show-error --fail --parallel --parallel-max "$concurrency" \
    --header "x-api-key: $key" --config "$folder/urls"

# A row may hold line ends, so rows begin with a byte that no row holds.
find "$folder/bodies" -type f -print0 | xargs -0 jq -r -f "$here/tables.jq" |
    awk -v dir="$folder" 'BEGIN { RS = "\036" }
        { tab = index($0, "\t"); if (!tab) next
          printf "%s", substr($0, tab + 1) > (dir "/" substr($0, 1, tab - 1) ".csv") }'
