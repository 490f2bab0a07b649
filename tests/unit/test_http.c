/* Requests and answers; what concerns the origin is in test_http_origin.c, what its owner may do
 * with an engine in test_http_owner.c. */
#include "http_world.h"

#include <zlib.h>

static void answer_path(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    assert_non_null(strstr(a->head, "\r\nUser-Agent: leadpipe/test\r\n"));
    assert_non_null(strstr(a->head, "\r\nX-Key: secret\r\n"));
    assert_non_null(strstr(a->head, "\r\nX-Empty:\r\n"));
    assert_non_null(strstr(a->head, "\r\nAccept-Encoding: deflate, gzip"));
    assert_null(strstr(a->head, "Expect"));
    reply(p, "200 OK", a->path);
}

static void answer_own_headers(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    assert_non_null(strstr(a->head, "\r\nuser-agent: mine\r\n"));
    assert_non_null(strstr(a->head, "\r\nAccept-Encoding: identity\r\n"));
    assert_null(strstr(a->head, "User-Agent"));
    assert_null(strstr(a->head, "deflate"));
    reply(p, "200 OK", a->path);
}

/* A header that is given takes the place of ours. */
static void given_headers_come_first(void **state)
{
    (void)state;
    static const struct http_header headers[] = {{"user-agent", "mine"},
                                                 {"Accept-Encoding", "identity"}};
    struct world *w = world_new(answer_own_headers);
    w->cfg.headers = headers;
    w->cfg.n_headers = 2;
    world_open(w);
    (void)world_get(w);
    world_run(w);
    assert_int_equal(w->requests[0].status, 200);
    world_free(w);
}

static void many_requests(void **state)
{
    (void)state;
    static const struct http_header headers[] = {{"X-Key", "secret"}, {"X-Empty", ""}};
    struct world *w = world_new(answer_path);
    struct http_stats s;
    w->cfg.headers = headers;
    w->cfg.n_headers = 2;
    world_open(w);
    for (int i = 0; i < 200; i++)
        (void)world_get(w);
    world_run(w);
    for (unsigned i = 0; i < w->n; i++) {
        char path[16];
        (void)snprintf(path, sizeof path, "/%u", i);
        assert_int_equal(w->requests[i].end, HTTP_ANSWERED);
        assert_int_equal(w->requests[i].status, 200);
        assert_int_equal(w->requests[i].attempts, 1);
        assert_string_equal(buf_cstr(&w->requests[i].answer), path);
    }
    http_engine_stats(w->engine, &s);
    assert_int_equal(s.requests, 200);
    assert_int_equal(s.statuses[200], 200);
    assert_int_equal(s.retries + s.no_answer + s.in_flight + s.waiting, 0);
    assert_int_equal(s.bytes_received, 10 * 2 + 90 * 3 + 100 * 4);
    assert_int_equal(s.connections, w->open_most);
    assert_int_equal(s.limit, 8);
    assert_in_range(w->open_most, 1, 8); /* kept and reused */
    uint64_t latencies = 0;
    for (unsigned i = 0; i < HTTP_LATENCIES; i++) {
        latencies += s.latencies[i];
        assert_true(!s.latencies[i] || (double)http_latency_us(i) / 1000 <= s.latency_max_ms);
    }
    assert_int_equal(latencies, s.statuses[200]);
    assert_true(s.latency_p50_ms > 0 && s.latency_p50_ms <= s.latency_p99_ms &&
                s.latency_p99_ms <= s.latency_max_ms);
    assert_null(strstr(w->logged, "secret"));
    world_free(w);
}

/* ---- what is tried again -------------------------------------------------------------------- */

struct turn {
    const char *bytes; /* the first answers */
    unsigned times;
    bool close;
};

static void take_turn(struct world *w, struct peer *p, const struct asked *a)
{
    const struct turn *t = w->any;
    if (a->nth >= t->times)
        reply(p, "200 OK", "fine");
    else if (t->bytes)
        reply_bytes(p, t->bytes, strlen(t->bytes), t->close);
    else if (t->close)
        peer_close(p);
}

