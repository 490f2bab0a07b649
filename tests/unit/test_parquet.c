/* What a Parquet file is made of: numbers and fields of Thrift, runs, values and their bounds. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sinks/parquet/rle.h"
#include "sinks/parquet/row_groups.h"
#include "sinks/parquet/statistics.h"
#include "sinks/parquet/thrift.h"

static void put_hex(struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_addf(out, "%02x", (unsigned char)bytes.ptr[i]);
}

static void expect_hex(const char *name, struct str bytes, const char *want)
{
    struct buf hex;
    buf_init(&hex, SIZE_MAX / 2);
    put_hex(&hex, bytes);
    if (strcmp(buf_cstr(&hex), want) != 0)
        fail_msg("%s: is  %s\nand not %s", name, buf_cstr(&hex), want);
    buf_free(&hex);
}

/* ---- Thrift --------------------------------------------------------------------------------- */

static void test_varint(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *hex;
    } rows[] = {{0, "00"},
                {1, "01"},
                {127, "7f"},
                {128, "8001"},
                {300, "ac02"},
                {16384, "808001"},
                {UINT32_MAX, "ffffffff0f"},
                {UINT64_MAX, "ffffffffffffffffff01"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, 64);
        thrift_varint(&out, rows[i].value);
        expect_hex("varint", buf_str(&out), rows[i].hex);
        buf_free(&out);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *hex;
    } rows[] = {{0, "160000"},
                {-1, "160100"},
                {1, "160200"},
                {-64, "167f00"},
                {64, "16800100"},
                {INT64_MAX, "16feffffffffffffffff0100"},
                {INT64_MIN, "16ffffffffffffffffff0100"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, 64);
        struct thrift t = {.out = &out};
        thrift_begin(&t);
        thrift_i64(&t, 1, rows[i].value);
        thrift_end(&t);
        expect_hex("i64", buf_str(&out), rows[i].hex);
        buf_free(&out);
    }
}

/* A field whose number is far from the one before has it written out; lists have two headers. */
static void test_fields(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    struct thrift t = {.out = &out};
    thrift_begin(&t);
    thrift_bool(&t, 1, true);
    thrift_bool(&t, 2, false);
    thrift_i32(&t, 17, -2);
    thrift_i32(&t, 33, 1); /* 16 on: 15 is the most in one byte */
    thrift_struct(&t, 34);
    thrift_binary(&t, 1, STR("ab"));
    thrift_end(&t);
    thrift_list(&t, 35, THRIFT_I32, 2);
    thrift_element_i32(&t, 1);
    thrift_element_i32(&t, -1);
    thrift_list(&t, 36, THRIFT_BINARY, 0);
    thrift_end(&t);
    expect_hex("fields", buf_str(&out),
               "1112f503054202" /* 33 as a number */
               "1c1802616200"
               "19250201"
               "190800");
    buf_free(&out);
}

static void test_long_list(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    struct thrift t = {.out = &out};
    thrift_begin(&t);
    thrift_list(&t, 1, THRIFT_STRUCT, 14);
    thrift_list(&t, 2, THRIFT_STRUCT, 15);
    thrift_list(&t, 3, THRIFT_STRUCT, 300);
    thrift_end(&t);
    expect_hex("lists", buf_str(&out), "19ec19fc0f19fcac0200");
    buf_free(&out);
}

/* ---- runs and packed values ----------------------------------------------------------------- */

/* Reads what rle_*() wrote, by the format's own text. Returns how many values there are. */
static size_t decode(struct str in, unsigned width, uint32_t *out, size_t room)
{
    size_t at = 0;
    size_t n = 0;
    while (at < in.len) {
        uint64_t header = 0;
        for (unsigned shift = 0;; shift += 7) {
            assert_true(at < in.len);
            unsigned char byte = (unsigned char)in.ptr[at++];
            header |= (uint64_t)(byte & 0x7f) << shift;
            if (!(byte & 0x80))
                break;
        }
        if (header & 1) {
            size_t count = (size_t)(header >> 1) * 8;
            assert_true(at + count * width / 8 <= in.len && n + count <= room);
            for (size_t i = 0; i < count; i++) {
                uint32_t value = 0;
                for (unsigned bit = 0; bit < width; bit++) {
                    size_t place = i * width + bit;
                    unsigned char byte = (unsigned char)in.ptr[at + place / 8];
                    value |= (uint32_t)(byte >> place % 8 & 1) << bit;
                }
                out[n++] = value;
            }
            at += count * width / 8;
        } else {
            uint32_t value = 0;
            assert_true(header >> 1 > 0);
            for (unsigned i = 0; i < (width + 7) / 8; i++)
                value |= (uint32_t)(unsigned char)in.ptr[at++] << 8 * i;
            for (uint64_t i = 0; i < header >> 1; i++) {
                assert_true(n < room);
                out[n++] = value;
            }
        }
    }
    return n;
}

