#include "core/run/schema_file.h"

#include <stdlib.h>
#include <string.h>

#include "core/provider/table_column.h"
#include "core/provider/tables_json.h"
#include "core/run/report_file.h"

#define LAST_COLUMNS 3
#define SCHEMA_BYTES_MAX ((size_t)1 << 30) /* names of columns: 512 bytes, 65,536 a table */

/* The first file that has only this table. */
static const struct sink_file *file_of(const struct run_cfg *cfg, const struct run_result *r,
                                       const char *table)
{
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        for (size_t k = 0; k < r->sinks[i].n_files; k++) {
            const struct sink_file *file = &r->sinks[i].files[k];
            if (file->table && strcmp(file->table, table) == 0)
                return file;
        }
    }
    return NULL;
}

static bool has_column(const struct sink_file *file, struct str name)
{
    for (size_t i = 0; i < file->n_columns; i++) {
        if (str_eq(file->columns[i], name))
            return true;
    }
    return false;
}

/* Does any file end its rows with the column? */
static bool is_written(const struct run_cfg *cfg, const struct run_result *r, struct str name)
{
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        for (size_t k = 0; k < r->sinks[i].n_files; k++) {
            if (has_column(&r->sinks[i].files[k], name))
                return true;
        }
    }
    return false;
}

/* The undocumented columns of the table, and the run-columns at the end of its rows. If no file has only this table, the
 * columns are those of the run. */
static enum rc columns_behind(const struct run_cfg *cfg, const struct run_result *r,
                              const struct schema *schema, size_t table, struct more_columns *out)
{
    const struct table_spec *spec = &cfg->profile->tables[table];
    const struct sink_file *file = file_of(cfg, r, spec->name.ptr);
    size_t n_first = table_columns(cfg->profile, spec);
    size_t n = file ? file->n_columns - n_first : schema_columns(schema, table);
    struct str *names = calloc(n + LAST_COLUMNS, sizeof *names);
    if (!names)
        return RC_NOMEM;
    for (size_t i = 0; i < n; i++)
        names[i] = file ? file->columns[n_first + i] : schema_column(schema, table, i)->name;
    static const struct table_column *const last[LAST_COLUMNS] = {
        &column_misfits, &column_exported_at, &column_run_id};
    for (size_t i = 0; !file && i < LAST_COLUMNS; i++) {
        if (is_written(cfg, r, last[i]->name))
            names[n++] = last[i]->name;
    }
    *out = (struct more_columns){names, n};
    return RC_OK;
}

enum rc schema_file_write(struct outfile **out, const struct run_cfg *cfg,
                          const struct run_result *result, const struct schema *schema,
                          struct err *e)
{
    size_t n = cfg->profile->n_tables;
    struct more_columns *tables = calloc(n, sizeof *tables);
    enum rc rc = tables ? RC_OK : RC_NOMEM;
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = columns_behind(cfg, result, schema, i, &tables[i]);
    if (rc == RC_OK) {
        struct buf b;
        buf_init(&b, SCHEMA_BYTES_MAX);
        tables_json(&b, cfg->profile, tables);
        rc = report_file_write(out, cfg, cfg->schema_path, &b, e);
        buf_free(&b);
    } else {
        (void)err_nomem(e);
    }
    for (size_t i = 0; tables && i < n; i++)
        free(tables[i].names);
    free(tables);
    return rc;
}
