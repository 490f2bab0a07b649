#include "core/source/list_pages.h"

#include <stdio.h>

#include "cmocka_all.h"

/* A list as a script, one page a word. Letters are leads; then ":TOTAL", ">TOKEN" (where to continue) and "." (the
 * last page). "AB:5>t" */
struct script {
    const char *what;
    enum list_style style;
    const char *pages;
    const char *steps; /* one for each page: n (next), a (again), d (done) */
    enum list_end end;
    const char *leads; /* in the order in which they are new */
};

static const struct script scripts[] = {
    {"no leads", LIST_PAGE, "_", "d", LIST_END_COMPLETE, ""},
    {"no leads, and a total", LIST_PAGE, ":0", "d", LIST_END_COMPLETE, ""},
    {"numbers go on until a page is empty", LIST_PAGE, "AB C _", "nnd", LIST_END_COMPLETE, "ABC"},
    {"a page says that it is the last", LIST_PAGE, "AB C.", "nd", LIST_END_COMPLETE, "ABC"},
    {"a short page is not the end", LIST_PAGE, "A:3 B:3 C:3 :3", "nnnd", LIST_END_COMPLETE, "ABC"},
    {"the last page for all beyond", LIST_PAGE, "AB:3 C:3 C:3 AB:3 C:3 C:3", "nnannd",
     LIST_END_COMPLETE, "ABC"},
    {"a token that is not there ends it", LIST_TOKEN, "AB>t C", "nd", LIST_END_COMPLETE, "ABC"},
    {"an empty page with a token does not", LIST_TOKEN, "AB>t >u CD", "nnd", LIST_END_COMPLETE,
     "ABCD"},
    {"the last page's token does not count", LIST_TOKEN, "AB>t C>t.", "nd", LIST_END_COMPLETE,
     "ABC"},
    {"a cursor ends with an empty page", LIST_CURSOR, "AB>B C>C _", "nnd", LIST_END_COMPLETE,
     "ABC"},
    {"links", LIST_LINK, "AB>/2 CD>/3 E", "nnd", LIST_END_COMPLETE, "ABCDE"},

    {"a token comes back", LIST_TOKEN, "AB>t CD>u EF>t", "nnd", LIST_END_TOKEN_REPEATED, "ABCDEF"},
    {"a token comes back at once", LIST_TOKEN, "AB>t CD>t", "nd", LIST_END_TOKEN_REPEATED, "ABCD"},
    {"a link comes back", LIST_LINK, "AB>/2 CD>/2", "nd", LIST_END_TOKEN_REPEATED, "ABCD"},
    {"a page comes back", LIST_PAGE, "AB AB", "nd", LIST_END_PAGE_REPEATED, "AB"},
    {"a page comes back later", LIST_TOKEN, "AB>t CD>u AB>v", "nnd", LIST_END_PAGE_REPEATED,
     "ABCD"},
    {"a page comes back before the total", LIST_PAGE, "AB:9 AB:9", "nd", LIST_END_PAGE_REPEATED,
     "AB"},
    {"a token comes back in the second pass only", LIST_TOKEN, "AB>t C>u DE AB>t CD>t", "nnand",
     LIST_END_TOKEN_REPEATED, "ABCDE"},
    {"the same tokens in two passes", LIST_TOKEN, "AB>t C>u DE AB>t CD>u E", "nnannd",
     LIST_END_COMPLETE, "ABCDE"},

    {"a lead that was deleted moves others", LIST_PAGE, "AB:5 DE:4 :4 BC:4 DE:4 :4 BC:4 DE:4 :4",
     "nnannannd", LIST_END_COMPLETE, "ABDEC"},
    {"a lead that was created moves others", LIST_PAGE, "AB BC D _ XA BC D _ XA BC D _",
     "nnnannnannnd", LIST_END_COMPLETE, "ABCDX"},
    {"a page that shrinks", LIST_TOKEN, "ABC>t D>u EFG ABC>t DEF>u G", "nnannd", LIST_END_COMPLETE,
     "ABCDEFG"},
    {"a page that grows", LIST_TOKEN, "A>t BCD>u E ABC>t D", "nnand", LIST_END_COMPLETE, "ABCDE"},
    {"a total that is never right", LIST_PAGE, "AB:9 :9 AB:9 :9", "nand", LIST_END_TOTAL_DIFFERS,
     "AB"},
    {"a total that is too low", LIST_PAGE, "AB:1 CD:1 :1 AB:1 CD:1 :1", "nnannd",
     LIST_END_TOTAL_DIFFERS, "ABCD"},
    {"a total that comes right", LIST_PAGE, "AB:3 :3 ABC:3 :3 ABC:3 :3", "nanand",
     LIST_END_COMPLETE, "ABC"},
    {"leads that are gone in the second pass", LIST_PAGE, "AB:2 CD:4 :4 AB:2 :2", "nnand",
     LIST_END_COMPLETE, "ABCD"},
    {"new ones in every pass", LIST_PAGE, "A:9 :9 B:9 :9 C:9 :9 D:9 :9", "nananand",
     LIST_END_CHANGED, "ABCD"},
    {"new ones but for the last pass", LIST_PAGE, "A:9 :9 B:9 :9 C:9 :9 C:1 :1", "nananand",
     LIST_END_COMPLETE, "ABC"},
};

