/* What a request brings along: who is notified of its end, its method, body and headers. */
#include "http_world.h"

/* ---- kinds of requests ---------------------------------------------------------------------- */

static void answer(struct world *w, struct peer *p, const struct asked *a)
{
    unsigned i = (unsigned)strtoul(a->path + 1, NULL, 10);
    (void)w;
    reply(p, i == 2 && a->nth < 6 ? "500 x" : "200 OK", a->path);
}

struct kinds {
    unsigned odd, even;
};

static void odd_is_done(void *ctx, struct http_request *r)
{
    struct world *w = ctx;
    struct kinds *k = r->owner;
    assert_int_equal((r - w->requests) % 2, 1);
    k->odd++;
    w->done++;
}

/* Once more, if its answer is the first. */
static void even_is_done(void *ctx, struct http_request *r)
{
    struct world *w = ctx;
    struct kinds *k = r->owner;
    assert_int_equal((r - w->requests) % 2, 0);
    k->even++;
    if (r->attempts == 1 && http_engine_verify(w->engine, r, "doubtful"))
        return;
    w->done++;
}

/* One engine carries requests of several kinds, and each end is reported by itself. */
static void each_request_has_its_own_done(void **state)
{
    (void)state;
    struct kinds k = {0, 0};
    struct world *w = world_new(answer);
    world_open(w);
    for (unsigned i = 0; i < 6; i++) {
        struct http_request *r = world_get(w);
        r->owner = &k;
        r->done = i % 2 ? odd_is_done : even_is_done;
    }
    world_run(w);
    assert_int_equal(k.odd, 3);
    assert_int_equal(k.even, 5); /* "/2" was answered with its second try only */
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(w->requests[i].status, 200);
    world_free(w);
}

/* ---- methods -------------------------------------------------------------------------------- */

static const struct {
    enum http_method method;
    const char *name, *body;
    const char *length; /* the field; NULL: there is none */
} methods[] = {
    {HTTP_GET, "GET", "", NULL},
    {HTTP_HEAD, "HEAD", "", NULL},
    {HTTP_POST, "POST", "{}", "Content-Length: 2"},
    {HTTP_POST, "POST", "", "Content-Length: 0"},
    {HTTP_PUT, "PUT", "part", "Content-Length: 4"},
    {HTTP_PUT, "PUT", "", "Content-Length: 0"},
    {HTTP_PATCH, "PATCH", "{\"a\":1}", "Content-Length: 7"},
    {HTTP_DELETE, "DELETE", "", NULL},
    {HTTP_DELETE, "DELETE", "all", "Content-Length: 3"},
};
#define METHODS (sizeof methods / sizeof *methods)

static void check_method(struct world *w, struct peer *p, const struct asked *a)
{
    const unsigned *order = w->any;
    unsigned m = order[strtoul(a->path + 1, NULL, 10)];
    char line[64];
    (void)snprintf(line, sizeof line, "%s %s HTTP/1.1\r\n", methods[m].name, a->path);
    if (strncmp(a->head, line, strlen(line)) != 0 || a->body.len != strlen(methods[m].body) ||
        memcmp(a->body.ptr, methods[m].body, a->body.len) != 0)
        fail_msg("%s, \"%s\": %.*s", methods[m].name, methods[m].body, 200, a->head);
    if (methods[m].length ? !strstr(a->head, methods[m].length)
                          : strstr(a->head, "Content-Length") != NULL)
        fail_msg("%s, \"%s\": %s", methods[m].name, methods[m].body, a->head);
    assert_null(strstr(a->head, "Content-Type"));
    assert_null(strstr(a->head, "Transfer-Encoding"));
    if (w->counts[strtoul(a->path + 1, NULL, 10)] == 1)
        peer_close(p); /* the request was sent, and got no answer: whatever the method, once more */
    else if (methods[m].method == HTTP_HEAD)
        reply_bytes(p, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99999\r\n\r\n",
                    66, false);
    else
        reply(p, "200 OK", "fine");
}

/* One handle is used for all of them, each method after each. */
static void methods_follow_each_other(void **state)
{
    (void)state;
    unsigned order[METHODS * METHODS * 2];
    struct world *w = world_new(check_method);
    w->any = order;
    w->cfg.concurrency = 1;
    world_open(w);
    for (unsigned i = 0; i < METHODS * METHODS * 2; i++) {
        unsigned m = order[i] = i % 2 ? i / 2 % METHODS : i / 2 / METHODS;
        struct http_request *r = world_get(w);
        r->method = methods[m].method;
        r->body = str_c(methods[m].body);
    }
    world_run(w);
    for (unsigned i = 0; i < w->n; i++) {
        const struct http_request *r = &w->requests[i];
        bool has_body = methods[order[i]].method != HTTP_HEAD;
        if (r->end != HTTP_ANSWERED || r->status != 200 || r->attempts != 2 ||
            r->answer.len != (has_body ? 4 : 0))
            fail_msg("%s: end %d, status %d, attempts %u, %zu bytes, %s", methods[order[i]].name,
                     r->end, r->status, r->attempts, r->answer.len, r->error);
    }
    world_free(w);
}

