#include "delay_answers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODIES_MAX = 1000, BODY_BYTES_MAX = 64 << 20, SLOW_MS_MAX = 600000 };

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "delay_server: %s: %s\n", what, why);
    return -1;
}

/* The whole file into `out`, behind the head that fits its length. */
static int read_body(FILE *f, const char *path, struct answer *out)
{
    char head[160];
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (size < 0 || size > BODY_BYTES_MAX || fseek(f, 0, SEEK_SET) != 0)
        return fail(path, "cannot be measured");
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Length: %ld\r\n\r\n",
                     size);
    size_t head_len = (size_t)n, body_len = (size_t)size;
    char *data = malloc(head_len + body_len);
    if (!data)
        return fail(path, "out of memory");
    memcpy(data, head, head_len);
    if (fread(data + head_len, 1, body_len, f) != body_len) {
        free(data);
        return fail(path, "cannot be read");
    }
    out->data = data;
    out->len = head_len + body_len;
    return 0;
}

/* 1: loaded; 0: there is no such file. */
static int load_body(const char *dir, size_t number, struct answer *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%03zu", dir, number);
    FILE *f = fopen(path, "rb");
    if (!f)
        return errno == ENOENT ? 0 : fail(path, strerror(errno));
    int rc = read_body(f, path, out);
    fclose(f);
    return rc == 0 ? 1 : -1;
}

static int make_empty(struct answer *out, const char *status, int retry_after_s)
{
    char text[160], retry[40] = "";
    if (retry_after_s >= 0)
        snprintf(retry, sizeof retry, "Retry-After: %d\r\n", retry_after_s);
    int n =
        snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%sContent-Length: 0\r\n\r\n", status, retry);
    out->data = strdup(text);
    out->len = (size_t)n;
    return out->data ? 0 : fail("answers", "out of memory");
}

int answers_load(struct answers *a, const char *dir, int retry_after_s)
{
    *a = (struct answers){.leads = calloc(BODIES_MAX, sizeof *a->leads)};
    if (!a->leads)
        return fail("answers", "out of memory");
    int got = 1;
    while (got == 1 && a->n_leads < BODIES_MAX) {
        got = load_body(dir, a->n_leads, &a->leads[a->n_leads]);
        if (got == 1)
            a->n_leads++;
    }
    if (got < 0)
        return -1;
    if (a->n_leads == 0)
        return fail(dir, "no file 000");
    if (make_empty(&a->busy, "429 Too Many Requests", retry_after_s) != 0)
        return -1;
    return make_empty(&a->missing, "404 Not Found", -1);
}

void answers_free(struct answers *a)
{
    for (size_t i = 0; i < a->n_leads; i++)
        free(a->leads[i].data);
    free(a->leads);
    free(a->busy.data);
    free(a->missing.data);
    *a = (struct answers){0};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int64_t slowness_ms(const char *id, const char *end)
{
    static const char word[] = "slow";
    int64_t ms = 0;
    if ((size_t)(end - id) < sizeof word || memcmp(id, word, sizeof word - 1) != 0)
        return 0;
    for (const char *p = id + sizeof word - 1; p < end && is_digit(*p) && ms < SLOW_MS_MAX; p++)
        ms = ms * 10 + (*p - '0');
    return ms;
}

const struct answer *answers_find(const struct answers *a, const char *path, size_t len,
                                  int64_t *extra_ms)
{
    const char *end = path + len, *p = end;
    size_t number = 0;
    for (size_t unit = 1; p > path && is_digit(p[-1]) && unit <= 100; unit *= 10)
        number += (size_t)(*--p - '0') * unit;
    if (p == end)
        return &a->missing;
    while (p > path && p[-1] != '/')
        p--;
    *extra_ms = slowness_ms(p, end);
    return &a->leads[number % a->n_leads];
}
