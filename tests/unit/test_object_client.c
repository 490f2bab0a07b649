/* How long calls to a server that does not respond are waited for, in a run that is being stopped; and the memory of those
 * that have ended. */
#include "core/object/object_client.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "no_threads.h"

#define SECOND INT64_C(1000000)
#define HANGS_S 60 /* until the test is killed */

static _Atomic int64_t now_us, step_us; /* by which each look at the clock moves it */

static int64_t mono_us(const struct clock *c)
{
    (void)c;
    return atomic_fetch_add(&now_us, atomic_load(&step_us)) + atomic_load(&step_us);
}

static int64_t wall_ms(const struct clock *c)
{
    (void)c;
    return 0;
}

static const struct clock clock_of_test = {mono_us, wall_ms};

/* In the place of the C library's, for names alone: their server does not respond. */
static atomic_bool is_asked, has_responded;

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)name, (void)service, (void)hints;
    struct timespec long_time = {HANGS_S, 0};
    atomic_store(&is_asked, true);
    while (nanosleep(&long_time, &long_time) != 0) {}
    atomic_store(&has_responded, true);
    *out = NULL;
    return EAI_AGAIN;
}

struct world {
    int socket;
    struct stop_timer stop;
    struct secrets *secrets;
    struct object_http_cfg cfg;
    struct object_client *client;
};

static void open_cfg(struct world *w, const struct clock *clock)
{
    struct err e;
    atomic_store(&now_us, 1000 * SECOND);
    atomic_store(&step_us, 0);
    assert_int_equal(stop_timer_open(&w->stop, &e), RC_OK);
    assert_int_equal(secrets_new(&w->secrets), RC_OK);
    assert_int_equal(setenv("AWS_ACCESS_KEY_ID", "key", 1), 0);
    assert_int_equal(setenv("AWS_SECRET_ACCESS_KEY", "secret", 1), 0);
    w->cfg = (struct object_http_cfg){
        .region = "us-east-1",
        .proxy = "",
        .retry = {5, 300000, 120000, 10000},
        .clock = clock,
        .stop = &w->stop,
        .secrets = w->secrets,
    };
    assert_int_equal(aws_credentials_load(&w->cfg.credentials, w->secrets, &e), RC_OK);
}

static void open_client(struct world *w, const char *origin, const struct clock *clock)
{
    struct err e;
    open_cfg(w, clock);
    assert_int_equal(object_client_new(&w->client, &w->cfg, origin, &e), RC_OK);
}

static void world_open(struct world *w, bool listens, const struct clock *clock)
{
    char origin[64];
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof here;
    w->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(w->socket >= 0);
    assert_int_equal(bind(w->socket, (struct sockaddr *)&here, n), 0);
    assert_int_equal(getsockname(w->socket, (struct sockaddr *)&here, &n), 0);
    if (listens)
        assert_int_equal(listen(w->socket, 8), 0); /* and nobody accepts */
    (void)snprintf(origin, sizeof origin, "http://127.0.0.1:%u", ntohs(here.sin_port));
    open_client(w, origin, clock);
}

static void world_close(struct world *w)
{
    object_client_free(w->client);
    aws_credentials_free(w->cfg.credentials);
    secrets_free(w->secrets);
    stop_timer_close(&w->stop);
    if (w->socket >= 0)
        (void)close(w->socket);
}

static struct object_call *begin(struct world *w, bool cleans_up)
{
    struct object_call *call;
    struct err e;
    struct object_request r = {
        .method = HTTP_DELETE, .path = str_c("/bucket/key"), .cleans_up = cleans_up};
    assert_int_equal(object_call_begin(&call, w->client, &r, &e), RC_OK);
    return call;
}

static struct object_call *begin_put(struct world *w, size_t body_bytes)
{
    struct object_call *call;
    struct err e;
    struct object_request r = {.method = HTTP_PUT, .path = str_c("/bucket/key")};
    buf_init(&r.body, body_bytes);
    char *room = buf_reserve(&r.body, body_bytes);
    assert_non_null(room);
    memset(room, 'x', body_bytes);
    r.body.len = body_bytes;
    assert_int_equal(object_call_begin(&call, w->client, &r, &e), RC_OK);
    return call;
}

static void assert_given_up(struct object_call *call)
{
    struct err e;
    (void)alarm(HANGS_S);
    assert_int_equal(object_call_wait(call, &e), RC_STOPPED);
    (void)alarm(0);
    assert_non_null(strstr(e.msg, "did not respond in time"));
    object_call_free(call);
}

