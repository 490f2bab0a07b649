/* The floor: fetches leads with a bare libcurl multi loop and throws them away.
 *
 *   floor [-j N] [--cacert FILE] [--key KEY] BASE-URL IDS-FILE
 *
 * Whoever fetches the same leads with the same library at the same concurrency cannot be cheaper
 * than this by much; so all figures are given as multiples of it. https means HTTP/2. */
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { ID_BYTES_MAX = 512, POLL_MS = 1000 };

struct config {
    unsigned concurrency;
    const char *cacert, *key, *base_url, *ids_path;
};

struct floor {
    struct config cfg;
    CURLM *multi;
    CURL **easy; /* `concurrency` of them */
    struct curl_slist *headers;
    FILE *ids;
    char *url; /* base URL, "/leads/", and room for an ID */
    size_t url_bytes, prefix_bytes;
    uint64_t leads, bytes;
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "floor: %s: %s\n", what, why);
    return -1;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct floor *f = ctx;
    (void)p;
    f->bytes += size * n;
    return size * n;
}

/* 1: the handle has a new URL; 0: no more IDs. */
static int next_url(struct floor *f, CURL *easy)
{
    char *id = f->url + f->prefix_bytes;
    if (!fgets(id, ID_BYTES_MAX, f->ids))
        return ferror(f->ids) ? fail(f->cfg.ids_path, "cannot be read") : 0;
    id[strcspn(id, "\r\n")] = '\0';
    if (curl_easy_setopt(easy, CURLOPT_URL, f->url) != CURLE_OK)
        return fail("URL", "out of memory");
    return 1;
}

static int start_next(struct floor *f, CURL *easy)
{
    int got = next_url(f, easy);
    if (got == 1 && curl_multi_add_handle(f->multi, easy) != CURLM_OK)
        return fail("multi", "cannot add a handle");
    return got;
}

static int check_done(struct floor *f, CURL *easy, CURLcode rc)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (rc != CURLE_OK)
        return fail("transfer", curl_easy_strerror(rc));
    if (status != 200)
        return fail("transfer", "an answer that is not 200");
    f->leads++;
    return 0;
}

/* Takes what has ended and starts as many; the number started, or -1. */
static int drain(struct floor *f)
{
    int started = 0, queued;
    CURLMsg *m;
    while ((m = curl_multi_info_read(f->multi, &queued))) {
        CURL *easy = m->easy_handle;
        if (check_done(f, easy, m->data.result) != 0)
            return -1;
        curl_multi_remove_handle(f->multi, easy);
        int got = start_next(f, easy);
        if (got < 0)
            return -1;
        started += got;
    }
    return started;
}

static int run(struct floor *f)
{
    for (unsigned i = 0; i < f->cfg.concurrency; i++) {
        int got = start_next(f, f->easy[i]);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
    }
    for (;;) {
        int running;
        CURLMcode rc = curl_multi_perform(f->multi, &running);
        int started = rc == CURLM_OK ? drain(f) : 0;
        if (started < 0)
            return -1;
        if (started == 0 && running == 0)
            return 0;
        if (rc == CURLM_OK && started == 0)
            rc = curl_multi_poll(f->multi, NULL, 0, POLL_MS, NULL);
        if (rc != CURLM_OK)
            return fail("multi", curl_multi_strerror(rc));
    }
}

static int make_url(struct floor *f)
{
    static const char middle[] = "/leads/";
    f->prefix_bytes = strlen(f->cfg.base_url) + sizeof middle - 1;
    f->url_bytes = f->prefix_bytes + ID_BYTES_MAX;
    f->url = malloc(f->url_bytes);
    if (!f->url)
        return fail("URL", "out of memory");
    snprintf(f->url, f->url_bytes, "%s%s", f->cfg.base_url, middle);
    return 0;
}

static int make_headers(struct floor *f)
{
    char line[512];
    snprintf(line, sizeof line, "x-api-key: %s", f->cfg.key);
    f->headers = curl_slist_append(NULL, line);
    return f->headers ? 0 : fail("headers", "out of memory");
}

