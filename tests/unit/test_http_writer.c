/* Bodies that go to a writer in the place of memory. */
#include "http_world.h"

#include <zlib.h>

/* ---- a writer that keeps what it is given --------------------------------------------------- */

struct written {
    struct http_writer writer;
    char bytes[65536];
    size_t n;
    unsigned restarts, writes;
    unsigned fail_restart, fail_write; /* that one, from 1; 0: none */
    char log[256];                     /* "R": restart; "W": one or more writes in a row */
};

static void note_written(struct written *k, char what)
{
    size_t n = strlen(k->log);
    assert_in_range(n, 0, sizeof k->log - 2);
    if (what == 'W' && n && k->log[n - 1] == 'W')
        return;
    k->log[n] = what;
}

static enum rc kept_restart(void *ctx, struct err *e)
{
    struct written *k = ctx;
    note_written(k, 'R');
    k->n = 0;
    if (++k->restarts == k->fail_restart)
        return err_set(e, RC_IO, "cannot begin again");
    return RC_OK;
}

static enum rc kept_write(void *ctx, struct str bytes, struct err *e)
{
    struct written *k = ctx;
    note_written(k, 'W');
    assert_true(bytes.len > 0);
    if (++k->writes == k->fail_write)
        return err_set(e, RC_IO, "no space left on the device");
    assert_in_range(bytes.len, 1, sizeof k->bytes - k->n);
    memcpy(k->bytes + k->n, bytes.ptr, bytes.len);
    k->n += bytes.len;
    return RC_OK;
}

static struct http_request *world_get_into(struct world *w, struct written *k)
{
    struct http_request *r = world_get(w);
    k->writer = (struct http_writer){k, kept_restart, kept_write};
    r->writer = &k->writer;
    return r;
}

/* ---- what the server says, one answer after the other --------------------------------------- */

struct said {
    const char *bytes; /* NULL: the last one */
    size_t n;          /* 0: to the NUL */
    bool close;
};

