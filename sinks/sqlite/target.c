#include "sinks/sqlite/target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/grow.h"
#include "core/base/permission.h"

#define MEMORY_MAX ((size_t)64 << 20)
#define SQL_BYTES_MAX ((size_t)16 << 20)
#define HEADER_BYTES 100
#define HEADER_ENCODING 59 /* the last of four bytes (fileformat2.html, section 1.3) */
#define HEADER_APPLICATION_ID 68
#define KEYS_MAX (PROFILE_COLUMNS_MAX + PROFILE_PARAMS_MAX + KEY_COLUMNS_FIXED + 1)

/* ---- the file ------------------------------------------------------------------------------- */

static enum rc refuse_encoding(const struct sqlite_place *p, struct err *e)
{
    return err_set(
        e, RC_USAGE,
        "%s: its encoding is UTF-16, but only UTF-8 can be written; use another file, or convert it: "
        "sqlite3 OLD .dump | sqlite3 NEW",
        p->spec);
}

static enum rc check_header(const struct sqlite_place *p, int fd, struct err *e)
{
    static const char magic[] = "SQLite format 3";
    unsigned char header[HEADER_BYTES] = {0};
    ssize_t n = pread(fd, header, sizeof header, 0);
    if (n < 0)
        return err_sys(e, RC_IO, errno, "%s", p->spec);
    if (n < (ssize_t)sizeof header || memcmp(header, magic, sizeof magic) != 0)
        return err_set(e, RC_USAGE, "%s: is not an SQLite database; use another file", p->spec);
    uint32_t id = 0;
    for (size_t i = 0; i < 4; i++)
        id = id << 8 | header[HEADER_APPLICATION_ID + i];
    if (id == STATE_APPLICATION_ID)
        return err_set(e, RC_USAGE, "%s: is a state of leadpipe (--state); use another file",
                       p->spec);
    if (id != 0 && id != SQLITE_APPLICATION_ID)
        return err_set(
            e, RC_USAGE,
            "%s: is the database of another program (application_id %u); use another file", p->spec,
            (unsigned)id);
    return header[HEADER_ENCODING] > 1 ? refuse_encoding(p, e) : RC_OK;
}

static enum rc refuse_file(const struct sqlite_place *p, const char *why, int errnum, struct err *e)
{
    (void)err_sys(e, RC_USAGE, errnum, "%s: %s", p->spec, why);
    permission_explain(e, errnum, p->path, PERMISSION_DATABASE);
    return RC_USAGE;
}

/* What is open in this process keeps its locks only while nobody closes another descriptor of it: so
 * this comes before SQLite opens it. */
