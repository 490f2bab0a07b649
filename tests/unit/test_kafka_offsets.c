/* Which offsets may be committed, whatever the order in which messages are done. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kafka/kafka_offsets.h"

#define PARTITIONS 3
#define NONE KAFKA_OFFSET_NONE

enum what { END, READ, SKIP, DONE, DONE_TO, FORGET, PLACE, PLACE_AT, COUNT, WAITS };

struct step {
    enum what what;
    int64_t a, b; /* partition and offset; or a message's number */
    int64_t place
        [PARTITIONS]; /* PLACE, PLACE_AT: what is to be committed; COUNT, WAITS: in the first */
};

static const struct {
    const char *name;
    struct step steps[24];
} cases[] = {
    {"nothing was read", {{PLACE, 0, 0, {NONE, NONE, NONE}}, {COUNT, 0, 0, {0}}}},
    {"in order",
     {{READ, 0, 5, {0}},
      {READ, 0, 6, {0}},
      {PLACE, 0, 0, {NONE, NONE, NONE}},
      {DONE, 1, 0, {0}},
      {PLACE, 0, 0, {6, NONE, NONE}},
      {DONE, 2, 0, {0}},
      {PLACE, 0, 0, {7, NONE, NONE}}}},
    {"the first one takes long",
     {{READ, 0, 5, {0}},
      {READ, 0, 6, {0}},
      {READ, 1, 9, {0}},
      {DONE, 2, 0, {0}},
      {DONE, 3, 0, {0}},
      {COUNT, 0, 0, {0}},
      {PLACE, 0, 0, {NONE, NONE, NONE}},
      {DONE, 1, 0, {0}},
      {COUNT, 0, 0, {3}},
      {PLACE, 0, 0, {7, 10, NONE}}}},
    {"a message that is done twice, and one that was never read",
     {{READ, 0, 0, {0}},
      {DONE, 1, 0, {0}},
      {DONE, 1, 0, {0}},
      {DONE, 9, 0, {0}},
      {READ, 0, 1, {0}},
      {COUNT, 0, 0, {1}},
      {PLACE, 0, 0, {1, NONE, NONE}}}},
    {"partitions take turns",
     {{READ, 0, 1, {0}},
      {READ, 1, 1, {0}},
      {READ, 0, 2, {0}},
      {READ, 1, 2, {0}},
      {DONE, 1, 0, {0}},
      {DONE, 2, 0, {0}},
      {PLACE, 0, 0, {2, 2, NONE}},
      {DONE, 4, 0, {0}},
      {PLACE, 0, 0, {2, 2, NONE}},
      {DONE, 3, 0, {0}},
      {PLACE, 0, 0, {3, 3, NONE}}}},
    {"offsets that are no messages, behind the last one",
     {{READ, 0, 1, {0}},
      {SKIP, 0, 9, {0}},
      {PLACE, 0, 0, {NONE, NONE, NONE}},
      {DONE, 1, 0, {0}},
      {PLACE, 0, 0, {9, NONE, NONE}}}},
    {"the same, once it is done",
     {{READ, 0, 1, {0}},
      {DONE, 1, 0, {0}},
      {PLACE, 0, 0, {2, NONE, NONE}},
      {SKIP, 0, 9, {0}},
      {PLACE, 0, 0, {9, NONE, NONE}}}},
    {"only offsets that are no messages",
     {{SKIP, 2, 4, {0}},
      {PLACE, 0, 0, {NONE, NONE, 4}},
      {READ, 2, 4, {0}},
      {PLACE, 0, 0, {NONE, NONE, 4}},
      {DONE, 1, 0, {0}},
      {PLACE, 0, 0, {NONE, NONE, 5}}}},
    {"a gap between messages",
     {{READ, 0, 1, {0}},
      {READ, 0, 7, {0}},
      {DONE, 1, 0, {0}},
      {PLACE, 0, 0, {2, NONE, NONE}},
      {DONE, 2, 0, {0}},
      {PLACE, 0, 0, {8, NONE, NONE}}}},
    {"a message behind offsets that are none",
     {{READ, 0, 1, {0}},
      {SKIP, 0, 5, {0}},
      {READ, 0, 5, {0}},
      {DONE, 1, 0, {0}},
      {PLACE, 0, 0, {5, NONE, NONE}},
      {DONE, 2, 0, {0}},
      {PLACE, 0, 0, {6, NONE, NONE}}}},
    {"where a checkpoint is",
     {{READ, 0, 1, {0}},
      {READ, 0, 2, {0}},
      {READ, 1, 1, {0}},
      {READ, 0, 3, {0}},
      {PLACE_AT, 1, 0, {2, NONE, NONE}},
      {PLACE_AT, 2, 0, {3, NONE, NONE}},
      {PLACE_AT, 3, 0, {3, 2, NONE}},
      {PLACE_AT, 4, 0, {4, 2, NONE}},
      {DONE_TO, 2, 0, {0}},
      {COUNT, 0, 0, {2}},
      {PLACE_AT, 3, 0, {3, 2, NONE}}}},
    {"repeats behind a checkpoint belong to it",
     {{READ, 0, 1, {0}},
      {READ, 0, 2, {0}},
      {READ, 1, 1, {0}},
      {DONE, 2, 0, {0}},
      {DONE, 3, 0, {0}},
      {COUNT, 0, 0, {0}},
      {DONE_TO, 1, 0, {0}},
      {COUNT, 0, 0, {3}},
      {PLACE, 0, 0, {3, 2, NONE}}}},
    {"a partition that was taken away",
     {{READ, 0, 1, {0}},
      {READ, 1, 1, {0}},
      {WAITS, 1, 0, {1}},
      {FORGET, 1, 0, {0}},
      {WAITS, 1, 0, {0}},
      {DONE, 1, 0, {0}},
      {DONE, 2, 0, {0}},
      {PLACE, 0, 0, {2, NONE, NONE}},
      {READ, 1, 1, {0}},
      {DONE, 3, 0, {0}},
      {PLACE, 0, 0, {2, 2, NONE}}}},
    {"a partition waits as long as a message of it does",
     {{READ, 0, 1, {0}},
      {READ, 1, 1, {0}},
      {WAITS, 0, 0, {1}},
      {WAITS, 2, 0, {0}},
      {DONE, 1, 0, {0}},
      {WAITS, 0, 0, {0}},
      {WAITS, 1, 0, {1}},
      {DONE, 2, 0, {0}},
      {WAITS, 1, 0, {0}}}},
};

