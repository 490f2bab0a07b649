#include "merge/shard_rows.h"

enum rc shard_rows_open(struct shard_rows *r, const struct shard_manifest *m, size_t room,
                        const atomic_int *signal, struct err *e)
{
    const struct shard_file_cfg cfg = {.path = m->leads.path,
                                       .manifest = m->path,
                                       .bytes = m->leads.bytes,
                                       .sha256 = m->leads.sha256,
                                       .room = room,
                                       .signal = signal};
    *r = (struct shard_rows){0};
    return shard_file_open(&r->file, &cfg, e);
}

void shard_rows_close(struct shard_rows *r)
{
    shard_file_close(r->file);
    r->file = NULL;
}

static enum rc copy_settings(struct arena *a, struct str text, struct rows_header *out,
                             struct err *e, const struct shard_file *file)
{
    char *copy = arena_strdup(a, text);
    struct rows_setting *settings = arena_array(a, ROWS_SETTINGS_MAX, sizeof *settings);
    if (!copy || !settings)
        return err_nomem(e);
    return rows_take_header((struct str){copy, text.len}, out, settings)
               ? RC_OK
               : shard_file_damaged(file, e);
}

enum rc shard_rows_header(struct shard_rows *r, struct arena *a, struct rows_header *out,
                          struct err *e)
{
    struct str text;
    size_t n = 0;
    enum rc rc = shard_file_peek(r->file, ROWS_HEAD_BYTES, &text, e);
    if (rc == RC_OK && (text.len < ROWS_HEAD_BYTES || !rows_take_head(text.ptr, &n)))
        rc = shard_file_damaged(r->file, e);
    if (rc == RC_OK) {
        shard_file_take(r->file, ROWS_HEAD_BYTES);
        rc = shard_file_peek(r->file, n, &text, e);
    }
    if (rc == RC_OK && text.len < n)
        rc = shard_file_damaged(r->file, e);
    if (rc == RC_OK && a)
        rc = copy_settings(a, (struct str){text.ptr, n}, out, e, r->file);
    if (rc == RC_OK)
        shard_file_take(r->file, n);
    return rc;
}

/* The record after its length, as far as the place of its lead. */
static enum rc take_record(struct shard_rows *r, size_t n, struct err *e)
{
    struct str text;
    enum rc rc = shard_file_peek(r->file, n, &text, e);
    if (rc != RC_OK)
        return rc;
    if (text.len < n || !rows_take_lead((struct str){text.ptr, n}, r->before, &r->lead) ||
        r->lead.n_tables > PROFILE_TABLES_MAX)
        return shard_file_damaged(r->file, e);
    r->before = r->lead.number;
    r->place = r->before > r->place ? r->before : r->place;
    r->record = n;
    r->n++;
    return RC_OK;
}

static enum rc take_rows(struct shard_rows *r, struct err *e)
{
    bool good = true;
    for (size_t i = 0; good && i < r->lead.n_tables; i++)
        good = rows_take_rows(&r->lead, &r->rows[i]);
    return good ? RC_OK : shard_file_damaged(r->file, e);
}

static enum rc next_record(struct shard_rows *r, struct err *e)
{
    struct str text;
    uint64_t n = 0;
    shard_file_take(r->file, r->record);
    r->record = 0;
    enum rc rc = shard_file_peek(r->file, ROWS_NUMBER_BYTES_MAX, &text, e);
    if (rc != RC_OK)
        return rc;
    if (text.len == 0) {
        rc = shard_file_end(r->file, e);
        return rc == RC_OK ? RC_END : rc;
    }
    struct str rest = text;
    if (!rows_take_number(&rest, &n) || n > ROWS_RECORD_BYTES_MAX)
        return shard_file_damaged(r->file, e);
    shard_file_take(r->file, text.len - rest.len);
    return take_record(r, (size_t)n, e);
}

enum rc shard_rows_next(struct shard_rows *r, struct err *e)
{
    enum rc rc = next_record(r, e);
    return rc == RC_OK ? take_rows(r, e) : rc;
}

enum rc shard_rows_next_columns(struct shard_rows *r, struct err *e)
{
    enum rc rc = RC_OK;
    do
        rc = next_record(r, e);
    while (rc == RC_OK &&
           r->lead.rest.len <= r->lead.n_tables); /* a number of rows is a byte at least */
    return rc == RC_OK ? take_rows(r, e) : rc;
}