static void say(struct world *w, struct peer *p, const struct asked *a)
{
    const struct said *said = w->any;
    assert_non_null(strstr(a->head, "\r\nAccept-Encoding: gzip\r\n"));
    for (unsigned i = 0; i < a->nth && said[1].bytes; i++)
        said++;
    reply_bytes(p, said->bytes, said->n ? said->n : strlen(said->bytes), said->close);
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define WHOLE OK_HEAD "Content-Length: 10\r\n\r\n0123456789"
#define CUT OK_HEAD "Content-Length: 10\r\n\r\n0123x"
#define CHUNKS OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"
#define CHUNKS_CUT OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n"
#define EMPTY OK_HEAD "Content-Length: 0\r\n\r\n"
#define NO_CONTENT "HTTP/1.1 204 x\r\nContent-Encoding: gzip\r\n\r\n"
#define EARLY "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
#define ERROR(line) "HTTP/1.1 " line "\r\nContent-Length: 5\r\n\r\nsorry"
#define LARGE OK_HEAD "Content-Length: 11\r\n\r\n0123456789a"
#define LARGE_CHUNKS                                                                               \
    OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n"

#define GZIP OK_HEAD "Content-Encoding: gzip\r\n"
#define ALL "0123456789"

/* How a row ends: with a 2xx, whose body was written; with another answer, in memory; or with neither. */
#define WRITTEN(n, sequence, text)                                                                 \
    .end = HTTP_ANSWERED, .status = 200, .attempts = (n), .log = (sequence), .written = (text),    \
    .error = ""
#define IN_MEMORY(code, n, sequence, text)                                                         \
    .end = HTTP_ANSWERED, .status = (code), .attempts = (n), .log = (sequence), .written = "",     \
    .answer = (text)
#define NOT_WRITTEN(code_of_http, n, sequence, text)                                               \
    .end = HTTP_NOT_WRITTEN, .status = (code_of_http), .attempts = (n), .log = (sequence),         \
    .written = "", .code = "write", .error = (text)
#define TOO_LARGE                                                                                  \
    .end = HTTP_TOO_LARGE, .status = 200, .attempts = 1, .code = "too_large",                      \
    .error = "the body is larger than 10 bytes"
#define CUT_SHORT(sequence)                                                                        \
    .end = HTTP_NO_ANSWER, .attempts = 6, .log = (sequence), .code = "cut_short"

static const struct {
    struct said said[3];
    unsigned fail_restart, fail_write;
    enum http_end end;
    int status;
    unsigned attempts;
    const char *log, *written; /* NULL: whatever, it is void */
    const char *answer;        /* in memory; NULL: nothing */
    const char *code, *error;  /* NULL: none; whatever */
} rows[] = {
    {{{WHOLE, 0, false}}, WRITTEN(1, "RW", ALL)},
    {{{CHUNKS, 0, false}}, WRITTEN(1, "RW", ALL)},
    {{{EARLY WHOLE, 0, false}}, WRITTEN(1, "RW", ALL)},
    {{{OK_HEAD "\r\n0123456789", 0, true}}, WRITTEN(1, "RW", ALL)},
    {{{EMPTY, 0, false}}, WRITTEN(1, "R", "")},
    {{{NO_CONTENT, 0, false}}, IN_MEMORY(204, 1, "R", "")},
    /* compressed, and empty because the server says so; otherwise it has lost its 20 bytes */
    {{{GZIP "Content-Length: 0\r\n\r\n", 0, false}}, WRITTEN(1, "R", "")},
    {{{GZIP "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, false}, {WHOLE, 0, false}},
     WRITTEN(2, "RRW", ALL)},
    {{{GZIP "\r\n", 0, true}, {WHOLE, 0, false}}, WRITTEN(2, "RRW", ALL)},
    /* a body that was cut off is written again, from its beginning */
    {{{CUT, 0, true}, {WHOLE, 0, false}}, WRITTEN(2, "RWRW", ALL)},
    {{{CHUNKS_CUT, 0, true}, {CHUNKS, 0, false}}, WRITTEN(2, "RWRW", ALL)},
    {{{CUT, 0, true}, {CUT, 0, true}, {EMPTY, 0, false}}, WRITTEN(3, "RWRWR", "")},
    {{{CUT, 0, true}}, CUT_SHORT("RWRWRWRWRWRW")},
    /* anything but a 2xx goes into memory */
    {{{ERROR("404 x"), 0, false}}, IN_MEMORY(404, 1, "R", "sorry")},
    {{{ERROR("304 x"), 0, false}}, IN_MEMORY(304, 1, "R", "")},
    {{{ERROR("302 x\r\nLocation: http://b/c"), 0, false}},
     IN_MEMORY(302, 1, "R", "sorry"),
     .error = "http://b/c"},
    {{{ERROR("503 x"), 0, false}, {WHOLE, 0, false}}, WRITTEN(2, "RRW", ALL)},
    {{{CUT, 0, true}, {ERROR("404 x"), 0, false}}, IN_MEMORY(404, 2, "RWR", "sorry")},
    {{{ERROR("500 x"), 0, false}}, IN_MEMORY(500, 6, "RRRRRR", "sorry")},
    /* the request's own limit: 10 bytes */
    {{{LARGE, 0, false}}, TOO_LARGE, .log = "R"},
    {{{LARGE_CHUNKS, 0, false}}, TOO_LARGE},
    /* its own failure is not the server's: once is enough */
    {{{WHOLE, 0, false}}, 0, 1, NOT_WRITTEN(200, 1, "RW", "no space left on the device")},
    {{{CUT, 0, true}, {WHOLE, 0, false}},
     0,
     2,
     NOT_WRITTEN(200, 2, "RWRW", "no space left on the device")},
    {{{WHOLE, 0, false}}, 1, 0, NOT_WRITTEN(0, 0, "R", "cannot begin again")},
    {{{CUT, 0, true}, {WHOLE, 0, false}}, 2, 0, NOT_WRITTEN(0, 1, "RWR", "cannot begin again")},
};

static void one_row(size_t i, bool head_is_enough)
{
    struct written *k = calloc(1, sizeof *k);
    struct world *w = world_new(say);
    struct http_stats s;
    assert_non_null(k);
    k->fail_restart = rows[i].fail_restart;
    k->fail_write = rows[i].fail_write;
    w->any = (void *)(uintptr_t)rows[i].said;
    w->cfg.head_is_enough = head_is_enough;
    world_open(w);
    struct http_request *r = world_get_into(w, k);
    r->max_body = 10;
    world_run(w);
    if (r->end != rows[i].end || r->status != rows[i].status || r->attempts != rows[i].attempts)
        fail_msg("row %zu: end %d, status %d, attempts %u: %s", i, r->end, r->status, r->attempts,
                 r->error);
    if (rows[i].log && strcmp(k->log, rows[i].log) != 0)
        fail_msg("row %zu: \"%s\" in the place of \"%s\"", i, k->log, rows[i].log);
    if (rows[i].written &&
        (k->n != strlen(rows[i].written) || memcmp(k->bytes, rows[i].written, k->n) != 0))
        fail_msg("row %zu: wrote \"%.*s\"", i, (int)k->n, k->bytes);
    if (strcmp(buf_cstr(&r->answer), rows[i].answer ? rows[i].answer : "") != 0)
        fail_msg("row %zu: in memory: \"%s\"", i, buf_cstr(&r->answer));
    if (rows[i].code ? !r->code || strcmp(r->code, rows[i].code) != 0 : r->code != NULL)
        fail_msg("row %zu: code %s", i, r->code ? r->code : "none");
    if (rows[i].error && strcmp(r->error, rows[i].error) != 0)
        fail_msg("row %zu: error \"%s\"", i, r->error);
    http_engine_stats(w->engine, &s);
    assert_int_equal(s.in_flight + s.waiting, 0);
    assert_int_equal(w->fatals, 0);
    world_free(w);
    free(k);
}

static void each_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        one_row(i, false);
        one_row(i, true); /* which means bodies that nobody reads */
    }
}

/* ---- compressed bodies ---------------------------------------------------------------------- */

static size_t gzip_of(const char *text, size_t n, char *out, size_t size)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t made = size - z.avail_out;
    deflateEnd(&z);
    return made;
}