/* While the time to stop is not over yet: requests are not tried again. */
static void nobody_listens(void **state)
{
    (void)state;
    for (int cleans_up = 0; cleans_up < 2; cleans_up++) {
        struct world w;
        world_open(&w, false, &clock_system);
        struct object_call *call = begin(&w, cleans_up);
        stop_timer_start(&w.stop, 2 * HANGS_S * 1000);
        assert_given_up(call);
        assert_given_up(begin(&w, true)); /* nor is another begun */
        assert_false(stop_timer_is_over(&w.stop));
        world_close(&w);
    }
}

/* Once the time to stop is over nothing more is waited for; what takes something back has two seconds. */
static void silent_since_before_the_end(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, true, &clock_of_test);
    struct object_call *call = begin(&w, false);
    atomic_fetch_add(&now_us, 5 * SECOND);
    int64_t over = atomic_load(&now_us);
    stop_timer_start(&w.stop, 0);
    assert_given_up(call);
    assert_int_equal(atomic_load(&now_us) - over, 0);
    call = begin(&w, true);
    atomic_fetch_add(&now_us, 2 * SECOND);
    assert_given_up(call);
    assert_int_equal(atomic_load(&now_us) - over, 2 * SECOND);
    world_close(&w);
}

/* A server that was asked only just now may be about to respond. */
static void asked_at_the_end(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, true, &clock_of_test);
    stop_timer_start(&w.stop, 0);
    struct object_call *call = begin(&w, false);
    int64_t over = atomic_load(&now_us);
    atomic_store(&step_us, SECOND / 10);
    assert_given_up(call);
    assert_in_range(atomic_load(&now_us) - over, 5 * SECOND, 8 * SECOND);
    world_close(&w);
}

/* A name server that does not respond is waited for neither by a call nor by the end of the client. */
static void a_name_that_is_looked_up(void **state)
{
    (void)state;
    struct world w = {.socket = -1};
    open_client(&w, "http://nowhere.invalid", &clock_of_test);
    struct object_call *call = begin(&w, false);
    while (!atomic_load(&is_asked))
        (void)usleep(1000);
    atomic_fetch_add(&now_us, 5 * SECOND);
    stop_timer_start(&w.stop, 0);
    assert_given_up(call);
    world_close(&w);
    assert_false(atomic_load(&has_responded));
}

static int open_without_threads(void)
{
    struct world w;
    struct err e = {RC_OK, ""};
    open_cfg(&w, &clock_system);
    if (object_client_new(&w.client, &w.cfg, "http://127.0.0.1:1", &e) != RC_NOMEM)
        return 1;
    return strstr(e.msg, "http://127.0.0.1:1: cannot start a thread: ") ? 0 : 2;
}

static void no_thread_can_be_started(void **state)
{
    (void)state;
    without_threads(open_without_threads);
}

static size_t take_spare(struct world *w)
{
    struct buf spare = object_client_take_spare(w->client);
    size_t cap = spare.cap;
    assert_int_equal(spare.len, 0);
    buf_free(&spare);
    return cap;
}

/* Memory of a large body is there for the next one; that of a small one is not kept. */
static void memory_of_bodies(void **state)
{
    static const struct {
        size_t body, spare;
    } rows[] = {{1000, 0}, {(size_t)8 << 20, (size_t)8 << 20}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w = {.socket = -1};
        struct err e;
        open_cfg(&w, &clock_system);
        w.cfg.retry.attempts = 1;
        w.cfg.retry.retry_max_time_ms = 1; /* nobody listens there, and nothing is tried again */
        assert_int_equal(object_client_new(&w.client, &w.cfg, "http://127.0.0.1:1", &e), RC_OK);
        assert_int_equal(take_spare(&w), 0);
        struct object_call *call = begin_put(&w, rows[i].body);
        assert_int_equal(object_call_wait(call, &e), RC_IO);
        object_call_free(call);
        assert_int_equal(take_spare(&w), rows[i].spare);
        assert_int_equal(take_spare(&w), 0);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_listens),           cmocka_unit_test(silent_since_before_the_end),
        cmocka_unit_test(asked_at_the_end),         cmocka_unit_test(a_name_that_is_looked_up),
        cmocka_unit_test(no_thread_can_be_started), cmocka_unit_test(memory_of_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
