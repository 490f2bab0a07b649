#include "core/json/json_names.h"

#define TEXT_OF(x) #x
#define TOO_DEEP(max) "nested deeper than " TEXT_OF(max)

static bool scan_fail(struct json_scan *s, const char *problem)
{
    return json_scan_stop(s, RC_SYNTAX, problem);
}

static void skip_blanks_slow(struct json_scan *s)
{
    if (s->compact.start)
        json_out_flush(&s->compact, s->p);
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
    s->compact.run = s->p;
}

static inline void skip_blanks(struct json_scan *s)
{
    if (s->p < s->end && *s->p <= ' ')
        skip_blanks_slow(s);
}

/* ---- strings -------------------------------------------------------------------------------- */

/* Bytes beyond ASCII: checked, and replaced in the compact text. */
static bool scan_beyond_ascii(struct json_scan *s, bool *is_invalid)
{
    do {
        size_t n = utf8_sequence(s->p, (size_t)(s->end - s->p));
        if (!n) {
            n = utf8_invalid_run(s->p, (size_t)(s->end - s->p));
            s->replaced++;
            *is_invalid = true;
            if (!json_compact_mend(s, n))
                return false;
        }
        s->p += n;
    } while (s->p < s->end && *s->p >= 0x80);
    return true;
}

/* What U+FFFD will stand for is counted. */
static bool scan_unicode(struct json_scan *s)
{
    int value = json_unicode_escape(s->p, s->end);
    if (value < 0)
        return scan_fail(s, "\\u is not followed by four hexadecimal digits");
    if (value >= 0xD800 && value <= 0xDBFF) {
        int low = json_unicode_escape(s->p + 6, s->end);
        if (low >= 0xDC00 && low <= 0xDFFF)
            s->p += 6;
        else
            s->replaced++;
    } else if (value == 0 || (value >= 0xDC00 && value <= 0xDFFF)) {
        s->replaced++;
    }
    s->p += 6;
    return true;
}

static bool scan_escape(struct json_scan *s)
{
    switch (s->end - s->p < 2 ? '\0' : s->p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        s->p += 2;
        return true;
    case 'u':
        return scan_unicode(s);
    default:
        return scan_fail(s, "an invalid escape in a string");
    }
}

/* A string from `from` on, of which something special was found at the scanner's place. */
static bool scan_special(struct json_scan *s, const unsigned char *from, bool is_name)
{
    bool is_escaped = false, is_invalid = false;
    uint64_t before = s->replaced;
    for (;; s->p = json_plain_end(s->p, s->end, JSON_HIGH_BITS)) {
        if (s->p == s->end)
            return scan_fail(s, "an unclosed string");
        if (*s->p == '"')
            break;
        if (*s->p < 0x20)
            return scan_fail(s, "a control character in a string");
        is_escaped = is_escaped || *s->p == '\\';
        if (!(*s->p == '\\' ? scan_escape(s) : scan_beyond_ascii(s, &is_invalid)))
            return false;
    }
    const unsigned char *upto = s->p++;
    if (!is_escaped && !is_invalid) {
        json_text_keep(s, from, upto);
        return true;
    }
    s->tree.text_end = is_invalid ? json_compact_end(s, upto) : 0;
    s->tree.flags |= JSON_ESCAPED;
    if (!json_text_decode(s, from, upto, s->replaced - before))
        return false;
    if (is_name && s->replaced > before)
        json_tree_flag_name(s);
    return true;
}

static inline bool scan_string(struct json_scan *s, bool is_name)
{
    const unsigned char *from = s->p + 1;
    s->p = json_plain_end(from, s->end, JSON_HIGH_BITS);
    if (s->p == s->end || *s->p != '"')
        return scan_special(s, from, is_name);
    json_text_keep(s, from, s->p++);
    return true;
}

/* ---- numbers and words ---------------------------------------------------------------------- */

