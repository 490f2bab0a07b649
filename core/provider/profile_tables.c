/* "tables" of a profile: reading them, and refusing what cannot be walked. */
#include "core/provider/profile_reader.h"

#define OBJECTS_MAX 64
#define PIVOTS_MAX 16
#define REPEATS_MAX 64
#define TYPE_BYTES_MAX 64
#define PARAM_BYTES_MAX 64

/* ---- columns -------------------------------------------------------------------------------- */

static enum rc check_value_path(const struct profile_reader *r, const struct member *at,
                                const struct path *path, const struct path *each)
{
    if (path_lies_on(path, each))
        return RC_OK;
    return member_refuse(&r->json, at, "does not lie on \"%s\"", each->text.ptr);
}

static enum rc check_position(const struct profile_reader *r, const struct member *at,
                              const struct path *path, const struct path *each)
{
    if (path_is_star(path) && path_begins_with(each, path))
        return RC_OK;
    return member_refuse(&r->json, at, "must be an initial part of \"%s\" that ends in \"*\"",
                         each->text.ptr);
}

static enum rc check_count(const struct profile_reader *r, const struct member *at,
                           const struct path *path, const struct path *each)
{
    if (path_begins_with(path, each) && path->n_stars > each->n_stars)
        return RC_OK;
    return member_refuse(&r->json, at, "must extend \"%s\" with at least one more \"*\"",
                         each->text.ptr);
}

static enum rc read_column_path(const struct profile_reader *r, const struct member *at,
                                const struct path *each, struct column_spec *out)
{
    static const struct {
        const char *member;
        enum column_kind kind;
        enum rc (*check)(const struct profile_reader *, const struct member *, const struct path *,
                         const struct path *);
    } kinds[] = {
        {"value", COLUMN_VALUE, check_value_path},
        {"position", COLUMN_POSITION, check_position},
        {"count", COLUMN_COUNT, check_count},
    };
    size_t found = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct member member = member_of(at, kinds[i].member);
        if (!member.json)
            continue;
        if (found++)
            break;
        out->kind = kinds[i].kind;
        enum rc rc = reader_path(r, &member, &out->path);
        if (rc == RC_OK)
            rc = kinds[i].check(r, &member, &out->path, each);
        if (rc != RC_OK)
            return rc;
    }
    if (found != 1)
        return member_refuse(&r->json, at,
                             "must have one of \"value\", \"position\" and \"count\"");
    return RC_OK;
}

/* A position and a count are whole numbers, whatever a profile says; so it need not say it. */
static enum rc read_column_type(const struct profile_reader *r, const struct member *at,
                                struct column_spec *out)
{
    out->type = out->kind == COLUMN_VALUE ? TYPE_TEXT : TYPE_INTEGER;
    if (!at->json)
        return RC_OK;
    struct str name = STR("");
    enum rc rc = member_text(&r->json, at, TYPE_BYTES_MAX, &name);
    if (rc != RC_OK)
        return rc;
    enum column_type type;
    if (!column_type_of(name, &type))
        return member_refuse(&r->json, at,
                             "must be text, integer, number, boolean, timestamp, timestamp-s, "
                             "timestamp-ms or json");
    if (out->kind != COLUMN_VALUE && type != TYPE_INTEGER)
        return member_refuse(&r->json, at,
                             "must be integer: only a \"value\" can have another type");
    out->type = type;
    return RC_OK;
}

/* Is it a column that every row begins with? */
static enum rc check_key_columns(const struct profile_reader *r, const struct member *at,
                                 struct str name)
{
    const struct profile *p = r->profile;
    for (size_t i = 0; i < p->n_key_columns; i++) {
        if (!str_eq(name, p->key_columns[i]))
            continue;
        if (i < KEY_COLUMNS_FIXED)
            return member_refuse(&r->json, at, "\"%s\" is a column of every table already",
                                 name.ptr);
        return member_refuse(&r->json, at,
                             "\"%s\" is a column of every table already: it holds the parameter "
                             "\"%s\"; a member that repeats it goes into \"repeats\"",
                             name.ptr, p->params[i - KEY_COLUMNS_FIXED].ptr);
    }
    return RC_OK;
}