enum rc sqlite_target_check(const struct sqlite_place *p, bool *exists, struct err *e)
{
    struct stat st;
    *exists = false;
    int fd = open(p->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? RC_OK : refuse_file(p, "cannot be opened", errno, e);
    enum rc rc = RC_OK;
    if (fstat(fd, &st) != 0)
        rc = err_sys(e, RC_IO, errno, "%s", p->spec);
    else if (!S_ISREG(st.st_mode))
        rc = err_set(e, RC_USAGE, "%s: is not a file", p->spec);
    else if (st.st_size > 0)
        rc = check_header(p, fd, e);
    (void)close(fd);
    if (rc == RC_OK && access(p->path, W_OK) != 0)
        rc = refuse_file(p, "cannot be written", errno, e);
    *exists = rc == RC_OK;
    return rc;
}

enum rc sqlite_target_attach(const struct sqlite_place *p, const struct sqlite_db *d,
                             const char *path, struct err *e)
{
    const struct str value = str_c(path);
    int64_t id = 0;
    enum rc rc = sqlite_run_with(d, "attach ?1 as out", &value, 1, e);
    if (rc == RC_IO &&
        strstr(e->msg, "the same text encoding")) /* its first page is in the -wal file */
        return refuse_encoding(p, e);
    if (rc == RC_OK)
        rc = sqlite_number(d, "pragma out.application_id", &id, e);
    if (rc == RC_OK && id != 0 && id != SQLITE_APPLICATION_ID)
        rc = err_set(e, RC_USAGE, "%s: is the database of another program; use another file",
                     p->spec);
    if (rc == RC_OK)
        rc = sqlite_run(d, "pragma out.synchronous = full; pragma out.cache_size = -32768", e);
    if (rc != RC_OK)
        sqlite_explain(d, path, e);
    return rc;
}

/* ---- a table -------------------------------------------------------------------------------- */

static bool holds(const char *type, const char *word)
{
    size_t n = strlen(word);
    for (; *type; type++) {
        if (sqlite3_strnicmp(type, word, (int)n) == 0)
            return true;
    }
    return false;
}

/* "any" means any value only in strict tables (stricttables.html). */
static enum sqlite_affinity affinity_of(const char *type, bool is_strict)
{
    if (!type || !*type || (is_strict && sqlite3_stricmp(type, "any") == 0))
        return AFFINITY_NONE;
    if (holds(type, "int"))
        return AFFINITY_INTEGER;
    if (holds(type, "char") || holds(type, "clob") || holds(type, "text"))
        return AFFINITY_TEXT;
    if (holds(type, "blob"))
        return AFFINITY_NONE;
    if (holds(type, "real") || holds(type, "floa") || holds(type, "doub"))
        return AFFINITY_REAL;
    return AFFINITY_NUMERIC;
}

/* As SQLite compares names: ASCII letters alone. */
static enum rc keep_lower(struct arena *memory, struct str name, struct str *out, struct err *e)
{
    char *copy = arena_strdup(memory, name);
    if (!copy)
        return err_nomem(e);
    for (size_t i = 0; i < name.len; i++) {
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] - 'A' + 'a');
    }
    *out = (struct str){copy, name.len};
    return RC_OK;
}

static enum rc add_column(void *table, sqlite3_stmt *stmt, struct err *e)
{
    struct sqlite_table *t = table;
    if (t->n_columns == t->cap_columns)
        return err_set(e, RC_BUSY, "its columns change while they are read");
    struct sqlite_column *column = &t->columns[t->n_columns++];
    const char *type = (const char *)sqlite3_column_text(stmt, 1);
    column->affinity = affinity_of(type, t->is_strict);
    bool is_generated = sqlite3_column_int(stmt, 2) != 0;
    bool takes_blobs = t->is_strict && type && sqlite3_stricmp(type, "blob") == 0; /* alone */
    enum rc rc = keep_lower(&t->memory, sqlite_text(stmt, 0), &column->name, e);
    return rc == RC_OK
               ? sql_column_map_exists(&t->map, column->name, is_generated || takes_blobs, e)
               : rc;
}

static enum rc load_columns(struct sqlite_table *t, const struct sqlite_db *d, struct err *e)
{
    t->cap_columns = (size_t)sqlite3_limit(d->db, SQLITE_LIMIT_COLUMN, -1) + 1;
    t->columns = arena_array(&t->memory, t->cap_columns, sizeof *t->columns);
    if (!t->columns)
        return err_nomem(e);
    return sqlite_each(d, "select name, type, hidden from pragma_table_xinfo(?1, 'out')",
                       t->relation->name, add_column, t, e);
}

/* Is there a table of the sink's own of that name? */
static enum rc has_own_table(const struct sqlite_db *d, const char *name, bool *out, struct err *e)
{
    return sqlite_has_row(
        d, "select 1 from out.sqlite_master where type = 'table' and lower(name) = lower(?1)",
        str_c(name), out, e);
}

static enum rc remember(void *table, sqlite3_stmt *stmt, struct err *e)
{
    struct sqlite_table *t = table;
    struct str name = sqlite_text(stmt, 0);
    return name.ptr ? sql_column_map_remember(&t->map, name, sqlite_text(stmt, 1), e) : RC_OK;
}

/* What _leadpipe_columns remembers of it. */
static enum rc load_map(struct sqlite_table *t, const struct sqlite_db *d, struct err *e)
{
    bool exists = false;
    enum rc rc = has_own_table(d, SQL_TABLE_COLUMNS, &exists, e);
    if (rc != RC_OK || !exists)
        return rc;
    return sqlite_each(
        d, "select column_name, source from out." SQL_TABLE_COLUMNS " where table_name = ?1",
        t->relation->name, remember, t, e);
}

