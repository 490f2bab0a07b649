#include "ids_columns.h"

#include <stdlib.h>

#include "buf.h"
#include "ids_csv.h"
#include "ids_text.h"

#define NAMES_SHOWN 10

const char *ids_name(const struct ids_cfg *cfg, size_t i)
{
    static const char *const usual[] = {"id", "lead_id", "leadId"};
    if (cfg->column)
        return i == 0 ? cfg->column : NULL;
    return i < sizeof usual / sizeof *usual ? usual[i] : NULL;
}

int ids_param(const struct ids_cfg *cfg, struct str name)
{
    for (size_t i = 0; cfg->profile && i < cfg->profile->n_params; i++)
        if (str_eq(cfg->profile->params[i], name))
            return (int)i;
    return COLUMN_IGNORED;
}

/* How good a name is for the ID column: 0 is the best, SIZE_MAX is none. */
static size_t name_rank(const struct ids_cfg *cfg, struct str name)
{
    size_t i = 0;
    while (ids_name(cfg, i) && !str_eq_c(name, ids_name(cfg, i)))
        i++;
    return ids_name(cfg, i) ? i : SIZE_MAX;
}

bool ids_is_name(const struct ids_cfg *cfg, struct str name)
{
    return name_rank(cfg, name) != SIZE_MAX;
}

/* A copy that may be taken apart, and at least one column for every delimiter in it. */
struct header {
    char *text;
    struct csv_record record;
    size_t n_max;
};

static bool header_open(struct header *h, struct str text, char delimiter)
{
    h->text = malloc(text.len + 1);
    if (!h->text)
        return false;
    memcpy(h->text, text.ptr, text.len);
    h->record = (struct csv_record){h->text, h->text + text.len, delimiter, false};
    h->n_max = 1;
    for (size_t i = 0; i < text.len; i++)
        h->n_max += text.ptr[i] == delimiter;
    return true;
}

enum rc ids_columns_read(struct ids_columns *out, const struct ids_cfg *cfg, struct str header,
                         char delimiter, bool *found, struct err *e)
{
    struct header h;
    struct csv_field field;
    if (!header_open(&h, header, delimiter))
        return err_nomem(e);
    struct ids_columns c = {malloc(h.n_max * sizeof *c.what), 0, delimiter};
    size_t best = SIZE_MAX;
    size_t id = 0;
    for (; c.what && csv_next(&h.record, &field); c.n++) {
        struct str name = {field.ptr, field.len};
        c.what[c.n] = ids_param(cfg, name);
        size_t rank = name_rank(cfg, name);
        if (rank < best) {
            best = rank;
            id = c.n;
        }
    }
    free(h.text);
    if (!c.what)
        return err_nomem(e);
    *found = best != SIZE_MAX;
    if (!*found) {
        free(c.what);
        return RC_OK;
    }
    c.what[id] = COLUMN_ID;
    *out = c;
    return RC_OK;
}

void ids_columns_free(struct ids_columns *c)
{
    free(c->what);
    *c = (struct ids_columns){0};
}

/* "'a', 'b', ..." */
static void list_columns(struct buf *b, struct header *h)
{
    struct csv_field field;
    for (size_t i = 0; csv_next(&h->record, &field); i++) {
        if (i == NAMES_SHOWN) {
            buf_adds(b, ", ...");
            return;
        }
        buf_addf(b, "%s%s", i ? ", " : "", ids_excerpt((struct str){field.ptr, field.len}).text);
    }
}

static void list_names(struct buf *b, const struct ids_cfg *cfg)
{
    for (size_t i = 0; ids_name(cfg, i); i++)
        buf_addf(b, "%s%s", i ? " or " : "", ids_excerpt(str_c(ids_name(cfg, i))).text);
}

enum rc ids_columns_refuse(const struct ids_cfg *cfg, const char *source, struct str header,
                           char delimiter, struct err *e)
{
    struct header h;
    if (!header_open(&h, header, delimiter))
        return err_nomem(e);
    struct buf names;
    struct buf columns;
    buf_init(&names, 4096);
    buf_init(&columns, 4096);
    list_names(&names, cfg);
    list_columns(&columns, &h);
    enum rc rc =
        err_set(e, RC_USAGE, "%s: no column %s in the csv header (--id-column), which has %s",
                source, buf_cstr(&names), buf_cstr(&columns));
    buf_free(&names);
    buf_free(&columns);
    free(h.text);
    return rc;
}
