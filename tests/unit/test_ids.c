#include "ids_given.h"

#include <pthread.h>
#include <sys/stat.h>

#define ZLIB_CONST /* its input may be const */
#include <zlib.h>

/* clang-format off */
#define TEXT(literal) {literal, sizeof(literal) - 1}
/* clang-format on */

#define TIMES_MANY 300000

/* ---- gzip ----------------------------------------------------------------------------------- */

/* Appends one gzip member. */
static void gzip_add(struct buf *b, struct str content)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t bound = deflateBound(&z, content.len);
    char *room = buf_reserve(b, bound);
    assert_non_null(room);
    z.next_in = (const unsigned char *)content.ptr;
    z.avail_in = (uInt)content.len;
    z.next_out = (unsigned char *)room;
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b->len += z.total_out;
    assert_int_equal(deflateEnd(&z), Z_OK);
}

/* Lines "id-0" to "id-<n-1>". */
static void lines_add(struct buf *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        buf_addf(b, "id-%u\n", i);
}

static void test_gzip(void **state)
{
    (void)state;
    struct buf packed;
    buf_init(&packed, 1 << 20);
    gzip_add(&packed, STR("a\nb"));
    given_expect(".gz", buf_str(&packed), ID_FORMAT_AUTO, NULL, false, "a\nb\n");
    /* members, one of them empty, and zeros to the end of a block */
    gzip_add(&packed, STR(""));
    gzip_add(&packed, STR("c\nd\n"));
    given_expect(".gz", buf_str(&packed), ID_FORMAT_AUTO, NULL, false, "a\nbc\nd\n");
    buf_add(&packed, "\0\0\0\0\0\0\0", 7);
    given_expect(".gz", buf_str(&packed), ID_FORMAT_AUTO, NULL, false, "a\nbc\nd\n");
    gzip_add(&packed, STR("e\n"));
    given_expect(".gz", buf_str(&packed), ID_FORMAT_AUTO, NULL, false, "a\nbc\nd\ne\n");
    buf_clear(&packed);
    gzip_add(&packed, STR("id,x\na,\"1\n\"\n"));
    given_expect(".csv.gz", buf_str(&packed), ID_FORMAT_AUTO, NULL, false, "a\n");
    buf_clear(&packed);
    gzip_add(&packed, STR(""));
    given_expect(".gz", buf_str(&packed), ID_FORMAT_AUTO, NULL, false, "");
    buf_free(&packed);
}

static void expect_gzip_error(struct str content, const char *error)
{
    struct given g;
    given_init(&g);
    given_file(&g, ".gz", content);
    enum rc rc = given_read(&g);
    if (rc != RC_IO)
        fail_msg("%d instead of an error, for %zu bytes", (int)rc, content.len);
    assert_non_null(strstr(g.e.msg, "0.gz: "));
    if (!strstr(g.e.msg, error))
        fail_msg("'%s' is not in '%s'", error, g.e.msg);
    given_free(&g);
}

static void test_gzip_damaged(void **state)
{
    (void)state;
    struct buf lines;
    struct buf packed;
    buf_init(&lines, 1 << 20);
    buf_init(&packed, 1 << 20);
    lines_add(&lines, 100);
    gzip_add(&packed, buf_str(&lines));
    for (size_t n = 0; n < packed.len; n++)
        expect_gzip_error((struct str){packed.data, n}, "truncated");
    expect_gzip_error(STR("plain\n"), "corrupt");
    packed.data[packed.len / 2] ^= 0x10;
    expect_gzip_error(buf_str(&packed), "corrupt");
    packed.data[packed.len / 2] ^= 0x10;
    buf_adds(&packed, "something else");
    expect_gzip_error(buf_str(&packed), "other data after");
    buf_free(&packed);
    buf_free(&lines);
}

/* ---- several, and many ---------------------------------------------------------------------- */