/* Takes one page of a script. */
static enum list_step take(struct list_pages *p, const char *text, size_t len, char *leads)
{
    struct list_page page = {.n_items = 0};
    enum list_step step;
    size_t i = 0;
    for (; i < len && text[i] >= 'A' && text[i] <= 'Z'; i++) {
        const unsigned char key[LEAD_KEY_BYTES] = {(unsigned char)text[i]};
        bool is_new = false;
        assert_int_equal(list_pages_add(p, key, &is_new, NULL), RC_OK);
        page.n_items++;
        if (is_new)
            leads[strlen(leads)] = text[i];
    }
    if (i < len && text[i] == ':') {
        page.has_total = true;
        page.total = (uint64_t)(text[i + 1] - '0');
        i += 2;
    }
    if (i < len && text[i] == '>') {
        page.cursor.ptr = text + ++i;
        while (i < len && text[i] != '.')
            i++;
        page.cursor.len = (size_t)(text + i - page.cursor.ptr);
    }
    page.is_last = i < len && text[i] == '.';
    assert_int_equal(list_pages_next(p, &page, &step, NULL), RC_OK);
    return step;
}

static void test_scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        const struct script *s = &scripts[i];
        char steps[32] = "", leads[32] = "";
        struct list_pages p;
        list_pages_init(&p, s->style);
        for (const char *at = s->pages; *at; at += strspn(at, " ")) {
            size_t n = strcspn(at, " ");
            steps[strlen(steps)] = "nad"[take(&p, at, n, leads)];
            at += n;
        }
        if (strcmp(steps, s->steps) || p.end != s->end || strcmp(leads, s->leads) ||
            list_pages_leads(&p) != strlen(s->leads))
            fail_msg("%s\n  wanted: %s, end %d, leads %s\n  got:    %s, end %d, leads %s", s->what,
                     s->steps, s->end, s->leads, steps, p.end, leads);
        list_pages_free(&p);
    }
}

