/* The example of docs/destinations.md does what is said there. */
#include "tables_text.h"

#include <stdio.h>

#include "sinks/push/destination.h"

static void read_file(struct buf *b, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s", path);
    char piece[4096];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, file)) > 0)
        buf_add(b, piece, n);
    (void)fclose(file);
}

/* The next fenced block of JSON; `at` moves behind it. */
static struct str take_block(const char **at)
{
    static const char begin[] = "\n```json\n", end[] = "\n```\n";
    const char *from = strstr(*at, begin);
    assert_non_null(from);
    from += sizeof begin - 1;
    const char *to = strstr(from, end);
    assert_non_null(to);
    *at = to;
    return (struct str){from, (size_t)(to - from)};
}

static void compact(struct str json, struct buf *out)
{
    struct arena a;
    struct json_doc doc;
    arena_init(&a, 1 << 20);
    assert_int_equal(json_parse(&a, json, JSON_TREE, &doc, NULL), RC_OK);
    json_write(out, doc.root);
    arena_free(&a);
}

static void test_example(void **state)
{
    (void)state;
    struct buf text, want, got, behind;
    struct tables_fixture f;
    struct destination *d = NULL;
    struct err e = {.msg = ""};
    struct template_fault fault;
    static const char *items[] = {"team=north"};
    const struct text_list params = {items, 1};
    buf_init(&text, 1 << 20);
    buf_init(&want, 1 << 20);
    buf_init(&got, 1 << 20);
    buf_init(&behind, 1 << 20);
    read_file(&text, LEADPIPE_SOURCE_DIR "/docs/destinations.md");
    const char *at = buf_cstr(&text);
    struct str payload = take_block(&at);
    (void)take_block(&at); /* an answer */
    struct str json = take_block(&at), body = take_block(&at);
    fixture_load(&f, "omni", SIGNED_URLS_KEEP);
    struct lead *lead = lead_with_body(payload);
    assert_int_equal(lead_flatten(&f, lead, false, &e), RC_OK);
    if (destination_parse(&d, json, "birch.json", f.profile, &params, &e) != RC_OK)
        fail_msg("%s", e.msg);
    struct template_input in = {.profile = f.profile};
    assert_int_equal(template_write_around(d->body, &in, &got, &behind, &fault), RC_OK);
    in.lead = lead;
    if (template_write(d->item, &in, &got, &fault) != RC_OK)
        fail_msg("%s", fault.text);
    buf_add_str(&got, buf_str(&behind));
    compact(body, &want);
    assert_string_equal(buf_cstr(&got), buf_cstr(&want));
    buf_clear(&got);
    assert_int_equal(text_template_write(&d->url, true, &in, NULL, &got, &fault), RC_OK);
    assert_string_equal(buf_cstr(&got), "https://api.birch.example/v1/north/contacts/batch");
    destination_free(d);
    lead_free(lead);
    fixture_free(&f);
    buf_free(&text);
    buf_free(&want);
    buf_free(&got);
    buf_free(&behind);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_example)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
