#!/bin/bash
#SBATCH --job-name=leads
#SBATCH --cpus-per-task=2
#SBATCH --mem=1G
# The tasks of a job array export one list of leads together: sbatch --array=0-15 slurm-array.sh
# docs/scale.md says more. To do a task again: SHARD=3 sbatch --array=0 slurm-array.sh
# (RUN=ID as well, with the job ID of the array, if the shards write to one database)
set -euo pipefail
shards=16

if [ -n "${SHARD:-}" ]; then
    shard=$SHARD/$shards
elif [ "${SLURM_ARRAY_TASK_COUNT:-}" = "$shards" ]; then
    shard=auto
else
    echo "this needs an array of $shards tasks (--array=0-$((shards - 1))), or SHARD=I" >&2
    exit 2
fi
exec leadpipe export --provider omni --shard "$shard" --shard-run "${RUN:-$SLURM_ARRAY_JOB_ID}" --rate 200/s \
    --state "state-{shard}.db" --to "csv:out/shard-{shard}/" \
    --manifest "out/shard-{shard}/manifest.json" --failed "out/shard-{shard}/failed.ndjson" ids.txt
