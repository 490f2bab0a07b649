/* The file "MANIFEST.rows.gz" of a shard: which leads have rows in its outputs, in their order, so that
 * leadpipe merge can put the rows of all shards into the order of the list.
 *
 * Decompressed it is
 *
 *     "leadpipe rows 1\n"
 *     32 bits, little-endian: bytes of the header; then the header
 *     for each lead: a number: bytes of its record; then the record
 *
 *     header   TEXT of the profile; NUMBER max_columns; NUMBER kind and NUMBER n of max_missing;
 *              NUMBER of settings; for each TEXT name, TEXT value
 *     record   NUMBER: place in the list, minus that of the record before (zigzag; before the first: 0);
 *              NUMBER of tables, or 0 where the outputs have payloads; for each NUMBER of rows;
 *              for each column that no earlier lead has, up to the record's end: NUMBER table, NUMBER row of it
 *              that has it first, NUMBER scope, NUMBER occurrence, NUMBER 1 or 0: is there a member, TEXT key, TEXT member, TEXT name
 *
 * NUMBER is ULEB128 of at most 64 bits, TEXT a NUMBER of bytes and the bytes. What is read may be anything. */
#ifndef LEADPIPE_ROWS_FORMAT_H
#define LEADPIPE_ROWS_FORMAT_H

#include "core/base/buf.h"
#include "core/base/units.h"
#include "core/lead.h"

#define ROWS_MAGIC STR("leadpipe rows 1\n")
#define ROWS_HEAD_BYTES (16 + sizeof(uint32_t)) /* what is before the header */
#define ROWS_HEADER_BYTES_MAX ((size_t)16 << 20)
#define ROWS_RECORD_BYTES_MAX ((size_t)64 << 20)
#define ROWS_NUMBER_BYTES_MAX 10
#define ROWS_SETTINGS_MAX 1024

/* What must be the same in all shards, but for paths; without secrets. */
struct rows_setting {
    struct str name, value;
};

struct rows_header {
    struct str profile; /* its JSON */
    uint64_t max_columns;
    struct portion max_missing;
    const struct rows_setting *settings;
    size_t n_settings;
};

struct rows_lead {
    uint64_t number; /* its place in the list of all, from 0 */
    size_t n_tables; /* 0: outputs have its payload alone */
    struct str rest; /* what rows_take_rows() and rows_take_column() read next */
};

struct rows_column {
    uint64_t table;
    uint32_t row;                /* of the lead's rows in the table: the first that has it */
    struct column_origin origin; /* without hash */
    struct str name;             /* that it has in the shard */
};

/* ---- writing: errors stick in `out` ---- */

void rows_put_number(struct buf *out, uint64_t n);
void rows_put_text(struct buf *out, struct str text);
void rows_put_header(struct buf *out, const struct rows_header *h); /* with all before it */
/* `before`: the place of the record before, or 0. `tables`: NULL, or one for each. */
void rows_put_lead(struct buf *out, uint64_t number, uint64_t before, const struct rows *tables,
                   size_t n_tables);
void rows_put_column(struct buf *out, size_t table, uint32_t row, const struct column *column);

/* ---- reading: false: that is no such text; *text moves behind what was taken ---- */

static inline bool rows_take_number(struct str *text, uint64_t *out);
static inline bool rows_take_u32(struct str *text, uint32_t *out);
bool rows_take_text(struct str *text, struct str *out);
/* How many bytes the header has, of its first ROWS_HEAD_BYTES. */
bool rows_take_head(const char head[ROWS_HEAD_BYTES], size_t *out);
/* All of `text`. `settings` has room for ROWS_SETTINGS_MAX. */
bool rows_take_header(struct str text, struct rows_header *out, struct rows_setting *settings);
/* Begins a record; `before` as above. */
bool rows_take_lead(struct str record, uint64_t before, struct rows_lead *out);
/* The rows of the next table; n_tables times, then columns. */
static inline bool rows_take_rows(struct rows_lead *lead, uint32_t *out);
/* False: there are none (lead->rest is empty), or that is none. */
bool rows_take_column(struct rows_lead *lead, struct rows_column *out);

/* ---- what is called for every table of every lead -------------------------------------------- */

/* rows_take_number(), where it has several bytes or is none. */
bool rows_take_long_number(struct str *text, uint64_t *out);

static inline bool rows_take_number(struct str *text, uint64_t *out)
{
    if (text->len == 0 || (unsigned char)*text->ptr >= 0x80)
        return rows_take_long_number(text, out);
    *out = (unsigned char)*text->ptr;
    *text = (struct str){text->ptr + 1, text->len - 1};
    return true;
}

static inline bool rows_take_u32(struct str *text, uint32_t *out)
{
    uint64_t n = 0;
    if (!rows_take_number(text, &n) || n > UINT32_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

static inline bool rows_take_rows(struct rows_lead *lead, uint32_t *out)
{
    return rows_take_u32(&lead->rest, out);
}

#endif