struct finding {
    struct sqlite_table *table;
    const struct sqlite_place *place;
};

static enum rc found_table(void *finding, sqlite3_stmt *stmt, struct err *e)
{
    const struct finding *f = finding;
    struct str name = f->table->relation->name;
    f->table->exists = true;
    if (str_eq_c(sqlite_text(stmt, 0), "index"))
        return err_set(e, RC_USAGE,
                       "%s: " STR_FMT " is an index there, so that no table can have that name; "
                       "rename it, or use another file",
                       f->place->spec, STR_ARG(name));
    if (!str_eq_c(sqlite_text(stmt, 0), "table"))
        return err_set(e, RC_USAGE,
                       "%s: " STR_FMT " is a view there, and rows can only be written to tables; "
                       "rename it, or use another file",
                       f->place->spec, STR_ARG(name));
    struct str sql = sqlite_text(stmt, 1);
    if (sql.ptr && sqlite3_strnicmp(sql.ptr, "create virtual", 14) == 0)
        return err_set(e, RC_USAGE, "%s: " STR_FMT " is a virtual table there; rename it",
                       f->place->spec, STR_ARG(name));
    return RC_END;
}

/* Is there a table of that name? */
static enum rc find_table(struct sqlite_table *t, const struct sqlite_place *p,
                          const struct sqlite_db *d, struct err *e)
{
    struct finding finding = {t, p};
    return sqlite_each(d,
                       "select type, sql from out.sqlite_master where lower(name) = lower(?1) and "
                       "type in ('table', 'view', 'index')",
                       t->relation->name, found_table, &finding, e);
}

#define STRICT_SINCE 3037000

static enum rc find_strictness(struct sqlite_table *t, const struct sqlite_db *d, struct err *e)
{
    if (sqlite3_libversion_number() < STRICT_SINCE)
        return RC_OK;
    return sqlite_has_row(d, "select 1 from pragma_table_list(?1) where schema = 'out' and strict",
                          t->relation->name, &t->is_strict, e);
}

/* ---- its key -------------------------------------------------------------------------------- */

static bool is_one_of(struct str name, const struct str *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(name, names[i]))
            return true;
    }
    return false;
}

struct key_search {
    const struct sqlite_db *db;
    const struct str *keys; /* that the index must have, all of them and no other */
    size_t n;
    size_t n_found; /* columns of the index at hand */
    bool all_found; /* ... all of which are among the keys */
    bool is_binary; /* ... and tell all texts apart */
    bool found;
    bool is_loose; /* there is one, but it takes different texts for the same */
};

static enum rc compare_column(void *search, sqlite3_stmt *stmt, struct err *e)
{
    struct key_search *s = search;
    struct str name = sqlite_text(stmt, 0); /* absent: an expression */
    struct arena memory;
    arena_init(&memory, MEMORY_MAX);
    enum rc rc = name.ptr ? keep_lower(&memory, name, &name, e) : RC_OK;
    s->all_found = s->all_found && rc == RC_OK && name.ptr && is_one_of(name, s->keys, s->n);
    s->is_binary =
        s->is_binary && sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 1), "binary") == 0;
    s->n_found++;
    arena_free(&memory);
    return rc;
}

static enum rc compare_index(void *search, sqlite3_stmt *stmt, struct err *e)
{
    struct key_search *s = search;
    s->n_found = 0;
    s->all_found = s->is_binary = true;
    enum rc rc =
        sqlite_each(s->db, "select name, coll from pragma_index_xinfo(?1, 'out') where \"key\"",
                    sqlite_text(stmt, 0), compare_column, s, e);
    if (rc != RC_OK)
        return rc;
    bool is_ours = s->all_found && s->n_found == s->n;
    s->found = is_ours && s->is_binary;
    s->is_loose = s->is_loose || (is_ours && !s->is_binary);
    return s->found ? RC_END : RC_OK;
}

/* Does the table have a unique index over exactly these columns? */
static enum rc find_key(const struct sqlite_table *t, struct key_search *search, struct err *e)
{
    return sqlite_each(
        search->db,
        "select name from pragma_index_list(?1, 'out') where \"unique\" and not partial",
        t->relation->name, compare_index, search, e);
}

