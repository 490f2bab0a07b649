/* A member of a group, against librdkafka's own mock of a cluster: what pauses and rebalances do to its partitions, and which
 * offsets are committed. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/kafka_source/kafka_source_internal.h"

#include <librdkafka/rdkafka_mock.h> /* after rdkafka.h */

#define TOPIC "ids"
#define GROUP "g"
#define URL_BYTES 512
#define WAIT_S 40
#define SESSION_MS                                                                                 \
    "4500" /* a new group waits 3 seconds for members; a rebalance takes a second less than this */
#define OFFSET_COMMIT 8 /* of Kafka's protocol, as the next one */
#define SYNC_GROUP 14
#define BROKER 1

static _Atomic int64_t skew_us; /* by how much the source's clock is ahead */

static int64_t skewed_mono_us(const struct clock *c)
{
    (void)c;
    return clock_mono_us(&clock_system) + skew_us;
}

static int64_t skewed_wall_ms(const struct clock *c)
{
    (void)c;
    return clock_wall_ms(&clock_system);
}

static const struct clock skewed = {skewed_mono_us, skewed_wall_ms};

struct world {
    rd_kafka_t *owner; /* of the cluster */
    rd_kafka_mock_cluster_t *cluster;
    const char *brokers, *strategy;
    rd_kafka_t *other; /* another member; may be NULL */
    struct secrets *secrets;
    struct ids_cfg ids;
    struct kafka_url url;
    struct kafka_source *source;
    struct arena arena;
    int cancel_fd; /* a test that would wait for ever ends */
};

/* ---- clients of the test --------------------------------------------------------------------- */

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        fail_msg("%s=%s: %s", name, value, text);
}

static rd_kafka_t *open_client(const struct world *w, rd_kafka_type_t type)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", w->brokers ? w->brokers : "127.0.0.1:1");
    set(conf, "log_level", "2");
    if (type == RD_KAFKA_CONSUMER) {
        set(conf, "group.id", GROUP);
        set(conf, "enable.auto.commit", "false");
        set(conf, "session.timeout.ms", SESSION_MS);
        set(conf, "heartbeat.interval.ms", "100");
        set(conf, "partition.assignment.strategy", w->strategy);
    }
    rd_kafka_t *handle = rd_kafka_new(type, conf, text, sizeof text);
    if (!handle)
        fail_msg("%s", text);
    return handle;
}

static void put(const struct world *w, int partition, int n)
{
    rd_kafka_t *producer = open_client(w, RD_KAFKA_PRODUCER);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, TOPIC, NULL);
    for (int i = 0; i < n; i++) {
        char id[32];
        int len = snprintf(id, sizeof id, "lead-%d-%d", partition, i);
        assert_int_equal(
            rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, id, (size_t)len, NULL, 0, NULL),
            0);
    }
    assert_int_equal(rd_kafka_flush(producer, WAIT_S * 1000), 0);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
}

static void poll_other(const struct world *w)
{
    rd_kafka_message_t *m = rd_kafka_consumer_poll(w->other, 20);
    if (m)
        rd_kafka_message_destroy(m);
}

/* -1: none, or several. */
static int partition_of_other(const struct world *w)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    assert_int_equal(rd_kafka_assignment(w->other, &list), 0);
    int partition = list->cnt == 1 ? list->elems[0].partition : -1;
    rd_kafka_topic_partition_list_destroy(list);
    return partition;
}

static void join_other(struct world *w)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    w->other = open_client(w, RD_KAFKA_CONSUMER);
    (void)rd_kafka_poll_set_consumer(w->other);
    (void)rd_kafka_topic_partition_list_add(list, TOPIC, RD_KAFKA_PARTITION_UA);
    assert_int_equal(rd_kafka_subscribe(w->other, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
}

/* The other one has done its partition up to `offset`, and leaves. */
static void leave_other(struct world *w, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, TOPIC, partition_of_other(w))->offset = offset;
    assert_int_equal(rd_kafka_commit(w->other, list, 0), 0);
    rd_kafka_topic_partition_list_destroy(list);
    assert_int_equal(rd_kafka_consumer_close(w->other), 0);
    rd_kafka_destroy(w->other);
    w->other = NULL;
}

static int64_t committed(const struct world *w, int partition)
{
    rd_kafka_t *reader = open_client(w, RD_KAFKA_CONSUMER);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(list, TOPIC, partition);
    assert_int_equal(rd_kafka_committed(reader, list, WAIT_S * 1000), 0);
    int64_t offset = p->offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(reader);
    return offset;
}

