/* Options and their values as texts. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/option.h"
#include "core/base/read_full.h"

#define PIECE_BYTES 16384

void option_put_arg(struct buf *b, const struct option_spec *o)
{
    if (o->arg) {
        buf_adds(b, o->arg);
        return;
    }
    switch (o->type) {
    case OPTION_FLAG:
    case OPTION_COUNT:
        return;
    case OPTION_CHOICE:
        buf_adds(b, o->choices);
        return;
    case OPTION_NUMBER:
        buf_addf(b, "N%s%s", o->choices ? "|" : "", o->choices ? o->choices : "");
        return;
    case OPTION_DURATION:
        buf_adds(b, "DURATION");
        return;
    case OPTION_SIZE:
        buf_adds(b, "SIZE");
        return;
    case OPTION_RATE:
        buf_adds(b, "N[/s|/m]");
        return;
    case OPTION_PORTION:
        buf_adds(b, "N|P%");
        return;
    case OPTION_TEXT:
    case OPTION_LIST:
        buf_adds(b, o->file != FILE_UNUSED ? "FILE" : "TEXT");
        return;
    }
}

void option_put_help(struct buf *b, const struct option_spec *o)
{
    const char *standard = o->default_text ? o->default_text : o->default_note;
    buf_adds(b, o->help);
    if (o->flags & OPTION_REQUIRED)
        buf_adds(b, " (required)");
    else if (standard)
        buf_addf(b, " (default: %s)", standard);
}

/* ---- values ---------------------------------------------------------------------------------- */

size_t option_count_values(const struct option_spec *o, const void *values)
{
    const void *value = (const char *)values + o->offset;
    switch (o->type) {
    case OPTION_FLAG:
        return *(const bool *)value;
    case OPTION_COUNT:
        return *(const int64_t *)value > 0;
    case OPTION_CHOICE:
        return *(const int *)value != OPTION_AUTO;
    case OPTION_NUMBER:
        return o->choices || *(const int64_t *)value != OPTION_AUTO;
    case OPTION_DURATION:
    case OPTION_SIZE:
        return *(const int64_t *)value != OPTION_AUTO;
    case OPTION_RATE:
        return *(const double *)value > 0;
    case OPTION_PORTION:
        return ((const struct portion *)value)->kind != PORTION_ANY;
    case OPTION_TEXT:
        return *(const char *const *)value != NULL;
    case OPTION_LIST:
        return ((const struct text_list *)value)->n;
    }
    return 0;
}

/* Word number `index` of "a|b|c". */
static struct str choice_word(const char *choices, int index)
{
    const char *at = choices;
    while (index-- > 0)
        at += strcspn(at, "|") + 1;
    return (struct str){at, strcspn(at, "|")};
}

static void put_portion(struct buf *b, const struct portion *p)
{
    if (p->kind == PORTION_SHARE)
        buf_addf(b, "%" PRIu64 ".%04" PRIu64 "%%", p->n / 10000, p->n % 10000);
    else
        buf_addf(b, "%" PRIu64, p->n);
}

void option_put_value(struct buf *b, const struct option_spec *o, const void *values, size_t i)
{
    const void *value = (const char *)values + o->offset;
    switch (o->type) {
    case OPTION_FLAG:
        return;
    case OPTION_COUNT:
    case OPTION_SIZE:
        buf_addf(b, "%" PRId64, *(const int64_t *)value);
        return;
    case OPTION_CHOICE:
        buf_add_str(b, choice_word(o->choices, *(const int *)value));
        return;
    case OPTION_NUMBER:
        if (*(const int64_t *)value == OPTION_AUTO)
            buf_adds(b, o->choices ? o->choices : "");
        else
            buf_addf(b, "%" PRId64, *(const int64_t *)value);
        return;
    case OPTION_DURATION:
        buf_addf(b, "%" PRId64 "ms", *(const int64_t *)value);
        return;
    case OPTION_RATE:
        buf_addf(b, "%.17g/s", *(const double *)value);
        return;
    case OPTION_PORTION:
        put_portion(b, value);
        return;
    case OPTION_TEXT:
        buf_adds(b, *(const char *const *)value);
        return;
    case OPTION_LIST:
        buf_adds(b, ((const struct text_list *)value)->items[i]);
        return;
    }
}