static void test_several_files(void **state)
{
    (void)state;
    struct given g;
    given_init(&g);
    given_agent(&g, "d");
    given_file(&g, ".txt", STR("b\na\nb"));
    given_file(&g, ".csv", STR("agentId,id\nd,a\nx,a\n,c\n"));
    given_file(&g, ".ndjson", STR("{\"id\":\"c\"}\n{\"id\":\"c\",\"agentId\":\"x\"}\n{"));
    given_file(&g, ".txt", STR(""));
    assert_int_equal(given_read(&g), RC_OK);
    assert_string_equal(buf_cstr(&g.result),
                        "b d\na d\na x\nc d\nc x\n"
                        "2.ndjson:3! not JSON: a member name is expected (at byte 1)\n");
    assert_int_equal(g.counts.read, 9);
    assert_int_equal(g.counts.unique, 6);
    given_free(&g);
}

static void test_many(void **state)
{
    (void)state;
    struct given g;
    struct buf lines;
    given_init(&g);
    buf_init(&lines, (size_t)64 << 20);
    lines_add(&lines, TIMES_MANY);
    struct buf packed;
    buf_init(&packed, (size_t)64 << 20);
    gzip_add(&packed, buf_str(&lines));
    given_file(&g, ".txt", buf_str(&lines));
    given_file(&g, ".gz", buf_str(&packed));
    assert_int_equal(given_read(&g), RC_OK);
    assert_int_equal(g.counts.read, 2 * TIMES_MANY);
    assert_int_equal(g.counts.unique, TIMES_MANY);
    assert_true(str_eq(buf_str(&g.result), buf_str(&lines)));
    buf_free(&packed);
    buf_free(&lines);
    given_free(&g);
}

/* Longer than the limit: one bad line, whatever it holds, and the next lines are read. */
static void test_long_lines(void **state)
{
    (void)state;
    static const size_t lengths[] = {
        65535, 65536, 65537, 131072, 1048575, 1048576, 1048577, 1114112, 1114113, 3000000,
    };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct given g;
        struct buf text;
        buf_init(&text, (size_t)64 << 20);
        buf_adds(&text, "a\n");
        char *room = buf_reserve(&text, lengths[i]);
        assert_non_null(room);
        memset(room, 'x', lengths[i]);
        text.len += lengths[i];
        buf_adds(&text, "\nb\n.\n");
        given_init(&g);
        given_file(&g, "", buf_str(&text));
        assert_int_equal(given_read(&g), RC_OK);
        bool too_long = lengths[i] > 1048576;
        const char *middle =
            too_long ? "a\n0:2! the line is longer than 1048576 bytes\nb\n" : "a\n0:2! the ID has ";
        if (strncmp(buf_cstr(&g.result), middle, strlen(middle)) != 0)
            fail_msg("%zu: %s", lengths[i], buf_cstr(&g.result));
        assert_non_null(strstr(buf_cstr(&g.result), "\nb\n0:4! "));
        buf_free(&text);
        given_free(&g);
    }
}

/* A record over the limit, and a quote whose end does not come within it. */
static void test_long_records(void **state)
{
    (void)state;
    struct given g;
    struct buf text;
    buf_init(&text, (size_t)64 << 20);
    buf_adds(&text, "id,x\na,\"1\n2\"\nb,\"1\n");
    for (int i = 0; i < 200000; i++)
        buf_addf(&text, "c%d,2\n", i);
    given_init(&g);
    given_file(&g, "", buf_str(&text));
    assert_int_equal(given_read(&g), RC_OK);
    assert_int_equal(g.counts.read, 200002);
    static const char start[] = "a\n0:4! field 2 has no closing quote: 'b,\"1'\nc0\nc1\n";
    assert_int_equal(strncmp(buf_cstr(&g.result), start, strlen(start)), 0);
    buf_free(&text);
    given_free(&g);
}