/* ---- the source ------------------------------------------------------------------------------ */

static void open_source(struct world *w, enum source_commits commits)
{
    char url[URL_BYTES];
    struct err e = {RC_OK, ""};
    (void)snprintf(url, sizeof url,
                   "kafka://%s/" TOPIC "?group=" GROUP "&property=partition.assignment.strategy=%s"
                   "&property=session.timeout.ms=" SESSION_MS
                   "&property=heartbeat.interval.ms=100&property=reconnect.backoff.max.ms=100",
                   w->brokers, w->strategy);
    if (kafka_url_parse(&w->url, url, w->secrets, &e) != RC_OK)
        fail_msg("%s", e.msg);
    const struct kafka_source_cfg cfg = {.url = &w->url,
                                         .ids = &w->ids,
                                         .retry_max_ms = 600000,
                                         .secrets = w->secrets,
                                         .clock = &skewed,
                                         .commits = commits};
    const struct source_wait wait = {.cancel_fd = w->cancel_fd};
    struct id_source *source = NULL;
    if (kafka_source_open(&source, &cfg, &wait, &e) != RC_OK)
        fail_msg("%s", e.msg);
    w->source = (struct kafka_source *)source;
}

/* Takes n items. */
static void take(struct world *w, int n)
{
    struct err e = {RC_OK, ""};
    struct id_item item;
    struct id_source *s = &w->source->source;
    for (int i = 0; i < n; i++) {
        arena_reset(&w->arena, 0);
        enum rc rc = s->ops->next(s, &w->arena, &item, &e);
        if (rc != RC_OK || item.bad)
            fail_msg("item %d of %d: %s, %s", i + 1, n, rc_text(rc),
                     rc != RC_OK ? e.msg : item.bad);
    }
}

static void check_end(struct world *w)
{
    struct err e = {RC_OK, ""};
    struct id_item item;
    struct id_source *s = &w->source->source;
    enum rc rc = s->ops->next(s, &w->arena, &item, &e);
    if (rc != RC_END)
        fail_msg("got %s (%s), want the end", rc_text(rc), rc == RC_OK ? item.id.ptr : e.msg);
}

static void close_source(struct world *w)
{
    if (w->source)
        w->source->source.ops->close(&w->source->source);
    w->source = NULL;
    kafka_url_free(&w->url);
}