#define ANSWER(line) "HTTP/1.1 " line "\r\nContent-Length: 3\r\n\r\nabc"
static const struct {
    struct turn turn;
    enum http_end end;
    int status;
    unsigned attempts;
    const char *code, *error, *body;
} one_cases[] = {
    {{ANSWER("404 Not Found"), 9, false}, HTTP_ANSWERED, 404, 1, NULL, "", "abc"},
    {{ANSWER("400 Bad"), 9, false}, HTTP_ANSWERED, 400, 1, NULL, "", "abc"},
    {{ANSWER("501 No"), 9, false}, HTTP_ANSWERED, 501, 1, NULL, "", "abc"},
    {{ANSWER("505 No"), 9, false}, HTTP_ANSWERED, 505, 1, NULL, "", "abc"},
    {{ANSWER("525 No"), 9, false}, HTTP_ANSWERED, 525, 1, NULL, "", "abc"},
    {{ANSWER("999 Odd"), 9, false}, HTTP_ANSWERED, 999, 1, NULL, "", "abc"},
    {{ANSWER("408 x"), 2, false}, HTTP_ANSWERED, 200, 3, NULL, "", "fine"},
    {{ANSWER("425 x"), 2, false}, HTTP_ANSWERED, 200, 3, NULL, "", "fine"},
    {{ANSWER("429 x"), 2, false}, HTTP_ANSWERED, 200, 3, NULL, "", "fine"},
    {{ANSWER("500 x"), 2, false}, HTTP_ANSWERED, 200, 3, NULL, "", "fine"},
    {{ANSWER("502 x"), 5, false}, HTTP_ANSWERED, 200, 6, NULL, "", "fine"},
    {{ANSWER("503 x"), 2, false}, HTTP_ANSWERED, 200, 3, NULL, "", "fine"},
    {{ANSWER("504 x"), 2, false}, HTTP_ANSWERED, 200, 3, NULL, "", "fine"},
    {{ANSWER("520 x"), 2, false}, HTTP_ANSWERED, 200, 3, NULL, "", "fine"},
    {{ANSWER("524 x"), 2, false}, HTTP_ANSWERED, 200, 3, NULL, "", "fine"},
    {{ANSWER("500 x"), 99, false}, HTTP_ANSWERED, 500, 6, NULL, "", "abc"},
    {{ANSWER("503 x"), 99, false}, HTTP_ANSWERED, 503, 6, NULL, "", "abc"},
    {{ANSWER("429 x"), 99, false}, HTTP_ANSWERED, 429, 6, NULL, "", "abc"},
    /* redirects are not followed */
    {{"HTTP/1.1 302 x\r\nLocation: https://else.example/9\r\nContent-Length: 0\r\n\r\n", 9, false},
     HTTP_ANSWERED,
     302,
     1,
     NULL,
     "https://else.example/9",
     ""},
    {{"HTTP/1.1 301 x\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n", 9, false},
     HTTP_ANSWERED,
     301,
     1,
     NULL,
     NULL, /* the port is another each time */
     ""},
    {{"HTTP/1.1 301 x\r\nContent-Length: 0\r\n\r\n", 9, false},
     HTTP_ANSWERED,
     301,
     1,
     NULL,
     "",
     ""},
    {{"HTTP/1.1 307 x\r\nLocation: http://[bad\r\nContent-Length: 0\r\n\r\n", 9, false},
     HTTP_ANSWERED,
     307,
     1,
     NULL,
     "",
     ""},
    /* no whole answer */
    {{NULL, 2, true}, HTTP_ANSWERED, 200, 3, NULL, "", "fine"},
    {{NULL, 99, true}, HTTP_NO_ANSWER, 0, 6, "closed", NULL, ""},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 2, true},
     HTTP_ANSWERED,
     200,
     3,
     NULL,
     "",
     "fine"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 99, true},
     HTTP_NO_ANSWER,
     0,
     6,
     "cut_short",
     NULL,
     ""},
    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 99, true},
     HTTP_NO_ANSWER,
     0,
     6,
     NULL,
     NULL,
     ""},
    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 99, true},
     HTTP_NO_ANSWER,
     0,
     6,
     NULL,
     NULL,
     ""},
    {{"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde", 99, true},
     HTTP_NO_ANSWER,
     0,
     6,
     NULL,
     NULL,
     ""},
    {{"HTTP/1.1 200 OK\r\nContent-Encoding: odd\r\nContent-Length: 5\r\n\r\nabcde", 99, true},
     HTTP_NO_ANSWER,
     0,
     6,
     "encoding",
     NULL,
     ""},
    /* three of these and nothing else: server and address do not fit together */
    {{"220 mail.example ESMTP\r\n", 99, true}, HTTP_ABORTED, 0, 3, "aborted", NULL, ""},
    {{"220 mail.example ESMTP\r\n", 2, true}, HTTP_ANSWERED, 200, 3, NULL, "", "fine"},
    /* too large */
    {{"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", 9, false},
     HTTP_TOO_LARGE,
     200,
     1,
     "too_large",
     "the body is larger than 1000 bytes",
     NULL},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n", 9, false},
     HTTP_TOO_LARGE,
     200,
     1,
     "too_large",
     NULL,
     NULL},
    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 9, false},
     HTTP_ANSWERED,
     200,
     1,
     NULL,
     "",
     ""},
    /* of an error's body the start is kept */
    {{"HTTP/1.1 400 x\r\nContent-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz", 9, false},
     HTTP_ANSWERED,
     400,
     1,
     NULL,
     "",
     "abcdefghijklmnopqrst"},
    {{"HTTP/1.1 100 Continue\r\n\r\n" ANSWER("200 OK"), 9, false},
     HTTP_ANSWERED,
     200,
     1,
     NULL,
     "",
     "abc"},
    /* a field that looks like a status line */
    {{"HTTP/1.1 200 OK\r\nHTTP/1.1: 404\r\nContent-Length: 3\r\n\r\nabc", 9, false},
     HTTP_ANSWERED,
     200,
     1,
     NULL,
     "",
     "abc"},
    /* a trailer that looks like a head, by itself or with fields behind it */
    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
      "HTTP/1.1: 404\r\n\r\n",
      9, false},
     HTTP_ANSWERED,
     200,
     1,
     NULL,
     "",
     "abc"},
    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
      "HTTP/1.1: 302\r\nLocation: http://elsewhere.example/\r\n\r\n",
      9, false},
     HTTP_ANSWERED,
     200,
     1,
     NULL,
     "",
     "abc"},
};

