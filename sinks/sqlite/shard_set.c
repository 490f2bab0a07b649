#include "sinks/sqlite/shard_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/sqlite/runs.h"
#include "sinks/sqlite/take_in.h"

#define MS_PER_HOUR INT64_C(3600000)

enum rc sqlite_shard_set_init(struct sqlite_shard_set *t, const struct sink_cfg *cfg,
                              int64_t started_ms, const struct sqlite_place *p,
                              struct sqlite_stage *s, struct err *e)
{
    const struct sql_shards_place place = {.schema =
                                               STR(""), /* the files are beside the database */
                                           .relations = &p->relations,
                                           .mode = p->mode,
                                           .deletes = p->deletes,
                                           .all_text = p->all_text};
    t->cfg = cfg;
    t->stage = s;
    t->started_ms = started_ms;
    sqlite_shard_files_init(&t->files, p, s);
    enum rc rc = sql_shards_seen_init(&t->seen, cfg->shard->of, e);
    return rc == RC_OK ? sql_shards_group(cfg->shard, &place, t->group, e) : rc;
}

void sqlite_shard_set_free(struct sqlite_shard_set *t)
{
    if (t->files.place)
        sqlite_shard_files_free(&t->files);
    sql_shards_seen_free(&t->seen);
}

/* ---- sets of other nights ----------------------------------------------------------------------- */

static bool is_same_set(const struct sqlite_loaded *a, const struct sqlite_loaded *b)
{
    return !a->is_damaged && !b->is_damaged && str_eq(a->record.set, b->record.set);
}

/* When a shard of the set was loaded last. */
static int64_t newest_ms(const struct sqlite_shard_files *f, const struct sqlite_loaded *of)
{
    int64_t newest = of->record.loaded_ms;
    for (size_t i = 0; i < f->n; i++) {
        const struct sqlite_loaded *l = &f->items[i];
        if (is_same_set(l, of) && l->record.loaded_ms > newest)
            newest = l->record.loaded_ms;
    }
    return newest;
}

static enum rc warn_of_old(const struct sqlite_shard_set *t, const struct sqlite_loaded *of,
                           struct err *e)
{
    struct sql_shards_seen seen;
    char missing[SINK_WAITS_FOR_BYTES];
    enum rc rc = sql_shards_seen_init(&seen, of->of, e);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < t->files.n; i++) {
        if (is_same_set(&t->files.items[i], of))
            (void)sql_shards_see(&seen, t->files.items[i].index);
    }
    sql_shards_names(&seen, false, missing);
    log_msg(t->cfg->log, LOG_LEVEL_WARN, t->cfg->spec,
            "what shards of an earlier run%s" STR_FMT
            " have loaded is given up: shard%s %s %s not done",
            of->record.name.len ? " " : "", STR_ARG(of->record.name),
            of->of - seen.n == 1 ? "" : "s", missing, of->of - seen.n == 1 ? "was" : "were");
    sql_shards_seen_free(&seen);
    return RC_OK;
}

static bool is_old(const struct sqlite_shard_set *t, const struct sqlite_loaded *l)
{
    int64_t hours = l->record.name.len ? SQL_SHARDS_OLD_DAYS * 24 : SQL_SHARDS_OLD_HOURS;
    return !l->is_damaged && newest_ms(&t->files, l) < t->started_ms - hours * MS_PER_HOUR;
}

/* Forgets item `i` of the list, and removes its file. */
static enum rc drop(struct sqlite_shard_set *t, size_t i, struct err *e)
{
    struct sqlite_shard_files *f = &t->files;
    enum rc rc = sqlite_shard_files_remove(&f->items[i], e);
    if (rc == RC_OK)
        f->items[i] = f->items[--f->n];
    return rc;
}

static enum rc drop_set(struct sqlite_shard_set *t, const struct sqlite_loaded *of, struct err *e)
{
    const struct sqlite_loaded old = *of;
    enum rc rc = warn_of_old(t, &old, e);
    for (size_t i = t->files.n; rc == RC_OK && i-- > 0;) {
        if (is_same_set(&t->files.items[i], &old))
            rc = drop(t, i, e);
    }
    return rc;
}