static void test_known_runs(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned width;
        uint32_t runs[8][2]; /* value, count */
        const char *hex;
    } rows[] = {
        {"nothing", 1, {{0, 0}}, ""},
        {"one value is a group that is filled up", 1, {{1, 1}}, "0301"},
        {"eight are a run", 1, {{1, 8}}, "1001"},
        {"seven are not", 1, {{1, 7}}, "037f"},
        {"a group is completed before a run", 1, {{0, 3}, {1, 13}}, "03f81001"},
        {"and not where no run is left", 1, {{0, 3}, {1, 12}}, "05f87f"},
        {"the bits 0 to 7 of the format's example",
         3,
         {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}, {6, 1}, {7, 1}},
         "0388c6fa"},
        {"a value of two bytes", 9, {{300, 100}}, "c8012c01"},
        {"32 bits", 32, {{UINT32_MAX, 8}}, "10ffffffff"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        struct rle r;
        buf_init(&out, 4096);
        rle_begin(&r, &out, rows[i].width);
        for (size_t k = 0; k < 8 && rows[i].runs[k][1]; k++)
            rle_add(&r, rows[i].runs[k][0], rows[i].runs[k][1]);
        rle_end(&r);
        expect_hex(rows[i].name, buf_str(&out), rows[i].hex);
        buf_free(&out);
    }
}

/* Random runs, also cut in two: the same bytes, and every value is there. */
static void test_any_runs(void **state)
{
    (void)state;
    enum { VALUES = 20000 };
    uint32_t *values = malloc(2 * VALUES * sizeof *values);
    assert_non_null(values);
    uint32_t *found = values + VALUES;
    uint64_t seed = 1;
    for (unsigned width = 1; width <= 32; width++) {
        struct buf whole;
        struct buf cut;
        struct rle a;
        struct rle b;
        buf_init(&whole, SIZE_MAX / 2);
        buf_init(&cut, SIZE_MAX / 2);
        rle_begin(&a, &whole, width);
        rle_begin(&b, &cut, width);
        size_t n = 0;
        while (n < VALUES - 3000) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            uint32_t value = (uint32_t)(seed >> 32) & (uint32_t)((UINT64_C(1) << width) - 1);
            uint32_t draw = (uint32_t)(seed >> 20);
            uint32_t count = draw % 4 ? 1 + draw / 16 % 3 : 1 + draw / 16 % 1000;
            rle_add(&a, value, count);
            rle_add(&b, value, count / 2);
            rle_add(&b, value, count - count / 2);
            while (count--)
                values[n++] = value;
        }
        rle_end(&a);
        rle_end(&b);
        assert_int_equal(whole.len, cut.len);
        assert_memory_equal(whole.data, cut.data, whole.len);
        size_t n_found = decode(buf_str(&whole), width, found, VALUES);
        assert_true(n_found >= n && n_found < n + 8);
        assert_memory_equal(found, values, n * sizeof *values);
        buf_free(&whole);
        buf_free(&cut);
    }
    free(values);
}

