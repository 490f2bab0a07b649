#include "core/failed_row.h"

#include "core/json/json.h"

static void write_member(struct buf *b, struct str name, struct str value)
{
    buf_addc(b, ',');
    json_write_string(b, name);
    buf_addc(b, ':');
    if (value.ptr)
        json_write_bytes(b, value); /* a sink is named by its path, which may be anything */
    else
        buf_adds(b, "null");
}

static void write_number(struct buf *b, struct str name, int64_t value)
{
    buf_addc(b, ',');
    json_write_string(b, name);
    buf_addc(b, ':');
    json_write_int(b, value);
}

static void write_lead(struct buf *b, const struct profile *profile, const struct lead *lead)
{
    buf_adds(b, "{\"id\":");
    if (lead->id.len)
        json_write_string(b, lead->id);
    else
        buf_adds(b, "null"); /* a line of which nothing could be read */
    for (size_t i = 0; i < profile->n_params; i++) {
        if (lead->params[i].len)
            write_member(b, profile->params[i], lead->params[i]);
    }
}

void failed_row_write(struct buf *out, const struct failed_row *row)
{
    char at[25];
    clock_format(row->at_wall_ms, at);
    write_lead(out, row->profile, row->lead);
    write_member(out, STR("stage"), str_c(row->stage));
    write_member(out, STR("sink"), str_c(row->sink));
    if (row->http_status)
        write_number(out, STR("http_status"), row->http_status);
    else
        buf_adds(out, ",\"http_status\":null");
    write_member(out, STR("code"), str_c(row->code));
    write_member(out, STR("error"), str_c(row->error));
    write_number(out, STR("attempts"), row->attempts);
    write_member(out, STR("at"), str_c(at));
    if (row->has_number)
        write_number(out, STR("number"), (int64_t)lead_number(row->lead));
    buf_adds(out, "}\n");
}

void missing_row_write(struct buf *out, const struct profile *profile, const struct lead *lead)
{
    write_lead(out, profile, lead);
    buf_addc(out, '}');
}
