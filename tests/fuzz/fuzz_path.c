/* Payloads the whole way into the files of every sink, which are read again by decoders that are
 * not the program's: what they say must be the same everywhere, and what the payloads say.
 *
 * The first four bytes choose: profile and expiring URLs; the dialect of CSV; compression, batches
 * and where to resume from a mark; a lead so large that CSV columns after it come too late for the
 * first header. Then payloads, with a NUL between each and the next. */
#include "check_rows.h"

#include <stdlib.h>

#include "sinks/record/record.h"

#ifdef __clang__ /* new ways through the readers below are no news */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif
#include "path_compare.h"
#ifdef __clang__
#pragma clang attribute pop
#endif

#define N_MODES 3
#define N_OPTIONS 4
#define N_PADS 3
#define PAD_BYTES ((size_t)264 * 1024)

static struct profile *profiles[N_PROFILES];
static struct flatten_plan *plans[N_PROFILES][N_MODES];

static void load_once(void)
{
    if (profiles[0])
        return;
    for (size_t i = 0; i < N_PROFILES; i++) {
        MUST(profile_load(&profiles[i], fuzz_profiles[i], NULL) == RC_OK);
        for (int mode = 0; mode < N_MODES; mode++)
            MUST(flatten_plan_new(&plans[i][mode], profiles[i], (enum signed_urls)mode, NULL) ==
                 RC_OK);
    }
}

/* ---- payloads ------------------------------------------------------------------------------- */

/* What a payload is, by another reader than the program's. */
static const struct sj_value *find_root(const struct profile *p, const struct sj_value *body)
{
    const struct sj_value *success = sj_member(body, STR("success"));
    if (success && success->type == SJ_FALSE)
        return NULL;
    bool is_omni = str_eq_c(p->name, "omni");
    const struct sj_value *lead = sj_member(body, is_omni ? STR("lead") : STR("data"));
    if (!lead || lead->type != SJ_OBJECT)
        return NULL;
    return is_omni ? body : lead;
}

static void check_row_counts(const struct profile *p, const struct sj_value *root,
                             const struct lead *lead)
{
    for (size_t t = 0; t < p->n_tables; t++)
        MUST(lead->tables[t].n_rows == path_count(root, p->tables[t].each.text.ptr));
}

/* False: it has failed, as the other reader says, too. */
static bool take_body(struct path_run *run, const struct flatten_plan *plan, struct schema *s,
                      struct lead *lead, struct str body)
{
    struct sj_reader r;
    struct err e = {.msg = ""};
    const struct sj_value *value = sj_read(&r, &run->arena, body, SJ_DEPTH_MAX);
    const struct sj_value *root = value ? find_root(run->profile, value) : NULL;
    lead->http_status = 200;
    buf_init(&lead->body, FUZZ_ARENA_MAX);
    buf_add_str(&lead->body, body);
    const char *code;
    enum rc rc = flatten_parse(plan, lead, JSON_TREE | JSON_COMPACT, &code, &e);
    MUST(rc == (r.result == SJ_SYNTAX     ? RC_SYNTAX
                : r.result == SJ_TOO_DEEP ? RC_LIMIT
                : root                    ? RC_OK
                                          : RC_CLOSED));
    if (rc != RC_OK)
        return false;
    MUST(flatten_rows(plan, lead, true, &e) == RC_OK && schema_resolve(s, lead, &e) == RC_OK);
    check_rows(run->profile, s, lead);
    check_row_counts(run->profile, root, lead);
    return true;
}

static void add_body(struct path_run *run, const struct flatten_plan *plan, struct schema *s,
                     struct str body)
{
    static const char *const ids[] = {"L-1", "=1+1", "a,b;c\"d\"", "\xC3\xA9 \t\\", "-1"};
    if (run->n_leads == PATH_LEADS_MAX)
        return;
    struct lead *lead = fuzz_lead(run->profile, str_c(ids[run->n_leads % 5]));
    if (take_body(run, plan, s, lead, body))
        run->leads[run->n_leads++] = lead;
    else
        lead_free(lead);
}

