#include "core/kafka_source/kafka_lag.h"

#include <stdlib.h>

#include "core/kafka_source/kafka_source_internal.h"

/* Does a member that finds no committed offset begin at the end? */
static bool begins_at_end(const struct kafka_url *u)
{
    bool at_end = false;
    for (size_t i = 0; i < u->n_properties; i++) {
        const struct kafka_property *p = &u->properties[i];
        if (strcmp(p->name, "auto.offset.reset") == 0)
            at_end = strcmp(p->value, "latest") == 0 || strcmp(p->value, "largest") == 0 ||
                     strcmp(p->value, "end") == 0;
    }
    return at_end;
}

/* A committed offset outside what the topic holds counts as none: messages were deleted, or the topic was recreated. */
static int64_t lag_of(const struct kafka_lag_part *p, bool at_end)
{
    bool is_valid = p->committed >= p->first && p->committed <= p->end;
    int64_t from = is_valid ? p->committed : at_end ? p->end : p->first;
    return p->end > from ? p->end - from : 0;
}

static enum rc read_parts(struct kafka_lag *out, struct kafka_source *s, int64_t wait_ms,
                          struct err *e)
{
    const struct kafka_url *u = s->cfg.url;
    int64_t *committed = calloc(s->n_partitions + 1, sizeof *committed);
    out->parts = calloc(s->n_partitions + 1, sizeof *out->parts);
    out->n = s->n_partitions;
    if (!committed || !out->parts) {
        free(committed);
        return err_nomem(e);
    }
    enum rc rc =
        kafka_client_committed(&s->client, u->topic, s->n_partitions, wait_ms, committed, e);
    for (size_t i = 0; rc == RC_OK && i < out->n; i++) {
        struct kafka_lag_part *p = &out->parts[i];
        p->committed = committed[i];
        rc = kafka_client_ends(&s->client, u->topic, (int32_t)i, wait_ms, &p->first, &p->end, e);
        if (rc != RC_OK)
            break;
        p->lag = lag_of(p, begins_at_end(u));
        out->total = p->lag > INT64_MAX - out->total ? INT64_MAX : out->total + p->lag;
    }
    free(committed);
    return rc;
}

enum rc kafka_lag_read(struct kafka_lag *out, const struct kafka_source_cfg *cfg, int64_t wait_ms,
                       struct err *e)
{
    struct kafka_source s = {.cfg = *cfg};
    *out = (struct kafka_lag){.n = 0};
    enum rc rc = kafka_source_find(&s, wait_ms, e);
    if (rc == RC_OK)
        rc = read_parts(out, &s, wait_ms, e);
    kafka_client_close(&s.client);
    if (rc != RC_OK)
        kafka_lag_free(out);
    return rc;
}

void kafka_lag_free(struct kafka_lag *l)
{
    free(l->parts);
    *l = (struct kafka_lag){.n = 0};
}
