#include "merge/list_merge.h"

#include <stdlib.h>

#include "core/base/grow.h"
#include "core/base/units.h"
#include "merge/shard_heap.h"
#include "sinks/shard_file.h"

#define LINE_BYTES_MAX ((size_t)4 << 20)
#define READ_BYTES ((size_t)64 << 10)

struct line {
    uint64_t number, at;
    uint32_t n; /* bytes, line feed included */
};

struct list {
    const struct shard_manifest *shard;
    struct shard_file *file; /* NULL: it has no leads */
    struct line *lines;
    size_t n, cap, next;
};

struct lists {
    struct list *items;
    size_t n;
    struct shard_heap heap;
    struct buf text;
};

bool list_line_take(struct str line, struct str *out, uint64_t *number)
{
    static const char label[] = ",\"number\":";
    const size_t n_label = sizeof label - 1;
    if (line.len < n_label + 3 || line.ptr[line.len - 1] != '\n' || line.ptr[line.len - 2] != '}')
        return false;
    size_t end = line.len - 2;
    size_t at = end;
    while (at > 0 && line.ptr[at - 1] >= '0' && line.ptr[at - 1] <= '9')
        at--;
    if (at < n_label || memcmp(line.ptr + at - n_label, label, n_label) != 0 ||
        !units_uint((struct str){line.ptr + at, end - at}, number))
        return false;
    *out = (struct str){line.ptr, at - n_label};
    return out->len > 0 && *out->ptr == '{';
}

/* ---- what is in a list ----------------------------------------------------------------------- */

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a;
    const struct line *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static enum rc add_line(struct list *l, struct str text, uint64_t at, bool *sorted, struct err *e)
{
    struct str rest;
    struct line *lines = list_grow(l->lines, l->n, &l->cap, sizeof *lines);
    if (!lines)
        return err_nomem(e);
    l->lines = lines;
    struct line *line = &lines[l->n];
    *line = (struct line){.at = at, .n = (uint32_t)text.len};
    if (text.len > LINE_BYTES_MAX || !list_line_take(text, &rest, &line->number))
        return shard_file_damaged(l->file, e);
    *sorted &= l->n == 0 || lines[l->n - 1].number < line->number;
    l->n++;
    return RC_OK;
}

/* Takes the complete lines from `text`, whose first byte is at offset `at` of the file; an incomplete last line stays. */
static enum rc take_lines(struct list *l, struct buf *text, uint64_t at, bool *sorted,
                          struct err *e)
{
    struct str rest = buf_str(text);
    enum rc rc = RC_OK;
    while (rc == RC_OK && rest.ptr && rest.len > 0) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        if (!end)
            break;
        size_t n = (size_t)(end - rest.ptr) + 1;
        rc = add_line(l, (struct str){rest.ptr, n}, at + text->len - rest.len, sorted, e);
        rest = (struct str){rest.ptr + n, rest.len - n};
    }
    if (rest.ptr)
        memmove(text->data, rest.ptr, rest.len);
    text->len = rest.len;
    return rc == RC_OK && text->len > LINE_BYTES_MAX ? shard_file_damaged(l->file, e) : rc;
}

/* Finds the lines and sorts them: a run without a state lists leads in the order in which they failed. */
static enum rc index_lines(struct list *l, struct buf *text, struct err *e)
{
    const uint64_t bytes = shard_file_bytes(l->file);
    bool sorted = true;
    enum rc rc = RC_OK;
    buf_clear(text);
    for (uint64_t read = 0; rc == RC_OK && read < bytes;) {
        size_t n = bytes - read < READ_BYTES ? (size_t)(bytes - read) : READ_BYTES;
        char *to = buf_reserve(text, n);
        if (!to)
            return err_nomem(e);
        rc = shard_file_read(l->file, read, to, n, e);
        if (rc != RC_OK)
            return rc;
        uint64_t first = read - text->len;
        text->len += n;
        read += n;
        rc = take_lines(l, text, first, &sorted, e);
    }
    if (rc == RC_OK && text->len > 0)
        rc = shard_file_damaged(l->file, e);
    if (rc == RC_OK && !sorted)
        qsort(l->lines, l->n, sizeof *l->lines, compare_lines);
    return rc;
}