static enum rc drop_old(struct sqlite_shard_set *t, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < t->files.n;) {
        if (is_old(t, &t->files.items[i]))
            rc = drop_set(t, &t->files.items[i], e);
        else
            i++;
    }
    return rc;
}

/* ---- the beginning ---------------------------------------------------------------------------- */

/* What this shard has loaded for the same run, whatever the list was. */
static bool is_own(const struct sqlite_shard_set *t, const struct sqlite_loaded *l)
{
    return l->index == t->cfg->shard->index && l->of == t->cfg->shard->of &&
           (l->is_damaged || str_eq_c(l->record.group, t->group));
}

enum rc sqlite_shard_set_begin(struct sqlite_shard_set *t, struct err *e)
{
    enum rc rc = sqlite_shard_files_read(&t->files, e);
    if (rc == RC_OK)
        rc = drop_old(t, e);
    for (size_t i = t->files.n; rc == RC_OK && i-- > 0;) {
        const struct sqlite_loaded *l = &t->files.items[i];
        if (!is_own(t, l))
            continue;
        if (!l->is_damaged)
            (void)snprintf(t->discarded, sizeof t->discarded, STR_FMT, STR_ARG(l->record.set));
        rc = drop(t, i, e);
    }
    return rc == RC_OK ? sqlite_shard_files_tidy(&t->files, e) : rc;
}

/* ---- the end ---------------------------------------------------------------------------------- */

enum rc sqlite_shard_set_record(struct sqlite_shard_set *t, struct err *e)
{
    const struct sqlite_place *p = t->stage->place;
    const struct sink_cfg *cfg = t->cfg;
    struct sink_list list;
    enum rc rc = cfg->host.list(cfg->host.ctx, &list, e);
    if (rc == RC_OK)
        rc = sql_shards_set(t->group, &list, t->set, e);
    if (rc != RC_OK)
        return rc;
    sql_shards_warn_of_list(t->discarded, t->set, cfg->log, cfg->spec);
    t->own = (struct sqlite_shard_record){.index = cfg->shard->index,
                                          .of = cfg->shard->of,
                                          .token = str_c(p->token),
                                          .run_id = str_c(p->run_id),
                                          .started_at = str_c(p->started_at),
                                          .group = str_c(t->group),
                                          .set = str_c(t->set),
                                          .name = str_c(cfg->shard->name),
                                          .loaded_ms = clock_wall_ms(cfg->clock),
                                          .leads = t->stage->leads,
                                          .gone = t->stage->n_gone,
                                          .list_is_empty = list.is_empty};
    return sqlite_shard_record_write(t->stage, &t->own, e);
}

/* What was recorded counts, also if the run that recovers has another name. */
enum rc sqlite_shard_set_recall(struct sqlite_shard_set *t, struct err *e)
{
    enum rc rc = sqlite_shard_record_read(&t->stage->db, "main", &t->files.memory, &t->own, e);
    if (rc == RC_OK && (t->own.index != t->cfg->shard->index || t->own.of != t->cfg->shard->of))
        rc = err_set(e, RC_SYNTAX, "%s: %s is not of this shard", t->cfg->spec,
                     t->stage->place->staging);
    t->stage->leads = t->own.leads;
    return rc;
}

enum rc sqlite_shard_set_is_loaded(struct sqlite_shard_set *t, struct str token, bool *out,
                                   struct err *e)
{
    enum rc rc = sqlite_shard_files_read(&t->files, e);
    *out = false;
    for (size_t i = 0; rc == RC_OK && i < t->files.n; i++) {
        const struct sqlite_loaded *l = &t->files.items[i];
        if (l->is_damaged || !str_eq(l->record.token, token))
            continue;
        t->own = l->record;
        *out = true;
    }
    return rc;
}

enum rc sqlite_shard_set_was_done(const struct sqlite_shard_set *t, bool *out, struct err *e)
{
    *out = false;
    if (!t->stage->is_attached || !t->own.name.len)
        return RC_OK;
    return sqlite_runs_have_shard(&t->stage->db, &t->own, out, e);
}

