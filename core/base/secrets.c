#include "core/base/secrets.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "core/base/secrets_decode.h"
#include "core/base/url.h"

#define STARS "***"

struct needle {
    unsigned char *text; /* owned; in lower case */
    size_t len;
    size_t
        server_bytes; /* of a URL that is a secret as a whole: its scheme and server, which are none */
};

struct variable {
    char *name, *value; /* owned; `value` NULL: it was not set */
};

struct secrets {
    pthread_rwlock_t lock;
    struct needle *needles;
    size_t n_needles;
    struct needle *public; /* in lower case */
    size_t n_public;
    bool begins[256]; /* a needle begins with this byte, in either case */
    bool with_blanks; /* one holds a blank */
    struct variable *variables;
    size_t n_variables;
};

enum rc secrets_new(struct secrets **out)
{
    struct secrets *s = calloc(1, sizeof *s);
    if (!s)
        return RC_NOMEM;
    if (pthread_rwlock_init(&s->lock, NULL)) {
        free(s);
        return RC_NOMEM;
    }
    *out = s;
    return RC_OK;
}

static void wipe(void *p, size_t n)
{
    if (p)
        explicit_bzero(p, n);
    free(p);
}

void secrets_free(struct secrets *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_needles; i++)
        wipe(s->needles[i].text, s->needles[i].len);
    free(s->needles);
    for (size_t i = 0; i < s->n_public; i++)
        free(s->public[i].text);
    free(s->public);
    for (size_t i = 0; i < s->n_variables; i++) {
        struct variable *v = &s->variables[i];
        wipe(v->value, v->value ? strlen(v->value) : 0);
        free(v->name);
    }
    free(s->variables);
    pthread_rwlock_destroy(&s->lock);
    free(s);
}

/* ---- registering ---------------------------------------------------------------------------- */

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