static void one_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof one_cases / sizeof *one_cases; i++) {
        struct world *w = world_new(take_turn);
        w->any = (void *)(uintptr_t)&one_cases[i].turn;
        world_open(w);
        struct http_request *r = world_get(w);
        world_run(w);
        const char *body = buf_cstr(&r->answer);
        const char *code = r->code ? r->code : "";
        if (r->end != one_cases[i].end || r->status != one_cases[i].status ||
            r->attempts != one_cases[i].attempts || w->asked < r->attempts)
            fail_msg("case %zu: end %d, status %d, attempts %u (%s); expected %d, %d, %u", i,
                     (int)r->end, r->status, r->attempts, r->error, (int)one_cases[i].end,
                     one_cases[i].status, one_cases[i].attempts);
        if ((one_cases[i].code || r->end == HTTP_ANSWERED) &&
            strcmp(code, one_cases[i].code ? one_cases[i].code : "") != 0)
            fail_msg("case %zu: code \"%s\", expected \"%s\"", i, code, one_cases[i].code);
        if (one_cases[i].error && strcmp(r->error, one_cases[i].error) != 0)
            fail_msg("case %zu: error \"%s\", expected \"%s\"", i, r->error, one_cases[i].error);
        if (one_cases[i].body && strcmp(body, one_cases[i].body) != 0)
            fail_msg("case %zu: body \"%s\", expected \"%s\"", i, body, one_cases[i].body);
        if (r->end == HTTP_NO_ANSWER && !r->error[0])
            fail_msg("case %zu: no reason", i);
        world_free(w);
    }
}

