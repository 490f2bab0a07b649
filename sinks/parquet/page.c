#include "sinks/parquet/page.h"

#include "sinks/parquet/little_endian.h"
#include "sinks/parquet/statistics.h"
#include "sinks/parquet/thrift.h"

enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2 };
enum { ENCODING_PLAIN = 0, ENCODING_RLE = 3, ENCODING_RLE_DICTIONARY = 8 };

#define SPARE_BYTES (4 * PAGE_BYTES) /* what one huge value made larger is given back */

enum rc page_writer_init(struct page_writer *w, enum compression compression)
{
    *w = (struct page_writer){0};
    buf_init(&w->page, INT32_MAX);
    buf_init(&w->compressed, SIZE_MAX / 2);
    buf_init(&w->header, 4096);
    return codec_new(&w->codec, compression);
}

void page_writer_free(struct page_writer *w)
{
    codec_free(w->codec);
    buf_free(&w->page);
    buf_free(&w->compressed);
    buf_free(&w->header);
    w->codec = NULL;
}

static void buf_empty(struct buf *b)
{
    if (b->cap > SPARE_BYTES)
        buf_free(b);
    else
        buf_clear(b);
}

/* ---- a page --------------------------------------------------------------------------------- */

/* The page compressed, and its header. */
static enum rc end_page(struct page_writer *w, struct str page, int page_type, uint64_t n_values,
                        int encoding, struct page_sums *sums)
{
    enum rc rc = codec_compress(w->codec, page, &w->compressed);
    if (rc == RC_OK && w->compressed.len > INT32_MAX)
        rc = RC_LIMIT;
    if (rc != RC_OK)
        return rc;
    struct thrift t = {.out = &w->header};
    buf_clear(&w->header);
    thrift_begin(&t);
    thrift_i32(&t, 1, page_type);
    thrift_i32(&t, 2, (int32_t)page.len);
    thrift_i32(&t, 3, (int32_t)w->compressed.len);
    thrift_struct(&t, page_type == PAGE_DATA ? 5 : 7);
    thrift_i32(&t, 1, (int32_t)n_values);
    thrift_i32(&t, 2, encoding);
    if (page_type == PAGE_DATA) {
        thrift_i32(&t, 3, ENCODING_RLE); /* of definition levels ... */
        thrift_i32(&t, 4, ENCODING_RLE); /* ... and of repetition levels, of which there are none */
    }
    thrift_end(&t);
    thrift_end(&t);
    sums->plain_bytes += w->header.len + page.len;
    sums->bytes += w->header.len + w->compressed.len;
    return buf_rc(&w->header);
}

static enum rc write_page(struct page_writer *w, struct str page, int page_type, uint64_t n_values,
                          int encoding, struct stream *to, struct page_sums *sums)
{
    enum rc rc = end_page(w, page, page_type, n_values, encoding, sums);
    if (rc == RC_OK)
        page_write_null(w, to);
    buf_empty(&w->compressed);
    return rc;
}

/* Levels have their length before them, which is known behind them. */
static void begin_levels(struct page_writer *w)
{
    static const char unknown[sizeof(uint32_t)];
    buf_clear(&w->page);
    buf_add(&w->page, unknown, sizeof unknown);
    rle_begin(&w->rle, &w->page, 1);
}

static void end_levels(struct page_writer *w)
{
    rle_end(&w->rle);
    if (buf_rc(&w->page) == RC_OK)
        le32_put(w->page.data, (uint32_t)(w->page.len - sizeof(uint32_t)));
}

enum rc page_make_null(struct page_writer *w, uint64_t n_rows, struct page_sums *sums)
{
    begin_levels(w);
    rle_add(&w->rle, 0, n_rows);
    end_levels(w);
    if (buf_rc(&w->page) != RC_OK)
        return buf_rc(&w->page);
    return end_page(w, buf_str(&w->page), PAGE_DATA, n_rows, ENCODING_PLAIN, sums);
}

void page_write_null(struct page_writer *w, struct stream *to)
{
    stream_write(to, w->header.data, w->header.len);
    stream_write(to, w->compressed.data, w->compressed.len);
}

/* ---- the pages of a chunk ------------------------------------------------------------------- */