static enum rc refuse_key(const struct sqlite_table *t, const struct sqlite_place *p,
                          const struct key_search *search, struct err *e)
{
    struct buf names;
    buf_init(&names, SQL_BYTES_MAX);
    for (size_t i = 0; i < search->n; i++) {
        buf_adds(&names, i ? ", " : "");
        buf_add_str(&names, search->keys[i]);
    }
    enum rc rc =
        err_set(e, RC_USAGE,
                "%s: the table " STR_FMT " exists, but has no unique key on (%s)%s%s; "
                "add one, or use another file",
                p->spec, STR_ARG(t->relation->name), buf_cstr(&names),
                search->is_loose ? " with \"collate binary\" (with others, IDs that differ in "
                                   "case or in trailing blanks may count as one lead)"
                                 : "",
                p->mode == SQL_MODE_APPEND ? ", which mode=append needs" : "");
    buf_free(&names);
    return rc;
}

static enum rc check_key(struct sqlite_table *t, const struct sqlite_place *p,
                         const struct sqlite_db *d, struct err *e)
{
    const struct sql_relation *r = t->relation;
    struct str keys[KEYS_MAX];
    size_t n = 0;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->n_columns && n + 1 < KEYS_MAX; i++) {
        const struct sql_mapped *mapped;
        struct sqlite_fit fit;
        if (!r->columns[i].is_key)
            continue;
        rc = sqlite_table_map(t, p, r->columns[i].wanted, r->columns[i].source, r->columns[i].type,
                              &mapped, &fit, e);
        if (rc == RC_OK && (fit.type != r->columns[i].type || fit.no_numerals))
            rc = err_set(e, RC_USAGE,
                         "%s: the column " STR_FMT "." STR_FMT
                         " is part of the key, and would change "
                         "what is written there; its type must be %s",
                         p->spec, STR_ARG(r->name), STR_ARG(mapped->column),
                         p->dialect->types[r->columns[i].type]);
        if (rc == RC_OK)
            keys[n++] = mapped->column;
    }
    if (rc != RC_OK || !r->has_key)
        return rc;
    if (p->mode == SQL_MODE_APPEND)
        keys[n++] = STR(SQL_COLUMN_RUN_ID);
    struct key_search search = {.db = d, .keys = keys, .n = n};
    rc = find_key(t, &search, e);
    return rc == RC_OK && !search.found ? refuse_key(t, p, &search, e) : rc;
}

/* ---- loading -------------------------------------------------------------------------------- */

static enum rc has_values(void *table, struct str column, bool *out, struct err *e)
{
    const struct sqlite_table *t = table;
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "select 1 from ");
    sqlite_put_table(&sql, t->place, t->relation->name);
    buf_adds(&sql, " where ");
    sql_quote(&sql, t->place->dialect, column);
    buf_adds(&sql, " is not null limit 1");
    enum rc rc = buf_rc(&sql) == RC_OK ? sqlite_has_row(t->db, buf_cstr(&sql), STR_NONE, out, e)
                                       : err_nomem(e);
    buf_free(&sql);
    return rc;
}

enum rc sqlite_table_load(struct sqlite_table *t, const struct sqlite_place *p,
                          const struct sqlite_db *d, size_t table, bool is_attached, struct err *e)
{
    *t = (struct sqlite_table){.relation = &p->relations.items[table], .place = p, .db = d};
    arena_init(&t->memory, MEMORY_MAX);
    sql_column_map_init(&t->map, p->dialect, has_values, t);
    if (!is_attached)
        return RC_OK;
    enum rc rc = find_table(t, p, d, e);
    if (rc != RC_OK || !t->exists)
        return rc;
    rc = find_strictness(t, d, e);
    if (rc == RC_OK)
        rc = load_map(t, d, e);
    if (rc == RC_OK)
        rc = load_columns(t, d, e);
    sql_column_map_adopt(&t->map);
    return rc == RC_OK ? check_key(t, p, d, e) : rc;
}

