/* Which leads are in the topic, by what the state has recorded and by the number that the cluster has. */
#include "state_world.h"

#include "core/lead.h"
#include "sinks/kafka/kafka_journal.h"

struct journals {
    struct state *state;
    struct kafka_journal journal;
    struct sink_cfg cfg;
};

static void begin(struct journals *w)
{
    struct err e = {0};
    *w = (struct journals){.state = open_ok("s")};
    begin_run(w->state);
    w->cfg = (struct sink_cfg){.spec = "kafka:b/t", .state = w->state};
    OK(kafka_journal_open(&w->journal, &w->cfg, STR_NONE, &e));
}

static void end(struct journals *w)
{
    kafka_journal_close(&w->journal);
    state_close(w->state);
}

/* The process is killed, and the run resumed with this mark. */
static enum rc resume(struct journals *w, const char *mark, int64_t marker, struct err *e)
{
    kafka_journal_close(&w->journal);
    w->state = w->cfg.state = crash(w->state, "s");
    enum rc rc = kafka_journal_open(&w->journal, &w->cfg, str_c(mark), e);
    return rc == RC_OK ? kafka_journal_resolve(&w->journal, marker, e) : rc;
}

static struct lead lead_of(uint64_t seq)
{
    struct lead lead = {.seq = seq};
    memset(lead.key, (int)(seq * 7 + 1), sizeof lead.key);
    memset(lead.fingerprint, (int)seq, sizeof lead.fingerprint);
    return lead;
}

/* A transaction with the leads from `first` up to `last`. */
static int64_t record(struct journals *w, uint64_t number, uint64_t first, uint64_t last)
{
    struct err e = {0};
    int64_t row = 0;
    kafka_journal_begin(&w->journal, number, last - first + 1);
    for (uint64_t seq = first; seq <= last; seq++) {
        struct lead lead = lead_of(seq);
        kafka_journal_add(&w->journal, &lead, lead.fingerprint);
    }
    OK(kafka_journal_record(&w->journal, last, &row, &e));
    return row;
}

static void commit(struct journals *w, uint64_t number, uint64_t first, uint64_t last)
{
    struct err e = {0};
    int64_t row = record(w, number, first, last);
    OK(kafka_journal_committed(&w->journal, row, number, last - first + 1, &e));
    OK(wait_durable(w->state));
}

#define expect_known(w, first, last) known_are(w, first, last, __FILE__, __LINE__)

static void known_are(const struct journals *w, uint64_t first, uint64_t last, const char *file,
                      int line)
{
    for (uint64_t seq = 0; seq < 20; seq++) {
        struct lead lead = lead_of(seq);
        const struct kafka_journal_lead *found = kafka_journal_find(&w->journal, &lead);
        bool is_wanted = seq >= first && seq <= last;
        if (!found == !is_wanted && (!found || found->seq == seq))
            continue;
        print_error("lead %d: got %s, want %s\n", (int)seq, found ? "known" : "unknown",
                    is_wanted ? "known" : "unknown");
        _fail(file, line);
    }
}

static void a_new_run_knows_nothing(void **state)
{
    struct journals w;
    struct err e = {0};
    (void)state;
    begin(&w);
    assert_false(w.journal.began);
    OK(kafka_journal_resolve(&w.journal, -1, &e));
    expect_known(&w, 1, 0);
    OK(kafka_journal_mark(&w.journal, 3, &e));
    assert_str(buf_str(&w.journal.text), "1 0 0 3\n");
    end(&w);
}

/* Killed between the record and the answer: the cluster knows. */
static void the_cluster_s_number_decides(void **state)
{
    struct journals w;
    struct err e = {0};
    (void)state;
    begin(&w);
    (void)record(&w, 1, 2, 5);
    OK(resume(&w, NULL, 1, &e));
    assert_true(w.journal.began);
    assert_int_equal(w.journal.number, 1);
    assert_int_equal(w.journal.delivered, 4);
    expect_known(&w, 2, 5);
    end(&w);
    remove_state("s");
    begin(&w);
    (void)record(&w, 1, 2, 5);
    OK(resume(&w, NULL, 0, &e));
    assert_int_equal(w.journal.number, 0);
    assert_int_equal(w.journal.delivered, 0);
    expect_known(&w, 1, 0);
    end(&w);
}

/* Another one with the same number comes, and the aborted one stays aborted. */
static void an_aborted_one_is_not_taken_for_the_next(void **state)
{
    struct journals w;
    struct err e = {0};
    (void)state;
    begin(&w);
    (void)record(&w, 1, 2, 5);
    OK(resume(&w, NULL, 0, &e));
    (void)record(&w, 1, 7, 9);
    OK(resume(&w, NULL, 1, &e));
    expect_known(&w, 7, 9);
    assert_int_equal(w.journal.delivered, 3);
    end(&w);
}