static void put_path(struct buf *b, const char *path, const char *folder)
{
    bool is_relative = path[0] != '/' && strcmp(path, "-") != 0 && !strstr(path, "://");
    if (is_relative)
        buf_addf(b, "%s/", folder);
    buf_adds(b, path);
}

/* A hash of what is in a regular file; a pipe can be read only once, and not here. */
static void put_content(struct buf *b, const char *path)
{
    struct stat st;
    char piece[PIECE_BYTES];
    uint64_t hash = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        /* Full pieces, so that the same content gives the same ones. Who uses the file will say why it
         * cannot be read. */
        for (ssize_t n; (n = read_full(fd, piece, sizeof piece)) > 0;)
            hash = str_hash((struct str){piece, (size_t)n}, hash);
        buf_addf(b, " (%016" PRIx64 ")", hash);
    }
    (void)close(fd); /* nothing was written */
}

void option_put_identity(struct buf *b, const struct option_spec *o, const void *values, size_t i,
                         const char *folder)
{
    bool is_secret = (o->flags & OPTION_ANY_SECRET) != 0;
    if (!is_secret && o->file == FILE_UNUSED) {
        option_put_value(b, o, values, i);
        return;
    }
    struct buf text;
    buf_init(&text, b->max);
    option_put_value(&text, o, values, i);
    const char *value = buf_cstr(&text);
    if (is_secret)
        buf_addf(b, "(%08x)", (unsigned)(str_hash(str_c(value), 0) & 0xFFFFFFFF));
    else
        put_path(b, value, folder);
    if (!is_secret && o->file == FILE_READ)
        put_content(b, value);
    if (buf_rc(&text) != RC_OK)
        b->rc = buf_rc(&text);
    buf_free(&text);
}

static bool texts_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool lists_equal(const struct text_list *a, const struct text_list *b)
{
    bool equal = a->n == b->n;
    for (size_t i = 0; equal && i < a->n; i++)
        equal = strcmp(a->items[i], b->items[i]) == 0;
    return equal;
}

bool option_is_equal(const struct option_spec *o, const void *values_a, const void *values_b)
{
    const void *a = (const char *)values_a + o->offset, *b = (const char *)values_b + o->offset;
    switch (o->type) {
    case OPTION_FLAG:
        return *(const bool *)a == *(const bool *)b;
    case OPTION_CHOICE:
        return *(const int *)a == *(const int *)b;
    case OPTION_COUNT:
    case OPTION_NUMBER:
    case OPTION_DURATION:
    case OPTION_SIZE:
        return *(const int64_t *)a == *(const int64_t *)b;
    case OPTION_RATE: /* never a NaN, and no zero but one */
        return memcmp(a, b, sizeof(double)) == 0;
    case OPTION_PORTION:
        return ((const struct portion *)a)->kind == ((const struct portion *)b)->kind &&
               ((const struct portion *)a)->n == ((const struct portion *)b)->n;
    case OPTION_TEXT:
        return texts_equal(*(const char *const *)a, *(const char *const *)b);
    case OPTION_LIST:
        return lists_equal(a, b);
    }
    return false;
}

size_t option_paths(const struct option_spec *o, const void *values, const char *const **paths)
{
    const void *value = (const char *)values + o->offset;
    if (o->file == FILE_UNUSED)
        return 0;
    if (o->type == OPTION_LIST) {
        const struct text_list *list = value;
        *paths = list->items;
        return list->n;
    }
    *paths = value;
    return **paths != NULL;
}