/* One long text in a row of one table: what comes after it finds the header written. */
static void add_pad(struct path_run *run, const struct flatten_plan *plan, struct schema *s,
                    unsigned which)
{
    static const char *const begins[N_PROFILES][N_PADS] = {
        {"{\"data\":{\"name\":\"", "{\"data\":{\"crmActivities\":[{\"note\":\"",
         "{\"data\":{\"crmActivities\":[{\"notesHistory\":[{\"text\":\""},
        {"{\"lead\":{\"source\":\"", "{\"lead\":{},\"documents\":[{\"filename\":\"",
         "{\"lead\":{},\"checklistItems\":[{\"items\":[{\"status\":\""},
    };
    static const char *const ends[N_PROFILES][N_PADS] = {
        {"\"}}", "\"}]}}", "\"}]}]}}"},
        {"\"}}", "\"}]}", "\"}]}]}"},
    };
    bool is_omni = run->profile == profiles[1];
    struct buf b;
    buf_init(&b, 2 * PAD_BYTES);
    buf_adds(&b, begins[is_omni][which]);
    char *pad = buf_reserve(&b, PAD_BYTES);
    MUST(pad);
    memset(pad, 'x', PAD_BYTES);
    b.len += PAD_BYTES;
    buf_adds(&b, ends[is_omni][which]);
    size_t n = run->n_leads;
    add_body(run, plan, s, buf_str(&b));
    MUST(run->n_leads == n + (n < PATH_LEADS_MAX));
    buf_free(&b);
}

/* ---- files ---------------------------------------------------------------------------------- */

/* In memory, where that is possible. */
static void make_folder(char path[64])
{
    const char *above = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(path, 64, "%s/leadpipe-fuzz-XXXXXX", above);
    MUST(mkdtemp(path));
}

/* Nothing is left in it but the folder of the CSV files. */
static void remove_folder(const char *path)
{
    char inner[80];
    (void)snprintf(inner, sizeof inner, "%s/csv", path);
    MUST(rmdir(inner) == 0 && rmdir(path) == 0);
}

static void compare_csv(struct path_run *run, unsigned options, unsigned level,
                        const struct path_records *rows)
{
    static const char *const delimiters[] = {"comma", "tab", "semicolon"};
    static const char marks[] = ",\t;";
    bool crlf = options / 3 & 1, excel_safe = options / 6 & 1, header = !(options / 12 & 1);
    struct csv_form form = {marks[options % 3], crlf ? "\r\n" : "\n", options / 24 & 1};
    char kind[128];
    struct path_files files;
    (void)snprintf(kind, sizeof kind, "csv,delimiter=%s,eol=%s,header=%s,gzip=%u%s%s",
                   delimiters[options % 3], crlf ? "crlf" : "lf", header ? "yes" : "no", level,
                   excel_safe ? ",excel-safe" : "", form.bom ? ",bom" : "");
    path_write(run, kind, "csv/", &files);
    MUST(files.n == run->profile->n_tables);
    for (size_t t = 0; t < files.n; t++) {
        MUST(str_eq_c(run->profile->tables[t].name, files.items[t].result.table));
        path_check_table(run, &form, excel_safe, header, &run->profile->tables[t], rows,
                         &files.items[t]);
    }
}

static struct path_records write_records(struct path_run *run, const char *layout, unsigned level)
{
    char kind[64];
    struct path_files json, packed;
    (void)snprintf(kind, sizeof kind, "ndjson,layout=%s,gzip=%u", layout, level);
    path_write(run, kind, "records", &json);
    (void)snprintf(kind, sizeof kind, "msgpack,layout=%s,gzip=%u", layout, (level + 1) % 10);
    path_write(run, kind, "records", &packed);
    MUST(json.n == 1 && packed.n == 1);
    struct path_records records =
        path_read_lines(&run->arena, json.items[0].text, strcmp(layout, "raw") == 0);
    MUST(json.items[0].result.rows == records.n && packed.items[0].result.rows == records.n);
    path_check_msgpack(&records, packed.items[0].text);
    return records;
}

