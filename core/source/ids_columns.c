#include "core/source/ids_columns.h"

#include <stdlib.h>

#include "core/base/buf.h"
#include "core/source/ids_csv.h"
#include "core/source/ids_text.h"

#define NAMES_SHOWN 10

const char *ids_name(const struct ids_cfg *cfg, size_t i)
{
    static const char *const usual[] = {"id", "lead_id", "leadId"};
    if (cfg->column)
        return i == 0 ? cfg->column : NULL;
    return i < sizeof usual / sizeof *usual ? usual[i] : NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Ignores the case of ASCII letters only. */
static bool same_but_for_case(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

void name_consider(struct name_choice *c, struct str name, struct str wanted, size_t at)
{
    if (!same_but_for_case(name, wanted))
        return;
    bool exact = str_eq(name, wanted);
    if (!c->found || (exact && !c->exact)) {
        *c = (struct name_choice){.at = at, .found = true, .exact = exact};
    } else if (exact == c->exact) {
        c->twice = true;
        c->other = at;
    }
}

bool ids_is_name(const struct ids_cfg *cfg, struct str name)
{
    for (size_t i = 0; ids_name(cfg, i); i++)
        if (same_but_for_case(name, str_c(ids_name(cfg, i))))
            return true;
    return false;
}

/* A copy of the header, which parsing modifies. */
struct header {
    char *text;
    struct csv_record record;
};

static bool header_open(struct header *h, struct str text, char delimiter)
{
    h->text = malloc(text.len + 1);
    if (!h->text)
        return false;
    memcpy(h->text, text.ptr, text.len);
    h->record = (struct csv_record){h->text, h->text + text.len, delimiter, false};
    return true;
}

/* Is it U+0085, U+2028 or U+2029? */
static bool separates_lines(struct str s)
{
    return s.len &&
           (memmem(s.ptr, s.len, "\xC2\x85", 2) || memmem(s.ptr, s.len, "\xE2\x80\xA8", 3) ||
            memmem(s.ptr, s.len, "\xE2\x80\xA9", 3));
}

/* If a quote is opened in the header and closed in a later row, everything between becomes one name; likewise after a
 * line end that CSV does not know. A name with two lines, as in spreadsheets, is accepted. */
static void check_name(struct str name, size_t number, char delimiter, struct err *bad)
{
    size_t line_ends = 0;
    bool delimiters = false;
    bool control = separates_lines(name);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        line_ends += csv_line_end(c) && !(c == '\n' && i && name.ptr[i - 1] == '\r');
        delimiters |= c == delimiter;
        control |= (unsigned char)c < 0x20 && c != '\t' && !csv_line_end(c);
    }
    if (control)
        (void)err_set(bad, RC_SYNTAX, "the name of column %zu contains a control character: %s",
                      number, ids_excerpt(name).text);
    else if (line_ends > 1 || (line_ends && delimiters))
        (void)err_set(bad, RC_SYNTAX,
                      "the name of column %zu spans several lines, probably because of an unclosed "
                      "quote: %s",
                      number, ids_excerpt(name).text);
}

static enum rc refuse_twice(struct err *bad, struct str wanted, const struct name_choice *c)
{
    return err_set(bad, RC_SYNTAX, "columns %zu and %zu are both named " STR_FMT, c->at + 1,
                   c->other + 1, STR_ARG(wanted));
}

#define ID_NAMES_MAX 3

/* The columns that were chosen for the ID and the parameters. */
struct choices {
    struct name_choice id[ID_NAMES_MAX];
    struct name_choice *params; /* owned */
    size_t n_params, n_columns;
};

static void consider_column(struct choices *c, const struct ids_cfg *cfg, struct str name)
{
    for (size_t i = 0; ids_name(cfg, i); i++)
        name_consider(&c->id[i], name, str_c(ids_name(cfg, i)), c->n_columns);
    for (size_t i = 0; i < c->n_params; i++)
        name_consider(&c->params[i], name, cfg->profile->params[i], c->n_columns);
    c->n_columns++;
}

/* The ID column that was chosen, or NULL. */
static const struct name_choice *chosen_id(const struct choices *c, const struct ids_cfg *cfg,
                                           struct err *bad)
{
    size_t i = 0;
    while (ids_name(cfg, i) && !c->id[i].found)
        i++;
    if (!ids_name(cfg, i))
        return NULL;
    if (c->id[i].twice)
        (void)refuse_twice(bad, str_c(ids_name(cfg, i)), &c->id[i]);
    for (size_t k = 0; k < c->n_params; k++)
        if (c->params[k].twice && bad->rc == RC_OK)
            (void)refuse_twice(bad, cfg->profile->params[k], &c->params[k]);
    return &c->id[i];
}

static enum rc columns_set(struct ids_columns *out, const struct choices *c, size_t id,
                           char delimiter, struct err *e)
{
    int *what = malloc(c->n_columns * sizeof *what);
    if (!what)
        return err_nomem(e);
    for (size_t i = 0; i < c->n_columns; i++)
        what[i] = COLUMN_IGNORED;
    for (size_t i = 0; i < c->n_params; i++)
        if (c->params[i].found)
            what[c->params[i].at] = (int)i;
    what[id] = COLUMN_ID;
    *out = (struct ids_columns){.what = what, .n = c->n_columns, .delimiter = delimiter};
    for (size_t i = 0; i < c->n_columns; i++)
        out->last_used = what[i] == COLUMN_IGNORED ? out->last_used : i;
    return RC_OK;
}

enum rc ids_columns_read(struct ids_columns *out, const struct ids_cfg *cfg, struct str header,
                         char delimiter, bool *found, struct err *bad, struct err *e)
{
    struct header h;
    struct csv_field field;
    struct choices c = {.n_params = cfg->profile ? cfg->profile->n_params : 0};
    c.params = calloc(c.n_params + 1, sizeof *c.params);
    if (!c.params || !header_open(&h, header, delimiter)) {
        free(c.params);
        return err_nomem(e);
    }
    bad->rc = RC_OK;
    while (csv_next(&h.record, &field)) {
        struct str name = ids_trim((struct str){field.ptr, field.len});
        consider_column(&c, cfg, name);
        if (bad->rc == RC_OK)
            check_name(name, c.n_columns, delimiter, bad);
    }
    free(h.text);
    const struct name_choice *id = chosen_id(&c, cfg, bad);
    *found = id && bad->rc == RC_OK;
    enum rc rc = *found ? columns_set(out, &c, id->at, delimiter, e) : RC_OK;
    free(c.params);
    return rc;
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
    for (size_t i = 0; ids_name(cfg, i); i++)
        buf_addf(&names, "%s%s", i ? " or " : "", ids_excerpt(str_c(ids_name(cfg, i))).text);
    list_columns(&columns, &h);
    enum rc rc = err_set(
        e, RC_USAGE,
        "%s: no column %s in the csv header, which has %s; name the ID column with "
        "--id-column%s",
        source, buf_cstr(&names), buf_cstr(&columns),
        cfg->format == ID_FORMAT_AUTO ? ", or read every line as an ID with --id-format lines"
                                      : "");
    buf_free(&names);
    buf_free(&columns);
    free(h.text);
    return rc;
}
