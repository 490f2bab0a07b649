#include "sinks/parquet/row_groups.h"

#include <errno.h>
#include <unistd.h>

#include "core/file/fd_io.h"

#define TAIL_BYTES_MAX ((size_t)256 << 10)

/* How one begins in the tail and in the file, as it is in memory; its texts follow. */
struct head {
    uint64_t at, n_rows, plain_bytes, bytes, n_columns, first_len, last_len;
};

static void group_init(struct row_group *g)
{
    *g = (struct row_group){0};
    buf_init(&g->first, INT32_MAX);
    buf_init(&g->last, INT32_MAX);
}

void row_groups_init(struct row_groups *g, const char *path)
{
    *g = (struct row_groups){.path = path};
    group_init(&g->next);
    buf_init(&g->tail, SIZE_MAX / 2);
}

void row_groups_free(struct row_groups *g)
{
    buf_free(&g->next.first);
    buf_free(&g->next.last);
    buf_free(&g->tail);
    if (g->has_file)
        (void)close(g->fd);
    g->has_file = false;
}

struct row_group *row_groups_next(struct row_groups *g)
{
    struct row_group *next = &g->next;
    buf_clear(&next->first);
    buf_clear(&next->last);
    *next = (struct row_group){.first = next->first, .last = next->last};
    return next;
}

static enum rc spill(struct row_groups *g, struct err *e)
{
    if (!g->has_file && fd_open_temporary(&g->fd, e) != RC_OK) {
        err_prefix(e, "%s", g->path);
        return e->rc;
    }
    g->has_file = true;
    int errnum = fd_write_all(g->fd, g->tail.data, g->tail.len);
    if (errnum)
        return fd_temporary_failed(e, errnum, g->path);
    g->file_bytes += g->tail.len;
    buf_free(&g->tail);
    return RC_OK;
}

enum rc row_groups_add(struct row_groups *g, struct err *e)
{
    const struct row_group *next = &g->next;
    const struct head head = {.at = next->at,
                              .n_rows = next->n_rows,
                              .plain_bytes = next->sums.plain_bytes,
                              .bytes = next->sums.bytes,
                              .n_columns = next->n_columns,
                              .first_len = next->first.len,
                              .last_len = next->last.len};
    buf_add(&g->tail, &head, sizeof head);
    buf_add_str(&g->tail, buf_str(&next->first));
    buf_add_str(&g->tail, buf_str(&next->last));
    if (buf_rc(&g->tail) != RC_OK)
        return err_nomem(e);
    g->n++;
    g->bytes += next->sums.bytes;
    return g->tail.len > TAIL_BYTES_MAX ? spill(g, e) : RC_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

void row_group_reader_init(struct row_group_reader *r, const struct row_groups *from)
{
    *r = (struct row_group_reader){.from = from};
    group_init(&r->group);
}

void row_group_reader_free(struct row_group_reader *r)
{
    buf_free(&r->group.first);
    buf_free(&r->group.last);
}

/* None is in both. */
static enum rc take(struct row_group_reader *r, void *to, uint64_t n, struct err *e)
{
    const struct row_groups *g = r->from;
    uint64_t at = r->at;
    size_t got = 0;
    enum rc rc = RC_OK;
    if (at < g->file_bytes) {
        rc = fd_read_at(g->fd, "a temporary file", at, to, n, &got, e);
        if (rc != RC_OK)
            err_prefix(e, "%s", g->path);
    } else if (n <= g->tail.len - (at - g->file_bytes)) {
        memcpy(to, g->tail.data + (at - g->file_bytes), n);
        got = n;
    }
    if (rc == RC_OK && got < n)
        rc = fd_temporary_failed(e, EIO, g->path);
    r->at += n;
    return rc;
}

static enum rc take_text(struct row_group_reader *r, struct buf *to, uint64_t n, struct err *e)
{
    buf_clear(to);
    if (n == 0)
        return RC_OK;
    if (n > to->max)
        return fd_temporary_failed(e, EIO, r->from->path);
    char *room = buf_reserve(to, n);
    if (!room)
        return err_nomem(e);
    to->len = n;
    return take(r, room, n, e);
}

enum rc row_group_read(struct row_group_reader *r, struct err *e)
{
    const struct row_groups *from = r->from;
    struct row_group *g = &r->group;
    struct head head = {0};
    if (r->at == from->file_bytes + from->tail.len)
        return RC_END;
    enum rc rc = take(r, &head, sizeof head, e);
    if (rc == RC_OK)
        rc = take_text(r, &g->first, head.first_len, e);
    if (rc == RC_OK)
        rc = take_text(r, &g->last, head.last_len, e);
    if (rc != RC_OK)
        return rc;
    g->at = head.at;
    g->n_rows = head.n_rows;
    g->sums = (struct page_sums){head.plain_bytes, head.bytes};
    g->n_columns = head.n_columns;
    return RC_OK;
}