/* What breaks off behind the status line: the status that it was is an answer. */
static void head_is_enough(void **state)
{
    (void)state;
    static const struct {
        struct turn turn;
        enum http_end end;
        int status;
        unsigned attempts;
        const char *body;
    } cases[] = {
        {{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 99, true},
         HTTP_ANSWERED,
         200,
         1,
         "abc"},
        {{"HTTP/1.1 204 x\r\nTransfer-Encoding: chu", 99, true}, HTTP_ANSWERED, 204, 1, ""},
        {{"HTTP/1.1 202 x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 99, true},
         HTTP_ANSWERED,
         202,
         1,
         ""},
        {{"HTTP/1.1 200 OK\r\nContent-Encoding: odd\r\nContent-Length: 3\r\n\r\nabc", 99, true},
         HTTP_ANSWERED,
         200,
         1,
         NULL},
        {{"HTTP/1.1 400 x\r\nContent-Length: 9\r\n\r\nabc", 99, true},
         HTTP_ANSWERED,
         400,
         1,
         "abc"},
        {{"HTTP/1.1 500 x\r\nContent-Length: 9\r\n\r\nabc", 2, true},
         HTTP_ANSWERED,
         200,
         3,
         "fine"},
        {{"HTTP/1.1 500 x\r\nContent-Length: 9\r\n\r\nabc", 99, true},
         HTTP_ANSWERED,
         500,
         6,
         "abc"},
        {{"HTTP/1.1 201 x\r\nContent-Length: 9\r\n\r\nabc", 99, false},
         HTTP_ANSWERED,
         201,
         1,
         NULL},
        {{"HTTP/1.1 20", 99, true}, HTTP_NO_ANSWER, 0, 6, ""},
        {{"HTTP/1.1 100 Continue\r\n\r\n", 99, true}, HTTP_NO_ANSWER, 0, 6, ""},
        {{NULL, 99, true}, HTTP_NO_ANSWER, 0, 6, ""},
        {{NULL, 2, true}, HTTP_ANSWERED, 200, 3, "fine"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_new(take_turn);
        w->any = (void *)(uintptr_t)&cases[i].turn;
        w->cfg.head_is_enough = true;
        if (!cases[i].turn.close) /* the rest never comes; enough for the head on a busy machine */
            w->cfg.retry.timeout_ms = 500;
        world_open(w);
        struct http_request *r = world_get(w);
        world_run(w);
        if (r->end != cases[i].end || r->status != cases[i].status ||
            r->attempts != cases[i].attempts)
            fail_msg("case %zu: end %d, status %d, attempts %u (%s); expected %d, %d, %u", i,
                     (int)r->end, r->status, r->attempts, r->error, (int)cases[i].end,
                     cases[i].status, cases[i].attempts);
        const char *body = buf_cstr(&r->answer);
        if (cases[i].body && strcmp(body, cases[i].body) != 0)
            fail_msg("case %zu: body \"%s\", expected \"%s\"", i, body, cases[i].body);
        world_free(w);
    }
}

static void hang(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w, (void)p, (void)a;
}

static void time_out(void **state)
{
    (void)state;
    struct world *w = world_new(hang);
    w->cfg.retry.timeout_ms = 20;
    w->cfg.retry.attempts = 3;
    world_open(w);
    struct http_request *r = world_get(w);
    world_run(w);
    assert_int_equal(r->end, HTTP_NO_ANSWER);
    assert_string_equal(r->code, "timeout");
    assert_int_equal(r->attempts, 3);
    assert_int_equal(w->asked, 3);
    world_free(w);
}

static void backoff_grows(void **state)
{
    (void)state;
    static const struct turn turn = {ANSWER("500 x"), 99, false};
    struct world *w = world_new(take_turn);
    w->any = (void *)(uintptr_t)&turn;
    w->cfg.retry.attempts = 12;
    w->cfg.retry.retry_max_time_ms = 100000000;
    world_open(w);
    (void)world_get(w);
    world_run(w);
    assert_int_equal(w->asked, 12);
    for (unsigned i = 1; i < 12; i++) {
        int64_t most_us = INT64_C(250000) << (i - 1);
        assert_in_range(w->started_us[i] - w->started_us[i - 1], 0,
                        most_us < 30000000 ? most_us : 30000000);
    }
    assert_int_equal(log_count(w, "D origin: HTTP 500 (attempt "), 11);
    world_free(w);
}

static void own_time_is_limited(void **state)
{
    (void)state;
    static const struct turn turn = {ANSWER("500 x"), 9999, false};
    struct world *w = world_new(take_turn);
    w->any = (void *)(uintptr_t)&turn;
    w->cfg.retry.attempts = 1000;
    w->cfg.retry.retry_max_time_ms = 60000;
    world_open(w);
    struct http_request *r = world_get(w);
    int64_t from_us = w->now_us;
    world_run(w);
    assert_int_equal(r->end, HTTP_ANSWERED);
    assert_int_equal(r->status, 500);
    assert_in_range(w->now_us - from_us, 60000000, 90000000);
    assert_int_equal(w->fatals, 0);
    world_free(w);
}

/* ---- size ----------------------------------------------------------------------------------- */

/* A megabyte of zeroes in a kilobyte. */
static void bomb(struct world *w, struct peer *p, const struct asked *a)
{
    static unsigned char zeroes[1 << 20], packed[8192];
    z_stream z = {.next_in = zeroes,
                  .avail_in = sizeof zeroes,
                  .next_out = packed,
                  .avail_out = sizeof packed};
    char head[256];
    (void)w, (void)a;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(deflateEnd(&z), Z_OK);
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %lu\r\n\r\n",
                     z.total_out);
    reply_bytes(p, head, (size_t)n, false);
    reply_bytes(p, packed, z.total_out, false);
}

static void decompression(void **state)
{
    (void)state;
    static const struct {
        size_t max;
        enum http_end end;
    } cases[] = {{1 << 20, HTTP_ANSWERED},
                 {(1 << 20) - 1, HTTP_TOO_LARGE},
                 {5000, HTTP_TOO_LARGE},
                 {1, HTTP_TOO_LARGE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_new(bomb);
        w->cfg.max_body = cases[i].max;
        world_open(w);
        struct http_request *r = world_get(w);
        world_run(w);
        assert_int_equal(r->end, cases[i].end);
        assert_in_range(r->answer.len, 0, cases[i].max);
        assert_int_equal(r->attempts, 1);
        world_free(w);
    }
}

static size_t room_asked, room_given;

static bool has_room(void *ctx, struct http_request *r, size_t bytes)
{
    (void)ctx;
    (void)r;
    room_asked = bytes;
    return bytes <= room_given;
}

/* The owner is asked before a body takes memory, and a no is not the request's failure. */
static void no_room(void **state)
{
    (void)state;
    static const struct {
        size_t given;
        enum http_end end;
    } cases[] = {{SIZE_MAX, HTTP_ANSWERED}, {600000, HTTP_NO_ROOM}, {0, HTTP_NO_ROOM}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_new(bomb);
        struct http_stats stats;
        w->cfg.max_body = 1 << 20;
        room_given = cases[i].given;
        world_open(w);
        struct http_request *r = world_get(w);
        r->room = has_room;
        world_run(w);
        assert_int_equal(r->end, cases[i].end);
        assert_int_equal(r->status, 200);
        assert_int_equal(r->attempts, 1);
        assert_true(r->answer.cap <= cases[i].given);
        assert_true(cases[i].end == HTTP_ANSWERED ? room_asked >= r->answer.cap
                                                  : room_asked > cases[i].given);
        http_engine_stats(w->engine, &stats);
        assert_int_equal(stats.retries, 0);
        assert_int_equal(stats.no_answer, 0);
        world_free(w);
    }
}

/* ---- POST ----------------------------------------------------------------------------------- */

static void three_times(struct world *w, struct peer *p, const struct asked *a)
{
    char expected[64];
    (void)w;
    assert_int_equal(memcmp(a->head, "POST /0 ", 8), 0);
    assert_int_equal(a->body.len, 3000);
    for (size_t i = 0; i < a->body.len; i++)
        assert_int_equal(a->body.ptr[i], 'b');
    (void)snprintf(expected, sizeof expected, "\r\nX-Signed: %u\r\n", a->nth);
    assert_non_null(strstr(a->head, expected));
    assert_non_null(strstr(a->head, "\r\nX-Second: 2\r\n"));
    assert_non_null(strstr(a->head, "\r\nContent-Type: application/json\r\n"));
    assert_null(strstr(a->head, "Expect"));
    reply(p, a->nth < 2 ? "500 x" : "204 x\r\nX: y", "");
}

static enum rc sign(struct http_request *r, int64_t wall_ms, struct buf *out)
{
    assert_true(wall_ms >= 1769738400000);
    buf_addf(out, "X-Signed: %u", r->attempts);
    buf_addc(out, '\0');
    buf_adds(out, "X-Second: 2");
    buf_addc(out, '\0');
    return RC_OK;
}

static void post(void **state)
{
    (void)state;
    static const struct http_header headers[] = {{"Content-Type", "application/json"}};
    static char body[3000];
    struct world *w = world_new(three_times);
    w->cfg.headers = headers;
    w->cfg.n_headers = 1;
    world_open(w);
    memset(body, 'b', sizeof body);
    struct http_request *r = world_get(w);
    r->method = HTTP_POST;
    r->body = (struct str){body, sizeof body};
    r->sign = sign;
    world_run(w);
    assert_int_equal(r->end, HTTP_ANSWERED);
    assert_int_equal(r->status, 204);
    assert_int_equal(r->attempts, 3);
    world_free(w);
}

static void mixed(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w;
    bool is_post = memcmp(a->head, "POST ", 5) == 0;
    assert_int_equal(is_post, strtoul(a->path + 1, NULL, 10) % 2);
    assert_int_equal(a->body.len, is_post ? 2 : 0);
    reply(p, "200 OK", "");
}

static void handles_are_reused_for_either_method(void **state)
{
    (void)state;
    struct world *w = world_new(mixed);
    w->cfg.concurrency = 1;
    world_open(w);
    for (unsigned i = 0; i < 6; i++) {
        struct http_request *r = world_get(w);
        r->method = i % 2 ? HTTP_POST : HTTP_GET;
        r->body = i % 2 ? STR("{}") : STR_NONE;
    }
    world_run(w);
    assert_int_equal(w->asked, 6);
    assert_int_equal(w->open_most, 1);
    world_free(w);
}

static enum rc cannot_sign(struct http_request *r, int64_t wall_ms, struct buf *out)
{
    (void)r, (void)wall_ms, (void)out;
    return RC_NOMEM;
}

static void what_cannot_be_sent(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        enum rc (*sign)(struct http_request *, int64_t, struct buf *);
        const char *code;
    } cases[] = {
        {"http://", NULL, "url"},
        {"ftp://127.0.0.1/", NULL, "url"},
        {"http://127.0.0.1:99999/", NULL, "url"},
        {"http://127.0.0.1/", cannot_sign, "request"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_new(hang);
        world_open(w);
        struct http_request *r = world_get(w);
        r->url = cases[i].url;
        r->sign = cases[i].sign;
        world_run(w);
        assert_int_equal(r->end, HTTP_NO_ANSWER);
        assert_string_equal(r->code, cases[i].code);
        assert_true(r->error[0] && r->attempts <= 1);
        assert_int_equal(w->fatals, 0);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_requests),
        cmocka_unit_test(given_headers_come_first),
        cmocka_unit_test(one_request),
        cmocka_unit_test(head_is_enough),
        cmocka_unit_test(time_out),
        cmocka_unit_test(backoff_grows),
        cmocka_unit_test(own_time_is_limited),
        cmocka_unit_test(decompression),
        cmocka_unit_test(no_room),
        cmocka_unit_test(post),
        cmocka_unit_test(handles_are_reused_for_either_method),
        cmocka_unit_test(what_cannot_be_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
