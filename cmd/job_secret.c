#include "cmd/job_secret.h"

#include <ctype.h>
#include <string.h>

#include "core/base/credential_text.h"
#include "core/base/url.h"

static struct str piece(struct str s, size_t from, size_t to)
{
    return (struct str){s.ptr + from, to - from};
}

/* ---- names --------------------------------------------------------------------------------- */

bool job_is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

static const char *const secret_words[] = {
    "apikey",     "accesskey",  "privatekey", "secret",        "token",  "password", "passwd",
    "passphrase", "credential", "signature",  "authorization", "cookie", "bearer",   "auth",
};

#define N_WORDS (sizeof secret_words / sizeof *secret_words)
#define FOLDED_BYTES 128

/* Converts to lower case, without characters that join words. Returns the length; `ends[i]`: where folded byte i ends in
 * `s`. */
static size_t fold(struct str s, char out[FOLDED_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < s.len && n + 1 < FOLDED_BYTES; i++) {
        if (isalnum((unsigned char)s.ptr[i]))
            out[n++] = (char)tolower((unsigned char)s.ptr[i]);
    }
    out[n] = '\0';
    return n;
}

static bool ends_with(const char *text, size_t n, const char *end)
{
    size_t len = strlen(end);
    return n >= len && strcmp(text + n - len, end) == 0;
}

bool job_is_secret_name(struct str name)
{
    char folded[FOLDED_BYTES];
    size_t n = fold(name, folded);
    /* Such names say where a secret is, and are not secrets. */
    if (ends_with(folded, n, "file") || ends_with(folded, n, "env"))
        return false;
    if (strcmp(folded, "pass") == 0 || strcmp(folded, "pwd") == 0)
        return true;
    for (size_t i = 0; i < N_WORDS; i++) {
        bool is_short = strcmp(secret_words[i], "auth") == 0; /* but not "author" */
        if (is_short ? ends_with(folded, n, "auth") : strstr(folded, secret_words[i]) != NULL)
            return true;
    }
    return false;
}

bool job_is_set_by_systemd(struct str variable)
{
    return str_eq_c(variable, "CREDENTIALS_DIRECTORY") || str_eq_c(variable, "STATE_DIRECTORY");
}

/* ---- the whole file ------------------------------------------------------------------------ */

bool job_may_hold_secret(struct str text)
{
    for (size_t at = 0; at < text.len;) {
        if (!job_is_name_byte(text.ptr[at])) {
            at++;
            continue;
        }
        size_t end = at;
        while (end < text.len && job_is_name_byte(text.ptr[end]))
            end++;
        struct str word = piece(text, at, end);
        bool is_folder = at >= 2 && memcmp(text.ptr + at - 2, "${", 2) == 0 && end < text.len &&
                         text.ptr[end] == '}' && job_is_set_by_systemd(word);
        if (is_folder) { /* CREDENTIALS_DIRECTORY is named like a secret, and is the path of a directory */
            at = end;
            continue;
        }
        if (job_is_secret_name(word) || str_eq_c(word, "header"))
            return true;
        if (end + 2 < text.len && memcmp(text.ptr + end, "://", 3) == 0) {
            const char *line_end = memchr(text.ptr + end, '\n', text.len - end);
            size_t n = line_end ? (size_t)(line_end - text.ptr) - end : text.len - end;
            if (memchr(text.ptr + end, '@', n))
                return true;
        }
        at = end;
    }
    return false;
}

/* ---- values -------------------------------------------------------------------------------- */

size_t job_reference(struct str s)
{
    if (s.len < 4 || s.ptr[0] != '$' || s.ptr[1] != '{')
        return 0;
    size_t at = 2;
    while (at < s.len && (isalnum((unsigned char)s.ptr[at]) || s.ptr[at] == '_'))
        at++;
    bool is_name = at > 2 && !isdigit((unsigned char)s.ptr[2]);
    return is_name && at < s.len && s.ptr[at] == '}' ? at + 1 : 0;
}

/* Does it consist of references only, at least one? */
static bool is_reference(struct str s)
{
    bool any = false;
    while (s.len > 0) {
        size_t n = job_reference(s);
        if (n == 0)
            return false;
        any = true;
        s = piece(s, n, s.len);
    }
    return any;
}

static bool has_reference(struct str s)
{
    for (size_t at = 0; at < s.len; at++) {
        if (job_reference(piece(s, at, s.len)))
            return true;
    }
    return false;
}