static enum rc open_list(struct list *l, enum list_kind kind, const atomic_int *signal,
                         struct buf *text, struct err *e)
{
    const struct shard_manifest *m = l->shard;
    const struct named_file *file = kind == LIST_OF_FAILED ? &m->failed : &m->missing;
    uint64_t n = kind == LIST_OF_FAILED ? m->counts.ledger.failed : m->counts.ledger.missing;
    const char *option = kind == LIST_OF_FAILED ? "failed" : "missing";
    if (!file->path)
        return n == 0 ? RC_OK
                      : err_set(e, RC_USAGE,
                                "--%s: %s: %llu leads are %s, and the run had no --%s to list them",
                                option, m->path, (unsigned long long)n, option, option);
    const struct shard_file_cfg cfg = {.path = file->path,
                                       .manifest = m->path,
                                       .bytes = file->bytes,
                                       .sha256 = file->sha256,
                                       .room = READ_BYTES,
                                       .signal = signal};
    enum rc rc = shard_file_open(&l->file, &cfg, e);
    if (rc == RC_OK)
        rc = shard_file_verify(l->file, e);
    if (rc == RC_OK)
        rc = index_lines(l, text, e);
    if (rc == RC_OK && (l->n != file->rows || l->n != n))
        rc = shard_file_damaged(l->file, e);
    return rc;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static enum rc write_line(struct lists *all, struct list *l, struct outfile *to, struct err *e)
{
    const struct line *line = &l->lines[l->next++];
    struct str rest;
    uint64_t number = 0;
    buf_clear(&all->text);
    char *room = buf_reserve(&all->text, line->n);
    if (!room)
        return err_nomem(e);
    enum rc rc = shard_file_read(l->file, line->at, room, line->n, e);
    if (rc != RC_OK)
        return rc;
    if (!list_line_take((struct str){room, line->n}, &rest, &number))
        return shard_file_damaged(l->file, e);
    outfile_write(to, rest.ptr, rest.len);
    outfile_write(to, "}\n", 2);
    return RC_OK;
}

static enum rc write_all(struct lists *all, struct outfile *to, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; i < all->n; i++) {
        if (all->items[i].n > 0)
            shard_heap_put(&all->heap, (struct shard_heap_item){all->items[i].lines[0].number, i});
    }
    while (rc == RC_OK && all->heap.n > 0) {
        size_t shard = all->heap.items[0].shard;
        shard_heap_take(&all->heap);
        struct list *l = &all->items[shard];
        rc = write_line(all, l, to, e);
        if (l->next < l->n)
            shard_heap_put(&all->heap, (struct shard_heap_item){l->lines[l->next].number, shard});
    }
    return rc == RC_OK ? outfile_rc(to, e) : rc;
}

static void lists_free(struct lists *all)
{
    for (size_t i = 0; all->items && i < all->n; i++) {
        shard_file_close(all->items[i].file);
        free(all->items[i].lines);
    }
    free(all->items);
    free(all->heap.items);
    buf_free(&all->text);
}

enum rc list_merge(const struct shard_set *set, enum list_kind kind, struct outfile *to,
                   struct err *e)
{
    struct lists all = {.items = calloc(set->n, sizeof *all.items), .n = set->n};
    all.heap.items = calloc(set->n, sizeof *all.heap.items);
    buf_init(&all.text, LINE_BYTES_MAX + 2 * READ_BYTES);
    if (!all.items || !all.heap.items) {
        lists_free(&all);
        return err_nomem(e);
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < set->n; i++) {
        all.items[i].shard = &set->shards[i];
        rc = open_list(&all.items[i], kind, set->signal, &all.text, e);
    }
    if (rc == RC_OK)
        rc = write_all(&all, to, e);
    lists_free(&all);
    return rc;
}
