/* How far the source of IDs has come, for a sink that commits it. Private to core/run. */
#ifndef LEADPIPE_RUN_PLACE_H
#define LEADPIPE_RUN_PLACE_H

#include "core/source.h"

/* What a sink commits of the source at a checkpoint. `item` is written by the sequencer's thread when the checkpoint
 * begins; all is read by the sink's thread at its barrier, and, until it is committed, by nobody else. */
struct run_place {
    struct id_source *source;
    uint64_t item; /* of the source: it and all before it are done */
    struct buf text;
};

#endif