/* What an answer to HEAD says of a body says nothing about its own, also where the engine unpacks. */
static void head_has_no_body(void **state)
{
    (void)state;
    unsigned order[2] = {1, 1};
    struct world *w = world_new(check_method);
    w->any = order;
    w->cfg.max_body = 10;
    world_open(w);
    world_get(w)->method = HTTP_HEAD;
    world_run(w);
    assert_int_equal(w->requests[0].end, HTTP_ANSWERED);
    assert_int_equal(w->requests[0].status, 200);
    assert_int_equal(w->requests[0].answer.len, 0);
    world_free(w);
}

/* ---- headers -------------------------------------------------------------------------------- */

static unsigned count_text(const char *head, const char *text)
{
    unsigned n = 0;
    for (const char *p = head; (p = strcasestr(p, text)); p++)
        n++;
    return n;
}

static void check_headers(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    const char *type = a->path[1] == '0'   ? "\r\nContent-Type: application/json\r\n"
                       : a->path[1] == '1' ? "\r\ncontent-type: text/csv\r\n"
                                           : "\r\nContent-Type: application/x-ndjson\r\n";
    assert_non_null(strstr(a->head, type));
    assert_int_equal(count_text(a->head, "\r\ncontent-type:"), 1);
    assert_int_equal(count_text(a->head, "\r\nX-Key: of all\r\n"), a->path[1] != '1');
    assert_int_equal(count_text(a->head, "\r\nx-key: of one\r\n"), a->path[1] == '1');
    assert_int_equal(count_text(a->head, "\r\nX-Key-Too: of all\r\n"), 1);
    assert_int_equal(count_text(a->head, "\r\nX-Empty:\r\n"), a->path[1] == '1');
    assert_int_equal(count_text(a->head, "\r\nX-Empty: no\r\n"), a->path[1] == '2');
    assert_int_equal(count_text(a->head, "\r\nUser-Agent: leadpipe/test\r\n"), 1);
    assert_null(strstr(a->head, "Expect"));
    reply(p, a->nth < 3 ? "500 x" : "200 OK", "");
}

static enum rc sign_type(struct http_request *r, int64_t wall_ms, struct buf *out)
{
    (void)r, (void)wall_ms;
    buf_add(out, "Content-Type: application/x-ndjson", sizeof "Content-Type: application/x-ndjson");
    buf_add(out, "X-Empty: no", sizeof "X-Empty: no");
    return RC_OK;
}

/* A request's own headers, or those of an attempt, take the place of the engine's. */
static void own_headers(void **state)
{
    (void)state;
    static const struct http_header of_all[] = {
        {"Content-Type", "application/json"}, {"X-Key", "of all"}, {"X-Key-Too", "of all"}};
    static const struct http_header of_one[] = {
        {"content-type", "text/csv"}, {"x-key", "of one"}, {"X-Empty", ""}};
    struct world *w = world_new(check_headers);
    w->cfg.headers = of_all;
    w->cfg.n_headers = 3;
    world_open(w);
    for (unsigned i = 0; i < 3; i++) {
        struct http_request *r = world_get(w);
        r->method = HTTP_PUT;
        r->body = STR("x");
    }
    w->requests[1].headers = of_one;
    w->requests[1].n_headers = 3;
    w->requests[2].sign = sign_type;
    world_run(w);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(w->requests[i].status, 200);
    assert_null(strstr(w->logged, "of one"));
    world_free(w);
}

static void never_asked(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w, (void)p;
    fail_msg("was sent: %s", a->head);
}

static void malformed_requests_are_not_sent(void **state)
{
    (void)state;
    static const struct {
        enum http_method method;
        const char *body;
        struct http_header header;
        const char *error;
    } cases[] = {
        {HTTP_GET, "x", {"X", "y"}, "GET and HEAD have no body"},
        {HTTP_HEAD, "x", {"X", "y"}, "GET and HEAD have no body"},
        {HTTP_GET, "", {"X", "secret\r\nX-Other: z"}, "one of its headers is malformed"},
        {HTTP_GET, "", {"X", "secret\x7f"}, "one of its headers is malformed"},
        {HTTP_GET, "", {"X:secret", "y"}, "one of its headers is malformed"},
        {HTTP_GET, "", {"X secret", "y"}, "one of its headers is malformed"},
        {HTTP_PUT, "x", {"", "secret"}, "one of its headers is malformed"},
        {HTTP_PUT, "x", {"X\xc3\xa4", "secret"}, "one of its headers is malformed"},
        {HTTP_PUT, "x", {"Content-Length", "0"}, "its header Content-Length is the HTTP engine's"},
        {HTTP_PUT, "x", {"transfer-encoding", "chunked"}, "its header transfer-encoding is"},
        {HTTP_GET, "", {"Host", "secret"}, "its header Host is"},
        {HTTP_GET, "", {"Expect", "100-continue"}, "its header Expect is"},
        {HTTP_GET, "", {"Proxy-Authorization", "secret"}, "its header Proxy-Authorization is"},
    };
    struct world *w = world_new(never_asked);
    world_open(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_request *r = world_get(w);
        r->method = cases[i].method;
        r->body = str_c(cases[i].body);
        r->headers = &cases[i].header;
        r->n_headers = 1;
    }
    world_run(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct http_request *r = &w->requests[i];
        if (r->end != HTTP_NO_ANSWER || r->attempts != 0 || strcmp(r->code, "request") != 0 ||
            !strstr(r->error, cases[i].error) || strstr(r->error, "secret"))
            fail_msg("case %zu: end %d, attempts %u, %s: %s", i, r->end, r->attempts, r->code,
                     r->error);
    }
    assert_int_equal(w->asked, 0);
    world_free(w);
}