/* Lines whose quotes are open, whether they are read within quotes or not. */
static void test_open_quotes(void **state)
{
    (void)state;
    struct given g;
    struct buf text;
    buf_init(&text, (size_t)64 << 20);
    buf_adds(&text, "id,x\n");
    for (int i = 0; i < 20000; i++)
        buf_adds(&text, "\",x\"y,\"\n");
    buf_adds(&text, "a,1\nb,2\n.,3\n");
    given_init(&g);
    given_file(&g, "", buf_str(&text));
    assert_int_equal(given_read(&g), RC_OK);
    assert_int_equal(g.counts.read, 20003);
    assert_non_null(
        strstr(buf_cstr(&g.result), "\n0:20001! field 1 has text after its closing quote: "));
    assert_non_null(strstr(buf_cstr(&g.result), "\na\nb\n0:20004! "));
    buf_free(&text);
    given_free(&g);
}

static void test_garbage(void **state)
{
    (void)state;
    unsigned char bytes[100000];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof bytes; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(x >> 24);
    }
    for (int format = ID_FORMAT_AUTO; format <= ID_FORMAT_NDJSON; format++) {
        struct given g;
        given_init(&g);
        given_file(&g, "", (struct str){(const char *)bytes, sizeof bytes});
        g.cfg.format = (enum id_format)format;
        enum rc rc = given_read(&g);
        bool refused = format == ID_FORMAT_CSV || format == ID_FORMAT_AUTO;
        assert_int_equal(rc, refused ? RC_USAGE : RC_OK);
        given_free(&g);
    }
}

/* ---- from elsewhere ------------------------------------------------------------------------- */

static void test_ids_from_the_command_line(void **state)
{
    (void)state;
    static const char *const list[] = {"b", " a ", "b", "#"};
    struct given g;
    given_init(&g);
    given_agent(&g, "d");
    g.cfg.ids = list;
    g.cfg.n_ids = 4;
    assert_int_equal(given_read(&g), RC_OK);
    assert_string_equal(buf_cstr(&g.result), "b d\na d\n# d\n");
    assert_int_equal(g.counts.duplicates, 1);
    given_free(&g);
}

#define PIPED "\xEF\xBB\xBFid,x\r\na,\"\n\"\"\"\r\nb,\r\rc,"

static void *write_slowly(void *fd)
{
    for (const char *p = PIPED; *p; p++)
        if (write(*(int *)fd, p, 1) != 1)
            break;
    (void)close(*(int *)fd);
    return NULL;
}

/* Through a pipe and in small pieces. */
static void test_pipe(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        int ends[2];
        char path[64];
        pthread_t writer;
        struct given g;
        assert_int_equal(pipe(ends), 0);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
        given_init(&g);
        g.files[0] = path;
        g.cfg.n_files = 1;
        assert_int_equal(pthread_create(&writer, NULL, write_slowly, &ends[1]), 0);
        assert_int_equal(given_read(&g), RC_OK);
        assert_int_equal(pthread_join(writer, NULL), 0);
        assert_string_equal(buf_cstr(&g.result), "a\nb\nc\n");
        g.cfg.n_files = 0;
        assert_int_equal(close(ends[0]), 0);
        given_free(&g);
    }
}

/* Nobody writes to it: not even opening it may wait for ever. */
static void test_cancelled_fifo(void **state)
{
    (void)state;
    int cancel[2];
    struct given g;
    assert_int_equal(pipe(cancel), 0);
    assert_int_equal(write(cancel[1], "x", 1), 1);
    given_init(&g);
    (void)snprintf(g.paths[0], sizeof g.paths[0], "%s/fifo", g.dir);
    assert_int_equal(mkfifo(g.paths[0], 0600), 0);
    g.files[0] = g.paths[0];
    g.cfg.n_files = 1;
    g.cfg.wait.cancel_fd = cancel[0];
    (void)alarm(20);
    assert_int_equal(given_read(&g), RC_STOPPED);
    (void)alarm(0);
    assert_int_equal(close(cancel[0]) | close(cancel[1]), 0);
    given_free(&g);
}

static void test_cancelled(void **state)
{
    (void)state;
    int ends[2];
    int cancel[2];
    char path[64];
    struct given g;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(cancel), 0);
    assert_int_equal(write(cancel[1], "x", 1), 1);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    given_init(&g);
    g.files[0] = path;
    g.cfg.n_files = 1;
    g.cfg.wait.cancel_fd = cancel[0];
    assert_int_equal(given_read(&g), RC_STOPPED);
    g.cfg.n_files = 0;
    for (int i = 0; i < 2; i++)
        assert_int_equal(close(ends[i]) | close(cancel[i]), 0);
    given_free(&g);
}

