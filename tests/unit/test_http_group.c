/* Which connections a request may use: groups alone, without a request on them. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/http/http_private.h"
#include "http_world.h"

#define SECOND_US INT64_C(1000000)

static void silence(struct world *w, struct peer *p, const struct asked *a)
{
    (void)w, (void)p, (void)a;
}

static struct world *begin(enum http_version_policy version)
{
    struct world *w = world_new(silence);
    w->cfg.version = version;
    world_open(w);
    w->engine->now_us = w->now_us;
    return w;
}

static struct conn_group *choose(struct world *w, const char *url, bool alone)
{
    const struct http_request r = {.url = url, .tries = {.alone = alone}};
    struct conn_group *g = http_group_choose(w->engine, &r);
    assert_non_null(g);
    return g;
}

#define HTTPS "https://127.0.0.1:1/x"

/* An HTTP/2 group with so many requests in flight. */
static struct conn_group *http2_group(struct world *w, unsigned in_flight)
{
    w->engine->origin.state = ORIGIN_DOWN; /* a group of its own */
    struct conn_group *g = choose(w, HTTPS, false);
    w->engine->origin.state = ORIGIN_UP;
    assert_true(http_group_saw_version(g, '2'));
    assert_int_equal(g->kind, GROUP_HTTP2);
    g->in_flight = in_flight;
    return g;
}

static unsigned count_groups(const struct world *w)
{
    unsigned n = 0;
    for (const struct conn_group *g = w->engine->groups; g; g = g->next)
        n++;
    return n;
}

/* ---- versions ------------------------------------------------------------------------------- */

