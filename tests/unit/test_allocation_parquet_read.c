/* A Parquet file is read row by row: with every single allocation refused, with what no sink writes in it, and to its end. */
#include "allocation_sweep.h"

#include <fcntl.h>

#include "folder.h"
#include "sinks/parquet/codec.h"
#include "sinks/parquet/parquet_read.h"
#include "sinks/parquet/thrift.h"

#define TEXT_BYTES 4096
#define NAME "file.parquet"

enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2 };
enum { ENCODING_PLAIN = 0, ENCODING_RLE_DICTIONARY = 8 };

#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

/* One column with three rows, the second of them null; two entries in its dictionary. */
struct kind {
    enum physical_type type;
    struct str entries, values; /* "ab" and "c" */
};

static const struct kind texts = {PHYSICAL_BYTE_ARRAY, S("\x02\0\0\0ab\x01\0\0\0c"), S("ab.c")};
static const struct kind booleans = {PHYSICAL_BOOLEAN, S("\x01\x07"), S("")};

static void put_page(struct buf *out, int type, int encoding, int32_t n, struct str page)
{
    struct thrift t = {.out = out};
    thrift_begin(&t);
    thrift_i32(&t, 1, type);
    thrift_i32(&t, 2, (int32_t)page.len);
    thrift_i32(&t, 3, (int32_t)page.len);
    thrift_struct(&t, type == PAGE_DATA ? 5 : 7);
    thrift_i32(&t, 1, n);
    thrift_i32(&t, 2, encoding);
    thrift_end(&t);
    thrift_end(&t);
    buf_add_str(out, page);
}

static void put_footer(struct buf *out, enum physical_type type, size_t chunk_bytes)
{
    char length[sizeof(uint32_t)];
    struct thrift t = {.out = out};
    size_t begin = out->len;
    thrift_begin(&t);
    thrift_list(&t, 2, THRIFT_STRUCT, 2);
    thrift_begin(&t);
    thrift_end(&t);
    thrift_begin(&t);
    thrift_i32(&t, 1, (int32_t)type);
    thrift_end(&t);
    thrift_list(&t, 4, THRIFT_STRUCT, 1);
    thrift_begin(&t);
    thrift_list(&t, 1, THRIFT_STRUCT, 1);
    thrift_begin(&t);
    thrift_struct(&t, 3);
    thrift_i32(&t, 1, (int32_t)type);
    thrift_i32(&t, 4, COMPRESSION_NONE);
    thrift_i64(&t, 7, (int64_t)chunk_bytes);
    thrift_i64(&t, 9, 4);
    thrift_end(&t);
    thrift_end(&t);
    thrift_i64(&t, 3, 3);
    thrift_end(&t);
    thrift_end(&t);
    le32_put(length, (uint32_t)(out->len - begin));
    buf_add(out, length, sizeof length);
    buf_adds(out, "PAR1");
}

static void write_file(const struct kind *kind, struct shard_file_cfg *cfg)
{
    static char sha256[DIGEST_CHARS + 1];
    struct buf b;
    buf_init(&b, TEXT_BYTES);
    buf_adds(&b, "PAR1");
    put_page(&b, PAGE_DICTIONARY, ENCODING_PLAIN, 2, kind->entries);
    /* bytes of the levels, levels 1 0 1, bits of an index, indexes 0 1 */
    put_page(&b, PAGE_DATA, ENCODING_RLE_DICTIONARY, 3, STR("\x02\0\0\0\x03\x05\x01\x03\x02"));
    put_footer(&b, kind->type, b.len - 4);
    assert_int_equal(buf_rc(&b), RC_OK);
    int fd = open(NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, b.data, b.len) == (ssize_t)b.len);
    assert_int_equal(close(fd), 0);
    struct digest *d = digest_new();
    assert_non_null(d);
    digest_add(d, b.data, b.len);
    digest_end(d, sha256);
    digest_free(d);
    *cfg = (struct shard_file_cfg){
        .path = NAME, .manifest = "m.json", .bytes = b.len, .sha256 = sha256, .room = TEXT_BYTES};
    buf_free(&b);
}

struct world {
    struct shard_file_cfg cfg;
    struct shard_file *file;
    struct parquet_reader *reader;
    char got[64];
};

/* A value each, "." for null. */
static enum rc read_rows(struct world *w, struct err *e)
{
    size_t n = 0;
    enum rc rc = shard_file_open(&w->file, &w->cfg, e);
    if (rc == RC_OK)
        rc = parquet_reader_new(&w->reader, w->file, e);
    for (int i = 0; rc == RC_OK && i < 3; i++) {
        struct str value = STR_NONE;
        assert_false(parquet_reader_ended(w->reader));
        rc = parquet_reader_row(w->reader, e);
        if (rc == RC_OK)
            rc = parquet_reader_value(w->reader, 0, &value, e);
        if (rc == RC_OK)
            n += (size_t)snprintf(w->got + n, sizeof w->got - n, STR_FMT,
                                  STR_ARG(value.ptr ? value : STR(".")));
    }
    return rc;
}

static void work_begin(void *ctx)
{
    struct world *w = ctx;
    w->file = NULL;
    w->reader = NULL;
    w->got[0] = '\0';
}

static enum rc work_run(void *ctx, struct err *e)
{
    return read_rows(ctx, e);
}

static void work_end(void *ctx, enum rc rc, struct buf *out)
{
    struct world *w = ctx;
    if (rc == RC_OK) {
        assert_true(parquet_reader_ended(w->reader));
        buf_adds(out, w->got);
    }
    parquet_reader_free(w->reader);
    shard_file_close(w->file);
}

static void refused(void **state)
{
    struct world w;
    const struct work work = {
        .name = "parquet", .begin = work_begin, .run = work_run, .end = work_end, .ctx = &w};
    (void)state;
    write_file(&texts, &w.cfg);
    sweep(&work);
    assert_string_equal(w.got, texts.values.ptr);
}

/* Its entries would be bytes, and more than bits. */
static void booleans_have_no_dictionary(void **state)
{
    struct world w;
    struct err e = {.msg = ""};
    (void)state;
    write_file(&booleans, &w.cfg);
    work_begin(&w);
    enum rc rc = read_rows(&w, &e);
    parquet_reader_free(w.reader);
    shard_file_close(w.file);
    if (rc != RC_SYNTAX)
        fail_msg("%s, \"%s\"", rc_text(rc), e.msg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {IN_FOLDER(refused), IN_FOLDER(booleans_have_no_dictionary)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
