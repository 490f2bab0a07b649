#include "cmd/status_queue.h"

#include <inttypes.h>

#include "core/json/json.h"
#include "core/kafka_source/kafka_lag.h"

#define WAIT_MS 10000

bool status_names_queue(const char *argument)
{
    return kafka_url_is(argument);
}

static void put_offset(struct buf *out, int64_t offset, int width, const char *none)
{
    if (offset < 0)
        buf_addf(out, "%*s", width, none);
    else
        buf_addf(out, "%*" PRId64, width, offset);
}

static void put_text(struct buf *out, const struct kafka_url *u, const struct kafka_lag *l)
{
    buf_addf(out,
             "topic     %s\ngroup     %s\nlag       %" PRId64 " message%s in %zu partition%s\n\n",
             u->name, u->group, l->total, l->total == 1 ? "" : "s", l->n, l->n == 1 ? "" : "s");
    buf_adds(out, "partition     committed         first           end           lag\n");
    for (size_t i = 0; i < l->n; i++) {
        const struct kafka_lag_part *p = &l->parts[i];
        buf_addf(out, "%9zu", i);
        put_offset(out, p->committed, 14, "none");
        put_offset(out, p->first, 14, "");
        put_offset(out, p->end, 14, "");
        put_offset(out, p->lag, 14, "");
        buf_addc(out, '\n');
    }
}

static void put_json(struct buf *out, const struct kafka_url *u, const struct kafka_lag *l)
{
    buf_adds(out, "{\"topic\":");
    json_write_bytes(out, str_c(u->name));
    buf_adds(out, ",\"group\":");
    json_write_bytes(out, str_c(u->group));
    buf_addf(out, ",\"lag\":%" PRId64 ",\"partitions\":[", l->total);
    for (size_t i = 0; i < l->n; i++) {
        const struct kafka_lag_part *p = &l->parts[i];
        buf_addf(out, "%s{\"partition\":%zu,\"committed\":", i ? "," : "", i);
        put_offset(out, p->committed, 0, "null");
        buf_addf(out, ",\"first\":%" PRId64 ",\"end\":%" PRId64 ",\"lag\":%" PRId64 "}", p->first,
                 p->end, p->lag);
    }
    buf_adds(out, "]}\n");
}

enum rc status_queue(struct buf *out, struct messages *m, const char *text, bool json,
                     struct err *e)
{
    struct kafka_url url = {.name = NULL};
    struct kafka_lag lag = {.n = 0};
    enum rc rc = kafka_url_parse(&url, text, m->secrets, e);
    const struct kafka_source_cfg cfg = {
        .url = &url,
        .secrets = m->secrets,
        .log = &m->hook,
        .clock = m->clock,
    };
    if (rc == RC_OK)
        rc = kafka_lag_read(&lag, &cfg, WAIT_MS, e);
    if (rc == RC_OK) {
        (json ? put_json : put_text)(out, &url, &lag);
        rc = buf_rc(out);
        if (rc != RC_OK)
            (void)err_set(e, rc, "%s: %s", url.name, rc_text(rc));
    }
    kafka_lag_free(&lag);
    kafka_url_free(&url);
    return rc;
}
