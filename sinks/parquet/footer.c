#include "sinks/parquet/footer.h"

#include "sinks/parquet/little_endian.h"
#include "sinks/parquet/thrift.h"

#define CREATED_BY "leadpipe version " LEADPIPE_VERSION

enum { REPETITION_OPTIONAL = 1 };
/* Of the old "ConvertedType", and the members of "LogicalType". */
enum { CONVERTED_UTF8 = 0, CONVERTED_TIMESTAMP_MICROS = 10, CONVERTED_JSON = 19 };
enum { LOGICAL_STRING = 1, LOGICAL_TIMESTAMP = 8, LOGICAL_JSON = 12 };
enum { UNIT_MICROS = 2 };

/* ---- the schema ----------------------------------------------------------------------------- */

enum physical_type physical_type_of(enum column_type type)
{
    switch (type) {
    case TYPE_INTEGER:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_S:
    case TYPE_TIMESTAMP_MS:
        return PHYSICAL_INT64;
    case TYPE_NUMBER:
        return PHYSICAL_DOUBLE;
    case TYPE_BOOLEAN:
        return PHYSICAL_BOOLEAN;
    case TYPE_TEXT:
    case TYPE_JSON:
        break;
    }
    return PHYSICAL_BYTE_ARRAY;
}

/* A struct without members, as a member of a union. */
static void put_empty(struct thrift *t, int id)
{
    thrift_struct(t, id);
    thrift_end(t);
}

static void put_timestamp(struct thrift *t)
{
    thrift_struct(t, LOGICAL_TIMESTAMP);
    thrift_bool(t, 1, true); /* in UTC */
    thrift_struct(t, 2);
    put_empty(t, UNIT_MICROS);
    thrift_end(t);
    thrift_end(t);
}

static void put_column(struct thrift *t, const struct footer *f, struct footer_column column)
{
    bool is_text = column.type == TYPE_TEXT || (column.type == TYPE_JSON && f->json_as_string);
    bool is_json = column.type == TYPE_JSON && !is_text;
    enum physical_type physical = physical_type_of(column.type);
    bool is_time = physical == PHYSICAL_INT64 && column.type != TYPE_INTEGER;
    thrift_begin(t);
    thrift_i32(t, 1, (int32_t)physical);
    thrift_i32(t, 3, REPETITION_OPTIONAL);
    thrift_binary(t, 4, column.name);
    if (is_text || is_json || is_time) {
        thrift_i32(t, 6,
                   is_text   ? CONVERTED_UTF8
                   : is_json ? CONVERTED_JSON
                             : CONVERTED_TIMESTAMP_MICROS);
        thrift_struct(t, 10);
        if (is_time)
            put_timestamp(t);
        else
            put_empty(t, is_text ? LOGICAL_STRING : LOGICAL_JSON);
        thrift_end(t);
    }
    thrift_end(t);
}

static void put_schema(struct thrift *t, const struct footer *f)
{
    thrift_list(t, 2, THRIFT_STRUCT, f->n_columns + 1);
    thrift_begin(t);
    thrift_binary(t, 4, STR("schema"));
    thrift_i32(t, 5, (int32_t)f->n_columns);
    thrift_end(t);
    for (size_t i = 0; i < f->n_columns; i++)
        put_column(t, f, f->column(f->ctx, i));
}

/* ---- chunks that row groups lack ------------------------------------------------------------ */

static size_t n_lacking(const struct footer *f, const struct row_group *g)
{
    return f->n_columns - f->n_last - g->n_columns;
}

/* Row groups that lack none are followed by others like them. */
static enum rc write_lacking(struct page_writer *w, const struct footer *f, struct stream *to,
                             struct err *e)
{
    struct row_group_reader r;
    enum rc rc;
    row_group_reader_init(&r, f->groups);
    while ((rc = row_group_read(&r, e)) == RC_OK && n_lacking(f, &r.group) > 0) {
        struct page_sums sums = {0};
        rc = page_make_null(w, r.group.n_rows, &sums);
        if (rc != RC_OK)
            break;
        for (size_t k = 0; k < n_lacking(f, &r.group); k++)
            page_write_null(w, to);
    }
    row_group_reader_free(&r);
    return rc == RC_END ? RC_OK : rc;
}

/* ---- the footer ----------------------------------------------------------------------------- */

/* What is written so far of a text that may be larger than memory should hold. */
struct output {
    struct buf buf;
    struct stream *to;
    uint64_t n;
};

