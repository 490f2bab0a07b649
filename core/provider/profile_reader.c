#include "core/provider/profile_reader.h"

#include "core/base/units.h"
#include "core/provider/name.h"

#define NAME_BYTES_MAX 128
#define TEXT_BYTES_MAX 256

static enum rc refuse_syntax(const struct profile_reader *r, const struct member *at,
                             const struct err *why)
{
    if (why->rc == RC_SYNTAX)
        return member_refuse(&r->json, at, "%s", why->msg);
    return err_nomem(r->json.err);
}

/* ---- texts ---------------------------------------------------------------------------------- */

enum rc reader_word(const struct profile_reader *r, const struct member *at, const char *chars,
                    size_t max, struct str *out)
{
    struct str text = STR("");
    enum rc rc = member_text(&r->json, at, max, &text);
    if (rc != RC_OK)
        return rc;
    if (text.len == 0 || strspn(text.ptr, chars) != text.len)
        return member_refuse(&r->json, at, "must be one or more of the characters %s", chars);
    *out = text;
    return RC_OK;
}

/* RC_SYNTAX: it is none; RC_NOMEM. */
static enum rc check_snake(struct str name)
{
    struct buf b;
    buf_init(&b, 2 * NAME_BYTES_MAX);
    name_snake(&b, name);
    enum rc rc = buf_rc(&b);
    if (rc == RC_OK && !str_eq(buf_str(&b), name))
        rc = RC_SYNTAX;
    buf_free(&b);
    if (name.ptr[0] == '_' || strspn(name.ptr, CHARS_SNAKE) != name.len)
        return RC_SYNTAX;
    return rc;
}

enum rc reader_snake(const struct profile_reader *r, const struct member *at, struct str *out)
{
    struct str text = STR("");
    enum rc rc = member_text(&r->json, at, NAME_BYTES_MAX, &text);
    if (rc != RC_OK)
        return rc;
    rc = check_snake(text);
    if (rc == RC_NOMEM)
        return err_nomem(r->json.err);
    if (rc != RC_OK)
        return member_refuse(&r->json, at, "\"%s\" is not a snake_case name such as first_name",
                             text.ptr);
    *out = text;
    return RC_OK;
}

enum rc reader_prefix(const struct profile_reader *r, const struct member *at, struct str *out)
{
    struct str text = STR("");
    enum rc rc = member_text(&r->json, at, NAME_BYTES_MAX, &text);
    if (rc != RC_OK)
        return rc;
    struct str stem = {text.ptr, text.len - 1};
    if (text.len) {
        char name[NAME_BYTES_MAX + 1];
        memcpy(name, text.ptr, stem.len);
        name[stem.len] = '\0';
        stem.ptr = name;
        rc = check_snake(stem);
        if (rc == RC_NOMEM)
            return err_nomem(r->json.err);
        if (text.ptr[stem.len] != '_' || rc != RC_OK)
            return member_refuse(&r->json, at,
                                 "must be empty or snake_case with one trailing underscore, such "
                                 "as last_action_");
    }
    *out = text;
    return RC_OK;
}

enum rc reader_path(const struct profile_reader *r, const struct member *at, struct path *out)
{
    struct str text = STR("");
    enum rc rc = member_text(&r->json, at, PATH_BYTES_MAX, &text);
    if (rc != RC_OK)
        return rc;
    struct err why;
    if (path_parse(out, r->json.arena, text, &why) != RC_OK)
        return refuse_syntax(r, at, &why);
    return RC_OK;
}

enum rc reader_place(const struct profile_reader *r, const struct member *at, struct path *out)
{
    if (!at->json)
        return RC_OK;
    struct path path;
    enum rc rc = reader_path(r, at, &path);
    if (rc != RC_OK)
        return rc;
    if (path.n_stars)
        return member_refuse(&r->json, at, "must not contain \"*\"");
    *out = path;
    return RC_OK;
}

enum rc reader_number(const struct profile_reader *r, const struct member *at, uint64_t min,
                      uint64_t max, uint64_t *out)
{
    if (!at->json)
        return RC_OK;
    return member_whole(&r->json, at, min, max, out);
}

/* ---- lists of them -------------------------------------------------------------------------- */

typedef enum rc (*read_one)(const struct profile_reader *r, const struct member *at, void *out);

/* An array of what `read` reads, each of `bytes`; as it was where there is none. */
static enum rc read_list(const struct profile_reader *r, const struct member *at, size_t max,
                         size_t bytes, read_one read, void **out, size_t *n)
{
    if (!at->json)
        return RC_OK;
    size_t count = 0;
    enum rc rc = member_list(&r->json, at, 0, max, &count);
    if (rc != RC_OK)
        return rc;
    char *items = arena_array(r->json.arena, count, bytes);
    if (!items)
        return err_nomem(r->json.err);
    for (struct member i = member_first(at); i.json && rc == RC_OK; member_next(&i))
        rc = read(r, &i, items + i.index * bytes);
    if (rc != RC_OK)
        return rc;
    *out = items;
    *n = count;
    return RC_OK;
}

static enum rc read_text(const struct profile_reader *r, const struct member *at, void *out)
{
    return member_text(&r->json, at, TEXT_BYTES_MAX, out);
}

static enum rc read_path(const struct profile_reader *r, const struct member *at, void *out)
{
    return reader_path(r, at, out);
}

enum rc reader_texts(const struct profile_reader *r, const struct member *at, size_t max,
                     struct str **out, size_t *n)
{
    void *list = *out;
    enum rc rc = read_list(r, at, max, sizeof **out, read_text, &list, n);
    *out = list;
    return rc;
}

enum rc reader_paths(const struct profile_reader *r, const struct member *at, size_t max,
                     struct path **out, size_t *n)
{
    void *list = *out;
    enum rc rc = read_list(r, at, max, sizeof **out, read_path, &list, n);
    *out = list;
    return rc;
}