/* A mark that was made after a run was resumed may know the number, and not all of its leads. */
static void leads_that_are_not_done_stay_known(void **state)
{
    struct journals w;
    struct err e = {0};
    (void)state;
    begin(&w);
    commit(&w, 1, 2, 5);
    OK(resume(&w, "1 1 4 0\n", 1, &e));
    expect_known(&w, 2, 5);
    assert_int_equal(w.journal.number, 1);
    assert_int_equal(w.journal.delivered, 4); /* the mark has counted them */
    end(&w);
}

/* At the end of a run a second one follows before the checkpoint of the first is durable. */
static void two_may_follow_a_mark(void **state)
{
    struct journals w;
    struct err e = {0};
    (void)state;
    begin(&w);
    commit(&w, 1, 0, 3);
    (void)record(&w, 2, 4, 6);
    OK(resume(&w, NULL, 2, &e));
    expect_known(&w, 0, 6);
    assert_int_equal(w.journal.delivered, 7);
    OK(resume(&w, NULL, 2, &e));
    expect_known(&w, 0, 6);
    end(&w);
}

static const struct {
    const char *mark;
    int64_t marker;
    bool answered; /* of transaction 3, the one recorded */
    const char *says;
} doubts[] = {
    {"1 2 8 0\n", -1, false, "offsets.retention.minutes"},
    {"1 2 8 0\n", 1, false, "offsets.retention.minutes"},
    {"1 2 8 0\n", 4, false, "copy of an earlier one"},
    {"1 2 8 0\n", 4, true, "copy of an earlier one"},
    {"1 2 8 0\n", 2, false, NULL},
    {"1 2 8 0\n", 3, false, NULL},
    {"1 2 8 0\n", -1, true, NULL}, /* all is known without it */
    {"", 3, false, "damaged"},
    {"2 2 8 0\n", 3, false, "damaged"},
    {"1 2 8\n", 3, false, "damaged"},
    {"1 2 8 0", 3, false, "damaged"},
    {"1 2 8 0\nx", 3, false, "damaged"},
    {"1 -2 8 0\n", 3, false, "damaged"},
    {"1 9223372036854775808 8 0\n", 3, false, "damaged"},
};

static void what_cannot_be_told_is_not_guessed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof doubts / sizeof *doubts; i++) {
        struct journals w;
        struct err e = {0};
        begin(&w);
        if (doubts[i].answered)
            commit(&w, 3, 2, 5);
        else
            (void)record(&w, 3, 2, 5);
        enum rc rc = resume(&w, doubts[i].mark, doubts[i].marker, &e);
        bool good = doubts[i].says ? rc == RC_USAGE && strstr(e.msg, doubts[i].says) : rc == RC_OK;
        if (!good)
            fail_msg("%zu: mark \"%s\", number %d: got %s (%s), want %s", i, doubts[i].mark,
                     (int)doubts[i].marker, rc_text(rc), e.msg,
                     doubts[i].says ? doubts[i].says : "good");
        end(&w);
        remove_state("s");
    }
}

static const char *const damages[] = {
    "",
    "1",
    "1 1 4",
    "2 1 4\n",
    "1 x 4\n",
    "1 9223372036854775808 4\n",
    "1 1 4\nx",
    "1 1 4\n0 00000000000000000000000000000000 00000000000000000000000000000000",
    "1 1 4\n0 0000000000000000000000000000000 00000000000000000000000000000000\n",
    "1 1 4\n0 0000000000000000000000000000000G 00000000000000000000000000000000\n",
    "1 1 4\n-1 00000000000000000000000000000000 00000000000000000000000000000000\n",
};

static void damage_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        struct journals w;
        struct err e = {0};
        int64_t row;
        const struct state_delivery d = {
            .id = STR("transaction"), .leads = str_c(damages[i]), .body = STR("")};
        begin(&w);
        OK(state_add_delivery(w.state, 0, &d, 0, &row, &e));
        OK(wait_durable(w.state));
        enum rc rc = resume(&w, NULL, 1, &e);
        if (rc != RC_USAGE || !strstr(e.msg, "damaged"))
            fail_msg("\"%s\": got %s (%s), want damaged", damages[i], rc_text(rc), e.msg);
        end(&w);
        remove_state("s");
    }
}

static void numbers_are_in_order(void **state)
{
    struct journals w;
    struct err e = {0};
    (void)state;
    begin(&w);
    (void)record(&w, 2, 2, 5);
    (void)record(&w, 1, 6, 7);
    FAILS(resume(&w, NULL, 2, &e), RC_USAGE, "damaged");
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_new_run_knows_nothing),
        IN_FOLDER(the_cluster_s_number_decides),
        IN_FOLDER(an_aborted_one_is_not_taken_for_the_next),
        IN_FOLDER(leads_that_are_not_done_stay_known),
        IN_FOLDER(two_may_follow_a_mark),
        IN_FOLDER(what_cannot_be_told_is_not_guessed),
        IN_FOLDER(damage_is_found),
        IN_FOLDER(numbers_are_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
