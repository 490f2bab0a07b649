#include "core/provider/profile_reader.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/units.h"
#include "core/provider/name.h"

#define NAME_BYTES_MAX 128
#define TEXT_BYTES_MAX 256

struct item item_member(const struct item *object, const char *name)
{
    const cJSON *json = cJSON_IsObject(object->json) ? json_member(object->json, name) : NULL;
    return (struct item){.up = object, .name = name, .json = json};
}

struct item item_first(const struct item *list)
{
    return (struct item){.up = list, .json = list->json ? list->json->child : NULL};
}

void item_next(struct item *element)
{
    element->json = element->json->next;
    element->index++;
}

/* ---- refusing ------------------------------------------------------------------------------- */

static void add_way(struct buf *b, const struct item *at)
{
    if (!at->up)
        return;
    add_way(b, at->up);
    if (at->name)
        buf_addf(b, "/%.100s", at->name);
    else
        buf_addf(b, "/%zu", at->index);
}

enum rc reader_refuse(const struct profile_reader *r, const struct item *at, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct buf way;
    buf_init(&way, 512);
    add_way(&way, at);
    const char *colon = at->up ? ": " : "";
    enum rc rc = err_set(r->err, RC_USAGE, "%s: %s%s%s", r->source, buf_cstr(&way), colon, text);
    buf_free(&way);
    return rc;
}

static enum rc refuse_syntax(const struct profile_reader *r, const struct item *at,
                             const struct err *why)
{
    if (why->rc == RC_SYNTAX)
        return reader_refuse(r, at, "%s", why->msg);
    return err_nomem(r->err);
}

/* ---- kinds ---------------------------------------------------------------------------------- */

static enum rc want(const struct profile_reader *r, const struct item *at, bool is_kind,
                    const char *kind)
{
    if (!at->json)
        return reader_refuse(r, at, "is missing: %s is required here", kind);
    if (!is_kind)
        return reader_refuse(r, at, "must be %s", kind);
    return RC_OK;
}

/* Is `name` one of the words? */
static bool is_word_of(const char *words, struct str name)
{
    while (*words) {
        size_t n = strcspn(words, " ");
        if (str_eq(name, (struct str){words, n}))
            return true;
        words += n + strspn(words + n, " ");
    }
    return false;
}

enum rc reader_object(const struct profile_reader *r, const struct item *at, const char *allowed)
{
    enum rc rc = want(r, at, cJSON_IsObject(at->json), "an object");
    if (rc != RC_OK)
        return rc;
    for (const cJSON *m = at->json->child; m; m = m->next) {
        struct item member = {.up = at, .name = m->string, .json = m};
        if (!is_word_of(allowed, json_member_name(m)))
            return reader_refuse(r, &member, "unknown member; allowed here: %s", allowed);
    }
    return RC_OK;
}

enum rc reader_list(const struct profile_reader *r, const struct item *at, size_t min, size_t max,
                    size_t *n)
{
    enum rc rc = want(r, at, cJSON_IsArray(at->json), "an array");
    if (rc != RC_OK)
        return rc;
    size_t count = 0;
    for (const cJSON *element = at->json->child; element; element = element->next)
        count++;
    if (count < min || count > max)
        return reader_refuse(r, at, "must have %zu to %zu elements, not %zu", min, max, count);
    *n = count;
    return RC_OK;
}

/* ---- texts ---------------------------------------------------------------------------------- */

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == 0x7F)
            return true;
    }
    return false;
}

enum rc reader_text(const struct profile_reader *r, const struct item *at, size_t max,
                    struct str *out)
{
    enum rc rc = want(r, at, cJSON_IsString(at->json), "a text");
    if (rc != RC_OK)
        return rc;
    struct str text = json_text(at->json);
    if (text.len > max)
        return reader_refuse(r, at, "must have at most %zu bytes", max);
    if (has_control(text))
        return reader_refuse(r, at, "must have no control characters");
    const char *copy = arena_strdup(r->arena, text);
    if (!copy)
        return err_nomem(r->err);
    *out = (struct str){copy, text.len};
    return RC_OK;
}