/* Fresh tokens for ever: pages without leads, and pages with known ones. */
static void test_nothing_new(void **state)
{
    (void)state;
    for (int has_leads = 0; has_leads < 2; has_leads++) {
        struct list_pages p;
        char token[32], leads[64] = "";
        enum list_step step = LIST_STEP_NEXT;
        list_pages_init(&p, LIST_TOKEN);
        assert_int_equal(take(&p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ>t", 28, leads), LIST_STEP_NEXT);
        for (int i = 0; i < LIST_PAGES_NOTHING_NEW; i++) {
            assert_int_equal(step, LIST_STEP_NEXT);
            int n = has_leads ? snprintf(token, sizeof token, "%c>%d", 'A' + i, i)
                              : snprintf(token, sizeof token, ">%d", i);
            step = take(&p, token, (size_t)n, leads);
        }
        assert_int_equal(step, LIST_STEP_DONE);
        assert_int_equal(p.end, LIST_END_NOTHING_NEW);
        assert_int_equal(list_pages_leads(&p), 26);
        list_pages_free(&p);
    }
}

/* One page with something new in it, and the pages before it no longer count. */
static void test_something_new_in_between(void **state)
{
    (void)state;
    struct list_pages p;
    char token[32], leads[64] = "";
    list_pages_init(&p, LIST_TOKEN);
    for (int i = 0; i < 3 * LIST_PAGES_NOTHING_NEW; i++) {
        bool has_one = i % (LIST_PAGES_NOTHING_NEW - 1) == 0;
        char lead = (char)('A' + i / (LIST_PAGES_NOTHING_NEW - 1));
        int n = has_one ? snprintf(token, sizeof token, "%c>%d", lead, i)
                        : snprintf(token, sizeof token, ">%d", i);
        assert_int_equal(take(&p, token, (size_t)n, leads), LIST_STEP_NEXT);
    }
    assert_string_equal(leads, "ABCD");
    list_pages_free(&p);
}

/* Elements without a valid ID are no leads, but a page of them is not an empty one. */
static void test_elements_without_ids(void **state)
{
    (void)state;
    struct list_pages p;
    enum list_step step;
    const struct list_page page = {.n_items = 2};
    list_pages_init(&p, LIST_PAGE);
    assert_int_equal(list_pages_next(&p, &page, &step, NULL), RC_OK);
    assert_int_equal(step, LIST_STEP_NEXT);
    assert_int_equal(list_pages_next(&p, &page, &step, NULL), RC_OK);
    assert_int_equal(step, LIST_STEP_NEXT);
    assert_int_equal(list_pages_none(&p, &step, NULL), RC_OK);
    assert_int_equal(step, LIST_STEP_DONE);
    list_pages_free(&p);
}

static void test_total_reached(void **state)
{
    (void)state;
    struct list_pages p;
    char leads[32] = "";
    list_pages_init(&p, LIST_PAGE);
    assert_false(list_pages_has_total(&p));
    (void)take(&p, "AB:3", 4, leads);
    assert_false(list_pages_has_total(&p));
    (void)take(&p, "C:3", 3, leads);
    assert_true(list_pages_has_total(&p));
    list_pages_free(&p);
}

/* What an earlier process listed is not new, and does not look like a row that moved: what is there now is as large as
 * the total says. */
static void known_leads(void **state)
{
    (void)state;
    static const char known[] = "axb";
    struct list_pages p;
    char leads[16] = "";
    list_pages_init(&p, LIST_PAGE);
    for (size_t i = 0; known[i]; i++) {
        unsigned char key[LEAD_KEY_BYTES] = {(unsigned char)known[i]};
        assert_int_equal(list_pages_know(&p, key, NULL), RC_OK);
    }
    struct list_page page = {.n_items = 2, .has_total = true, .total = 4};
    static const char *const pages[] = {"ab", "cd", ""};
    enum list_step step = LIST_STEP_NEXT;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(step, LIST_STEP_NEXT);
        page.n_items = strlen(pages[i]);
        for (const char *c = pages[i]; *c; c++) {
            unsigned char key[LEAD_KEY_BYTES] = {(unsigned char)*c};
            bool is_new = false;
            assert_int_equal(list_pages_add(&p, key, &is_new, NULL), RC_OK);
            if (is_new)
                (void)snprintf(leads + strlen(leads), sizeof leads - strlen(leads), "%c", *c);
        }
        assert_int_equal(list_pages_next(&p, &page, &step, NULL), RC_OK);
    }
    assert_int_equal(step, LIST_STEP_DONE);
    assert_int_equal(p.end, LIST_END_COMPLETE);
    assert_string_equal(leads, "cd");
    assert_int_equal(list_pages_leads(&p), 5);
    list_pages_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_nothing_new),
        cmocka_unit_test(test_something_new_in_between),
        cmocka_unit_test(test_elements_without_ids),
        cmocka_unit_test(test_total_reached),
        cmocka_unit_test(known_leads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