/* How far the pages have come. */
struct cursor {
    const struct chunk *c;
    size_t run;        /* in c->runs */
    uint32_t run_done; /* rows of it */
    uint64_t values;   /* done */
    size_t data;       /* bytes of c->data done */
    uint64_t rows;
};

/* How many values the next page has, and how many bytes of the data they are. */
static uint64_t page_values(const struct cursor *at, size_t *n_bytes)
{
    const struct chunk *c = at->c;
    uint64_t left = c->n_values - at->values;
    if (c->has_dictionary)
        return left < PAGE_INDEXES ? left : PAGE_INDEXES;
    size_t end = at->data;
    struct str value;
    uint64_t n = 0;
    while (end - at->data < PAGE_BYTES &&
           chunk_next_value(c->type, buf_str(&c->data), &end, &value))
        n++;
    *n_bytes = end - at->data;
    return n;
}

/* The levels of rows up to the next value that is not of this page, or the last row. */
static uint64_t put_levels(struct page_writer *w, struct cursor *at, uint64_t n_values,
                           uint64_t n_rows)
{
    const struct chunk *c = at->c;
    uint64_t first = at->rows;
    uint64_t left = n_values;
    begin_levels(w);
    while (at->run < chunk_u32_count(&c->runs)) {
        uint32_t level = at->run % 2;
        uint64_t n = chunk_u32(&c->runs, at->run) - at->run_done;
        if (level && n > left)
            n = left;
        if (level && n == 0)
            break;
        rle_add(&w->rle, level, n);
        at->rows += n;
        at->run_done += (uint32_t)n;
        left -= level ? n : 0;
        if (at->run_done == chunk_u32(&c->runs, at->run)) {
            at->run++;
            at->run_done = 0;
        }
    }
    if (at->values + n_values == c->n_values && at->rows < n_rows) {
        rle_add(&w->rle, 0, n_rows - at->rows);
        at->rows = n_rows;
    }
    end_levels(w);
    return at->rows - first;
}

static void put_indexes(struct page_writer *w, const struct cursor *at, uint64_t n)
{
    unsigned width = rle_width(at->c->n_entries - 1);
    buf_addc(&w->page, (char)width);
    rle_begin(&w->rle, &w->page, width);
    uint32_t piece[1024];
    for (uint64_t done = 0, some; done < n; done += some) {
        some = n - done < sizeof piece / sizeof *piece ? n - done : sizeof piece / sizeof *piece;
        chunk_indexes(at->c, at->values + done, some, piece);
        rle_add_list(&w->rle, (const char *)piece, some);
    }
    rle_end(&w->rle);
}

/* Of bytes that are 0 or 1, eight in one. */
static void put_bits(struct page_writer *w, const char *p, uint64_t n)
{
    for (uint64_t i = 0; i < n; i += 8) {
        unsigned byte = 0;
        for (unsigned k = 0; k < 8 && i + k < n; k++)
            byte |= (unsigned)(unsigned char)p[i + k] << k;
        buf_addc(&w->page, (char)(unsigned char)byte);
    }
}

static enum rc write_data_page(struct page_writer *w, struct cursor *at, uint64_t n_rows,
                               struct stream *to, struct page_sums *sums)
{
    const struct chunk *c = at->c;
    size_t n_bytes = 0;
    uint64_t n_values = page_values(at, &n_bytes);
    uint64_t n = put_levels(w, at, n_values, n_rows);
    if (c->has_dictionary)
        put_indexes(w, at, n_values);
    else if (c->type == PHYSICAL_BOOLEAN)
        put_bits(w, c->data.data + at->data, n_values);
    else
        buf_add(&w->page, c->data.data + at->data, n_bytes);
    at->values += n_values;
    at->data += n_bytes;
    enum rc rc = buf_rc(&w->page);
    if (rc == RC_OK)
        rc = write_page(w, buf_str(&w->page), PAGE_DATA, n,
                        c->has_dictionary ? ENCODING_RLE_DICTIONARY : ENCODING_PLAIN, to, sums);
    buf_empty(&w->page);
    return rc;
}