static void versions(void **state)
{
    (void)state;
    static const struct {
        enum http_version_policy policy;
        const char *url;
        const char *lines; /* versions of the status lines that come */
        enum group_kind first, then;
        bool is_trusted; /* the last of them */
        bool is_http1;   /* the next request goes over HTTP/1.1 */
        bool may_connect, may_resend;
    } rows[] = {
        {HTTP_VERSION_AUTOMATIC, HTTPS, "", GROUP_UNKNOWN, GROUP_UNKNOWN, true, false, true, true},
        {HTTP_VERSION_AUTOMATIC, HTTPS, "2", GROUP_UNKNOWN, GROUP_HTTP2, true, false, false, false},
        {HTTP_VERSION_AUTOMATIC, HTTPS, "1", GROUP_UNKNOWN, GROUP_UNKNOWN, true, true, true, true},
        {HTTP_VERSION_AUTOMATIC, HTTPS, "0", GROUP_UNKNOWN, GROUP_UNKNOWN, true, true, true, true},
        {HTTP_VERSION_AUTOMATIC, HTTPS, "22", GROUP_UNKNOWN, GROUP_HTTP2, true, false, false,
         false},
        /* of a shared connection: whose answer is it? */
        {HTTP_VERSION_AUTOMATIC, HTTPS, "21", GROUP_UNKNOWN, GROUP_HTTP2, false, true, false,
         false},
        {HTTP_VERSION_1_1_ONLY, HTTPS, "1", GROUP_HTTP1, GROUP_HTTP1, true, true, true, false},
        {HTTP_VERSION_1_1_ONLY, HTTPS, "2", GROUP_HTTP1, GROUP_HTTP1, true, true, true, false},
        {HTTP_VERSION_AUTOMATIC, "http://127.0.0.1:1/x", "1", GROUP_HTTP1, GROUP_HTTP1, true, true,
         true, false},
        {HTTP_VERSION_AUTOMATIC, "HTTP://127.0.0.1:1/x", "", GROUP_HTTP1, GROUP_HTTP1, true, true,
         true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = begin(rows[i].policy);
        struct conn_group *g = choose(w, rows[i].url, false);
        if (g->kind != rows[i].first)
            fail_msg("row %zu: begins as %d", i, g->kind);
        g->in_flight = 1;
        bool is_trusted = true;
        for (const char *line = rows[i].lines; *line; line++)
            is_trusted = http_group_saw_version(g, *line);
        if (g->kind != rows[i].then || is_trusted != rows[i].is_trusted ||
            w->engine->is_http1 != rows[i].is_http1)
            fail_msg("row %zu: kind %d, trusted %d, HTTP/1.1 %d", i, g->kind, is_trusted,
                     w->engine->is_http1);
        if (http_group_may_connect(g) != rows[i].may_connect ||
            http_group_may_resend(g) != rows[i].may_resend)
            fail_msg("row %zu: may connect %d, may resend %d", i, http_group_may_connect(g),
                     http_group_may_resend(g));
        world_free(w);
    }
}

/* One answer over HTTP/1.1, and nothing begins over HTTP/2 any more. */
static void http1_is_for_good(void **state)
{
    (void)state;
    struct world *w = begin(HTTP_VERSION_AUTOMATIC);
    struct conn_group *shared = http2_group(w, 3), *other = http2_group(w, 100);
    struct conn_group *deciding = choose(w, HTTPS, true);
    deciding->in_flight = 1;
    assert_true(http_group_saw_version(deciding, '1'));
    assert_true(shared->closing && other->closing && deciding->closing);
    struct conn_group *http1 = choose(w, HTTPS, false);
    assert_int_equal(http1->kind, GROUP_HTTP1);
    assert_ptr_equal(choose(w, HTTPS, false), http1);
    assert_ptr_equal(choose(w, HTTPS, true), http1); /* none of its connections is shared */
    assert_int_equal(http_group_due_us(w->engine), INT64_MIN);
    http_group_close(http1);
    assert_ptr_not_equal(choose(w, HTTPS, false), http1);
    world_free(w);
}

/* ---- choosing ------------------------------------------------------------------------------- */

/* The first answer is waited for, so that an HTTP/2 server sees one connection; but not for long. */
static void first_answer_decides(void **state)
{
    (void)state;
    struct world *w = begin(HTTP_VERSION_AUTOMATIC);
    struct http_engine *h = w->engine;
    int64_t begun_us = h->now_us;
    assert_int_equal(http_group_due_us(h), INT64_MIN);
    struct conn_group *first = choose(w, HTTPS, false);
    first->in_flight = 1;
    assert_int_equal(http_group_due_us(h), begun_us + SECOND_US);
    h->now_us += SECOND_US;
    struct conn_group *second = choose(w, HTTPS, false);
    assert_ptr_not_equal(second, first);
    second->in_flight = 1;
    assert_int_equal(http_group_due_us(h), begun_us + 2 * SECOND_US);
    h->origin.state = ORIGIN_DOWN; /* a probe waits for nobody */
    assert_int_equal(http_group_due_us(h), INT64_MIN);
    h->origin.state = ORIGIN_UP;
    assert_true(http_group_saw_version(first, '2'));
    assert_int_equal(http_group_due_us(h), INT64_MIN);
    assert_ptr_equal(choose(w, HTTPS, false), first);
    world_free(w);
}

static void a_request_that_is_alone(void **state)
{
    (void)state;
    struct world *w = begin(HTTP_VERSION_AUTOMATIC);
    struct conn_group *shared = http2_group(w, 1);
    struct conn_group *own = choose(w, HTTPS, true);
    assert_ptr_not_equal(own, shared);
    own->in_flight = 1;
    shared->in_flight = shared->most;
    assert_int_equal(http_group_due_us(w->engine), INT64_MIN); /* it decides for nobody else */
    assert_true(http_group_saw_version(own, '2'));
    assert_ptr_not_equal(choose(w, HTTPS, false), own); /* nobody joins it */
    assert_ptr_not_equal(choose(w, HTTPS, true), own);
    world_free(w);
}

static void probes_have_a_group_of_their_own(void **state)
{
    (void)state;
    struct world *w = begin(HTTP_VERSION_AUTOMATIC);
    struct conn_group *shared = http2_group(w, 1);
    w->engine->origin.state = ORIGIN_DOWN;
    struct conn_group *probe = choose(w, HTTPS, false);
    assert_ptr_not_equal(probe, shared);
    assert_int_equal(probe->kind, GROUP_UNKNOWN);
    world_free(w);
}

/* The oldest that has room, so that the others become idle. */
static void room(void **state)
{
    (void)state;
    struct world *w = begin(HTTP_VERSION_AUTOMATIC);
    struct conn_group *old = http2_group(w, 99), *young = http2_group(w, 1);
    assert_ptr_equal(choose(w, HTTPS, false), old);
    old->in_flight = 100;
    assert_ptr_equal(choose(w, HTTPS, false), young);
    young->in_flight = 7;
    http_group_is_full(young); /* its server takes no more than these */
    struct conn_group *third = choose(w, HTTPS, false);
    assert_true(third != old && third != young);
    young->in_flight = 6;
    assert_ptr_equal(choose(w, HTTPS, false), young);
    young->in_flight = 0;
    http_group_is_full(young); /* not even one: it is gone */
    assert_true(young->closing);
    assert_false(old->closing);
    world_free(w);
}

/* A firewall may have dropped what was not heard from for long; but not while something is on it. */
static void idle_connections(void **state)
{
    (void)state;
    static const struct {
        unsigned in_flight;
        int64_t silent_us;
        bool is_used;
    } rows[] = {{0, 0, true},
                {0, 29 * SECOND_US, true},
                {0, 30 * SECOND_US, false},
                {1, 30 * SECOND_US, true},
                {1, 3600 * SECOND_US, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = begin(HTTP_VERSION_AUTOMATIC);
        struct conn_group *g = http2_group(w, rows[i].in_flight);
        w->engine->now_us += rows[i].silent_us;
        struct conn_group *chosen = choose(w, HTTPS, false);
        if ((chosen == g) != rows[i].is_used)
            fail_msg("row %zu: %s", i, chosen == g ? "used" : "not used");
        world_free(w);
    }
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void sweeping(void **state)
{
    (void)state;
    static const struct {
        enum group_kind kind;
        bool closing;
        unsigned in_flight;
        int64_t silent_us;
        bool stays;
    } rows[] = {
        {GROUP_UNKNOWN, false, 0, 0, false}, {GROUP_UNKNOWN, false, 1, 0, true},
        {GROUP_UNKNOWN, true, 1, 0, true},   {GROUP_HTTP1, false, 0, 3600 * SECOND_US, true},
        {GROUP_HTTP1, true, 0, 0, false},    {GROUP_HTTP1, true, 1, 0, true},
        {GROUP_HTTP2, false, 0, 0, true},    {GROUP_HTTP2, false, 0, 30 * SECOND_US, false},
        {GROUP_HTTP2, true, 0, 0, false},    {GROUP_HTTP2, true, 1, 3600 * SECOND_US, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w =
            begin(rows[i].kind == GROUP_HTTP1 ? HTTP_VERSION_1_1_ONLY : HTTP_VERSION_AUTOMATIC);
        struct conn_group *g = choose(w, HTTPS, false);
        if (rows[i].kind == GROUP_HTTP2)
            assert_true(http_group_saw_version(g, '2'));
        if (rows[i].closing)
            http_group_close(g);
        g->in_flight = rows[i].in_flight;
        w->engine->now_us += rows[i].silent_us;
        http_groups_sweep(w->engine);
        if (count_groups(w) != rows[i].stays)
            fail_msg("row %zu: %s", i, rows[i].stays ? "is gone" : "stays");
        world_free(w);
    }
}

static void silence_of_a_connection(void **state)
{
    (void)state;
    struct world *w = begin(HTTP_VERSION_AUTOMATIC); /* its time-out: 5 seconds */
    struct conn_group *g = http2_group(w, 2);
    w->engine->now_us += 2499999;
    assert_false(http_group_is_silent(g));
    w->engine->now_us += 1;
    assert_true(http_group_is_silent(g));
    g->kind = GROUP_HTTP1; /* each request has one of its own there */
    assert_false(http_group_is_silent(g));
    world_free(w);
}

/* What the other side did to its end of the connection; nothing else shows it, least of all what an
 * earlier call left in errno. */
static void open_or_closed(void **state)
{
    (void)state;
    struct world *w = begin(HTTP_VERSION_AUTOMATIC);
    char url[64];
    struct transfer t = {.easy = curl_easy_init()};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
    errno = EAGAIN;
    assert_false(http_group_is_open(&t)); /* there is none yet */
    assert_int_equal(curl_easy_setopt(t.easy, CURLOPT_URL, url), CURLE_OK);
    assert_int_equal(curl_easy_setopt(t.easy, CURLOPT_PROXY, ""), CURLE_OK);
    assert_int_equal(curl_easy_setopt(t.easy, CURLOPT_CONNECT_ONLY, 1L), CURLE_OK);
    assert_int_equal(curl_easy_perform(t.easy), CURLE_OK);
    int peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    errno = 0;
    assert_true(http_group_is_open(&t));
    (void)close(peer);
    struct pollfd end = {.events = POLLIN};
    assert_int_equal(curl_easy_getinfo(t.easy, CURLINFO_ACTIVESOCKET, &end.fd), CURLE_OK);
    assert_int_equal(poll(&end, 1, 10000), 1);
    errno = EAGAIN;
    assert_false(http_group_is_open(&t));
    curl_easy_cleanup(t.easy);
    (void)close(listener);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions),
        cmocka_unit_test(http1_is_for_good),
        cmocka_unit_test(first_answer_decides),
        cmocka_unit_test(a_request_that_is_alone),
        cmocka_unit_test(probes_have_a_group_of_their_own),
        cmocka_unit_test(room),
        cmocka_unit_test(idle_connections),
        cmocka_unit_test(sweeping),
        cmocka_unit_test(silence_of_a_connection),
        cmocka_unit_test(open_or_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
