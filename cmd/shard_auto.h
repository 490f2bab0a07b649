/* --shard auto: takes the shard from the environment of an indexed job of Kubernetes, Slurm or AWS Batch. */
#ifndef LEADPIPE_CMD_SHARD_AUTO_H
#define LEADPIPE_CMD_SHARD_AUTO_H

#include "core/source/shard.h"

#define SHARD_RUN_BYTES_MAX 200

/* RC_USAGE: the message names the variable that is missing or wrong. `run`: the name of the job that all shards are of,
 * if the scheduler gives it; else "". */
enum rc shard_auto(struct shard *out, char run[SHARD_RUN_BYTES_MAX + 1], struct err *e);

/* Is it a name for the run that shards are parts of? RC_USAGE: the message says what is allowed. */
enum rc shard_run_check(const char *name, struct err *e);

#endif