/* ---- refused -------------------------------------------------------------------------------- */

static void expect_refused(struct given *g, enum rc rc, const char *text)
{
    assert_int_equal(given_read(g), rc);
    if (!strstr(g->e.msg, text))
        fail_msg("'%s' is not in '%s'", text, g->e.msg);
    assert_int_equal(g->result.len, 0);
    given_free(g);
}

static void test_refused_files(void **state)
{
    (void)state;
    struct given g;
    given_init(&g);
    given_file(&g, ".txt", STR("a"));
    g.files[1] = "/nowhere/ids.txt";
    g.cfg.n_files = 2;
    expect_refused(&g, RC_USAGE, "/nowhere/ids.txt: No such file");
    given_init(&g);
    g.files[0] = "/tmp";
    g.cfg.n_files = 1;
    expect_refused(&g, RC_USAGE, "/tmp: Is a directory");
    given_init(&g);
    g.files[0] = g.files[1] = "-";
    g.cfg.n_files = 2;
    expect_refused(&g, RC_USAGE, "only once");
    if (geteuid() == 0)
        return; /* may read everything */
    given_init(&g);
    given_file(&g, ".txt", STR("a"));
    assert_int_equal(chmod(g.files[0], 0), 0);
    expect_refused(&g, RC_USAGE, "0.txt: Permission denied");
}

static void test_refused_csv(void **state)
{
    (void)state;
    static const struct {
        struct str content;
        const char *column, *error;
    } cases[] = {
        {TEXT("name,number\na,b\n"), NULL,
         "1.csv: no column 'id' or 'lead_id' or 'leadId' in the csv header, which has 'name', "
         "'number'; name the ID column with --id-column"},
        {TEXT("name;number,x\na;b\n"), NULL, "has 'name;number', 'x'"},
        {TEXT("name;number;x,y\na;b\n"), NULL, "has 'name', 'number', 'x,y'"},
        {TEXT("name\tx\x1b\ta,b\n"), "ref", "field 2 has a control character in it"},
        {TEXT("name\tx\n"), "ref",
         "1.csv: no column 'ref' in the csv header, which has 'name', 'x'; name the ID column with --id-column"},
        {TEXT("1,2,3,4,5,6,7,8,9,10,11,12\n"), NULL, "'9', '10', ..."},
        {TEXT(""), NULL, "1.csv: empty"},
        {TEXT("\n\n"), NULL, "1.csv: empty"},
        {TEXT("sep=;\nid,x\na,b\n"), NULL, "has 'id,x'"},
        /* a header that is malformed, or takes rows with it */
        {TEXT("id,\"name\na1,x\na2,\"y\na3,z\n"), NULL,
         "1.csv: invalid csv header: field 2 has text after its closing quote: "
         "'id,\"name'"},
        {TEXT("\"id\"x,name\na1,x\n"), NULL,
         "1.csv: invalid csv header: field 1 has text after its closing quote: "},
        {TEXT("id,na\"me\na1,x\n"), NULL, "field 2 has a quote within it"},
        {TEXT("id,\"name\na1,x\na2,y\n"), NULL, "field 2 has no closing quote: 'id,\"name'"},
        {TEXT("id;\"name\na1;x\na2;\"y\n"), NULL, "field 2 has text after"},
        {TEXT("id,\"name\na1,x\na2,\"\na3,z\n"), NULL, "column 2 spans several lines"},
        {TEXT("id,\"name\rx\ry\"\ra1,x\r"), NULL, "column 2 spans several lines"},
        {TEXT("id,n\va1,x\va2,y\v"), NULL, "field 2 has a control character"},
        {TEXT("id,n\0a1,x\0\n"), NULL, "field 2 has a control character"},
        {TEXT("id,n\xC2\x85"
              "a1,x\xC2\x85"
              "a2,y"),
         NULL, "column 2 contains a control character"},
        {TEXT("id,n\xE2\x80\xA8"
              "a1,x"),
         NULL, "column 2 contains a control character"},
        {TEXT("id,\"n\x1e"
              "a1\"\na2,x\n"),
         NULL, "column 2 contains a control character"},
        /* two that could be it */
        {TEXT("id,x,id\na,b,c\n"), NULL, "columns 1 and 3 are both named id"},
        {TEXT("ID,Id\na,b\n"), NULL, "columns 1 and 2 are both named id"},
        {TEXT("id,agentid,AgentId\na,b,c\n"), NULL, "columns 2 and 3 are both named agentId"},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct given g;
        bool is_auto = i % 2 && cases[i / 2].content.len > 2;
        given_init(&g);
        given_agent(&g, "d");
        given_file(&g, ".csv", STR("id,name,ref\na,b,c\n"));
        given_file(&g, ".csv", cases[i / 2].content);
        g.cfg.format = is_auto ? ID_FORMAT_AUTO : ID_FORMAT_CSV;
        g.cfg.column = cases[i / 2].column;
        expect_refused(&g, RC_USAGE, cases[i / 2].error);
    }
}