static enum rc check_column_name(const struct profile_reader *r, const struct member *at,
                                 const struct table_spec *t, size_t column)
{
    struct str name = t->columns[column].name;
    for (size_t i = 0; i < column; i++) {
        if (str_eq(t->columns[i].name, name))
            return member_refuse(&r->json, at, "another column of this table has this name");
    }
    return check_key_columns(r, at, name);
}

static enum rc read_columns(const struct profile_reader *r, const struct member *at,
                            struct table_spec *t)
{
    enum rc rc = member_list(&r->json, at, 0, PROFILE_COLUMNS_MAX, &t->n_columns);
    if (rc != RC_OK)
        return rc;
    t->columns = arena_array(r->json.arena, t->n_columns, sizeof *t->columns);
    if (!t->columns)
        return err_nomem(r->json.err);
    for (struct member i = member_first(at); rc == RC_OK && i.json; member_next(&i)) {
        struct column_spec *column = &t->columns[i.index];
        rc = member_object(&r->json, &i, "name value position count type");
        if (rc != RC_OK)
            return rc;
        const struct member name = member_of(&i, "name"), type = member_of(&i, "type");
        rc = reader_snake(r, &name, &column->name);
        if (rc == RC_OK)
            rc = check_column_name(r, &name, t, i.index);
        if (rc == RC_OK)
            rc = read_column_path(r, &i, &t->each, column);
        if (rc == RC_OK)
            rc = read_column_type(r, &type, column);
    }
    return rc;
}

/* ---- objects -------------------------------------------------------------------------------- */

static enum rc read_object_spec(const struct profile_reader *r, const struct member *at,
                                const struct table_spec *t, struct object_spec *out)
{
    enum rc rc = member_object(&r->json, at, "path prefix");
    if (rc != RC_OK)
        return rc;
    const struct member path = member_of(at, "path"), prefix = member_of(at, "prefix");
    rc = reader_path(r, &path, &out->path);
    if (rc == RC_OK)
        rc = check_value_path(r, &path, &out->path, &t->each);
    out->prefix = STR("");
    if (rc == RC_OK && prefix.json)
        rc = reader_prefix(r, &prefix, &out->prefix);
    return rc;
}

static bool has_object(const struct table_spec *t, const struct path *path)
{
    for (size_t i = 0; i < t->n_objects; i++) {
        if (path_equal(&t->objects[i].path, path))
            return true;
    }
    return false;
}

/* The object of the rows themselves needs no mention. */
static enum rc read_objects(const struct profile_reader *r, const struct member *at,
                            struct table_spec *t)
{
    size_t n = 0;
    enum rc rc = at->json ? member_list(&r->json, at, 0, OBJECTS_MAX, &n) : RC_OK;
    if (rc != RC_OK)
        return rc;
    t->objects = arena_array(r->json.arena, n + 1, sizeof *t->objects);
    if (!t->objects)
        return err_nomem(r->json.err);
    for (struct member i = member_first(at); i.json; member_next(&i)) {
        struct object_spec *object = &t->objects[i.index];
        rc = read_object_spec(r, &i, t, object);
        if (rc != RC_OK)
            return rc;
        const struct member path = member_of(&i, "path");
        if (has_object(t, &object->path))
            return member_refuse(&r->json, &path, "is listed twice");
        t->n_objects++;
    }
    if (!has_object(t, &t->each))
        t->objects[t->n_objects++] = (struct object_spec){.path = t->each, .prefix = STR("")};
    return RC_OK;
}

/* ---- pivots and repeats --------------------------------------------------------------------- */

static enum rc check_within(const struct profile_reader *r, const struct member *at,
                            const struct path *path, const struct path *each)
{
    if (path_begins_with(path, each) && path_lies_on(path, each))
        return RC_OK;
    return member_refuse(&r->json, at, "must be in an element of \"%s\"", each->text.ptr);
}

