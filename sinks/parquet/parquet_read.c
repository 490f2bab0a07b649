#include "sinks/parquet/parquet_read.h"

#include <stdlib.h>

#include "core/base/arena.h"
#include "core/base/checked.h"
#include "sinks/parquet/codec.h"
#include "sinks/parquet/footer.h"
#include "sinks/parquet/rle_read.h"
#include "sinks/parquet/thrift_read.h"

enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2 };
enum { ENCODING_PLAIN = 0, ENCODING_RLE_DICTIONARY = 8 };

#define TAIL_BYTES (2 * sizeof(uint32_t))
#define MEMORY_BYTES_MAX ((size_t)1 << 30)
#define PAGE_MAX ((int64_t)INT32_MAX)
#define COLUMNS_MAX 65536 /* no sink writes as many */

struct chunk_place {
    uint64_t at, bytes;
    int64_t codec;
};

struct group {
    uint64_t n_rows;
    struct chunk_place *chunks; /* one for each column */
};

struct column {
    enum physical_type type;
    int64_t codec;
    struct buf raw; /* the chunk */
    size_t at;      /* of the next page in it */
    struct buf page, dictionary;
    struct str *entries; /* of the dictionary */
    size_t n_entries, cap_entries;
    int64_t left; /* rows of the page */
    bool by_dictionary;
    struct rle_in levels, indexes;
    struct str plain;
    unsigned bit; /* of booleans */
};

struct parquet_reader {
    struct shard_file *file;
    struct arena memory;
    struct column *columns;
    size_t n_columns;
    struct group *groups;
    size_t n_groups, next_group;
    uint64_t left; /* rows of the group at hand that were not begun */
    struct decoder *decoder;
};

/* ---- the footer ------------------------------------------------------------------------------ */

static void read_chunk_meta(struct thrift_in *in, struct chunk_place *out, int64_t *type)
{
    struct thrift_field f = {0};
    int64_t data_at = 0;
    int64_t dictionary_at = 0;
    int64_t bytes = 0;
    while (thrift_next(in, &f)) {
        if (f.id == 1)
            *type = thrift_read_int(in);
        else if (f.id == 4)
            out->codec = thrift_read_int(in);
        else if (f.id == 7)
            bytes = thrift_read_int(in);
        else if (f.id == 9)
            data_at = thrift_read_int(in);
        else if (f.id == 11)
            dictionary_at = thrift_read_int(in);
        else
            thrift_skip(in, &f);
    }
    int64_t at = dictionary_at > 0 ? dictionary_at : data_at;
    in->bad |= at < 0 || bytes < 0;
    out->at = (uint64_t)at;
    out->bytes = (uint64_t)bytes;
}

static void read_chunk(struct parquet_reader *r, struct thrift_in *in, struct chunk_place *out,
                       size_t column)
{
    struct thrift_field f = {0};
    int64_t type = -1;
    while (thrift_next(in, &f)) {
        if (f.id == 3)
            read_chunk_meta(in, out, &type);
        else
            thrift_skip(in, &f);
    }
    in->bad |= type != (int64_t)r->columns[column].type;
}

static enum rc read_group(struct parquet_reader *r, struct thrift_in *in, struct group *out)
{
    struct thrift_field f = {0};
    out->chunks = arena_array(&r->memory, r->n_columns + 1, sizeof *out->chunks);
    if (!out->chunks)
        return RC_NOMEM;
    uint64_t n = 0;
    while (thrift_next(in, &f)) {
        if (f.id == 1) {
            n = thrift_read_list(in);
            in->bad |= n != r->n_columns;
            for (size_t i = 0; !in->bad && i < r->n_columns; i++)
                read_chunk(r, in, &out->chunks[i], i);
        } else if (f.id == 3) {
            int64_t rows = thrift_read_int(in);
            in->bad |= rows < 0;
            out->n_rows = (uint64_t)rows;
        } else {
            thrift_skip(in, &f);
        }
    }
    in->bad |= n != r->n_columns;
    return RC_OK;
}

