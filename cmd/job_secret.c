#include "cmd/job_secret.h"

#include <ctype.h>
#include <string.h>

#include "core/base/credential_text.h"
#include "core/base/url.h"
#include "monitor/hook.h"

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
    "apikey",        "accesskey", "privatekey", "secret",     "token",
    "password",      "passwd",    "passphrase", "credential", "signature",
    "authorization", "cookie",    "bearer",     "keypem",     "auth",
};

#define N_WORDS (sizeof secret_words / sizeof *secret_words)
#define FOLDED_BYTES 128

/* Converts to lower case, without characters that join words. Returns the length. */
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
    if (!colon || !rest.len || !job_is_secret_name(name))
        return has_reference(rest) ? JOB_SECRET_REFERENCE : JOB_SECRET_NONE;
    const char *blank = memchr(rest.ptr, ' ', rest.len);
    struct str last = blank ? trim(piece(rest, (size_t)(blank - rest.ptr), rest.len)) : rest;
    return is_reference(last) ? JOB_SECRET_REFERENCE : JOB_SECRET_HEADER;
}

static enum job_secret worse(enum job_secret a, enum job_secret b)
{
    return a > b ? a : b;
}

/* Is this the name of a variable, as in "NAME=VARIABLE" after a name that ends in "-env"? The variable has the secret. */
static bool is_variable(struct str value)
{
    size_t at = 0;
    while (at < value.len && (isalnum((unsigned char)value.ptr[at]) || value.ptr[at] == '_'))
        at++;
    return value.len > 0 && at == value.len && !isdigit((unsigned char)value.ptr[0]);
}

static struct str without_quotes(struct str s)
{
    bool is_quoted =
        s.len >= 2 && (s.ptr[0] == '\'' || s.ptr[0] == '"') && s.ptr[s.len - 1] == s.ptr[0];
    return is_quoted ? piece(s, 1, s.len - 1) : s;
}

static size_t skip_blanks_back(struct str s, size_t at)
{
    while (at > 0 && s.ptr[at - 1] == ' ')
        at--;
    return at;
}

static size_t name_begin(struct str s, size_t at)
{
    while (at > 0 && job_is_name_byte(s.ptr[at - 1]))
        at--;
    return at;
}

/* Names that mean a secret in the query of a URL only. */
static bool is_secret_in_url(struct str name)
{
    return str_eq_c(name, "key") || str_eq_c(name, "sig");
}

/* The pair whose "=" is at `equals`. Blanks around it are allowed in a connection string of libpq. */
static enum job_secret pair_secret(struct str s, size_t equals, const char *separators)
{
    static const char env[] = "-env=";
    size_t end = skip_blanks_back(s, equals), begin = name_begin(s, end), at = equals + 1, to;
    struct str name = piece(s, begin, end);
    if (!job_is_secret_name(name) && !(strchr(separators, '&') && is_secret_in_url(name)))
        return JOB_SECRET_NONE;
    while (at < s.len && s.ptr[at] == ' ')
        at++;
    for (to = at; to < s.len && !strchr(separators, s.ptr[to]);)
        to++;
    struct str value = without_quotes(piece(s, at, to));
    size_t n = sizeof env - 1;
    if (begin >= n && memcmp(s.ptr + begin - n, env, n) == 0 && is_variable(value))
        return JOB_SECRET_NONE;
    return is_reference(value) ? JOB_SECRET_REFERENCE : JOB_SECRET_PAIR;
}

/* Pairs NAME=VALUE, with one of `separators` after the value: of a URL's query, of a connection string, or within the
 * value of another pair. */
static enum job_secret pairs_secret(struct str s, const char *separators)
{
    enum job_secret found = JOB_SECRET_NONE;
    for (size_t at = 0; at < s.len; at++) {
        if (s.ptr[at] == '=')
            found = worse(found, pair_secret(s, at, separators));
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
    }
    return found;
}