/* Another one of the set, as far as its name says. */
static bool is_other(const struct sqlite_shard_set *t, const struct sqlite_loaded *l)
{
    return l->of == t->own.of && l->index != t->own.index &&
           sqlite_shard_files_is_of(l, t->own.set.ptr);
}

/* They have to be run again, and the set is then completed by this one. */
static enum rc remove_damaged(struct sqlite_shard_set *t, struct err *e)
{
    struct sql_shards_seen damaged;
    char names[SINK_WAITS_FOR_BYTES];
    enum rc rc = sql_shards_seen_init(&damaged, t->own.of, e);
    for (size_t i = 0; rc == RC_OK && i < t->files.n; i++) {
        const struct sqlite_loaded *l = &t->files.items[i];
        if (!l->is_damaged || !is_other(t, l))
            continue;
        (void)sql_shards_see(&damaged, l->index);
        rc = sqlite_shard_files_remove(l, e);
    }
    sql_shards_names(&damaged, true, names);
    if (rc == RC_OK && damaged.n)
        rc = err_set(e, RC_IO,
                     "%s: what shard%s %s %s loaded is damaged, and was removed: run %s again, and "
                     "then this shard",
                     t->cfg->spec, damaged.n == 1 ? "" : "s", names,
                     damaged.n == 1 ? "has" : "have", damaged.n == 1 ? "it" : "them");
    sql_shards_seen_free(&damaged);
    return rc;
}

enum rc sqlite_shard_set_find(struct sqlite_shard_set *t, struct err *e)
{
    uint64_t leads = t->own.leads;
    enum rc rc = sqlite_shard_files_read(&t->files, e);
    if (rc == RC_OK)
        rc = drop_old(t, e);
    if (rc == RC_OK)
        rc = remove_damaged(t, e);
    if (rc != RC_OK)
        return rc;
    memset(t->seen.is, 0, t->seen.of);
    t->seen.n = 0;
    (void)sql_shards_see(&t->seen, t->own.index);
    for (size_t i = 0; i < t->files.n; i++) {
        const struct sqlite_loaded *l = &t->files.items[i];
        if (l->is_damaged || !is_other(t, l) || !str_eq(l->record.set, t->own.set))
            continue;
        (void)sql_shards_see(&t->seen, l->index);
        leads += l->record.leads;
    }
    t->none_found = sqlite_shard_set_is_last(t) && leads == 0 && !t->own.list_is_empty;
    return RC_OK;
}

/* In the order of the shards, so that the same leads make the same tables. */
static int compare_index(const void *a, const void *b)
{
    const struct sqlite_loaded *x = a, *y = b;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Only those of the set stay in the list. */
static void keep_others(struct sqlite_shard_set *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->files.n; i++) {
        if (is_other(t, &t->files.items[i]))
            t->files.items[n++] = t->files.items[i];
    }
    t->files.n = n;
    if (n)
        qsort(t->files.items, n, sizeof *t->files.items, compare_index);
}

enum rc sqlite_shard_set_take_in(struct sqlite_shard_set *t, struct err *e)
{
    struct sqlite_shard_files *f = &t->files;
    keep_others(t);
    enum rc rc = sqlite_take_in_begin(t->stage, e);
    for (size_t i = 0; rc == RC_OK && i < f->n; i++) {
        rc = sqlite_take_in(t->stage, &f->items[i], e);
        f->items[i].is_damaged = rc == RC_SYNTAX;
    }
    if (rc == RC_SYNTAX)
        return remove_damaged(t, e);
    t->stage->own = &t->own;
    t->stage->others = f->items;
    t->stage->n_others = f->n;
    return rc;
}

enum rc sqlite_shard_set_keep(struct sqlite_shard_set *t, struct err *e)
{
    sqlite_stage_disconnect(t->stage);
    return sqlite_shard_files_keep(&t->files, &t->own, e);
}

enum rc sqlite_shard_set_remove_taken(struct sqlite_shard_set *t, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < t->files.n; i++) {
        if (t->files.items[i].is_taken)
            rc = sqlite_shard_files_remove(&t->files.items[i], e);
    }
    return rc;
}