static CURL *make_easy(struct floor *f)
{
    CURL *e = curl_easy_init();
    if (!e)
        return NULL;
    bool tls = strncmp(f->cfg.base_url, "https:", 6) == 0;
    CURLcode rc = curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    rc |= curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
    rc |= curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers);
    rc |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    rc |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                           (long)(tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    /* HTTP/2: all share the first connection instead of opening one each */
    rc |= curl_easy_setopt(e, CURLOPT_PIPEWAIT, tls ? 1L : 0L);
    if (f->cfg.cacert)
        rc |= curl_easy_setopt(e, CURLOPT_CAINFO, f->cfg.cacert);
    if (rc == CURLE_OK)
        return e;
    curl_easy_cleanup(e);
    return NULL;
}

static int open_all(struct floor *f)
{
    f->ids = fopen(f->cfg.ids_path, "r");
    if (!f->ids)
        return fail(f->cfg.ids_path, strerror(errno));
    if (make_url(f) != 0 || make_headers(f) != 0)
        return -1;
    f->multi = curl_multi_init();
    f->easy = calloc(f->cfg.concurrency, sizeof *f->easy);
    if (!f->multi || !f->easy)
        return fail("multi", "out of memory");
    curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)f->cfg.concurrency);
    for (unsigned i = 0; i < f->cfg.concurrency; i++) {
        f->easy[i] = make_easy(f);
        if (!f->easy[i])
            return fail("handle", "cannot be set up");
    }
    return 0;
}

static void close_all(struct floor *f)
{
    for (unsigned i = 0; f->easy && i < f->cfg.concurrency; i++) {
        if (f->easy[i]) {
            curl_multi_remove_handle(f->multi, f->easy[i]);
            curl_easy_cleanup(f->easy[i]);
        }
    }
    free(f->easy);
    if (f->multi)
        curl_multi_cleanup(f->multi);
    curl_slist_free_all(f->headers);
    free(f->url);
    if (f->ids)
        fclose(f->ids);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* A connection is an open file, and the usual soft limit is 1024. */
static void raise_open_files(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
        l.rlim_cur = l.rlim_max;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

static int parse(struct config *c, int argc, char *argv[])
{
    static const struct option options[] = {{"cacert", required_argument, NULL, 'c'},
                                            {"key", required_argument, NULL, 'k'},
                                            {NULL, 0, NULL, 0}};
    *c = (struct config){.concurrency = 64, .key = "bench"};
    int o;
    while ((o = getopt_long(argc, argv, "j:", options, NULL)) != -1) {
        if (o == 'j')
            c->concurrency = (unsigned)strtoul(optarg, NULL, 10);
        else if (o == 'c')
            c->cacert = optarg;
        else if (o == 'k')
            c->key = optarg;
        else
            return -1;
    }
    if (argc - optind != 2 || c->concurrency == 0 || c->concurrency > 4096)
        return -1;
    c->base_url = argv[optind];
    c->ids_path = argv[optind + 1];
    return 0;
}

int main(int argc, char *argv[])
{
    struct floor f = {0};
    if (parse(&f.cfg, argc, argv) != 0) {
        fputs("usage: floor [-j N] [--cacert FILE] [--key KEY] BASE-URL IDS-FILE\n", stderr);
        return 2;
    }
    raise_open_files();
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return 1;
    double start_s = now_s();
    int status = open_all(&f) == 0 && run(&f) == 0 ? 0 : 1;
    double wall_s = now_s() - start_s;
    close_all(&f);
    curl_global_cleanup();
    if (status == 0)
        printf("{\"leads\": %llu, \"bytes\": %llu, \"wall_s\": %.3f, \"cpu_s\": %.3f, "
               "\"leads_per_s\": %.0f}\n",
               (unsigned long long)f.leads, (unsigned long long)f.bytes, wall_s, cpu_s(),
               (double)f.leads / wall_s);
    return status;
}