/* The first element is the root, which says how many columns there are. */
static enum rc read_schema(struct parquet_reader *r, struct thrift_in *in)
{
    uint64_t n = thrift_read_list(in);
    if (in->bad || n == 0 || n > COLUMNS_MAX || r->columns) {
        in->bad = true;
        return RC_OK;
    }
    r->n_columns = (size_t)n - 1;
    r->columns = calloc(r->n_columns + 1, sizeof *r->columns);
    if (!r->columns)
        return RC_NOMEM;
    for (size_t i = 0; i < r->n_columns; i++) {
        buf_init(&r->columns[i].raw, SIZE_MAX / 2); /* the file has as much */
        buf_init(&r->columns[i].page, INT32_MAX);
        buf_init(&r->columns[i].dictionary, INT32_MAX);
    }
    for (uint64_t i = 0; !in->bad && i < n; i++) {
        struct thrift_field f = {0};
        int64_t type = -1;
        while (thrift_next(in, &f)) {
            if (f.id == 1)
                type = thrift_read_int(in);
            else
                thrift_skip(in, &f);
        }
        if (i == 0)
            continue;
        in->bad |= type != PHYSICAL_BOOLEAN && type != PHYSICAL_INT64 && type != PHYSICAL_DOUBLE &&
                   type != PHYSICAL_BYTE_ARRAY;
        r->columns[i - 1].type = (enum physical_type)type;
    }
    return RC_OK;
}

static enum rc read_metadata(struct parquet_reader *r, struct thrift_in *in)
{
    struct thrift_field f = {0};
    enum rc rc = RC_OK;
    while (rc == RC_OK && thrift_next(in, &f)) {
        if (f.id == 2) {
            rc = read_schema(r, in);
        } else if (f.id == 4 && r->columns && !r->groups) {
            uint64_t n = thrift_read_list(in);
            r->groups = arena_array(&r->memory, (size_t)n + 1, sizeof *r->groups);
            rc = r->groups ? RC_OK : RC_NOMEM;
            for (uint64_t i = 0; rc == RC_OK && !in->bad && i < n; i++)
                rc = read_group(r, in, &r->groups[i]);
            r->n_groups = (size_t)n;
        } else {
            thrift_skip(in, &f);
        }
    }
    if (rc == RC_OK && (in->bad || !r->groups))
        return RC_SYNTAX;
    return rc;
}

static enum rc read_footer(struct parquet_reader *r, struct err *e)
{
    char tail[TAIL_BYTES];
    uint64_t bytes = shard_file_bytes(r->file);
    if (bytes < TAIL_BYTES)
        return shard_file_damaged(r->file, e);
    enum rc rc = shard_file_read(r->file, bytes - TAIL_BYTES, tail, sizeof tail, e);
    if (rc != RC_OK)
        return rc;
    uint64_t n = le32_get(tail);
    if (memcmp(tail + sizeof(uint32_t), PARQUET_MAGIC.ptr, PARQUET_MAGIC.len) != 0 ||
        n > bytes - TAIL_BYTES || n > MEMORY_BYTES_MAX)
        return shard_file_damaged(r->file, e);
    char *footer = malloc((size_t)n + 1);
    if (!footer)
        return err_nomem(e);
    rc = shard_file_read(r->file, bytes - TAIL_BYTES - n, footer, (size_t)n, e);
    struct thrift_in in = {.text = {footer, (size_t)n}};
    if (rc == RC_OK) {
        rc = read_metadata(r, &in);
        if (rc == RC_NOMEM)
            (void)err_nomem(e);
        else if (rc != RC_OK)
            rc = shard_file_damaged(r->file, e);
    }
    free(footer);
    return rc;
}

enum rc parquet_reader_new(struct parquet_reader **out, struct shard_file *file, struct err *e)
{
    struct parquet_reader *r = calloc(1, sizeof *r);
    if (!r)
        return err_nomem(e);
    r->file = file;
    arena_init(&r->memory, MEMORY_BYTES_MAX);
    enum rc rc = decoder_new(&r->decoder) == RC_OK ? shard_file_verify(file, e) : err_nomem(e);
    if (rc == RC_OK)
        rc = read_footer(r, e);
    if (rc != RC_OK) {
        parquet_reader_free(r);
        return rc;
    }
    *out = r;
    return RC_OK;
}