/* ---- commands ------------------------------------------------------------------------------ */

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* The header that an argument of curl, wget and others gives, in `word` or in the one after it. NULL: none. */
static const char *header_in(const char *word, const char *next)
{
    if (strcmp(word, "-H") == 0 || strcmp(word, "--header") == 0)
        return next;
    if (starts_with(word, "--header="))
        return strchr(word, '=') + 1;
    return starts_with(word, "-H") ? word + 2 : NULL;
}

/* "--password VALUE". */
static enum job_secret option_secret(const char *word, const char *next)
{
    if (!starts_with(word, "--") || strchr(word, '=') || !next || *next == '-' ||
        !job_is_secret_name(str_c(word + 2)))
        return JOB_SECRET_NONE;
    return is_reference(str_c(next)) ? JOB_SECRET_REFERENCE : JOB_SECRET_PAIR;
}

/* A command that cannot be split is refused elsewhere. */
static enum job_secret command_secret(struct str command)
{
    enum job_secret found = JOB_SECRET_NONE;
    struct hook_words words = {0};
    struct err ignored;
    if (hook_split(&words, command.ptr, &ignored) != RC_OK)
        return JOB_SECRET_NONE;
    for (size_t i = 1; i < words.n && words.items[i]; i++) {
        const char *word = words.items[i], *next = words.items[i + 1];
        const char *header = header_in(word, next);
        found = worse(found, option_secret(word, next));
        if (header)
            found = worse(found, header_secret(str_c(header)));
    }
    hook_words_free(&words);
    return found;
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* "NAME=VARIABLE" of an option such as property-env: it says where the secret is. */
static bool names_variable(const struct option_spec *o, struct str value)
{
    const char *at = o ? memchr(value.ptr, '=', value.len) : NULL;
    return at && ends_with(o->name, strlen(o->name), "-env") &&
           is_variable(piece(value, (size_t)(at - value.ptr) + 1, value.len)) &&
           !credential_is_likely(at + 1);
}

enum job_secret job_secret_in(const struct option_spec *o, struct str value)
{
    if (o && o->flags & OPTION_SECRET_HEADER)
        return header_secret(value);
    if (names_variable(o, value))
        return JOB_SECRET_NONE;
    bool is_url = strstr(value.ptr, "://") != NULL;
    enum job_secret found = worse(url_secret(value), pairs_secret(value, is_url ? "&;#? " : " "));
    if (o && o->flags & OPTION_SECRET_URL && !is_url) /* its scheme may be left out */
        found = worse(found, userinfo_secret("http", url_userinfo(value.ptr)));
    if (o && o->arg && strcmp(o->arg, "CMD") == 0)
        found = worse(found, command_secret(value));
    return found;
}

/* The path of an http URL may be a secret, as that of many webhooks; scheme, host and port are none. */
static bool has_reference_in_path(struct str written, struct str made)
{
    const char *scheme_end = strstr(written.ptr, "://");
    size_t host_end = scheme_end ? (size_t)(scheme_end - written.ptr) + 3 : 0;
    if (scheme_end)
        host_end += strcspn(scheme_end + 3, "/?#");
    return strncasecmp(made.ptr, "http", 4) == 0 &&
           has_reference(piece(written, host_end, written.len));
}

bool job_hides_variables(const struct option_spec *o, struct str written, struct str made)
{
    if (!has_reference(written) || (o && o->type != OPTION_TEXT && o->type != OPTION_LIST))
        return false;
    if ((o && o->flags & OPTION_ANY_SECRET) || job_secret_in(o, made) != JOB_SECRET_NONE ||
        has_reference_in_path(written, made))
        return true;
    for (size_t at = 0; at < written.len; at++) {
        size_t n = job_reference(piece(written, at, written.len));
        if (n && job_is_secret_name(piece(written, at + 2, at + n - 1)))
            return true;
    }
    return false;
}