struct packed {
    const char *encoding;
    unsigned members;
    unsigned cut; /* bytes of the first answer that are left out, though its length agrees */
    size_t max_body;
    enum http_end end;
    unsigned attempts;
};

static char text[40000], packed_text[2 * sizeof text];

static void send_packed(struct world *w, struct peer *p, const struct asked *a)
{
    const struct packed *c = w->any;
    size_t n = 0;
    char head[128];
    assert_non_null(strstr(a->head, "\r\nAccept-Encoding: gzip\r\n"));
    for (unsigned i = 0; i < c->members; i++) {
        size_t part = sizeof text / c->members;
        n += gzip_of(text + i * part, part, packed_text + n, sizeof packed_text - n);
    }
    if (a->nth == 0)
        n -= c->cut;
    int len =
        snprintf(head, sizeof head, OK_HEAD "Content-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
                 c->encoding, n);
    reply_bytes(p, head, (size_t)len, false);
    reply_bytes(p, packed_text, n, false);
}

/* Decoded by the engine from the first try on: one that is cut off is found out (libcurl takes it), and
 * one of several members is all there. */
static void gzip_is_decoded(void **state)
{
    (void)state;
    static const struct packed cases[] = {
        {"gzip", 1, 0, sizeof text, HTTP_ANSWERED, 1},
        {"x-gzip", 1, 0, sizeof text, HTTP_ANSWERED, 1},
        {"gzip", 4, 0, sizeof text, HTTP_ANSWERED, 1},
        {"gzip", 1, 1, sizeof text, HTTP_ANSWERED, 2},
        {"gzip", 1, 9, sizeof text, HTTP_ANSWERED, 2},
        {"gzip", 1, 1000, sizeof text, HTTP_ANSWERED, 2},
        {"gzip", 4, 1, sizeof text, HTTP_ANSWERED, 2},
        {"gzip", 1, 0, sizeof text - 1, HTTP_TOO_LARGE, 1},
        {"br", 1, 0, sizeof text, HTTP_NO_ANSWER, 6}, /* not what was asked for */
    };
    struct rng rng;
    rng_seed(&rng, 7);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + rng_below(&rng, 26));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct written *k = calloc(1, sizeof *k);
        struct world *w = world_new(send_packed);
        assert_non_null(k);
        w->any = (void *)(uintptr_t)&cases[i];
        world_open(w);
        struct http_request *r = world_get_into(w, k);
        r->max_body = cases[i].max_body;
        world_run(w);
        if (r->end != cases[i].end || r->attempts != cases[i].attempts ||
            (r->end == HTTP_ANSWERED && (k->n != sizeof text || memcmp(k->bytes, text, k->n) != 0)))
            fail_msg("case %zu: end %d, attempts %u, %zu bytes: %s", i, r->end, r->attempts, k->n,
                     r->error);
        assert_int_equal(r->answer.len, 0);
        world_free(w);
        free(k);
    }
}

