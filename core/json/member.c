#include "core/json/member.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "core/base/suggest.h"
#include "core/base/units.h"

#define SHOWN_BYTES_MAX 80 /* of a text of the document in a message */
#define LIST_BYTES_MAX 560 /* of names in a message */

struct member member_of(const struct member *object, const char *name)
{
    bool is_object = object->json && json_is_object(object->json);
    return (struct member){
        .up = object, .name = name, .json = is_object ? json_member(object->json, name) : NULL};
}

struct member member_first(const struct member *list)
{
    struct member first = {.up = list, .json = list->json ? list->json->child : NULL};
    if (first.json && json_is_object(list->json))
        first.name = first.json->string;
    return first;
}

void member_next(struct member *element)
{
    element->json = element->json->next;
    element->index++;
    if (element->name)
        element->name = element->json ? element->json->string : "";
}

/* ---- refusing ------------------------------------------------------------------------------- */

/* A message is one line, so control characters are not shown. */
static char shown_char(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7F ? '?' : c;
}

/* RFC 6901, section 3. */
static void write_step(struct buf *b, const char *name)
{
    size_t n = utf8_cut(name, SHOWN_BYTES_MAX);
    buf_addc(b, '/');
    for (size_t i = 0; i < n; i++) {
        if (name[i] == '~' || name[i] == '/')
            buf_adds(b, name[i] == '~' ? "~0" : "~1");
        else
            buf_addc(b, shown_char(name[i]));
    }
}

void member_write_way(struct buf *b, const struct member *at, const struct member *top)
{
    if (at == top || !at->up)
        return;
    member_write_way(b, at->up, top);
    if (at->name)
        write_step(b, at->name);
    else
        buf_addf(b, "/%zu", at->index);
}

enum rc member_refuse(const struct member_reader *r, const struct member *at, const char *fmt, ...)
{
    char text[900];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct buf way;
    buf_init(&way, 8192);
    member_write_way(&way, at, NULL);
    if (buf_rc(&way) == RC_NOMEM) {
        buf_free(&way);
        return err_nomem(r->err);
    }
    const char *colon = at->up ? ": " : "";
    enum rc rc = err_set(r->err, RC_USAGE, "%s: %s%s%s", r->source, buf_cstr(&way), colon, text);
    buf_free(&way);
    return rc;
}

/* The next of some words; false: there is none. */
static bool next_word(const char **words, struct str *out)
{
    *words += strspn(*words, " ");
    *out = (struct str){*words, strcspn(*words, " ")};
    *words += out->len;
    return out->len > 0;
}

bool member_is_named(const char *names, struct str name)
{
    struct str word;
    while (next_word(&names, &word)) {
        if (str_eq(word, name))
            return true;
    }
    return false;
}

/* Copies the nearest of the names to `out`, empty: none is near. */
static void find_nearest(const char *names, const char *given, char *out, size_t size)
{
    char words[2][SHOWN_BYTES_MAX + 1];
    const char *best = NULL;
    struct str word;
    unsigned at = 0;
    while (next_word(&names, &word)) {
        if (word.len > SHOWN_BYTES_MAX)
            continue;
        (void)snprintf(words[at], sizeof words[at], STR_FMT, STR_ARG(word));
        if (strcasecmp(given, words[at]) == 0) {
            best = words[at];
            break;
        }
        const char *before = best;
        suggest_consider(&best, given, words[at]);
        if (best != before)
            at = !at;
    }
    (void)snprintf(out, size, "%s", best ? best : "");
}

/* "a b" as "a, b"; a message has no room for hundreds. */
static void add_list(struct buf *b, const char *names)
{
    struct str word;
    size_t start = b->len;
    for (const char *comma = ""; next_word(&names, &word); comma = ", ") {
        if (b->len - start + word.len > LIST_BYTES_MAX) {
            buf_adds(b, ", ...");
            return;
        }
        buf_addf(b, "%s" STR_FMT, comma, STR_ARG(word));
    }
}

enum rc member_unknown(const struct member_reader *r, const struct member *at, const char *what,
                       struct str given, const char *names)
{
    char shown[SHOWN_BYTES_MAX + 1], nearest[SHOWN_BYTES_MAX + 1];
    (void)snprintf(shown, sizeof shown, STR_FMT, STR_ARG(given));
    shown[utf8_cut(shown, SHOWN_BYTES_MAX - 4)] = '\0';
    for (char *c = shown; *c; c++)
        *c = shown_char(*c);
    find_nearest(names, shown, nearest, sizeof nearest);
    struct buf text;
    buf_init(&text, 4096);
    buf_addf(&text, "unknown %s \"%s\"", what, shown);
    if (*nearest)
        buf_addf(&text, "; did you mean \"%s\"?", nearest);
    if (*names) {
        buf_adds(&text, " (allowed: ");
        add_list(&text, names);
        buf_addc(&text, ')');
    }
    enum rc rc =
        buf_rc(&text) == RC_NOMEM ? err_nomem(r->err) : member_refuse(r, at, "%s", buf_cstr(&text));
    buf_free(&text);
    return rc;
}