static enum rc write_dictionary(struct page_writer *w, const struct chunk *c, struct stream *to,
                                struct page_sums *sums)
{
    return write_page(w, buf_str(&c->data), PAGE_DICTIONARY, c->n_entries, ENCODING_PLAIN, to,
                      sums);
}

/* ---- what the footer says ------------------------------------------------------------------- */

struct chunk_place {
    uint64_t at, dictionary_bytes; /* 0: it has none */
    struct page_sums sums;
    uint64_t n_rows, n_nulls;
    const struct statistics *statistics; /* NULL: there are no values */
};

static void put_bound(struct thrift *t, int id, const struct bound *b)
{
    if (b->is_known)
        thrift_binary(t, id, (struct str){b->bytes, b->n});
}

static void put_statistics(struct thrift *t, const struct chunk_place *p)
{
    const struct statistics *s = p->statistics;
    thrift_struct(t, 12);
    thrift_i64(t, 3, (int64_t)p->n_nulls);
    if (s) {
        put_bound(t, 5, &s->max);
        put_bound(t, 6, &s->min);
        if (s->max.is_known)
            thrift_bool(t, 7, s->max.is_exact);
        thrift_bool(t, 8, s->min.is_exact);
    }
    thrift_end(t);
}

/* "ColumnChunk" with its "ColumnMetaData". */
static void put_chunk(const struct page_writer *w, struct page_column column,
                      const struct chunk_place *p, struct buf *out)
{
    struct thrift t = {.out = out};
    thrift_begin(&t);
    thrift_i64(&t, 2, (int64_t)p->at);
    thrift_struct(&t, 3);
    thrift_i32(&t, 1, (int32_t)column.type);
    thrift_list(&t, 2, THRIFT_I32, p->dictionary_bytes ? 3 : 2);
    thrift_element_i32(&t, ENCODING_PLAIN);
    thrift_element_i32(&t, ENCODING_RLE);
    if (p->dictionary_bytes)
        thrift_element_i32(&t, ENCODING_RLE_DICTIONARY);
    thrift_list(&t, 3, THRIFT_BINARY, 1);
    thrift_element_binary(&t, column.name);
    thrift_i32(&t, 4, (int32_t)codec_compression(w->codec));
    thrift_i64(&t, 5, (int64_t)p->n_rows);
    thrift_i64(&t, 6, (int64_t)p->sums.plain_bytes);
    thrift_i64(&t, 7, (int64_t)p->sums.bytes);
    thrift_i64(&t, 9, (int64_t)(p->at + p->dictionary_bytes));
    if (p->dictionary_bytes)
        thrift_i64(&t, 11, (int64_t)p->at);
    put_statistics(&t, p);
    thrift_end(&t);
    thrift_end(&t);
}

void page_put_null_chunk(struct page_writer *w, struct page_column column, uint64_t n_rows,
                         uint64_t at, struct page_sums sums, struct buf *out)
{
    const struct chunk_place place = {.at = at, .sums = sums, .n_rows = n_rows, .n_nulls = n_rows};
    put_chunk(w, column, &place, out);
}

enum rc page_write_chunk(struct page_writer *w, const struct chunk *c, struct page_column column,
                         uint64_t n_rows, struct stream *to, struct buf *out,
                         struct page_sums *sums)
{
    const struct statistics statistics = statistics_of(c);
    struct chunk_place place = {.at = stream_bytes(to),
                                .n_rows = n_rows,
                                .n_nulls = n_rows - c->n_values,
                                .statistics = c->n_values ? &statistics : NULL};
    enum rc rc = RC_OK;
    if (c->n_values == 0) {
        rc = page_make_null(w, n_rows, &place.sums);
        if (rc == RC_OK)
            page_write_null(w, to);
    } else if (c->has_dictionary) {
        rc = write_dictionary(w, c, to, &place.sums);
        place.dictionary_bytes = place.sums.bytes;
    }
    struct cursor at = {.c = c};
    while (rc == RC_OK && at.values < c->n_values)
        rc = write_data_page(w, &at, n_rows, to, &place.sums);
    if (rc != RC_OK)
        return rc;
    put_chunk(w, column, &place, out);
    sums->plain_bytes += place.sums.plain_bytes;
    sums->bytes += place.sums.bytes;
    return RC_OK;
}
