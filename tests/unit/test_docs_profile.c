/* The example of docs/profiles.md does what is said there. */
#include <stdio.h>

#include "tables_text.h"

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
static void take_block(const char **at, struct buf *out)
{
    static const char begin[] = "\n```json\n", end[] = "\n```\n";
    const char *from = strstr(*at, begin);
    assert_non_null(from);
    from += sizeof begin - 1;
    const char *to = strstr(from, end);
    assert_non_null(to);
    buf_init(out, 1 << 20);
    buf_add(out, from, (size_t)(to - from));
    *at = to;
}

static void test_example(void **state)
{
    (void)state;
    struct buf text, answer, profile;
    buf_init(&text, 1 << 20);
    read_file(&text, LEADPIPE_SOURCE_DIR "/docs/profiles.md");
    const char *at = buf_cstr(&text);
    take_block(&at, &answer);
    take_block(&at, &profile);
    struct tables_fixture f;
    fixture_parse(&f, buf_cstr(&profile), SIGNED_URLS_STRIP);
    assert_string_equal(
        tables_of(&f, buf_cstr(&answer)),
        "enquiries\n"
        "   ref=\"E-1\" state=\"open\" received_at=\"2026-02-01T08:00:00Z\" customer_name=\"Ann Lee\" vehicle_count=1 |"
        " answer_budget=5000 answer_deliver_to_city=\"Oslo\" answer_deliver_to_zip=\"0150\""
        " customer_phone=\"+15550100\" channel=\"web\""
        " answers=[{\"question\":\"budget\",\"answer\":5000},{\"question\":\"deliverTo\","
        "\"answer\":{\"city\":\"Oslo\",\"zip\":\"0150\"}}]\n"
        "vehicles\n"
        "   position=0 vin=\"V-9\" make=\"Ford\" dealer_id=7 | dealer_name=\"North\"\n"
        "photos\n"
        "   vin=\"V-9\" vehicle_position=0 position=0 name=\"front.jpg\""
        " href=\"https://cdn.example/f.jpg\"\n");
    assert_string_equal(
        tables_of(&f, "{\"ok\":false,\"problem\":{\"text\":\"No such enquiry\",\"number\":44}}"),
        "failed: 44: No such enquiry\n");
    fixture_free(&f);
    buf_free(&text);
    buf_free(&answer);
    buf_free(&profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
