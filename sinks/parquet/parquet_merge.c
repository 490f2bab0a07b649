#include "sinks/parquet/parquet_merge.h"

#include <stdlib.h>

#include "core/provider/table_column.h"
#include "sinks/parquet/parquet_read.h"

struct parquet_merge {
    const struct sink_merge *in;
    struct parquet_file *files;
    size_t *tables;
    struct parquet_reader **readers; /* [shard * n_files + i] */
    size_t *n_known;                 /* of each file: columns of the schema that it has by now */
    struct parquet_value *values;    /* of the row at hand */
    size_t cap_values;
};

static const struct merge_columns *columns_of(const struct parquet_merge *m, size_t shard, size_t i)
{
    return &m->in->columns[shard * m->in->n_tables + m->tables[i]];
}

static size_t n_first(const struct parquet_merge *m, size_t i)
{
    const struct profile *p = m->files[i].settings->profile;
    return table_columns(p, &p->tables[m->tables[i]]);
}

/* The shard's file has the columns that it should have. */
static enum rc check_reader(const struct parquet_merge *m, size_t shard, size_t i, struct err *e)
{
    const struct parquet_reader *r = m->readers[shard * m->in->n_files + i];
    const struct parquet_file *f = &m->files[i];
    size_t first = n_first(m, i);
    size_t middle = columns_of(m, shard, i)->n;
    size_t last = typed_table_last_columns(f->table);
    bool good = parquet_reader_columns(r) == first + middle + last;
    for (size_t k = 0; good && k < first + middle; k++) {
        enum physical_type type = k < first ? physical_type_of(typed_table_column(f->table, k).type)
                                            : PHYSICAL_BYTE_ARRAY;
        good = parquet_reader_type(r, k) == type;
    }
    for (size_t k = 0; good && k < last; k++)
        good = parquet_reader_type(r, first + middle + k) == f->last[k].type;
    return good ? RC_OK : shard_file_damaged(m->in->files[shard * m->in->n_files + i], e);
}

enum rc parquet_merge_new(struct parquet_merge **out, const struct sink_merge *in,
                          struct parquet_file *files, const size_t *tables, struct err *e)
{
    struct parquet_merge *m = calloc(1, sizeof *m);
    if (!m)
        return err_nomem(e);
    size_t n = in->n_shards * in->n_files;
    m->in = in;
    m->files = files;
    m->tables = calloc(in->n_files + 1, sizeof *m->tables);
    m->n_known = calloc(in->n_files + 1, sizeof *m->n_known);
    m->readers = calloc(n + 1, sizeof(struct parquet_reader *));
    *out = m; /* freed with the sink, also after a failure */
    if (!m->tables || !m->n_known || !m->readers)
        return err_nomem(e);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < in->n_files; i++) {
        m->tables[i] = tables[i];
        rc = parquet_file_grow(&files[i]) == RC_OK ? RC_OK : err_nomem(e);
    }
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        rc = parquet_reader_new(&m->readers[i], in->files[i], e);
        if (rc == RC_OK)
            rc = check_reader(m, i / in->n_files, i % in->n_files, e);
    }
    return rc;
}

void parquet_merge_free(struct parquet_merge *m)
{
    if (!m)
        return;
    for (size_t i = 0; m->readers && i < m->in->n_shards * m->in->n_files; i++)
        parquet_reader_free(m->readers[i]);
    free(m->readers);
    free(m->tables);
    free(m->n_known);
    free(m->values);
    free(m);
}

/* Columns that appear with this row. */
static enum rc add_columns(struct parquet_merge *m, size_t i, uint64_t at, uint32_t row)
{
    const struct schema *schema = m->in->schema;
    size_t table = m->tables[i];
    enum rc rc = RC_OK;
    size_t before = m->n_known[i];
    while (rc == RC_OK && m->n_known[i] < schema_columns(schema, table)) {
        const struct merge_first *first = &m->in->first[table][m->n_known[i]];
        if (first->at > at || (first->at == at && first->row > row))
            break;
        rc = typed_table_add(m->files[i].table, schema_column(schema, table, m->n_known[i]++));
    }
    return rc == RC_OK && m->n_known[i] > before ? parquet_file_grow(&m->files[i]) : rc;
}

static enum rc make_room(struct parquet_merge *m, size_t n)
{
    if (n <= m->cap_values)
        return RC_OK;
    struct parquet_value *values = realloc(m->values, n * sizeof *values);
    if (!values)
        return RC_NOMEM;
    m->values = values;
    m->cap_values = n;
    return RC_OK;
}

static enum rc put_row(struct parquet_merge *m, size_t shard, size_t i, struct err *e)
{
    struct parquet_reader *r = m->readers[shard * m->in->n_files + i];
    const struct merge_columns *columns = columns_of(m, shard, i);
    const size_t first = n_first(m, i);
    const size_t n_columns = parquet_reader_columns(r);
    size_t n = 0;
    enum rc rc = parquet_reader_row(r, e);
    if (rc == RC_OK && make_room(m, n_columns) != RC_OK)
        return err_nomem(e);
    for (size_t k = 0; rc == RC_OK && k < n_columns; k++) {
        struct parquet_value value = {.column = k};
        rc = parquet_reader_value(r, k, &value.bytes, e);
        if (rc != RC_OK || !value.bytes.ptr)
            continue;
        value.is_last = k >= first + columns->n;
        if (value.is_last)
            value.column = k - first - columns->n;
        else if (k >= first)
            value.column = first + columns->index[k - first];
        if (!value.is_last && value.column >= m->files[i].n_chunks)
            return shard_file_damaged(m->in->files[shard * m->in->n_files + i], e);
        m->values[n++] = value;
    }
    return rc == RC_OK ? parquet_file_put_values(&m->files[i], m->values, n, e) : rc;
}

enum rc parquet_merge_put(struct parquet_merge *m, const struct merge_lead *lead, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->in->n_files; i++) {
        if (!lead->rows)
            return shard_file_damaged(m->in->files[lead->shard * m->in->n_files + i], e);
        for (uint32_t k = 0; rc == RC_OK && k < lead->rows[m->tables[i]]; k++) {
            if (add_columns(m, i, lead->at, k) != RC_OK)
                return err_nomem(e);
            rc = put_row(m, lead->shard, i, e);
        }
    }
    return rc;
}

enum rc parquet_merge_end(const struct parquet_merge *m, struct err *e)
{
    for (size_t i = 0; i < m->in->n_shards * m->in->n_files; i++) {
        if (!parquet_reader_ended(m->readers[i]))
            return shard_file_damaged(m->in->files[i], e);
    }
    return RC_OK;
}