static size_t n_queued(struct kafka_source *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->n;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static size_t n_held(struct kafka_source *s)
{
    size_t n = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_partitions; i++)
        n += s->parts[i].is_held;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static bool is_paused(const struct kafka_source *s)
{
    return __atomic_load_n(&s->is_paused, __ATOMIC_RELAXED);
}

static bool is_down(const struct kafka_source *s)
{
    return __atomic_load_n(&s->down_since_us, __ATOMIC_RELAXED) != 0;
}

static int64_t waited_us(const struct kafka_source *s)
{
    return kafka_source_now(s) - __atomic_load_n(&s->waits_since_us, __ATOMIC_RELAXED);
}

/* Has the request come for which an answer was prepared? */
static bool is_asked_for(const struct world *w, int16_t request)
{
    size_t left = 0;
    assert_int_equal(rd_kafka_mock_broker_error_stack_cnt(w->cluster, BROKER, request, &left), 0);
    return left == 0;
}

/* Waits, and lets the other member do its part of a rebalance. */
#define WAIT_FOR(w, condition)                                                                     \
    do {                                                                                           \
        const int64_t until_us = clock_mono_us(&clock_system) + WAIT_S * INT64_C(1000000);         \
        const struct timespec tick = {.tv_nsec = 5000000};                                         \
        while (!(condition)) {                                                                     \
            if (clock_mono_us(&clock_system) > until_us)                                           \
                fail_msg("waited too long for %s", #condition);                                    \
            if ((w)->other)                                                                        \
                poll_other(w);                                                                     \
            else                                                                                   \
                (void)nanosleep(&tick, NULL);                                                      \
        }                                                                                          \
    } while (0)

/* ---- the tests ------------------------------------------------------------------------------- */

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    const struct itimerspec limit = {.it_value.tv_sec = WAIT_S};
    assert_non_null(w);
    skew_us = 0;
    w->strategy = "cooperative-sticky";
    arena_init(&w->arena, (size_t)1 << 20);
    assert_int_equal(secrets_new(&w->secrets), RC_OK);
    w->cancel_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    assert_true(w->cancel_fd > 0 && timerfd_settime(w->cancel_fd, 0, &limit, NULL) == 0);
    w->owner = open_client(w, RD_KAFKA_PRODUCER);
    w->cluster = rd_kafka_mock_cluster_new(w->owner, BROKER);
    assert_non_null(w->cluster);
    w->brokers = rd_kafka_mock_cluster_bootstraps(w->cluster);
    assert_int_equal(rd_kafka_mock_topic_create(w->cluster, TOPIC, 2, 1), 0);
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    close_source(w);
    if (w->other)
        rd_kafka_destroy(w->other);
    rd_kafka_mock_cluster_destroy(w->cluster);
    rd_kafka_destroy(w->owner);
    secrets_free(w->secrets);
    arena_free(&w->arena);
    (void)close(w->cancel_fd);
    free(w);
    return 0;
}

/* Two members with a partition each. */
static void begin_two(struct world *w)
{
    join_other(w);
    open_source(w, SOURCE_COMMITS_SETTLED);
    WAIT_FOR(w, n_held(w->source) == 1 && partition_of_other(w) >= 0);
}

/* The queue was full, and has room for more than a new partition brings. */
static void others_are_resumed(void **state)
{
    struct world *w = *state;
    const int n = KAFKA_QUEUE_MESSAGES * 3 / 4, more = 5;
    put(w, 0, n);
    put(w, 1, n);
    begin_two(w);
    WAIT_FOR(w, is_paused(w->source));
    take(w, 150);
    size_t queued = n_queued(w->source);
    if (!is_paused(w->source) || queued > KAFKA_QUEUE_MESSAGES / 2)
        fail_msg("%zu messages, and it is %spaused", queued, is_paused(w->source) ? "" : "not ");
    leave_other(w, n - more);
    WAIT_FOR(w, n_held(w->source) == 2);
    take(w, n - 150 + more);
    check_end(w);
}

/* A partition that was read to its end is paused. */
static void regained_is_resumed(void **state)
{
    struct world *w = *state;
    w->strategy = "range"; /* each rebalance takes all partitions away */
    put(w, 0, 3);
    put(w, 1, 3);
    begin_two(w);
    WAIT_FOR(w, n_queued(w->source) == 3);
    leave_other(w, 1);
    WAIT_FOR(w, n_held(w->source) == 2);
    take(w, 3 + 2);
    check_end(w);
}

static size_t place(struct world *w, uint64_t item)
{
    struct buf text;
    struct err e = {RC_OK, ""};
    struct id_source *s = &w->source->source;
    buf_init(&text, 1 << 16);
    if (s->ops->place(s, item, &text, &e) != RC_OK)
        fail_msg("place: %s", e.msg);
    size_t len = text.len;
    buf_free(&text);
    return len;
}

/* Repeats that are read while a transaction is being committed are not in it. */
static void repeats_during_a_commit(void **state)
{
    struct world *w = *state;
    put(w, 0, 4);
    open_source(w, SOURCE_COMMITS_BY_SINK);
    take(w, 4);
    const struct id_source_ops *ops = w->source->source.ops;
    assert_true(place(w, 3) > 0);
    ops->settle(&w->source->source, 4);
    ops->placed(&w->source->source, 3);
    assert_true(place(w, 3) > 0);
    ops->placed(&w->source->source, 3);
    assert_true(place(w, 3) == 0);
}

/* Another member joins, and gets a partition once what was read so far is committed. */
static void others_await_a_commit(void **state)
{
    struct world *w = *state;
    put(w, 0, 4);
    put(w, 1, 4);
    open_source(w, SOURCE_COMMITS_BY_SINK);
    take(w, 8);
    struct id_source *s = &w->source->source;
    assert_false(s->ops->is_awaited(s, 8));
    join_other(w);
    WAIT_FOR(w, s->ops->is_awaited(s, 8));
    assert_false(s->ops->is_awaited(s, 7));
    s->ops->settle(s, 8); /* a repeat */
    assert_true(s->ops->is_awaited(s, 7));
    assert_true(place(w, 8) > 0);
    s->ops->placed(s, 8);
    WAIT_FOR(w, n_held(w->source) == 1 && partition_of_other(w) >= 0);
    assert_false(s->ops->is_awaited(s, 8));
}

static enum rc compare(const struct world *w, const char *record)
{
    struct err e;
    struct id_source *s = &w->source->source;
    return s->ops->compare(s, str_c(record), &e);
}

/* Between two tries to commit what was recorded, because the database was away, a partition has gone to another member. */
static void lost_after_it_was_recorded(void **state)
{
    struct world *w = *state;
    struct err e = {RC_OK, ""};
    struct buf out;
    buf_init(&out, 1000);
    put(w, 0, 4);
    put(w, 1, 4);
    open_source(w, SOURCE_COMMITS_AT_END);
    take(w, 8);
    struct id_source *s = &w->source->source;
    if (s->ops->record(s, &out, &e) != RC_OK)
        fail_msg("record: %s", e.msg);
    assert_string_equal(buf_cstr(&out), "0:0-4 1:0-4");
    assert_int_equal(committed(w, 0), 0);
    assert_int_equal(compare(w, "0:3-5"), RC_BUSY);
    assert_int_equal(compare(w, "0:4-5 2:0-4"), RC_OK);
    join_other(w);
    /* The group waits for the run, but not for ever. */
    WAIT_FOR(w, (skew_us += INT64_C(10000000)) && n_held(w->source) == 1 &&
                    partition_of_other(w) >= 0);
    assert_int_equal(compare(w, partition_of_other(w) ? "1:0-4" : "0:0-4"), RC_BUSY);
    buf_free(&out);
}

/* The member's own commit is answered late, and with an error; meanwhile the run commits more. */
static void commits_do_not_go_back(void **state)
{
    struct world *w = *state;
    struct err e = {RC_OK, ""};
    put(w, 0, 5);
    assert_int_equal(
        rd_kafka_mock_broker_push_request_error_rtts(w->cluster, BROKER, OFFSET_COMMIT, 1,
                                                     RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, 1000),
        0);
    open_source(w, SOURCE_COMMITS_SETTLED);
    take(w, 5);
    struct id_source *s = &w->source->source;
    for (uint64_t n = 1; n <= 3; n++)
        s->ops->settle(s, n);
    WAIT_FOR(w, is_asked_for(w, OFFSET_COMMIT));
    if (s->ops->commit(s, true, &e) != RC_OK)
        fail_msg("commit: %s", e.msg);
    close_source(w);
    assert_int_equal(committed(w, 0), 5);
}

/* The group has the member, and its answer with the partitions is late. */
static void ends_before_its_first_assignment(void **state)
{
    struct world *w = *state;
    put(w, 0, 1);
    assert_int_equal(rd_kafka_mock_broker_push_request_error_rtts(
                         w->cluster, BROKER, SYNC_GROUP, 1, RD_KAFKA_RESP_ERR_NO_ERROR, 60000),
                     0);
    open_source(w, SOURCE_COMMITS_SETTLED);
    WAIT_FOR(w, is_asked_for(w, SYNC_GROUP));
    close_source(w);
}

/* While no broker answers, the group cannot say which partitions are for whom. */
static void outage_before_the_assignment(void **state)
{
    struct world *w = *state;
    put(w, 0, 3);
    open_source(w, SOURCE_COMMITS_SETTLED);
    assert_int_equal(rd_kafka_mock_broker_set_down(w->cluster, BROKER), 0);
    WAIT_FOR(w, is_down(w->source));
    assert_int_equal(n_held(w->source), 0);
    skew_us = INT64_C(61000000);
    WAIT_FOR(w, waited_us(w->source) < INT64_C(30000000)); /* it does not count */
    assert_int_equal(rd_kafka_mock_broker_set_up(w->cluster, BROKER), 0);
    take(w, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(others_are_resumed, begin, end),
        cmocka_unit_test_setup_teardown(regained_is_resumed, begin, end),
        cmocka_unit_test_setup_teardown(repeats_during_a_commit, begin, end),
        cmocka_unit_test_setup_teardown(others_await_a_commit, begin, end),
        cmocka_unit_test_setup_teardown(lost_after_it_was_recorded, begin, end),
        cmocka_unit_test_setup_teardown(commits_do_not_go_back, begin, end),
        cmocka_unit_test_setup_teardown(outage_before_the_assignment, begin, end),
        cmocka_unit_test_setup_teardown(ends_before_its_first_assignment, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