/* Layout raw is the payload as it came: to the byte, but for blanks and what is no UTF-8. */
static void check_raw(struct path_run *run, const struct path_records *records)
{
    MUST(records->n == run->n_leads);
    for (size_t i = 0; i < records->n; i++) {
        struct str body = buf_str(&run->leads[i]->body);
        const struct sj_value *payload = sj_member(records->items[i], STR("payload"));
        const struct sj_value *id = sj_member(records->items[i], STR("lead_id"));
        MUST(payload && !payload->next && id && str_eq(id->text, run->leads[i]->id));
        if (body.len >= 3 && memcmp(body.ptr, "\xEF\xBB\xBF", 3) == 0)
            body = (struct str){body.ptr + 3, body.len - 3};
        if (utf8_valid(body.ptr, body.len))
            MUST(str_eq(payload->raw, sj_minified(&run->arena, body)));
    }
}

/* A webhook's data is what NDJSON has a line of. */
static void check_objects(struct path_run *run, enum record_layout layout,
                          const struct path_records *records)
{
    struct record_writer *w;
    struct buf b;
    struct err e;
    const struct record_cfg cfg = {
        .profile = run->profile, .encoding = &encoding_json, .layout = layout};
    MUST(record_writer_new(&w, &cfg, &e) == RC_OK);
    buf_init(&b, FUZZ_ARENA_MAX);
    for (size_t i = 0; i < run->n_leads; i++) {
        buf_clear(&b);
        record_write_object(w, &b, run->leads[i]);
        MUST(buf_rc(&b) == RC_OK && str_eq(buf_str(&b), records->items[i]->raw));
    }
    buf_free(&b);
    record_writer_free(w);
}

/* A large lead is for CSV, and slow. */
static void compare_files(struct path_run *run, const unsigned char options[N_OPTIONS],
                          bool is_large)
{
    unsigned level = options[2] % 3 ? 0 : options[2] % 10;
    struct path_records rows = write_records(run, "rows", level);
    compare_csv(run, options[1], level, &rows);
    if (is_large)
        return;
    struct path_records leads = write_records(run, "lead", level);
    struct path_records raw = write_records(run, "raw", level);
    MUST(leads.n == run->n_leads);
    path_check_leads(run->profile, &leads, &rows);
    check_raw(run, &raw);
    check_objects(run, LAYOUT_LEAD, &leads);
    check_objects(run, LAYOUT_RAW, &raw);
}

/* ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    load_once();
    if (size < N_OPTIONS)
        return 0;
    char folder[64];
    make_folder(folder);
    struct path_run run = {.profile = profiles[data[0] % N_PROFILES], .folder = folder};
    const struct flatten_plan *plan = plans[data[0] % N_PROFILES][data[0] / N_PROFILES % N_MODES];
    struct schema *s;
    arena_init(&run.arena, (size_t)1 << 30);
    MUST(schema_new(&s, run.profile, SCHEMA_COLUMNS_MAX) == RC_OK);
    struct str rest = {(const char *)data + N_OPTIONS, size - N_OPTIONS};
    for (size_t i = 0; rest.len; i++) {
        const char *nul = memchr(rest.ptr, '\0', rest.len);
        struct str body = {rest.ptr, nul ? (size_t)(nul - rest.ptr) : rest.len};
        size_t used = body.len + (nul ? 1 : 0);
        add_body(&run, plan, s, body);
        if (i == 0 && data[3] % 16 < N_PADS)
            add_pad(&run, plan, s, data[3] % 16);
        rest = (struct str){rest.ptr + used, rest.len - used};
    }
    run.one_by_one = data[2] & 128;
    run.marked = data[2] & 64;
    run.mark_at = data[3] / 16 % (run.n_leads + 1);
    compare_files(&run, data, data[3] % 16 < N_PADS);
    for (size_t i = 0; i < run.n_leads; i++)
        lead_free(run.leads[i]);
    schema_free(s);
    arena_free(&run.arena);
    remove_folder(folder);
    return 0;
}
