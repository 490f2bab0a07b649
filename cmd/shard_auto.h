/* --shard auto: takes the shard from the environment of an indexed job of Kubernetes, Slurm or AWS Batch. */
#ifndef LEADPIPE_CMD_SHARD_AUTO_H
#define LEADPIPE_CMD_SHARD_AUTO_H

#include "core/source/shard.h"

/* RC_USAGE: the message names the variable that is missing or wrong. */
enum rc shard_auto(struct shard *out, struct err *e);

#endif