/* ---- fields of the answer ------------------------------------------------------------------- */

static void send_fields(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    if (a->nth == 0) /* of an earlier attempt */
        reply(p, "500 x\r\nETag: \"old\"\r\nLink: </gone>", "");
    else
        reply(p,
              "103 x\r\nETag: \"early\"\r\n\r\nHTTP/1.1 200 OK\r\netag:  \"new\" \r\nX-ETag: no\r\n"
              "Link: </2>; rel=next\r\nOther: x\r\nLINK: </9>; rel=last\r\nEmpty:\r\n"
              "ETagged: no",
              "");
}

static void expect_field(const struct http_request *r, const char *name, unsigned nth,
                         const char *want)
{
    struct str got = http_field(r, name, nth);
    if (want ? !got.ptr || strcmp(got.ptr, want) != 0 : got.ptr != NULL)
        fail_msg("%s %u: \"%s\"", name, nth, got.ptr ? got.ptr : "absent");
}

static void fields_that_are_wanted(void **state)
{
    (void)state;
    static const char *const wanted[] = {"ETag", "Link", "Empty", "Absent", NULL};
    struct world *w = world_new(send_fields);
    world_open(w);
    struct http_request *r = world_get(w);
    r->wanted = wanted;
    world_run(w);
    assert_int_equal(r->status, 200);
    assert_int_equal(r->attempts, 2);
    expect_field(r, "ETag", 0, "\"new\"");
    expect_field(r, "etag", 0, "\"new\"");
    expect_field(r, "ETag", 1, NULL);
    expect_field(r, "Link", 0, "</2>; rel=next");
    expect_field(r, "Link", 1, "</9>; rel=last");
    expect_field(r, "Link", 2, NULL);
    expect_field(r, "Empty", 0, "");
    expect_field(r, "Absent", 0, NULL);
    expect_field(r, "Other", 0, NULL); /* it was not asked for */
    buf_free(&r->fields);
    world_free(w);
}

#define MANY_WHOLE 16 /* of those that are sent there is room for so many */

static void send_too_many(struct world *w, struct peer *p, const struct asked *a)
{
    static const char *const heads[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
                                        "HTTP/1.1 404 x\r\nContent-Length: 0\r\n"};
    char line[4096];
    const char *head = heads[strncmp(a->head, "GET /1 ", 7) == 0];
    (void)w;
    memset(line, 'x', sizeof line);
    memcpy(line, "Link: ", 6);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    reply_bytes(p, head, strlen(head), false);
    for (unsigned i = 0; i < 20; i++)
        reply_bytes(p, line, sizeof line, false);
    reply_bytes(p, "\r\n", 2, false);
}

/* None is left out in silence, whatever the status; and what was kept is whole. */
static void too_many_fields(void **state)
{
    (void)state;
    static const char *const wanted[] = {"Link", NULL};
    struct world *w = world_new(send_too_many);
    world_open(w);
    struct http_request *found = world_get(w);
    struct http_request *gone = world_get(w);
    found->wanted = gone->wanted = wanted;
    struct http_request *other = world_get(w); /* wants none */
    world_run(w);
    for (struct http_request *r = found; r <= gone; r++) {
        assert_int_equal(r->end, HTTP_NO_ANSWER);
        assert_string_equal(r->code, "header_too_large");
        assert_int_equal(r->attempts, 1);
        assert_non_null(http_field(r, "Link", MANY_WHOLE - 1).ptr);
        expect_field(r, "Link", MANY_WHOLE, NULL);
        buf_free(&r->fields);
    }
    assert_int_equal(other->end, HTTP_ANSWERED);
    assert_int_equal(other->fields.cap, 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_has_its_own_done),
        cmocka_unit_test(methods_follow_each_other),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(own_headers),
        cmocka_unit_test(malformed_requests_are_not_sent),
        cmocka_unit_test(fields_that_are_wanted),
        cmocka_unit_test(too_many_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