void parquet_reader_free(struct parquet_reader *r)
{
    if (!r)
        return;
    for (size_t i = 0; r->columns && i < r->n_columns; i++) {
        buf_free(&r->columns[i].raw);
        buf_free(&r->columns[i].page);
        buf_free(&r->columns[i].dictionary);
        free(r->columns[i].entries);
    }
    free(r->columns);
    arena_free(&r->memory);
    decoder_free(r->decoder);
    free(r);
}

size_t parquet_reader_columns(const struct parquet_reader *r)
{
    return r->n_columns;
}

enum physical_type parquet_reader_type(const struct parquet_reader *r, size_t column)
{
    return r->columns[column].type;
}

/* ---- pages ----------------------------------------------------------------------------------- */

struct page_head {
    int64_t type, plain_bytes, bytes, n_values, encoding;
};

static void read_page_part(struct thrift_in *in, struct page_head *out)
{
    struct thrift_field f = {0};
    while (thrift_next(in, &f)) {
        if (f.id == 1)
            out->n_values = thrift_read_int(in);
        else if (f.id == 2)
            out->encoding = thrift_read_int(in);
        else
            thrift_skip(in, &f);
    }
}

static bool read_page_head(struct column *c, struct page_head *out)
{
    struct thrift_in in = {.text = {c->raw.data + c->at, c->raw.len - c->at}};
    struct thrift_field f = {0};
    *out = (struct page_head){.type = -1, .encoding = -1};
    if (c->at >= c->raw.len)
        return false;
    while (thrift_next(&in, &f)) {
        if (f.id == 1)
            out->type = thrift_read_int(&in);
        else if (f.id == 2)
            out->plain_bytes = thrift_read_int(&in);
        else if (f.id == 3)
            out->bytes = thrift_read_int(&in);
        else if (f.id == 5 || f.id == 7)
            read_page_part(&in, out);
        else
            thrift_skip(&in, &f);
    }
    c->at = c->raw.len - in.text.len;
    return !in.bad && out->bytes >= 0 && (uint64_t)out->bytes <= in.text.len &&
           out->plain_bytes >= 0 && out->plain_bytes <= PAGE_MAX && out->n_values >= 0;
}

/* Booleans have none. */
static enum rc take_dictionary(struct column *c, uint64_t n)
{
    struct str data = buf_str(&c->dictionary);
    size_t at = 0;
    c->n_entries = 0;
    if (n > data.len || c->type == PHYSICAL_BOOLEAN)
        return RC_SYNTAX;
    if (n > c->cap_entries) {
        struct str *entries = realloc(c->entries, ((size_t)n + 1) * sizeof *entries);
        if (!entries)
            return RC_NOMEM;
        c->entries = entries;
        c->cap_entries = (size_t)n;
    }
    while (c->n_entries < n) {
        if (!chunk_next_value(c->type, data, &at, &c->entries[c->n_entries]))
            return RC_SYNTAX;
        c->n_entries++;
    }
    return RC_OK;
}

/* The levels, and what follows them. */
static bool begin_data(struct column *c, const struct page_head *h)
{
    struct str page = buf_str(&c->page);
    if (page.len < sizeof(uint32_t) || le32_get(page.ptr) > page.len - sizeof(uint32_t))
        return false;
    size_t n = le32_get(page.ptr);
    c->levels = (struct rle_in){.text = {page.ptr + sizeof(uint32_t), n}, .width = 1};
    c->plain = (struct str){page.ptr + sizeof(uint32_t) + n, page.len - sizeof(uint32_t) - n};
    c->bit = 0;
    c->left = h->n_values;
    c->by_dictionary = h->encoding == ENCODING_RLE_DICTIONARY;
    if (!c->by_dictionary)
        return h->encoding == ENCODING_PLAIN;
    c->indexes = (struct rle_in){.width = 1};
    if (c->plain.len == 0)
        return true; /* then it has no values */
    unsigned width = (unsigned char)*c->plain.ptr;
    c->indexes = (struct rle_in){.text = {c->plain.ptr + 1, c->plain.len - 1}, .width = width};
    return width >= 1 && width <= 32;
}