enum rc reader_word(const struct profile_reader *r, const struct item *at, const char *chars,
                    size_t max, struct str *out)
{
    struct str text = STR("");
    enum rc rc = reader_text(r, at, max, &text);
    if (rc != RC_OK)
        return rc;
    if (text.len == 0 || strspn(text.ptr, chars) != text.len)
        return reader_refuse(r, at, "must be one or more of the characters %s", chars);
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

enum rc reader_snake(const struct profile_reader *r, const struct item *at, struct str *out)
{
    struct str text = STR("");
    enum rc rc = reader_text(r, at, NAME_BYTES_MAX, &text);
    if (rc != RC_OK)
        return rc;
    rc = check_snake(text);
    if (rc == RC_NOMEM)
        return err_nomem(r->err);
    if (rc != RC_OK)
        return reader_refuse(r, at, "\"%s\" is not a snake_case name such as first_name", text.ptr);
    *out = text;
    return RC_OK;
}

enum rc reader_prefix(const struct profile_reader *r, const struct item *at, struct str *out)
{
    struct str text = STR("");
    enum rc rc = reader_text(r, at, NAME_BYTES_MAX, &text);
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
            return err_nomem(r->err);
        if (text.ptr[stem.len] != '_' || rc != RC_OK)
            return reader_refuse(r, at,
                                 "must be empty or snake_case with one trailing underscore, such "
                                 "as last_action_");
    }
    *out = text;
    return RC_OK;
}

enum rc reader_path(const struct profile_reader *r, const struct item *at, struct path *out)
{
    struct str text = STR("");
    enum rc rc = reader_text(r, at, PATH_BYTES_MAX, &text);
    if (rc != RC_OK)
        return rc;
    struct err why;
    if (path_parse(out, r->arena, text, &why) != RC_OK)
        return refuse_syntax(r, at, &why);
    return RC_OK;
}

enum rc reader_place(const struct profile_reader *r, const struct item *at, struct path *out)
{
    if (!at->json)
        return RC_OK;
    struct path path;
    enum rc rc = reader_path(r, at, &path);
    if (rc != RC_OK)
        return rc;
    if (path.n_stars)
        return reader_refuse(r, at, "must not contain \"*\"");
    *out = path;
    return RC_OK;
}

enum rc reader_number(const struct profile_reader *r, const struct item *at, uint64_t min,
                      uint64_t max, uint64_t *out)
{
    if (!at->json)
        return RC_OK;
    uint64_t n = 0;
    if (!cJSON_IsNumber(at->json) || !units_uint(json_text(at->json), &n) || n < min || n > max)
        return reader_refuse(r, at, "must be a whole number from %llu to %llu",
                             (unsigned long long)min, (unsigned long long)max);
    *out = n;
    return RC_OK;
}

/* ---- lists of them -------------------------------------------------------------------------- */

typedef enum rc (*read_one)(const struct profile_reader *r, const struct item *at, void *out);

/* An array of what `read` reads, each of `bytes`; as it was where there is none. */
static enum rc read_list(const struct profile_reader *r, const struct item *at, size_t max,
                         size_t bytes, read_one read, void **out, size_t *n)
{
    if (!at->json)
        return RC_OK;
    size_t count = 0;
    enum rc rc = reader_list(r, at, 0, max, &count);
    if (rc != RC_OK)
        return rc;
    char *items = arena_array(r->arena, count, bytes);
    if (!items)
        return err_nomem(r->err);
    for (struct item i = item_first(at); i.json && rc == RC_OK; item_next(&i))
        rc = read(r, &i, items + i.index * bytes);
    if (rc != RC_OK)
        return rc;
    *out = items;
    *n = count;
    return RC_OK;
}

static enum rc read_text(const struct profile_reader *r, const struct item *at, void *out)
{
    return reader_text(r, at, TEXT_BYTES_MAX, out);
}

static enum rc read_path(const struct profile_reader *r, const struct item *at, void *out)
{
    return reader_path(r, at, out);
}

enum rc reader_texts(const struct profile_reader *r, const struct item *at, size_t max,
                     struct str **out, size_t *n)
{
    void *list = *out;
    enum rc rc = read_list(r, at, max, sizeof **out, read_text, &list, n);
    *out = list;
    return rc;
}

enum rc reader_paths(const struct profile_reader *r, const struct item *at, size_t max,
                     struct path **out, size_t *n)
{
    void *list = *out;
    enum rc rc = read_list(r, at, max, sizeof **out, read_path, &list, n);
    *out = list;
    return rc;
}