static enum rc read_pivot(const struct profile_reader *r, const struct member *at,
                          const struct table_spec *t, struct pivot_spec *out)
{
    enum rc rc = member_object(&r->json, at, "each key value prefix");
    if (rc != RC_OK)
        return rc;
    const struct member each = member_of(at, "each"), key = member_of(at, "key"),
                        value = member_of(at, "value"), prefix = member_of(at, "prefix");
    rc = reader_path(r, &each, &out->each);
    if (rc == RC_OK)
        rc = check_count(r, &each, &out->each, &t->each);
    if (rc == RC_OK && !path_is_star(&out->each))
        rc = member_refuse(&r->json, &each, "must end in \"*\"");
    if (rc == RC_OK)
        rc = reader_path(r, &key, &out->key);
    if (rc == RC_OK)
        rc = check_within(r, &key, &out->key, &out->each);
    if (rc == RC_OK)
        rc = reader_path(r, &value, &out->value);
    if (rc == RC_OK)
        rc = check_within(r, &value, &out->value, &out->each);
    if (rc == RC_OK)
        rc = reader_prefix(r, &prefix, &out->prefix);
    return rc;
}

static enum rc read_pivots(const struct profile_reader *r, const struct member *at,
                           struct table_spec *t)
{
    if (!at->json)
        return RC_OK;
    enum rc rc = member_list(&r->json, at, 0, PIVOTS_MAX, &t->n_pivots);
    if (rc != RC_OK)
        return rc;
    t->pivots = arena_array(r->json.arena, t->n_pivots, sizeof *t->pivots);
    if (!t->pivots)
        return err_nomem(r->json.err);
    for (struct member i = member_first(at); rc == RC_OK && i.json; member_next(&i))
        rc = read_pivot(r, &i, t, &t->pivots[i.index]);
    return rc;
}

/* Is `path` a member of one of the table's objects? */
static bool is_member_of_objects(const struct table_spec *t, const struct path *path)
{
    struct path up = *path;
    if (up.n_steps == 0 || path_is_star(&up))
        return false;
    up.n_steps--;
    return has_object(t, &up);
}

static enum rc read_repeated_member(const struct profile_reader *r, const struct member *at,
                                    const struct table_spec *t, struct repeat_spec *out)
{
    enum rc rc = reader_path(r, at, &out->of);
    if (rc == RC_OK)
        rc = check_value_path(r, at, &out->of, &t->each);
    if (rc == RC_OK && path_equal(&out->path, &out->of))
        rc = member_refuse(&r->json, at, "must be another member");
    return rc;
}

static enum rc read_repeated_param(const struct profile_reader *r, const struct member *at,
                                   struct repeat_spec *out)
{
    struct str name = STR("");
    enum rc rc = member_text(&r->json, at, PARAM_BYTES_MAX, &name);
    if (rc != RC_OK)
        return rc;
    out->param = profile_param(r->profile, name);
    if (out->param >= 0)
        return RC_OK;
    return member_refuse(&r->json, at,
                         "must be one of the names in braces of \"path\", other than id");
}

static enum rc read_repeat(const struct profile_reader *r, const struct member *at,
                           const struct table_spec *t, struct repeat_spec *out)
{
    enum rc rc = member_object(&r->json, at, "path of param");
    if (rc != RC_OK)
        return rc;
    const struct member path = member_of(at, "path"), of = member_of(at, "of"),
                        param = member_of(at, "param");
    out->param = -1;
    rc = reader_path(r, &path, &out->path);
    if (rc == RC_OK && !is_member_of_objects(t, &out->path))
        rc = member_refuse(&r->json, &path, "must be a member of one of the table's \"objects\"");
    for (const struct repeat_spec *other = t->repeats; rc == RC_OK && other != out; other++) {
        if (path_equal(&other->path, &out->path))
            rc = member_refuse(&r->json, &path, "is listed twice");
    }
    if (rc != RC_OK)
        return rc;
    if (of.json && param.json)
        return member_refuse(&r->json, at, "must not have both \"of\" and \"param\"");
    return param.json ? read_repeated_param(r, &param, out) : read_repeated_member(r, &of, t, out);
}

static enum rc read_repeats(const struct profile_reader *r, const struct member *at,
                            struct table_spec *t)
{
    if (!at->json)
        return RC_OK;
    enum rc rc = member_list(&r->json, at, 0, REPEATS_MAX, &t->n_repeats);
    if (rc != RC_OK)
        return rc;
    t->repeats = arena_array(r->json.arena, t->n_repeats, sizeof *t->repeats);
    if (!t->repeats)
        return err_nomem(r->json.err);
    for (struct member i = member_first(at); rc == RC_OK && i.json; member_next(&i))
        rc = read_repeat(r, &i, t, &t->repeats[i.index]);
    return rc;
}

