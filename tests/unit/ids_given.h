/* What the tests of ids share: inputs as texts, results as texts. */
#ifndef LEADPIPE_TESTS_IDS_GIVEN_H
#define LEADPIPE_TESTS_IDS_GIVEN_H

#include "core/base/buf.h"
#include "core/source/id_seen.h"
#include "core/source/ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmocka_all.h"

#define GIVEN_FILES_MAX 4

/* A folder of the test's own with files in it, and a profile with the parameter agentId. */
struct given {
    char dir[64];
    char paths[GIVEN_FILES_MAX][96];
    const char *files[GIVEN_FILES_MAX];
    struct str params[1], defaults[1];
    struct profile profile;
    struct ids_cfg cfg;
    struct ids_counts counts; /* of the last given_read() */
    struct buf result;
    struct err e;
};

static inline void given_init(struct given *g)
{
    *g = (struct given){.dir = "/tmp/leadpipe-test-ids-XXXXXX"};
    assert_non_null(mkdtemp(g->dir));
    buf_init(&g->result, (size_t)64 << 20);
    g->params[0] = STR("agentId");
    g->profile.params = g->params;
    g->cfg.files = g->files;
    g->cfg.profile = &g->profile;
    g->cfg.defaults = g->defaults;
}

/* The template has {agentId}; `value` is that of --param, or NULL. */
static inline void given_agent(struct given *g, const char *value)
{
    g->profile.n_params = 1;
    g->defaults[0] = str_c(value);
}

/* Another file; its name ends in `suffix`. */
static inline void given_file(struct given *g, const char *suffix, struct str content)
{
    size_t i = g->cfg.n_files++;
    assert_true(i < GIVEN_FILES_MAX);
    char path[sizeof g->paths[i]];
    (void)snprintf(path, sizeof path, "%s/%zu%s", g->dir, i, suffix);
    memcpy(g->paths[i], path, sizeof path);
    g->files[i] = g->paths[i];
    FILE *f = fopen(g->paths[i], "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(content.ptr, 1, content.len, f), content.len);
    assert_int_equal(fclose(f), 0);
}

static inline void given_free(struct given *g)
{
    for (size_t i = 0; i < g->cfg.n_files; i++)
        (void)unlink(g->files[i]);
    (void)rmdir(g->dir);
    buf_free(&g->result);
}

static inline void given_item(struct given *g, const struct id_item *item)
{
    if (item->bad) {
        const char *slash = strrchr(item->file, '/');
        buf_addf(&g->result, "%s:%llu! %s", slash ? slash + 1 : item->file,
                 (unsigned long long)item->line, item->bad);
        if (item->id.ptr)
            buf_addf(&g->result, " (%zu)", item->id.len);
    } else {
        assert_int_equal(strlen(item->id.ptr), item->id.len);
        buf_add_str(&g->result, item->id);
        for (size_t i = 0; i < g->profile.n_params; i++) {
            assert_int_equal(strlen(item->params[i].ptr), item->params[i].len);
            buf_addf(&g->result, " " STR_FMT, STR_ARG(item->params[i]));
        }
    }
    buf_addc(&g->result, '\n');
}

/* Reads everything. `result` is then a line for each item: "id", "id agentId", or
 * "file:line! why (bytes of the ID)". RC_OK at the end, else the error, with its text in `e`. */
static inline enum rc given_read(struct given *g)
{
    struct id_source *ids;
    struct id_seen *seen;
    unsigned char key[LEAD_KEY_BYTES];
    bool is_new;
    struct arena a;
    struct id_item item;
    buf_clear(&g->result);
    memset(&g->e, 0, sizeof g->e);
    enum rc rc = ids_open(&ids, &g->cfg, &g->e);
    if (rc != RC_OK)
        return rc;
    arena_init(&a, (size_t)16 << 20);
    assert_int_equal(id_seen_new(&seen, g->profile.n_params, &g->e), RC_OK);
    g->counts = (struct ids_counts){0};
    while ((rc = ids->ops->next(ids, &a, &item, &g->e)) == RC_OK) {
        assert_int_equal(id_seen_key(seen, &item, key, &g->e), RC_OK);
        assert_int_equal(id_seen_add(seen, &item, key, &is_new, &g->e), RC_OK);
        g->counts.read++;
        g->counts.unique += is_new;
        g->counts.duplicates += !is_new;
        if (is_new)
            given_item(g, &item);
        arena_reset(&a, 65536);
    }
    arena_free(&a);
    id_seen_free(seen);
    ids->ops->close(ids);
    return rc == RC_END ? RC_OK : rc;
}

/* One file, read as `format`, gives `result`. */
static inline void given_expect(const char *suffix, struct str content, enum id_format format,
                                const char *agent, bool has_agent, const char *result)
{
    struct given g;
    given_init(&g);
    if (has_agent)
        given_agent(&g, agent);
    given_file(&g, suffix, content);
    g.cfg.format = format;
    if (given_read(&g) != RC_OK)
        fail_msg("'" STR_FMT "': %s", STR_ARG(content), g.e.msg);
    assert_string_equal(buf_cstr(&g.result), result);
    given_free(&g);
}

#endif
