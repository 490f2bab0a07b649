/* A failed or missing lead as a row of JSON: what the lists of --failed and --missing have, and topics of Kafka. */
#ifndef LEADPIPE_FAILED_ROW_H
#define LEADPIPE_FAILED_ROW_H

#include "core/base/clock.h"
#include "core/lead.h"
#include "core/provider/profile.h"

struct failed_row {
    const struct profile *profile;
    const struct lead *lead; /* its ID and parameters are read */
    const char *stage;
    const char *sink; /* NULL: none */
    int http_status;  /* 0: no answer */
    const char *code, *error;
    unsigned attempts;
    int64_t at_wall_ms;
    bool has_number; /* that of the lead in its list is in the row, too: of a shard */
};

/* One object and a line end. Errors stick in `out`. */
void failed_row_write(struct buf *out, const struct failed_row *row);

/* Only the ID and the parameters, without a line end. */
void missing_row_write(struct buf *out, const struct profile *profile, const struct lead *lead);

#endif