/* ---- tables --------------------------------------------------------------------------------- */

static enum rc read_each(const struct profile_reader *r, const struct member *at, bool is_first,
                         struct path *out)
{
    enum rc rc = reader_path(r, at, out);
    if (rc == RC_OK && is_first && out->n_steps)
        rc = member_refuse(&r->json, at, "must be \"\": the first table has one row per lead");
    if (rc == RC_OK && !is_first && !path_is_star(out))
        rc = member_refuse(&r->json, at, "must end in \"*\": one row per array element");
    return rc;
}

static enum rc read_table(const struct profile_reader *r, const struct member *at,
                          struct table_spec *t)
{
    static const struct {
        const char *member;
        enum rc (*read)(const struct profile_reader *, const struct member *, struct table_spec *);
    } parts[] = {
        {"columns", read_columns},
        {"objects", read_objects},
        {"pivots", read_pivots},
        {"repeats", read_repeats},
    };
    enum rc rc = member_object(&r->json, at, "name each columns objects pivots repeats");
    if (rc != RC_OK)
        return rc;
    const struct member name = member_of(at, "name"), each = member_of(at, "each");
    rc = reader_snake(r, &name, &t->name);
    if (rc == RC_OK)
        rc = read_each(r, &each, at->index == 0, &t->each);
    for (size_t i = 0; rc == RC_OK && i < sizeof parts / sizeof *parts; i++) {
        const struct member part = member_of(at, parts[i].member);
        rc = parts[i].read(r, &part, t);
    }
    return rc;
}

/* The name of a child table stands for its rows where a lead is one object. */
static enum rc check_child_name(const struct profile_reader *r, const struct member *at,
                                const struct profile *p, struct str name)
{
    const struct table_spec *first = &p->tables[0];
    for (size_t i = 0; i < first->n_columns; i++) {
        if (str_eq(first->columns[i].name, name))
            return member_refuse(&r->json, at, "is the name of a column of \"%s\"",
                                 first->name.ptr);
    }
    return check_key_columns(r, at, name);
}

static enum rc check_objects(const struct profile_reader *r, const struct member *at,
                             const struct table_spec *earlier, const struct table_spec *t)
{
    for (size_t i = 0; i < t->n_objects; i++) {
        const struct path *path = &t->objects[i].path;
        if (has_object(earlier, path))
            return member_refuse(&r->json, at,
                                 "the members of \"%s\" are columns of \"%s\" already",
                                 path->text.ptr, earlier->name.ptr);
    }
    return RC_OK;
}

static enum rc check_table(const struct profile_reader *r, const struct member *at,
                           const struct profile *p)
{
    const struct table_spec *t = &p->tables[at->index];
    const struct member name = member_of(at, "name"), each = member_of(at, "each"),
                        objects = member_of(at, "objects");
    enum rc rc = at->index ? check_child_name(r, &name, p, t->name) : RC_OK;
    for (size_t i = 0; rc == RC_OK && i < at->index; i++) {
        const struct table_spec *earlier = &p->tables[i];
        if (str_eq(earlier->name, t->name))
            rc = member_refuse(&r->json, &name, "another table has this name");
        else if (path_equal(&earlier->each, &t->each))
            rc = member_refuse(&r->json, &each, "is the rows of \"%s\" already", earlier->name.ptr);
        else
            rc = check_objects(r, &objects, earlier, t);
    }
    return rc;
}

enum rc profile_read_tables(const struct profile_reader *r, const struct member *at,
                            struct profile *p)
{
    enum rc rc = member_list(&r->json, at, 1, PROFILE_TABLES_MAX, &p->n_tables);
    if (rc != RC_OK)
        return rc;
    p->tables = arena_array(r->json.arena, p->n_tables, sizeof *p->tables);
    if (!p->tables)
        return err_nomem(r->json.err);
    for (struct member i = member_first(at); rc == RC_OK && i.json; member_next(&i)) {
        rc = read_table(r, &i, &p->tables[i.index]);
        if (rc == RC_OK)
            rc = check_table(r, &i, p);
    }
    return rc;
}