enum rc sqlite_table_check_width(const struct sqlite_table *t, const struct sqlite_place *p,
                                 const struct sqlite_db *d, size_t more, struct err *e)
{
    size_t limit = (size_t)sqlite3_limit(d->db, SQLITE_LIMIT_COLUMN, -1);
    if (more <= limit && t->n_columns + more <= limit)
        return RC_OK;
    if (t->n_columns == 0 || more > limit)
        return err_set(e, RC_IO,
                       "%s: the table " STR_FMT
                       " would have more columns than SQLite allows (%zu); use --max-columns %zu",
                       p->spec, STR_ARG(t->relation->name), limit, limit - SQLITE_OTHER_COLUMNS);
    return err_set(e, RC_IO,
                   "%s: the table " STR_FMT " has %zu columns, and this run would add %zu or more, "
                   "but SQLite allows %zu; use a smaller --max-columns, drop columns that nobody "
                   "needs, or use another file",
                   p->spec, STR_ARG(t->relation->name), t->n_columns, more, limit);
}

void sqlite_table_free(struct sqlite_table *t)
{
    sql_column_map_free(&t->map);
    arena_free(&t->memory);
}

const struct sqlite_column *sqlite_table_column(const struct sqlite_table *t, struct str name)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        if (str_eq(t->columns[i].name, name))
            return &t->columns[i];
    }
    return NULL;
}

const char *sqlite_table_type(const struct sqlite_table *t, enum column_type type)
{
    if (t->is_strict && type == TYPE_BOOLEAN) /* strict tables have no such type */
        type = TYPE_INTEGER;
    return t->place->dialect->types[type];
}

/* A column turns what looks like a number into one, or a number into a text, by its affinity. Times never
 * look like numbers; a numeric column of a strict table refuses them, as it does other texts. */
static struct sqlite_fit fit_of(enum sqlite_affinity affinity, bool is_strict,
                                enum column_type type)
{
    bool is_number = type == TYPE_INTEGER || type == TYPE_NUMBER || type == TYPE_BOOLEAN;
    bool is_text = type == TYPE_TEXT || type == TYPE_JSON || (is_strict && !is_number);
    struct sqlite_fit fit = {.type = type};
    switch (affinity) {
    case AFFINITY_NONE:
        break;
    case AFFINITY_TEXT:
        fit.type = is_number ? TYPE_TEXT : type;
        break;
    case AFFINITY_INTEGER:
        fit.type = is_text || type == TYPE_NUMBER ? TYPE_INTEGER : type;
        break;
    case AFFINITY_REAL:
        fit.type = is_text || is_number ? TYPE_NUMBER : type;
        break;
    case AFFINITY_NUMERIC:
        fit.no_numerals = is_text;
        break;
    }
    return fit;
}

enum rc sqlite_table_map(struct sqlite_table *t, const struct sqlite_place *p, struct str wanted,
                         struct str source, enum column_type type, const struct sql_mapped **out,
                         struct sqlite_fit *fit, struct err *e)
{
    *fit = (struct sqlite_fit){.type = type};
    enum rc rc = sql_column_map_find(&t->map, wanted, source, out, e);
    const struct sqlite_column *column =
        rc == RC_OK ? sqlite_table_column(t, (*out)->column) : NULL;
    if (!column)
        return rc;
    *fit = fit_of(column->affinity, t->is_strict, type);
    if (p->all_text && (fit->type != type || fit->no_numerals))
        return err_set(e, RC_USAGE,
                       "%s: types=text needs columns of type text, but " STR_FMT "." STR_FMT
                       " is of another type",
                       p->spec, STR_ARG(t->relation->name), STR_ARG(column->name));
    return RC_OK;
}

/* ---- runs ----------------------------------------------------------------------------------- */

enum rc sqlite_target_has_run(const struct sqlite_db *d, struct str token, bool *out, struct err *e)
{
    enum rc rc = has_own_table(d, SQL_TABLE_RUNS, out, e);
    if (rc != RC_OK || !*out)
        return rc;
    return sqlite_has_row(d, "select 1 from out." SQL_TABLE_RUNS " where token = ?1", token, out,
                          e);
}