static void test_widths(void **state)
{
    (void)state;
    static const struct {
        uint32_t max;
        unsigned width;
    } rows[] = {{0, 1}, {1, 1}, {2, 2}, {3, 2}, {4, 3}, {255, 8}, {256, 9}, {UINT32_MAX, 32}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(rle_width(rows[i].max), rows[i].width);
}

/* ---- chunks --------------------------------------------------------------------------------- */

static void put(struct chunk *c, uint64_t row, struct str value)
{
    assert_int_equal(chunk_put(c, row, value, chunk_expect(c, value)), RC_OK);
}

/* Few different values keep their dictionary, many give it up: either way all are there, and what is
 * counted as held is given back. */
static void test_dictionary(void **state)
{
    (void)state;
    static const struct {
        unsigned different;
        bool has_dictionary;
    } rows[] = {{1, true}, {100, true}, {400, true}, {5000, false}};
    enum { VALUES = 5000 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct chunk_memory memory = {.held = 7};
        struct chunk c;
        chunk_init(&c, PHYSICAL_BYTE_ARRAY, 42, &memory);
        for (unsigned n = 0; n < VALUES; n++) {
            char text[32];
            int len = snprintf(text, sizeof text, "value-%08u", n % rows[i].different);
            put(&c, 3 * n, (struct str){text, (size_t)len});
        }
        assert_true(memory.held > 7);
        assert_int_equal(chunk_settle(&c), RC_OK);
        if (c.has_dictionary != rows[i].has_dictionary)
            fail_msg("%u different values: has a dictionary: %d", rows[i].different,
                     c.has_dictionary);
        assert_int_equal(c.n_values, VALUES);
        assert_int_equal(c.n_rows, 3 * (VALUES - 1) + 1);
        size_t at = 0;
        size_t n = 0;
        struct str value;
        while (chunk_next_value(c.type, buf_str(&c.data), &at, &value))
            n++;
        assert_int_equal(n, rows[i].has_dictionary ? rows[i].different : VALUES);
        assert_int_equal(at, c.data.len);
        chunk_reset(&c);
        assert_int_equal(memory.held, 7);
        chunk_free(&c);
    }
}

/* Values of which `different` differ, and every fifth is null. */
static void fill(struct chunk *c, unsigned n_rows, unsigned different)
{
    for (unsigned n = 0; n < n_rows; n++) {
        char text[32];
        int len = snprintf(text, sizeof text, "%u", n % different * 7919);
        if (n % 5)
            put(c, n, (struct str){text, (size_t)len});
    }
}

static void assert_same_chunk(const struct chunk *a, const struct chunk *b)
{
    assert_int_equal(a->has_dictionary, b->has_dictionary);
    assert_int_equal(a->n_entries, b->n_entries);
    assert_int_equal(a->index_bytes, b->index_bytes);
    assert_int_equal(a->n_slots, b->n_slots);
    assert_int_equal(a->n_values, b->n_values);
    assert_int_equal(a->memory->held, b->memory->held);
    assert_true(str_eq(buf_str(&a->runs), buf_str(&b->runs)));
    assert_true(str_eq(buf_str(&a->data), buf_str(&b->data)));
    assert_true(str_eq(buf_str(&a->indexes), buf_str(&b->indexes)));
}

/* A row group finds the memory of the one before, and nothing else of it, also when what is not in use was given
 * back in the middle of it. */
static void test_next_group(void **state)
{
    (void)state;
    static const struct {
        unsigned before, different_before, n, different;
    } rows[] = {{4000, 200, 4000, 200},  {4000, 4000, 4000, 4000}, {4000, 4000, 4000, 200},
                {4000, 200, 4000, 4000}, {100, 50, 4000, 900},     {4000, 900, 100, 50},
                {4000, 1, 1, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (unsigned trimmed = 0; trimmed < 2; trimmed++) {
            struct chunk_memory memory = {0}, new_memory = {0};
            struct chunk c, new;
            chunk_init(&c, PHYSICAL_BYTE_ARRAY, 42, &memory);
            chunk_init(&new, PHYSICAL_BYTE_ARRAY, 42, &new_memory);
            fill(&c, rows[i].before, rows[i].different_before);
            assert_int_equal(chunk_settle(&c), RC_OK);
            size_t taken = memory.taken;
            chunk_reset(&c);
            assert_int_equal(memory.held, 0);
            assert_int_equal(memory.taken, taken);
            fill(&c, rows[i].n, rows[i].different);
            if (trimmed) {
                chunk_trim(&c);
                assert_true(memory.taken <= memory.held);
                fill(&new, rows[i].n, rows[i].different);
                assert_same_chunk(&c, &new);
                put(&c, rows[i].n, STR("another"));
                put(&new, rows[i].n, STR("another"));
            } else {
                fill(&new, rows[i].n, rows[i].different);
            }
            assert_same_chunk(&c, &new);
            if (rows[i].before == rows[i].n && rows[i].different_before == 200 &&
                rows[i].different == 200 && !trimmed)
                assert_int_equal(memory.taken, taken);
            chunk_reset(&c);
            chunk_trim(&c);
            assert_int_equal(memory.taken, 0);
            chunk_free(&c);
            chunk_free(&new);
            assert_int_equal(new_memory.taken, 0);
        }
    }
}

/* An index takes as many bytes as there are entries, is what it was when there are more, is counted the same
 * whatever it takes, and comes back from a mark as it was. */
static void test_index_bytes(void **state)
{
    (void)state;
    static const struct {
        uint32_t n_entries;
        unsigned index_bytes;
    } rows[] = {{1, 1}, {256, 1}, {257, 2}, {65536, 2}, {65537, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t n = rows[i].n_entries;
        struct chunk_memory memory = {0}, again_memory = {0};
        struct chunk c, again;
        chunk_init(&c, PHYSICAL_INT64, 1, &memory);
        chunk_init(&again, PHYSICAL_INT64, 2, &again_memory);
        for (uint32_t row = 0; row < 4 * n; row++) { /* so often that a dictionary is worth it */
            char bytes[sizeof(uint64_t)];
            le64_put(bytes, row / 4);
            put(&c, row, (struct str){bytes, sizeof bytes});
        }
        assert_true(c.has_dictionary);
        assert_int_equal(c.n_entries, n);
        assert_int_equal(c.index_bytes, rows[i].index_bytes);
        assert_int_equal(c.indexes.len, (size_t)4 * n * rows[i].index_bytes);
        for (uint32_t row = 0; row < 4 * n; row++) {
            uint32_t index;
            chunk_indexes(&c, row, 1, &index);
            assert_int_equal(index, row / 4);
            buf_add(&again.indexes, &index, sizeof index);
        }
        assert_int_equal(memory.held,
                         256 + c.runs.len + c.data.len + 16 * n + c.n_slots * sizeof *c.slots);
        buf_add_str(&again.runs, buf_str(&c.runs));
        buf_add_str(&again.data, buf_str(&c.data));
        again.n_rows = again.n_values = 4 * n;
        assert_int_equal(chunk_restore(&again, 4 * n), RC_OK);
        assert_same_chunk(&again, &c);
        chunk_free(&c);
        chunk_free(&again);
    }
}

/* What an earlier row group has left is not in use, the room of growing buffers is not counted. */
static void test_idle(void **state)
{
    (void)state;
    struct chunk_memory memory = {0};
    struct chunk c;
    chunk_init(&c, PHYSICAL_BYTE_ARRAY, 1, &memory);
    assert_int_equal(chunk_idle(&c), 0);
    fill(&c, 200000, 200000);
    size_t taken = memory.taken;
    assert_true(chunk_idle(&c) < taken / 8);
    chunk_reset(&c);
    assert_int_equal(chunk_idle(&c), memory.taken);
    fill(&c, 1000, 900);
    assert_true(chunk_idle(&c) > taken / 2);
    chunk_trim(&c);
    assert_int_equal(chunk_idle(&c), 0);
    assert_true(memory.taken <= memory.held);
    chunk_free(&c);
}

/* What a mark keeps gives the same chunk, and what is bent is refused. */
static void test_restore(void **state)
{
    (void)state;
    struct chunk_memory memory = {0};
    struct chunk c;
    struct chunk again;
    chunk_init(&c, PHYSICAL_BYTE_ARRAY, 1, &memory);
    chunk_init(&again, PHYSICAL_BYTE_ARRAY, 2, &memory);
    for (unsigned n = 0; n < 300; n++)
        put(&c, 2 + n + n / 10, n % 3 ? STR("a") : STR("bc"));
    for (unsigned bend = 0; bend < 9; bend++) {
        chunk_free(&again);
        chunk_init(&again, PHYSICAL_BYTE_ARRAY, 2, &memory);
        buf_add_str(&again.runs, buf_str(&c.runs));
        buf_add_str(&again.data, buf_str(&c.data));
        uint32_t indexes[300];
        chunk_indexes(&c, 0, 300, indexes);
        buf_add(&again.indexes, indexes, sizeof indexes);
        again.n_rows = c.n_rows + (bend == 1);
        again.n_values = c.n_values + (bend == 2);
        again.data.len -= bend == 3;
        again.indexes.len -= bend == 4 ? 4 : 0;
        if (bend == 5)
            again.indexes.data[0] = 9;
        if (bend == 6)
            again.has_dictionary = false;
        if (bend == 7) /* the first value has the second entry */
            again.indexes.data[0] = 1;
        if (bend == 8) /* no value has the second entry */
            memset(again.indexes.data, 0, again.indexes.len);
        enum rc rc = chunk_restore(&again, c.n_rows + 1);
        if (rc != (bend ? RC_SYNTAX : RC_OK))
            fail_msg("bend %u: %s", bend, rc_text(rc));
        if (bend == 0) {
            assert_int_equal(again.plain_bytes, c.plain_bytes);
            assert_same_chunk(&again, &c);
        }
    }
    assert_int_equal(chunk_restore(&c, c.n_rows - 1), RC_SYNTAX);
    chunk_free(&c);
    chunk_free(&again);
}

/* ---- statistics ----------------------------------------------------------------------------- */

#define A61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A62 A61 "a"
#define A63 A62 "a"
#define A64 A63 "a"
#define MAX4 "\xf4\x8f\xbf\xbf"
#define MAX32 MAX4 MAX4 MAX4 MAX4 MAX4 MAX4 MAX4 MAX4
#define E_ACUTE "\xc3\xa9"

static void expect_bound(const char *name, const struct bound *b, const char *want, bool is_exact)
{
    if (b->is_known != (want != NULL))
        fail_msg("%s: is known: %d", name, b->is_known);
    if (want &&
        (b->n != strlen(want) || memcmp(b->bytes, want, b->n) != 0 || b->is_exact != is_exact))
        fail_msg("%s: is %.*s (exact: %d), not %s", name, (int)b->n, b->bytes, b->is_exact, want);
}

static void test_bounds_of_texts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *values[4], *min, *max;
        bool min_exact, max_exact;
    } rows[] = {
        {"one", {"b"}, "b", "b", true, true},
        {"bytes are unsigned", {"b", E_ACUTE, "a"}, "a", E_ACUTE, true, true},
        {"a beginning is smaller", {"ab", "a", ""}, "", "ab", true, true},
        {"64 bytes are whole", {A64}, A64, A64, true, true},
        {"65 are not", {A64 "a"}, A64, A63 "b", false, false},
        {"whole characters", {A63 E_ACUTE}, A63, A62 "b", false, false},
        {"one length longer",
         {A63 "\x7f"
              "x"},
         A63 "\x7f",
         A63 "\xc2\x80",
         false,
         false},
        {"no surrogate",
         {A61 "\xed\x9f\xbf"
              "x"},
         A61 "\xed\x9f\xbf",
         A61 "\xee\x80\x80",
         false,
         false},
        {"the last character of all", {A63 "b", MAX32 MAX32 "x"}, A63 "b", NULL, true, false},
        {"the one before is raised",
         {"a" MAX32 MAX32},
         "a" MAX32 MAX4 MAX4 MAX4 MAX4 MAX4 MAX4 MAX4,
         "b",
         false,
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct chunk_memory memory = {0};
        struct chunk c;
        chunk_init(&c, PHYSICAL_BYTE_ARRAY, 1, &memory);
        for (size_t k = 0; k < 4 && rows[i].values[k]; k++)
            put(&c, k, str_c(rows[i].values[k]));
        struct statistics s = statistics_of(&c);
        expect_bound(rows[i].name, &s.max, rows[i].max, rows[i].max_exact);
        expect_bound(rows[i].name, &s.min, rows[i].min, rows[i].min_exact);
        chunk_free(&c);
    }
}

static void put_number(struct chunk *c, uint64_t row, const void *number)
{
    char bytes[8];
    uint64_t bits;
    memcpy(&bits, number, sizeof bits);
    le64_put(bytes, bits);
    put(c, row, (struct str){bytes, sizeof bytes});
}

static void test_bounds_of_numbers(void **state)
{
    (void)state;
    static const int64_t integers[] = {5, -3, INT64_MAX, INT64_MIN, 0};
    static const double doubles[] = {1.5, -2.5, 1e300, -1e-300};
    static const double zeros[] = {0.0, 0.0};
    struct chunk_memory memory = {0};
    struct chunk c;
    chunk_init(&c, PHYSICAL_INT64, 1, &memory);
    for (size_t i = 0; i < 5; i++)
        put_number(&c, i, &integers[i]);
    struct statistics s = statistics_of(&c);
    assert_int_equal((int64_t)le64_get(s.min.bytes), INT64_MIN);
    assert_int_equal((int64_t)le64_get(s.max.bytes), INT64_MAX);
    chunk_free(&c);

    chunk_init(&c, PHYSICAL_DOUBLE, 1, &memory);
    for (size_t i = 0; i < 4; i++)
        put_number(&c, i, &doubles[i]);
    s = statistics_of(&c);
    assert_memory_equal(s.min.bytes, &doubles[1], 8);
    assert_memory_equal(s.max.bytes, &doubles[2], 8);
    chunk_free(&c);

    /* of zeros, the signs say nothing about what there is */
    chunk_init(&c, PHYSICAL_DOUBLE, 1, &memory);
    for (size_t i = 0; i < 2; i++)
        put_number(&c, i, &zeros[i]);
    s = statistics_of(&c);
    assert_int_equal(le64_get(s.min.bytes), UINT64_C(1) << 63);
    assert_int_equal(le64_get(s.max.bytes), 0);
    chunk_free(&c);

    chunk_init(&c, PHYSICAL_BOOLEAN, 1, &memory);
    put(&c, 0, (struct str){"\1", 1});
    put(&c, 1, (struct str){"\0", 1});
    s = statistics_of(&c);
    assert_int_equal(s.min.bytes[0], 0);
    assert_int_equal(s.max.bytes[0], 1);
    chunk_free(&c);

    chunk_init(&c, PHYSICAL_INT64, 1, &memory);
    s = statistics_of(&c);
    assert_false(s.min.is_known || s.max.is_known);
    chunk_free(&c);
}

/* ---- row groups ----------------------------------------------------------------------------- */

static void fill_group(struct row_group *g, size_t i)
{
    g->at = i;
    g->n_rows = i + 1;
    g->sums = (struct page_sums){2 * i, 3};
    g->n_columns = i % 7;
    for (size_t k = 0; k < i % 5000; k++)
        buf_addc(&g->first, (char)(i + k));
    buf_addf(&g->last, "%zu", i);
}

static void expect_groups(const struct row_groups *groups, size_t n)
{
    struct row_group_reader r;
    struct row_group want = {.at = 0};
    struct err e;
    buf_init(&want.first, 1 << 20);
    buf_init(&want.last, 1 << 20);
    row_group_reader_init(&r, groups);
    for (size_t i = 0; i < n; i++) {
        buf_clear(&want.first);
        buf_clear(&want.last);
        fill_group(&want, i);
        const struct row_group *got = &r.group;
        if (row_group_read(&r, &e) != RC_OK || got->at != want.at || got->n_rows != want.n_rows ||
            got->sums.plain_bytes != want.sums.plain_bytes || got->sums.bytes != want.sums.bytes ||
            got->n_columns != want.n_columns ||
            !str_eq(buf_str(&got->first), buf_str(&want.first)) ||
            !str_eq(buf_str(&got->last), buf_str(&want.last)))
            fail_msg("row group %zu of %zu is another one", i, n);
    }
    assert_int_equal(row_group_read(&r, &e), RC_END);
    row_group_reader_free(&r);
    buf_free(&want.first);
    buf_free(&want.last);
}

/* They are read at any time, whether they are in memory or in the file. */
static void test_row_groups(void **state)
{
    (void)state;
    struct row_groups groups;
    struct err e;
    row_groups_init(&groups, "x.parquet");
    expect_groups(&groups, 0);
    for (size_t i = 0; i < 2000; i++) {
        fill_group(row_groups_next(&groups), i);
        assert_int_equal(row_groups_add(&groups, &e), RC_OK);
        if (i % 500 == 499)
            expect_groups(&groups, i + 1);
        assert_in_range(groups.tail.cap, 0, (size_t)1 << 20);
    }
    assert_int_equal(groups.n, 2000);
    assert_int_equal(groups.bytes, 6000);
    assert_true(groups.file_bytes > groups.tail.len);
    assert_int_equal(ftruncate(groups.fd, (off_t)groups.file_bytes - 1), 0);
    struct row_group_reader r;
    enum rc rc;
    row_group_reader_init(&r, &groups);
    while ((rc = row_group_read(&r, &e)) == RC_OK)
        continue;
    assert_int_equal(rc, RC_IO);
    assert_non_null(strstr(e.msg, "x.parquet: a temporary file in "));
    assert_non_null(strstr(e.msg, " (TMPDIR names the directory): Input/output error"));
    row_group_reader_free(&r);
    row_groups_free(&groups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varint),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_known_runs),
        cmocka_unit_test(test_any_runs),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_dictionary),
        cmocka_unit_test(test_next_group),
        cmocka_unit_test(test_index_bytes),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_bounds_of_texts),
        cmocka_unit_test(test_bounds_of_numbers),
        cmocka_unit_test(test_row_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