/* The next page with rows. */
static enum rc next_page(struct parquet_reader *r, struct column *c)
{
    while (c->left == 0) {
        struct page_head h;
        if (!read_page_head(c, &h))
            return RC_SYNTAX;
        bool is_dictionary = h.type == PAGE_DICTIONARY;
        struct buf *to = is_dictionary ? &c->dictionary : &c->page;
        struct str packed = {c->raw.data + c->at, (size_t)h.bytes};
        enum rc rc = decoder_decompress(r->decoder, (enum compression)c->codec, packed,
                                        (size_t)h.plain_bytes, to);
        if (rc != RC_OK)
            return rc;
        c->at += (size_t)h.bytes;
        if (is_dictionary)
            rc = take_dictionary(c, (uint64_t)h.n_values);
        else if (h.type != PAGE_DATA || !begin_data(c, &h))
            rc = RC_SYNTAX;
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static enum rc begin_chunk(struct parquet_reader *r, struct column *c,
                           const struct chunk_place *place, struct err *e)
{
    buf_clear(&c->raw);
    c->at = 0;
    c->left = 0;
    c->n_entries = 0;
    c->codec = place->codec;
    if (place->bytes > shard_file_bytes(r->file))
        return shard_file_damaged(r->file, e);
    char *to = place->bytes ? buf_reserve(&c->raw, (size_t)place->bytes) : NULL;
    if (!to)
        return place->bytes ? err_nomem(e) : shard_file_damaged(r->file, e);
    c->raw.len = (size_t)place->bytes;
    return shard_file_read(r->file, place->at, to, (size_t)place->bytes, e);
}

bool parquet_reader_ended(const struct parquet_reader *r)
{
    uint64_t left = r->left;
    for (size_t i = r->next_group; i < r->n_groups; i++)
        left |= r->groups[i].n_rows;
    return left == 0;
}

enum rc parquet_reader_row(struct parquet_reader *r, struct err *e)
{
    enum rc rc = RC_OK;
    while (rc == RC_OK && r->left == 0) {
        if (r->next_group == r->n_groups)
            return shard_file_damaged(r->file, e);
        const struct group *g = &r->groups[r->next_group++];
        r->left = g->n_rows;
        for (size_t i = 0; rc == RC_OK && g->n_rows > 0 && i < r->n_columns; i++)
            rc = begin_chunk(r, &r->columns[i], &g->chunks[i], e);
    }
    r->left -= rc == RC_OK;
    return rc;
}

static bool plain_value(struct column *c, struct str *out)
{
    static const char bits[] = {0, 1};
    size_t at = 0;
    if (c->type == PHYSICAL_BOOLEAN) {
        if (c->bit / 8 >= c->plain.len)
            return false;
        unsigned byte = (unsigned char)c->plain.ptr[c->bit / 8];
        *out = (struct str){&bits[byte >> c->bit % 8 & 1], 1};
        c->bit++;
        return true;
    }
    if (!chunk_next_value(c->type, c->plain, &at, out))
        return false;
    c->plain = (struct str){c->plain.ptr + at, c->plain.len - at};
    return true;
}

enum rc parquet_reader_value(struct parquet_reader *r, size_t column, struct str *out,
                             struct err *e)
{
    struct column *c = &r->columns[column];
    uint32_t level = 0;
    uint32_t index = 0;
    *out = STR_NONE;
    enum rc rc = next_page(r, c);
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc != RC_OK || !rle_next(&c->levels, &level))
        return shard_file_damaged(r->file, e);
    c->left--;
    if (level == 0)
        return RC_OK;
    if (!c->by_dictionary)
        return plain_value(c, out) ? RC_OK : shard_file_damaged(r->file, e);
    if (!rle_next(&c->indexes, &index) || index >= c->n_entries)
        return shard_file_damaged(r->file, e);
    *out = c->entries[index];
    return RC_OK;
}
