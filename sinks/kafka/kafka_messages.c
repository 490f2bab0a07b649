#include "sinks/kafka/kafka_messages.h"

#include <stdlib.h>

#include "core/base/grow.h"

#define BODY_BYTES_MAX ((size_t)1 << 30)
#define BODY_BYTES_KEPT ((size_t)1 << 20) /* from one lead to the next */

enum rc kafka_messages_open(struct kafka_messages *m, const struct profile *profile,
                            enum record_layout layout, struct err *e)
{
    const struct record_cfg cfg = {
        .profile = profile, .encoding = &encoding_json, .layout = layout};
    *m = (struct kafka_messages){.profile = profile, .layout = layout};
    buf_init(&m->body, BODY_BYTES_MAX);
    return record_writer_new(&m->writer, &cfg, e);
}

void kafka_messages_close(struct kafka_messages *m)
{
    record_writer_free(m->writer);
    buf_free(&m->body);
    free(m->list);
    *m = (struct kafka_messages){0};
}

static enum rc add(struct kafka_messages *m, size_t topic, size_t at, size_t len)
{
    struct kafka_message *list = list_grow(m->list, m->n, &m->cap, sizeof *list);
    if (!list)
        return RC_NOMEM;
    m->list = list;
    m->list[m->n++] = (struct kafka_message){topic, at, len};
    return RC_OK;
}

/* One message per line: JSON has no line feed within a record. */
static enum rc add_lines(struct kafka_messages *m, size_t topic, size_t from)
{
    enum rc rc = buf_rc(&m->body);
    while (rc == RC_OK && from < m->body.len) {
        const char *line = m->body.data + from;
        const char *end = memchr(line, '\n', m->body.len - from);
        size_t len = end ? (size_t)(end - line) : m->body.len - from;
        rc = add(m, topic, from, len);
        from += len + 1;
    }
    return rc;
}

static void put_content_id(struct kafka_messages *m, const struct lead *lead)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < FINGERPRINT_BYTES; i++) {
        m->content_id[2 * i] = digits[lead->fingerprint[i] >> 4];
        m->content_id[2 * i + 1] = digits[lead->fingerprint[i] & 15];
    }
}

enum rc kafka_messages_make(struct kafka_messages *m, const struct lead *lead)
{
    if (m->body.cap > BODY_BYTES_KEPT)
        buf_free(&m->body);
    buf_clear(&m->body);
    m->n = 0;
    put_content_id(m, lead);
    if (m->layout != LAYOUT_TABLE) {
        (void)record_write(m->writer, &m->body, lead);
        return add_lines(m, 0, 0);
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->profile->n_tables; i++) {
        size_t from = m->body.len;
        (void)record_write_table(m->writer, &m->body, lead, i);
        rc = add_lines(m, i, from);
    }
    return rc;
}

size_t kafka_messages_longest(const struct kafka_messages *m)
{
    size_t longest = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (m->list[i].len > longest)
            longest = m->list[i].len;
    }
    return longest;
}
