#include "core/run/ring.h"

#include <stdlib.h>

#include "cmocka_all.h"
#include "core/run/run_lead.h"

#define PLACES 4

static struct lead *reserve(struct ring *o)
{
    struct lead *lead = run_lead_new(STR("id"), NULL, 0);
    assert_non_null(lead);
    ring_reserve(o, lead);
    return lead;
}

static void complete(struct ring *o, struct lead *lead)
{
    ring_complete(o, &lead, 1);
}

/* Reserves four, completes the third, first, second and fourth, and takes what is ready. */
static void take_four(bool keep_input_order, const uint64_t expected[4], const size_t ready[4])
{
    static const int completions[] = {2, 0, 1, 3};
    struct ring *o;
    struct lead *leads[PLACES], *out[PLACES];
    size_t total = 0;
    assert_int_equal(ring_new(&o, PLACES, keep_input_order), RC_OK);
    for (int i = 0; i < PLACES; i++)
        leads[i] = reserve(o);
    assert_false(ring_has_room(o));
    for (int i = 0; i < PLACES; i++) {
        complete(o, leads[completions[i]]);
        if (!ready[i])
            continue;
        size_t n = 0;
        assert_true(ring_take(o, out, PLACES, &n));
        assert_int_equal(n, ready[i]);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(out[k]->run->slot, expected[total + k]);
            lead_free(out[k]);
        }
        total += n;
    }
    assert_true(ring_has_room(o));
    ring_close(o);
    size_t none = 1;
    assert_false(ring_take(o, out, PLACES, &none));
    assert_int_equal(none, 0);
    ring_free(o);
}

static void input_order(void **state)
{
    (void)state;
    take_four(true, (const uint64_t[]){0, 1, 2, 3}, (const size_t[]){0, 1, 2, 1});
}

static void any_order(void **state)
{
    (void)state;
    take_four(false, (const uint64_t[]){2, 0, 1, 3}, (const size_t[]){1, 1, 1, 1});
}

/* The first of those that are not completed, and what is taken back behind it: the last that is
 * ready, never one that is decided, and nothing while the taker has something to take. */
static void first_and_back(void **state)
{
    (void)state;
    struct ring *o;
    struct lead *leads[PLACES], *out[PLACES];
    size_t n = 0;
    assert_int_equal(ring_new(&o, PLACES, true), RC_OK);
    for (int i = 0; i < PLACES; i++) {
        leads[i] = reserve(o);
        assert_int_equal(ring_is_first(o, leads[i]), i == 0);
        leads[i]->run->ready = i != 2;
    }
    assert_null(ring_take_back(o));
    for (int i = 1; i < PLACES; i++)
        complete(o, leads[i]);
    assert_ptr_equal(ring_take_back(o), leads[3]);
    assert_ptr_equal(ring_take_back(o), leads[1]);
    assert_null(ring_take_back(o)); /* the one between has failed */
    uint64_t reserved, completed;
    ring_counts(o, &reserved, &completed);
    assert_int_equal(reserved, 4);
    assert_int_equal(completed, 1);
    complete(o, leads[0]);
    complete(o, leads[3]);
    assert_null(ring_take_back(o));
    assert_true(ring_take(o, out, PLACES, &n));
    assert_int_equal(n, 1);
    assert_true(ring_is_first(o, leads[1]));
    complete(o, leads[1]);
    assert_true(ring_take(o, out + 1, PLACES, &n));
    assert_int_equal(n, 3);
    for (int i = 0; i < PLACES; i++) {
        assert_ptr_equal(out[i], leads[i]);
        lead_free(out[i]);
    }
    ring_free(o);
}

/* Who takes leads as they are completed waits for none in particular. */
static void no_first_in_any_order(void **state)
{
    (void)state;
    struct ring *o;
    assert_int_equal(ring_new(&o, PLACES, false), RC_OK);
    struct lead *lead = reserve(o);
    assert_false(ring_is_first(o, lead));
    lead->run->ready = true;
    complete(o, lead);
    assert_null(ring_take_back(o));
    ring_free(o);
}

static void leftovers_are_freed(void **state)
{
    (void)state;
    struct ring *o;
    assert_int_equal(ring_new(&o, PLACES, true), RC_OK);
    struct lead *first = reserve(o), *second = reserve(o);
    complete(o, second);
    ring_free(o); /* with the second in it; the address sanitizer would report it */
    lead_free(first);
}

static void a_poke_is_heard(void **state)
{
    (void)state;
    struct ring *o;
    struct lead *out[PLACES];
    size_t n = 1;
    assert_int_equal(ring_new(&o, PLACES, true), RC_OK);
    ring_poke(o);
    assert_true(ring_take(o, out, PLACES, &n));
    assert_int_equal(n, 0);
    struct lead *lead = reserve(o);
    complete(o, lead);
    assert_true(ring_take(o, out, PLACES, &n));
    assert_int_equal(n, 1);
    lead_free(lead);
    ring_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_order),         cmocka_unit_test(any_order),
        cmocka_unit_test(first_and_back),      cmocka_unit_test(no_first_in_any_order),
        cmocka_unit_test(leftovers_are_freed), cmocka_unit_test(a_poke_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