static bool is_letter(unsigned char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

/* Where there may be a user or a password, only the scheme. 0: it is no URL. */
static size_t server_bytes(const unsigned char *text, size_t len)
{
    static const char mark[] = "://";
    const unsigned char *at = memmem(text, len, mark, sizeof mark - 1);
    size_t begin = at ? (size_t)(at - text) + sizeof mark - 1 : 0, end = begin;
    if (!at || memchr(text, ' ', begin))
        return 0;
    if (memchr(text + begin, '@', len - begin))
        return begin;
    while (end < len && !memchr("/?#", text[end], 3))
        end++;
    return end;
}

/* Takes over `text`. Under the lock. */
static enum rc add_needle(struct secrets *s, unsigned char *text, size_t len)
{
    for (size_t i = 0; i < s->n_needles; i++) {
        if (s->needles[i].len == len && memcmp(s->needles[i].text, text, len) == 0) {
            wipe(text, len);
            return RC_OK;
        }
    }
    struct needle *grown = reallocarray(s->needles, s->n_needles + 1, sizeof *grown);
    if (!grown) {
        wipe(text, len);
        return RC_NOMEM;
    }
    s->needles = grown;
    grown[s->n_needles++] = (struct needle){text, len, server_bytes(text, len)};
    s->with_blanks |= memchr(text, ' ', len) != NULL;
    s->begins[text[0]] = true;
    if (is_letter(text[0]))
        s->begins[text[0] - ('a' - 'A')] = true;
    return RC_OK;
}

static enum rc add_bytes(struct secrets *s, const unsigned char *p, size_t n)
{
    if (n < SECRET_BYTES_MIN)
        return RC_OK;
    unsigned char *copy = malloc(n);
    if (!copy)
        return RC_NOMEM;
    for (size_t i = 0; i < n; i++)
        copy[i] = lower(p[i]);
    pthread_rwlock_wrlock(&s->lock);
    enum rc rc = add_needle(s, copy, n);
    pthread_rwlock_unlock(&s->lock);
    return rc;
}

static bool is_public(const struct secrets *s, const unsigned char *text, size_t n)
{
    for (size_t i = 0; i < s->n_public; i++) {
        if (s->public[i].len == n && memcmp(s->public[i].text, text, n) == 0)
            return true;
    }
    return false;
}

enum rc secrets_add_public(struct secrets *s, struct str word)
{
    if (word.len < SECRET_BYTES_MIN)
        return RC_OK;
    unsigned char *copy = malloc(word.len);
    if (!copy)
        return RC_NOMEM;
    for (size_t i = 0; i < word.len; i++)
        copy[i] = lower((unsigned char)word.ptr[i]);
    pthread_rwlock_wrlock(&s->lock);
    bool is_new = !is_public(s, copy, word.len);
    struct needle *grown =
        is_new ? reallocarray(s->public, s->n_public + 1, sizeof *grown) : s->public;
    if (grown)
        s->public = grown;
    if (grown && is_new)
        grown[s->n_public++] = (struct needle){copy, word.len, 0};
    else
        free(copy);
    pthread_rwlock_unlock(&s->lock);
    return !is_new || grown ? RC_OK : RC_NOMEM;
}

static struct decoded decoded_of(struct decoded_byte *room, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        room[i] = (struct decoded_byte){(uint32_t)i, (uint32_t)i + 1, (unsigned char)text.ptr[i]};
    return (struct decoded){room, text.len};
}

/* As a text is decoded before it is searched, so is a secret that itself holds what looks like an
 * escape ("p%40ss" as the password of a URL). */
static enum rc add_decoded(struct secrets *s, struct str value)
{
    size_t bytes = (value.len + 1) * sizeof(struct decoded_byte);
    struct decoded_byte *rooms[2] = {malloc(bytes), malloc(bytes)};
    unsigned char *plain = malloc(value.len + 1);
    enum rc rc = rooms[0] && rooms[1] && plain ? RC_OK : RC_NOMEM;
    if (rc == RC_OK) {
        struct decoded from = decoded_of(rooms[0], value), to = {.bytes = rooms[1]};
        while (rc == RC_OK && secrets_decode(DECODE_ESCAPES, &from, &to)) {
            for (size_t i = 0; i < to.len; i++)
                plain[i] = to.bytes[i].byte;
            rc = add_bytes(s, plain, to.len);
            struct decoded swap = from;
            from = to;
            to = swap;
        }
    }
    wipe(rooms[0], bytes);
    wipe(rooms[1], bytes);
    wipe(plain, value.len);
    return rc;
}

enum rc secrets_add(struct secrets *s, struct str value)
{
    enum rc rc = add_bytes(s, (const unsigned char *)value.ptr, value.len);
    bool may_be_encoded =
        value.len && (memchr(value.ptr, '%', value.len) || memchr(value.ptr, '\\', value.len) ||
                      memchr(value.ptr, '&', value.len));
    return rc == RC_OK && may_be_encoded ? add_decoded(s, value) : rc;
}

/* ---- headers -------------------------------------------------------------------------------- */

static bool is_public_header(const char *name)
{
    static const char *const names[] = {
        "accept",          "accept-charset",
        "accept-encoding", "accept-language",
        "cache-control",   "content-encoding",
        "content-type",    "content-language",
        "user-agent",      NULL,
    };
    for (size_t i = 0; names[i]; i++) {
        if (strcasecmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The next word of `rest`, which is cut from it; empty at the end. */
static struct str take_word(struct str *rest)
{
    size_t begin = 0;
    while (begin < rest->len && is_blank(rest->ptr[begin]))
        begin++;
    size_t end = begin;
    while (end < rest->len && !is_blank(rest->ptr[end]))
        end++;
    struct str word = {rest->ptr + begin, end - begin};
    *rest = (struct str){rest->ptr + end, rest->len - end};
    return word;
}

/* RFC 7617: base64 of "user:password". */
static enum rc add_basic(struct secrets *s, struct str base64)
{
    size_t bytes = (base64.len + 1) * sizeof(struct decoded_byte);
    struct decoded_byte *rooms[2] = {malloc(bytes), malloc(bytes)};
    char *plain = malloc(base64.len + 1);
    enum rc rc = rooms[0] && rooms[1] && plain ? RC_OK : RC_NOMEM;
    if (rc == RC_OK) {
        struct decoded from = decoded_of(rooms[0], base64), to = {.bytes = rooms[1]};
        if (secrets_decode(DECODE_BASE64_0, &from, &to)) {
            for (size_t i = 0; i < to.len; i++)
                plain[i] = (char)to.bytes[i].byte;
            const char *colon = memchr(plain, ':', to.len);
            size_t at = colon ? (size_t)(colon - plain) + 1 : 0;
            rc = secrets_add(s, (struct str){plain + at, to.len - at});
        }
    }
    wipe(rooms[0], bytes);
    wipe(rooms[1], bytes);
    wipe(plain, base64.len);
    return rc;
}

enum rc secrets_add_header(struct secrets *s, const char *name, struct str value)
{
    if (is_public_header(name))
        return RC_OK;
    struct str rest = value;
    struct str scheme = take_word(&rest), token = take_word(&rest), third = take_word(&rest);
    size_t letters = 0;
    while (letters < scheme.len &&
           (is_letter((unsigned char)scheme.ptr[letters]) || scheme.ptr[letters] == '-'))
        letters++;
    if (token.len >= SECRET_BYTES_MIN && third.len == 0 && letters == scheme.len) {
        enum rc rc = secrets_add(s, token);
        bool is_basic = scheme.len == 5 && strncasecmp(scheme.ptr, "basic", 5) == 0;
        return rc == RC_OK && is_basic ? add_basic(s, token) : rc;
    }
    enum rc rc = secrets_add(s, value);
    rest = value;
    for (struct str word; rc == RC_OK && (word = take_word(&rest)).len;) {
        if (word.len >= SECRET_BYTES_ANYWHERE)
            rc = secrets_add(s, word);
    }
    return rc;
}

/* ---- URLs ----------------------------------------------------------------------------------- */

/* A user is no secret, but for one that stands in the place of a password (https://TOKEN@host/). */
static enum rc add_user(struct secrets *s, struct str user_and_password, bool is_public)
{
    if (!user_and_password.len)
        return RC_OK;
    const char *colon = memchr(user_and_password.ptr, ':', user_and_password.len);
    size_t at = colon ? (size_t)(colon - user_and_password.ptr) : user_and_password.len;
    size_t behind = colon ? at + 1 : at;
    struct str user = {user_and_password.ptr, at};
    struct str password = {user_and_password.ptr + behind, user_and_password.len - behind};
    enum rc rc = RC_OK;
    if (!is_public && (!password.len || user.len >= SECRET_BYTES_ANYWHERE))
        rc = secrets_add(s, user);
    if (rc == RC_OK)
        rc = secrets_add(s, password);
    /* Of "http:bob:password@host" the scheme was taken for the user. */
    const char *last = password.len ? memrchr(password.ptr, ':', password.len) : NULL;
    if (rc == RC_OK && last)
        rc = secrets_add(s,
                         (struct str){last + 1, (size_t)(password.ptr + password.len - last - 1)});
    return rc;
}

/* Does the name of a query's parameter say that its value is secret? Others ("source=nightly",
 * "to=crm.example") a server may well repeat for a reason. */
static bool names_secret(struct str name)
{
    static const char *const words[] = {"key",    "token",   "secret", "sig",  "auth",
                                        "pass",   "code",    "cred",   "hash", "jwt",
                                        "access", "session", NULL};
    for (size_t at = 0; at < name.len; at++) {
        for (size_t i = 0; words[i]; i++) {
            size_t n = strlen(words[i]);
            if (n <= name.len - at && strncasecmp(name.ptr + at, words[i], n) == 0)
                return true;
        }
    }
    return false;
}

/* Of a database the user never is the password. */
static bool is_database(const char *url)
{
    return strncasecmp(url, "postgres://", 11) == 0 || strncasecmp(url, "postgresql://", 13) == 0;
}

enum rc secrets_add_url(struct secrets *s, const char *url)
{
    struct str user = url_userinfo(url);
    enum rc rc = add_user(s, user, is_database(url));
    const char *rest = user.ptr ? user.ptr + user.len : url;
    for (rest += strcspn(rest, "?"); rc == RC_OK && *rest && *rest != '#';) {
        struct str pair = {rest + 1, strcspn(rest + 1, "&;#")};
        const char *equals = memchr(pair.ptr, '=', pair.len);
        const char *value = equals ? equals + 1 : pair.ptr;
        rest = pair.ptr + pair.len;
        struct str name = {pair.ptr, (size_t)(value - pair.ptr)};
        if (rest - value >= SECRET_BYTES_ANYWHERE && (!equals || names_secret(name)))
            rc = secrets_add(s, (struct str){value, (size_t)(rest - value)});
    }
    return rc;
}

/* ---- environment ---------------------------------------------------------------------------- */

/* A variable may be there more than once. */
static void wipe_environment(const char *name)
{
    size_t n = strlen(name);
    for (char **at = environ; *at; at++) {
        if (strncmp(*at, name, n) == 0 && (*at)[n] == '=')
            explicit_bzero(*at + n + 1, strlen(*at + n + 1));
    }
    (void)unsetenv(name); /* the name is valid: the variable was there */
}

enum rc secrets_take_variable(struct secrets *s, const char *name, const char **out)
{
    for (size_t i = 0; i < s->n_variables; i++) {
        if (strcmp(s->variables[i].name, name) == 0) {
            *out = s->variables[i].value;
            return RC_OK;
        }
    }
    const char *value = getenv(name);
    struct variable *grown = reallocarray(s->variables, s->n_variables + 1, sizeof *grown);
    if (!grown)
        return RC_NOMEM;
    s->variables = grown;
    struct variable v = {strdup(name), value ? strdup(value) : NULL};
    if (!v.name || (value && !v.value)) {
        free(v.name);
        wipe(v.value, v.value ? strlen(v.value) : 0);
        return RC_NOMEM;
    }
    if (value)
        wipe_environment(name);
    grown[s->n_variables++] = v;
    *out = v.value;
    return RC_OK;
}

/* ---- searching ------------------------------------------------------------------------------ */

/* Beginnings of a secret that are hidden, in bytes: where the text ends with them, and anywhere. */
#define BEGINNING_AT_END_MIN 4
#define BEGINNING_MIN 16

/* Decodings within decodings; and how many bytes all of them may have for a text of `n`. */
#define NESTED_MAX 8
#define EFFORT(n) ((n)*64 + 4096)

struct search {
    struct secrets *secrets;
    bool *hidden;  /* one for each byte of the text */
    size_t len;    /* of the text */
    size_t effort; /* bytes that may still be decoded */
};

static bool is_word_byte(const struct decoded *d, size_t i)
{
    unsigned char c = d->bytes[i].byte;
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

static bool is_whole_word(const struct decoded *d, size_t at, size_t n)
{
    return (at == 0 || !is_word_byte(d, at - 1)) && (at + n == d->len || !is_word_byte(d, at + n));
}

/* How many bytes from `at` on are to be hidden for this needle. */
static size_t match(const struct secrets *s, const struct needle *needle, const struct decoded *d,
                    size_t at)
{
    size_t left = d->len - at, n = 0;
    while (n < needle->len && n < left && lower(d->bytes[at + n].byte) == needle->text[n])
        n++;
    if (n == needle->len)
        return n >= SECRET_BYTES_ANYWHERE || is_whole_word(d, at, n) ? n : 0;
    /* Of a URL, what is secret begins behind the server and a slash, which other URLs may have, too. */
    size_t shared = needle->server_bytes ? needle->server_bytes + 1 : 0;
    if (n <= shared || (is_public(s, needle->text, n) && is_whole_word(d, at, n)))
        return 0;
    bool is_cut = n == left && n >= BEGINNING_AT_END_MIN;
    bool is_most = n - shared >= BEGINNING_MIN && n - shared >= (needle->len - shared) / 2;
    return needle->len >= SECRET_BYTES_ANYWHERE && (is_cut || is_most) ? n : 0;
}

static void hide(const struct search *search, const struct decoded *d)
{
    const struct secrets *s = search->secrets;
    for (size_t at = 0; at < d->len; at++) {
        if (!s->begins[d->bytes[at].byte])
            continue;
        for (size_t i = 0; i < s->n_needles; i++) {
            size_t n = match(s, &s->needles[i], d, at);
            if (n == 0)
                continue;
            bool is_cut = n < s->needles[i].len && at + n == d->len;
            size_t from = d->bytes[at].from;
            /* An escape that was cut belongs to it. */
            size_t to = is_cut ? search->len : d->bytes[at + n - 1].to;
            memset(search->hidden + from, true, to - from);
        }
    }
}

/* The text and all that can be decoded from it. False: there is no memory for it, or no end to it. */
static bool search_all(struct search *search, const struct decoded *d, unsigned nested)
{
    hide(search, d);
    struct decoded inner = {.bytes = malloc((d->len + 1) * sizeof *inner.bytes)};
    bool done = inner.bytes != NULL;
    for (int how = 0; done && how < DECODINGS; how++) {
        bool may_hold = how != DECODE_FORM || search->secrets->with_blanks;
        if (!may_hold || !secrets_decode((enum decoding)how, d, &inner))
            continue;
        done = nested < NESTED_MAX && inner.len <= search->effort;
        if (done) {
            search->effort -= inner.len;
            done = search_all(search, &inner, nested + 1);
        }
    }
    if (inner.bytes)
        wipe(inner.bytes, (d->len + 1) * sizeof *inner.bytes);
    return done;
}

static void put_stars(char *text, size_t len, const bool *hidden)
{
    char *to = text;
    for (size_t i = 0; i < len;) {
        size_t n = 0;
        while (i + n < len && hidden[i + n])
            n++;
        if (n == 0) {
            *to++ = text[i++];
            continue;
        }
        size_t stars = n < strlen(STARS) ? n : strlen(STARS);
        memset(to, '*', stars);
        to += stars;
        i += n;
    }
    *to = '\0';
}

static void leave_out(char *text, size_t size)
{
    size_t n = strlen(SECRETS_LEFT_OUT) < size ? strlen(SECRETS_LEFT_OUT) : size - 1;
    memcpy(text, SECRETS_LEFT_OUT, n);
    text[n] = '\0';
}

void secrets_redact(struct secrets *s, char *text, size_t size)
{
    size_t len = text ? strlen(text) : 0;
    if (!s || len < SECRET_BYTES_MIN)
        return;
    struct decoded_byte *room = malloc((len + 1) * sizeof *room);
    struct search search = {
        .secrets = s, .hidden = calloc(len, 1), .len = len, .effort = EFFORT(len)};
    bool done = room && search.hidden && len < UINT32_MAX;
    if (done) {
        struct decoded d = decoded_of(room, (struct str){text, len});
        pthread_rwlock_rdlock(&s->lock);
        done = search_all(&search, &d, 0);
        pthread_rwlock_unlock(&s->lock);
    }
    if (done)
        put_stars(text, len, search.hidden);
    else
        leave_out(text, size);
    if (room)
        wipe(room, (len + 1) * sizeof *room);
    free(search.hidden);
}