static const unsigned char *digits_end(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* Behind the number at `p`; NULL when there is none. */
static const unsigned char *number_end(const unsigned char *p, const unsigned char *end)
{
    const unsigned char *from;
    if (p < end && *p == '-')
        p++;
    p = digits_end(from = p, end);
    if (p == from || (*from == '0' && p - from > 1))
        return NULL;
    if (p < end && *p == '.') {
        p = digits_end(from = p + 1, end);
        if (p == from)
            return NULL;
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = digits_end(from = p, end);
        if (p == from)
            return NULL;
    }
    return p;
}

static bool scan_number(struct json_scan *s)
{
    if (*s->p != '-' && (*s->p < '0' || *s->p > '9'))
        return scan_fail(s, "a value is expected");
    const unsigned char *end = number_end(s->p, s->end);
    if (!end)
        return scan_fail(s, "a malformed number");
    json_text_keep(s, s->p, end);
    s->p = end;
    return json_tree_leaf(s, cJSON_Number);
}

static inline bool scan_word(struct json_scan *s, const char *word, size_t n, int type)
{
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return scan_fail(s, "a value is expected");
    s->p += n;
    return json_tree_leaf(s, type);
}

/* ---- structure ------------------------------------------------------------------------------ */

static unsigned char closing(unsigned char open)
{
    return open == '{' ? '}' : ']';
}

/* The scanner is at the value of a member with this name, of an object at the scanner's depth. A
 * name that comes again takes the place of the first, with all that is inside it. */
static void watch_member(struct json_scan *s, struct str name)
{
    size_t depth = s->depth;
    s->unsure = s->unsure || memchr(name.ptr, '\\', name.len);
    for (size_t i = 0; i < s->n_watches; i++) {
        struct json_watch *w = &s->watches[i];
        if (w->matched >= depth)
            w->matched = depth - 1; /* that object, or the member before, has ended */
        if (w->matched != depth - 1 || depth > w->n_names || !str_eq(name, w->names[depth - 1]))
            continue;
        w->matched = depth;
        w->value = depth == w->n_names ? (const char *)s->p : NULL;
    }
}

/* A member's name and its colon; the scanner is then at the value. */
static bool scan_key(struct json_scan *s)
{
    const unsigned char *name = s->p + 1;
    if (s->p == s->end || *s->p != '"')
        return scan_fail(s, "a member name is expected");
    if (!scan_string(s, true))
        return false;
    size_t name_len = (size_t)(s->p - 1 - name);
    if (!json_tree_name(s))
        return false;
    skip_blanks(s);
    if (s->p == s->end || *s->p != ':')
        return scan_fail(s, "a colon is expected");
    s->p++;
    skip_blanks(s);
    if (s->depth <= s->watch_depth)
        watch_member(s, (struct str){(const char *)name, name_len});
    return true;
}

static bool scan_open(struct json_scan *s, bool *inside)
{
    unsigned char open = *s->p;
    if (s->depth == s->depth_max)
        return json_scan_stop(s, RC_LIMIT, TOO_DEEP(JSON_DEPTH_MAX));
    if (!json_tree_open(s, open == '{' ? cJSON_Object : cJSON_Array))
        return false;
    s->p++;
    skip_blanks(s);
    if (s->p < s->end && *s->p == closing(open)) {
        s->p++;
        return json_tree_close(s);
    }
    s->open[s->depth++] = open;
    *inside = true;
    return open == '{' ? scan_key(s) : true;
}

static bool scan_scalar(struct json_scan *s)
{
    switch (*s->p) {
    case '"':
        return scan_string(s, false) && json_tree_leaf(s, cJSON_String);
    case 't':
        return scan_word(s, "true", 4, cJSON_True);
    case 'f':
        return scan_word(s, "false", 5, cJSON_False);
    case 'n':
        return scan_word(s, "null", 4, cJSON_NULL);
    default:
        return scan_number(s);
    }
}

/* *inside: it was an array or object that is not empty, and its first value comes next. */
static bool scan_value(struct json_scan *s, bool *inside)
{
    *inside = false;
    if (s->p == s->end)
        return scan_fail(s, "the text ends where a value is expected");
    if (*s->p == '{' || *s->p == '[')
        return scan_open(s, inside);
    return scan_scalar(s);
}

/* Behind a value: closes what ends here. *more: another value comes next. */
static bool scan_after(struct json_scan *s, bool *more)
{
    *more = false;
    for (;; s->depth--) {
        skip_blanks(s);
        if (s->depth == 0)
            return true;
        unsigned char open = s->open[s->depth - 1];
        *more = s->p < s->end && *s->p == ',';
        if (!*more && (s->p == s->end || *s->p != closing(open)))
            return scan_fail(s,
                             open == '{' ? "a comma or } is expected" : "a comma or ] is expected");
        s->p++;
        if (*more) {
            skip_blanks(s);
            return open == '{' ? scan_key(s) : true;
        }
        if (!json_tree_close(s))
            return false;
    }
}

static bool scan_text(struct json_scan *s)
{
    bool inside;
    bool more = true;
    skip_blanks(s);
    while (more) {
        if (!scan_value(s, &inside))
            return false;
        if (!inside && !scan_after(s, &more))
            return false;
    }
    return s->p == s->end ? true : scan_fail(s, "there is text after the value");
}

static bool scan_begin(struct json_scan *s, struct arena *a, struct str text, unsigned want)
{
    const unsigned char *start = (const unsigned char *)(text.ptr ? text.ptr : "");
    memset(s, 0, JSON_SCAN_BEGIN_BYTES);
    s->arena = a;
    s->start = s->p = start;
    s->end = start + text.len;
    s->depth_max = want & JSON_OWN ? JSON_DEPTH_OWN_MAX : JSON_DEPTH_MAX;
    if (text.len >= 3 && memcmp(start, "\xEF\xBB\xBF", 3) == 0)
        s->p += 3;
    s->compact.run = s->p;
    if (text.len > SIZE_MAX / 8)
        return json_scan_stop(s, RC_LIMIT, NULL);
    if ((want & JSON_TREE) && !json_tree_begin(s, text))
        return false;
    return !(want & JSON_COMPACT) || json_out_alloc(s, &s->compact, text.len + 1);
}

static enum rc scan_error(const struct json_scan *s, struct err *e)
{
    if (s->problem)
        return err_set(e, s->rc, "%s%s (at byte %zu)", s->rc == RC_SYNTAX ? "not JSON: " : "",
                       s->problem, (size_t)(s->p - s->start));
    return json_refusal(s->arena, s->rc, e);
}

static enum rc scan_to_end(struct json_scan *s, struct err *e)
{
    if (!scan_text(s))
        return scan_error(s, e);
    if (!s->compact.start)
        return RC_OK;
    json_out_flush(&s->compact, s->p);
    return json_names_number(s) ? RC_OK : scan_error(s, e);
}

enum rc json_scan(struct json_scan *s, struct arena *a, struct str text, unsigned want,
                  struct err *e)
{
    return scan_begin(s, a, text, want) ? scan_to_end(s, e) : scan_error(s, e);
}

enum rc json_scan_watching(struct json_scan *s, struct arena *a, struct str text,
                           struct json_watch *watches, size_t n_watches, struct err *e)
{
    if (!scan_begin(s, a, text, JSON_COMPACT))
        return scan_error(s, e);
    s->watches = watches;
    s->n_watches = n_watches;
    for (size_t i = 0; i < n_watches; i++) {
        watches[i].value = NULL;
        watches[i].matched = 0;
        if (watches[i].n_names > s->watch_depth)
            s->watch_depth = (unsigned)watches[i].n_names;
    }
    return scan_to_end(s, e);
}