#define OUTPUT_BYTES ((size_t)64 * 1024)

static void output_flush(struct output *o)
{
    if (buf_rc(&o->buf) != RC_OK)
        return;
    stream_write(o->to, o->buf.data, o->buf.len);
    o->n += o->buf.len;
    buf_clear(&o->buf);
}

/* A "RowGroup". `at`: where its chunks of nulls begin, which is moved behind them. */
static enum rc put_row_group(struct page_writer *w, const struct footer *f,
                             const struct row_group *g, uint64_t *at, struct output *o)
{
    struct thrift t = {.out = &o->buf};
    struct page_sums null_page = {0};
    enum rc rc = page_make_null(w, g->n_rows, &null_page);
    if (rc != RC_OK)
        return rc;
    thrift_begin(&t);
    thrift_list(&t, 1, THRIFT_STRUCT, f->n_columns);
    buf_add_str(&o->buf, buf_str(&g->first));
    struct page_sums sums = g->sums;
    for (size_t i = g->n_columns; i < f->n_columns - f->n_last; i++) {
        struct footer_column column = f->column(f->ctx, i);
        struct page_column named = {column.name, physical_type_of(column.type)};
        page_put_null_chunk(w, named, g->n_rows, *at, null_page, &o->buf);
        *at += null_page.bytes;
        sums.plain_bytes += null_page.plain_bytes;
        sums.bytes += null_page.bytes;
        if (o->buf.len > OUTPUT_BYTES)
            output_flush(o);
    }
    buf_add_str(&o->buf, buf_str(&g->last));
    thrift_i64(&t, 2, (int64_t)sums.plain_bytes);
    thrift_i64(&t, 3, (int64_t)g->n_rows);
    thrift_i64(&t, 5, (int64_t)g->at); /* some readers take this for granted */
    thrift_i64(&t, 6, (int64_t)sums.bytes);
    thrift_end(&t);
    output_flush(o);
    return buf_rc(&o->buf);
}

static void put_column_orders(struct thrift *t, const struct footer *f)
{
    thrift_list(t, 7, THRIFT_STRUCT, f->n_columns);
    for (size_t i = 0; i < f->n_columns; i++) {
        thrift_begin(t);
        put_empty(t, 1); /* the order of the column's type */
        thrift_end(t);
    }
}

static enum rc put_row_groups(struct page_writer *w, const struct footer *f, uint64_t nulls_at,
                              struct output *o, struct err *e)
{
    struct row_group_reader r;
    enum rc rc;
    row_group_reader_init(&r, f->groups);
    while ((rc = row_group_read(&r, e)) == RC_OK) {
        rc = put_row_group(w, f, &r.group, &nulls_at, o);
        if (rc != RC_OK)
            break;
    }
    row_group_reader_free(&r);
    return rc == RC_END ? RC_OK : rc;
}

static enum rc put_metadata(struct page_writer *w, const struct footer *f, uint64_t nulls_at,
                            struct output *o, struct err *e)
{
    struct thrift t = {.out = &o->buf};
    thrift_begin(&t);
    thrift_i32(&t, 1, 1); /* the version of the format, as data pages of version 1 have it */
    put_schema(&t, f);
    thrift_i64(&t, 3, (int64_t)f->n_rows);
    thrift_list(&t, 4, THRIFT_STRUCT, f->groups->n);
    enum rc rc = put_row_groups(w, f, nulls_at, o, e);
    if (rc != RC_OK)
        return rc;
    thrift_binary(&t, 6, STR(CREATED_BY));
    put_column_orders(&t, f);
    thrift_end(&t);
    output_flush(o);
    return buf_rc(&o->buf);
}

enum rc footer_write(struct page_writer *w, const struct footer *f, struct stream *to,
                     struct err *e)
{
    uint64_t nulls_at = stream_bytes(to);
    struct output o = {.to = to};
    buf_init(&o.buf, SIZE_MAX / 2);
    enum rc rc = write_lacking(w, f, to, e);
    if (rc == RC_OK)
        rc = put_metadata(w, f, nulls_at, &o, e);
    if (rc == RC_OK && o.n > INT32_MAX)
        rc = RC_LIMIT;
    if (rc == RC_OK) {
        char length[sizeof(uint32_t)];
        le32_put(length, (uint32_t)o.n);
        stream_write(to, length, sizeof length);
        stream_write(to, PARQUET_MAGIC.ptr, PARQUET_MAGIC.len);
    }
    buf_free(&o.buf);
    return rc;
}