/* ---- kinds ---------------------------------------------------------------------------------- */

static enum rc want(const struct member_reader *r, const struct member *at, bool is_kind,
                    const char *kind)
{
    if (!at->json)
        return member_refuse(r, at, "is missing (allowed: %s)", kind);
    return is_kind ? RC_OK : member_refuse(r, at, "must be %s", kind);
}

enum rc member_object(const struct member_reader *r, const struct member *at, const char *allowed)
{
    enum rc rc = want(r, at, at->json && json_is_object(at->json), "an object");
    if (rc != RC_OK)
        return rc;
    for (struct member m = member_first(at); m.json; member_next(&m)) {
        if (!member_is_named(allowed, json_member_name(m.json)))
            return member_unknown(r, &m, "member", json_member_name(m.json), allowed);
    }
    return RC_OK;
}

enum rc member_list(const struct member_reader *r, const struct member *at, size_t min, size_t max,
                    size_t *n)
{
    enum rc rc = want(r, at, at->json && json_is_array(at->json), "an array");
    if (rc != RC_OK || !at->json)
        return rc;
    size_t count = 0;
    for (const cJSON *element = at->json->child; element; element = element->next)
        count++;
    if (min == max && count != max)
        return member_refuse(r, at, "must have %zu elements, not %zu", max, count);
    if (count < min || count > max)
        return member_refuse(r, at, "must have %zu to %zu elements, not %zu", min, max, count);
    *n = count;
    return RC_OK;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == 0x7F)
            return true;
    }
    return false;
}

enum rc member_copy(const struct member_reader *r, struct str text, struct str *out)
{
    const char *copy = arena_strdup(r->arena, text);
    if (!copy)
        return err_nomem(r->err);
    *out = (struct str){copy, text.len};
    return RC_OK;
}

enum rc member_text(const struct member_reader *r, const struct member *at, size_t max,
                    struct str *out)
{
    enum rc rc = want(r, at, cJSON_IsString(at->json), "a text");
    if (rc != RC_OK || !at->json)
        return rc;
    struct str text = json_text(at->json);
    if (text.len > max)
        return member_refuse(r, at, "must have at most %zu bytes", max);
    if (has_control(text))
        return member_refuse(r, at, "must have no control characters");
    return member_copy(r, text, out);
}

enum rc member_some_text(const struct member_reader *r, const struct member *at, size_t max,
                         struct str *out)
{
    if (at->json && cJSON_IsString(at->json) && json_text(at->json).len == 0)
        return member_refuse(r, at, "must not be empty");
    return member_text(r, at, max, out);
}

enum rc member_choice(const struct member_reader *r, const struct member *at, const char *names,
                      unsigned *out)
{
    char kind[256];
    (void)snprintf(kind, sizeof kind, "one of the texts %s", names);
    enum rc rc = want(r, at, cJSON_IsString(at->json), kind);
    if (rc != RC_OK)
        return rc;
    const char *rest = names;
    struct str word;
    for (unsigned i = 0; next_word(&rest, &word); i++) {
        if (str_eq_c(word, at->json->valuestring)) {
            *out = i;
            return RC_OK;
        }
    }
    return member_unknown(r, at, "value", json_text(at->json), names);
}

enum rc member_whole(const struct member_reader *r, const struct member *at, uint64_t min,
                     uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    enum rc rc = want(r, at, cJSON_IsNumber(at->json), "a whole number");
    if (rc != RC_OK)
        return rc;
    if (!units_uint(json_text(at->json), &n) || n < min || n > max)
        return member_refuse(r, at, "must be a whole number from %llu to %llu, not %.40s",
                             (unsigned long long)min, (unsigned long long)max,
                             at->json->valuestring);
    *out = n;
    return RC_OK;
}

enum rc member_boolean(const struct member_reader *r, const struct member *at, bool *out)
{
    enum rc rc = want(r, at, cJSON_IsBool(at->json), "true or false");
    if (rc == RC_OK)
        *out = cJSON_IsTrue(at->json);
    return rc;
}

enum rc member_pointer(const struct member_reader *r, const struct member *at,
                       struct json_pointer *out)
{
    enum rc rc = want(r, at, cJSON_IsString(at->json), "a JSON pointer such as /a/0/b");
    if (rc != RC_OK)
        return rc;
    struct err why;
    rc = json_pointer_parse(out, r->arena, json_text(at->json), &why);
    if (rc == RC_SYNTAX)
        return member_refuse(r, at, "is not a JSON pointer: it %s", why.msg);
    return rc == RC_OK ? RC_OK : err_nomem(r->err);
}