/* What auto would have to take for IDs, though it does not look like them. */
static void test_refused_auto(void **state)
{
    (void)state;
    static const struct {
        struct str content;
        const char *column, *error;
    } cases[] = {
        {TEXT("lead,name\na,b\n"), NULL,
         "0: no column 'id' or 'lead_id' or 'leadId' in the csv header, which has 'lead', 'name'; "
         "name the ID column with --id-column, or read every line as an ID with --id-format lines"},
        {TEXT("contact_id,name\na,b\n"), NULL, "which has 'contact_id', 'name'"},
        {TEXT("contact_id;name\na;b\n"), NULL, "which has 'contact_id', 'name'"},
        {TEXT("a1,a2,a3\n"), NULL, "which has 'a1', 'a2', 'a3'"},
        {TEXT("# a comment\nlead\tname\n"), NULL, "which has 'lead', 'name'"},
        {TEXT("lead,name\na,b\n"), "leed", "no column 'leed'"},
        {TEXT("lead\na\n"), "leed", "no column 'leed' in the csv header, which has 'lead'"},
        {TEXT("id\na\n"), "leed", "no column 'leed'"},
        {TEXT("{\"lead\":\"a\"}\n"), "leed",
         "0: the first object has no member 'leed' (--id-column)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct given g;
        given_init(&g);
        given_file(&g, "", cases[i].content);
        g.cfg.column = cases[i].column;
        expect_refused(&g, RC_USAGE, cases[i].error);
    }
}

static void test_refused_params(void **state)
{
    (void)state;
    static const char *const list[] = {"a", "b\n"};
    struct given g;
    given_init(&g);
    given_agent(&g, NULL);
    given_file(&g, ".txt", STR("# none\na\n"));
    expect_refused(&g, RC_USAGE, "0.txt: agentId is missing: give --param agentId=VALUE");
    given_init(&g);
    given_agent(&g, NULL);
    g.cfg.ids = list;
    g.cfg.n_ids = 1;
    expect_refused(&g, RC_USAGE, "agentId is missing");
    given_init(&g);
    given_agent(&g, "");
    given_file(&g, ".txt", STR("a\n"));
    expect_refused(&g, RC_USAGE, "--param: agentId is empty");
    given_init(&g);
    g.cfg.ids = list;
    g.cfg.n_ids = 2;
    expect_refused(&g, RC_USAGE,
                   "--id: the ID contains a control character, which is not allowed: 'b\\n'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_gzip_damaged),
        cmocka_unit_test(test_several_files),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_long_records),
        cmocka_unit_test(test_open_quotes),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_ids_from_the_command_line),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_cancelled_fifo),
        cmocka_unit_test(test_refused_files),
        cmocka_unit_test(test_refused_csv),
        cmocka_unit_test(test_refused_auto),
        cmocka_unit_test(test_refused_params),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