static void check_place(const char *name, size_t i, const int64_t got[], const int64_t want[])
{
    if (memcmp(got, want, PARTITIONS * sizeof *got) != 0)
        fail_msg("%s, step %zu: got %lld %lld %lld, want %lld %lld %lld", name, i,
                 (long long)got[0], (long long)got[1], (long long)got[2], (long long)want[0],
                 (long long)want[1], (long long)want[2]);
}

static void check_number(const char *name, size_t i, uint64_t got, int64_t want)
{
    if (got != (uint64_t)want)
        fail_msg("%s, step %zu: got %llu, want %lld", name, i, (unsigned long long)got,
                 (long long)want);
}

static void take_step(struct kafka_offsets *t, const char *name, size_t i, const struct step *s)
{
    int64_t place[PARTITIONS];
    switch (s->what) {
    case READ:
        assert_int_equal(kafka_offsets_add(t, (size_t)s->a, s->b), RC_OK);
        break;
    case SKIP:
        assert_int_equal(kafka_offsets_skip(t, (size_t)s->a, s->b), RC_OK);
        break;
    case DONE:
        kafka_offsets_settle(t, (uint64_t)s->a);
        break;
    case DONE_TO:
        kafka_offsets_settle_to(t, (uint64_t)s->a);
        break;
    case FORGET:
        kafka_offsets_forget(t, (size_t)s->a);
        break;
    case PLACE:
        kafka_offsets_place(t, kafka_offsets_done(t), place);
        check_place(name, i, place, s->place);
        break;
    case PLACE_AT:
        kafka_offsets_place(t, (uint64_t)s->a, place);
        check_place(name, i, place, s->place);
        break;
    case COUNT:
        check_number(name, i, kafka_offsets_done(t), s->place[0]);
        break;
    case WAITS:
        check_number(name, i, kafka_offsets_waits(t, (size_t)s->a, kafka_offsets_done(t)),
                     s->place[0]);
        break;
    case END:
        break;
    }
}

static void places_follow_what_is_done(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kafka_offsets *t = NULL;
        assert_int_equal(kafka_offsets_new(&t, PARTITIONS), RC_OK);
        for (size_t k = 0; cases[i].steps[k].what != END; k++)
            take_step(t, cases[i].name, k, &cases[i].steps[k]);
        kafka_offsets_free(t);
    }
}

/* Many messages, done in a window out of order, against a list of all of them. */
static void many_messages(void **state)
{
    enum { N = 20000, WINDOW = 3000 };
    static struct {
        size_t partition;
        int64_t offset;
        bool is_done;
    } all[N + 1];
    int64_t next[PARTITIONS] = {0}, place[PARTITIONS], want[PARTITIONS] = {NONE, NONE, NONE};
    struct kafka_offsets *t = NULL;
    uint64_t read = 0, done = 0, seed = 1;
    (void)state;
    assert_int_equal(kafka_offsets_new(&t, PARTITIONS), RC_OK);
    while (done < N) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        uint64_t chance = seed >> 33;
        if (read < N && (read - done < WINDOW / 2 || (chance & 1))) {
            size_t p = chance / 2 % 7 == 0 ? chance / 16 % PARTITIONS : read / 100 % PARTITIONS;
            next[p] += chance / 64 % 31 == 0 ? 3 : 0;
            read++;
            all[read].partition = p;
            all[read].offset = next[p]++;
            assert_int_equal(kafka_offsets_add(t, p, all[read].offset), RC_OK);
        } else {
            uint64_t n = done + 1 + chance / 2 % (read - done);
            all[n].is_done = true;
            kafka_offsets_settle(t, n);
        }
        for (; done < read && all[done + 1].is_done; done++)
            want[all[done + 1].partition] = all[done + 1].offset + 1;
        check_number("many", (size_t)read, kafka_offsets_done(t), (int64_t)done);
        if (chance % 16)
            continue;
        kafka_offsets_place(t, done, place);
        check_place("many", (size_t)done, place, want);
    }
    kafka_offsets_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_follow_what_is_done),
        cmocka_unit_test(many_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