static struct str trim(struct str s)
{
    while (s.len > 0 && s.ptr[0] == ' ')
        s = piece(s, 1, s.len);
    while (s.len > 0 && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* "Name: value"; a scheme ("Bearer") may stand before a reference. */
static enum job_secret header_secret(struct str value)
{
    const char *colon = memchr(value.ptr, ':', value.len);
    struct str name = colon ? piece(value, 0, (size_t)(colon - value.ptr)) : STR_NONE;
    struct str rest = colon ? trim(piece(value, name.len + 1, value.len)) : value;
    if (!colon || !job_is_secret_name(name))
        return has_reference(rest) ? JOB_SECRET_REFERENCE : JOB_SECRET_NONE;
    const char *blank = memchr(rest.ptr, ' ', rest.len);
    struct str last = blank ? trim(piece(rest, (size_t)(blank - rest.ptr), rest.len)) : rest;
    return is_reference(last) ? JOB_SECRET_REFERENCE : JOB_SECRET_HEADER;
}

/* NAME=VALUE, with the name of a secret. */
static enum job_secret pair_secret(struct str pair)
{
    const char *equals = memchr(pair.ptr, '=', pair.len);
    size_t n = equals ? (size_t)(equals - pair.ptr) : 0;
    if (!equals || !job_is_secret_name(piece(pair, 0, n)))
        return JOB_SECRET_NONE;
    struct str value = trim(piece(pair, n + 1, pair.len));
    return is_reference(value) ? JOB_SECRET_REFERENCE : JOB_SECRET_PAIR;
}

static enum job_secret worse(enum job_secret a, enum job_secret b)
{
    return a > b ? a : b;
}

/* Pairs with one of `separators` between them: of a URL's query, or of a connection string. */
static enum job_secret pairs_secret(struct str s, const char *separators)
{
    enum job_secret found = JOB_SECRET_NONE;
    for (size_t at = 0, end; at < s.len; at = end + 1) {
        end = at;
        while (end < s.len && !strchr(separators, s.ptr[end]))
            end++;
        found = worse(found, pair_secret(piece(s, at, end)));
    }
    return found;
}

/* A user without a password is not a secret for a database, but in an HTTP URL it may be a key. */
static enum job_secret userinfo_secret(const char *scheme, struct str userinfo)
{
    if (!userinfo.ptr)
        return JOB_SECRET_NONE;
    const char *colon = memchr(userinfo.ptr, ':', userinfo.len);
    if (!colon && strncasecmp(scheme, "http", 4) != 0)
        return JOB_SECRET_NONE;
    size_t at = colon ? (size_t)(colon - userinfo.ptr) + 1 : 0;
    return is_reference(piece(userinfo, at, userinfo.len)) ? JOB_SECRET_REFERENCE
                                                           : JOB_SECRET_USERINFO;
}

/* `value` is followed by a NUL. */
static enum job_secret url_secret(struct str value)
{
    enum job_secret found = JOB_SECRET_NONE;
    for (const char *slashes = value.ptr; (slashes = strstr(slashes, "://")); slashes += 3) {
        const char *scheme = slashes;
        while (scheme > value.ptr && job_is_name_byte(scheme[-1]))
            scheme--;
        found = worse(found, userinfo_secret(scheme, url_userinfo(scheme)));
        const char *query = strpbrk(slashes, "?#");
        if (query)
            found = worse(found, pairs_secret(str_c(query + 1), "&;#?"));
    }
    return found;
}

/* "NAME=VARIABLE" of an option such as property-env: it says where the secret is. */
static bool names_variable(const struct option_spec *o, struct str value)
{
    size_t n = o ? strlen(o->name) : 0;
    const char *at = n ? memchr(value.ptr, '=', value.len) : NULL;
    if (!at || !ends_with(o->name, n, "-env") || isdigit((unsigned char)at[1]))
        return false;
    const char *variable = ++at;
    while (isalnum((unsigned char)*at) || *at == '_')
        at++;
    return at > variable && at == value.ptr + value.len && !credential_is_likely(variable);
}

enum job_secret job_secret_in(const struct option_spec *o, struct str value)
{
    if (o && o->flags & OPTION_SECRET_HEADER)
        return header_secret(value);
    if (names_variable(o, value))
        return JOB_SECRET_NONE;
    enum job_secret found = url_secret(value);
    if (found == JOB_SECRET_NONE)
        found = strstr(value.ptr, "://") ? pair_secret(value) : pairs_secret(value, " ");
    return found;
}