/* ---- one handle for both -------------------------------------------------------------------- */

static void in_turns(struct world *w, struct peer *p, const struct asked *a)
{
    bool is_written = strtoul(a->path + 1, NULL, 10) % 2;
    char packed[256], head[128];
    (void)w;
    assert_int_equal(strstr(a->head, "\r\nAccept-Encoding: gzip\r\n") != NULL, is_written);
    assert_int_equal(strstr(a->head, "\r\nAccept-Encoding: deflate, gzip") != NULL, !is_written);
    size_t n = gzip_of(a->path, strlen(a->path), packed, sizeof packed);
    int len = snprintf(head, sizeof head,
                       OK_HEAD "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", n);
    reply_bytes(p, head, (size_t)len, false);
    reply_bytes(p, packed, n, false);
}

static void memory_and_writers_take_turns(void **state)
{
    (void)state;
    static struct written written[10];
    struct world *w = world_new(in_turns);
    memset(written, 0, sizeof written);
    w->cfg.concurrency = 1;
    w->cfg.head_is_enough = true; /* means those in memory only */
    world_open(w);
    for (unsigned i = 0; i < 10; i++)
        (void)(i % 2 ? world_get_into(w, &written[i]) : world_get(w));
    world_run(w);
    for (unsigned i = 0; i < 10; i++) {
        struct http_request *r = &w->requests[i];
        const char *got = i % 2 ? written[i].bytes : buf_cstr(&r->answer);
        if (r->end != HTTP_ANSWERED || r->attempts != 1 || got[0] != '/' ||
            strtoul(got + 1, NULL, 10) != i)
            fail_msg("request %u: end %d, attempts %u, \"%s\"", i, r->end, r->attempts, got);
    }
    world_free(w);
}

/* A limit of a request's own, of a body in memory. */
static void own_limit(void **state)
{
    (void)state;
    static const struct {
        size_t max_body; /* the engine's is 1000 */
        enum http_end end;
    } cases[] = {{0, HTTP_ANSWERED},
                 {10, HTTP_ANSWERED},
                 {9, HTTP_TOO_LARGE},
                 {SIZE_MAX, HTTP_ANSWERED},
                 {SIZE_MAX - 1, HTTP_ANSWERED}};
    static const struct said said[] = {{WHOLE, 0, false}, {NULL, 0, false}};
    struct written k = {.n = 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned is_written = 0; is_written < 2; is_written++) {
            static const struct http_header gzip = {"Accept-Encoding", "gzip"};
            struct world *w = world_new(say);
            w->any = (void *)(uintptr_t)said;
            world_open(w);
            struct http_request *r = is_written ? world_get_into(w, &k) : world_get(w);
            r->max_body = cases[i].max_body;
            r->headers = &gzip;
            r->n_headers = 1;
            world_run(w);
            if (r->end != cases[i].end)
                fail_msg("case %zu: end %d: %s", i, r->end, r->error);
            if (r->end == HTTP_TOO_LARGE)
                assert_string_equal(r->error, "the body is larger than 9 bytes");
            world_free(w);
            memset(&k, 0, sizeof k);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer),
        cmocka_unit_test(gzip_is_decoded),
        cmocka_unit_test(memory_and_writers_take_turns),
        cmocka_unit_test(own_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
