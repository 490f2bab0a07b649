#include "core/http/gunzip.h"

#include <string.h>

#include "cmocka_all.h"

/* One member. */
static size_t pack(const char *text, char *out, size_t size)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(deflateEnd(&z), Z_OK);
    return size - z.avail_out;
}

/* As it comes, `step` bytes at a time into `room`: the whole text, or RC_SYNTAX. */
static enum rc unpack(struct gunzip *g, struct str all, size_t step, size_t room, char *out)
{
    size_t made = 0;
    assert_int_equal(gunzip_begin(g), RC_OK);
    while (all.len) {
        struct str in = {all.ptr, all.len < step ? all.len : step};
        all = (struct str){all.ptr + in.len, all.len - in.len};
        size_t n;
        do {
            enum rc rc = gunzip_some(g, &in, out + made, room, &n);
            if (rc != RC_OK)
                return rc;
            made += n;
        } while (in.len || n == room);
    }
    out[made] = '\0';
    return RC_OK;
}

static void members(void **state)
{
    (void)state;
    char one[256], two[256], empty[64];
    size_t n1 = pack("{\"status\":\"OK\",", one, sizeof one);
    size_t n2 = pack("\"lead\":{\"id\":\"1\"}}", two, sizeof two);
    size_t n0 = pack("", empty, sizeof empty);
    static const struct {
        const char *parts; /* a, b: members; 0: the empty one; z: zeros; x: others; c: a cut one */
        enum rc rc;
        bool is_whole;
        const char *expected;
    } cases[] = {
        {"ab", RC_OK, true, "{\"status\":\"OK\",\"lead\":{\"id\":\"1\"}}"},
        {"a", RC_OK, true, "{\"status\":\"OK\","},
        {"a0b", RC_OK, true, "{\"status\":\"OK\",\"lead\":{\"id\":\"1\"}}"},
        {"abz", RC_OK, true, "{\"status\":\"OK\",\"lead\":{\"id\":\"1\"}}"},
        {"az", RC_OK, true, "{\"status\":\"OK\","},
        {"azb", RC_SYNTAX, false, ""},
        {"ax", RC_SYNTAX, false, ""},
        {"azx", RC_SYNTAX, false, ""},
        {"x", RC_SYNTAX, false, ""},
        {"z", RC_SYNTAX, false, ""},
        {"ac", RC_OK, false, NULL},
        {"c", RC_OK, false, NULL},
        {"", RC_OK, false, ""},
    };
    struct gunzip g = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char all[1024], out[1024];
        size_t n = 0;
        for (const char *p = cases[i].parts; *p; p++) {
            const char *from = *p == 'a' ? one : *p == '0' ? empty : *p == 'x' ? "junk" : two;
            size_t bytes = *p == 'a'   ? n1
                           : *p == '0' ? n0
                           : *p == 'x' ? 4
                           : *p == 'z' ? 7
                           : *p == 'c' ? n2 / 2
                                       : n2;
            if (*p == 'z')
                memset(all + n, 0, bytes);
            else
                memcpy(all + n, from, bytes);
            n += bytes;
        }
        for (size_t step = 1; step <= n + 1; step += 3) {
            enum rc rc = unpack(&g, (struct str){all, n}, step, 5, out);
            if (rc != cases[i].rc || (rc == RC_OK && g.is_whole != cases[i].is_whole))
                fail_msg("\"%s\" by %zu: %s, whole %d; expected %s, %d", cases[i].parts, step,
                         rc_text(rc), g.is_whole, rc_text(cases[i].rc), cases[i].is_whole);
            if (rc == RC_OK && cases[i].expected && strcmp(out, cases[i].expected) != 0)
                fail_msg("\"%s\" by %zu: \"%s\"", cases[i].parts, step, out);
        }
    }
    gunzip_free(&g);
    gunzip_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
