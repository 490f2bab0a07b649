/* Rows as typed cells: columns that come late, misfits, what rows end with, marks. What a single value
 * becomes: test_typed.c. */
#include "tables_text.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/base/rfc3339.h"
#include "sinks/typed_rows.h"

#define PROFILE                                                                                    \
    "{\"profile\":1,\"name\":\"acme\",\"servers\":[{\"name\":\"m\",\"url\":\"http://h\"}],"        \
    "\"path\":\"/{agentId}/{id}\",\"tables\":[{\"name\":\"leads\",\"each\":\"\",\"columns\":["     \
    "{\"name\":\"name\",\"value\":\"/name\"},"                                                     \
    "{\"name\":\"size\",\"value\":\"/size\",\"type\":\"integer\"},"                                \
    "{\"name\":\"ok\",\"value\":\"/ok\",\"type\":\"boolean\"},"                                    \
    "{\"name\":\"at\",\"value\":\"/at\",\"type\":\"timestamp\"},"                                  \
    "{\"name\":\"what\",\"value\":\"/what\",\"type\":\"json\"}]},"                                 \
    "{\"name\":\"notes\",\"each\":\"/notes/*\",\"columns\":["                                      \
    "{\"name\":\"position\",\"position\":\"/notes/*\"},"                                           \
    "{\"name\":\"price\",\"value\":\"/notes/*/price\",\"type\":\"number\"}]}]}"

static const struct typed_target doubles = {.time_min_us = TIME_YEAR_1_US,
                                            .time_max_us = TIME_YEAR_9999_END_US};

struct world {
    struct tables_fixture f;
    struct typed_table_cfg cfg[2];
    struct typed_table *tables[2];
    struct buf text;
};

static void world_open(struct world *w, bool as_text, bool run_columns)
{
    *w = (struct world){.text = {0}};
    fixture_parse(&w->f, PROFILE, SIGNED_URLS_STRIP);
    buf_init(&w->text, 1 << 20);
    for (size_t i = 0; i < 2; i++) {
        w->cfg[i] = (struct typed_table_cfg){
            .profile = w->f.profile,
            .table = i,
            .target = &doubles,
            .as_text = as_text,
            .run_columns = run_columns,
            .run_id = "0123456789abcdef0123456789abcdef",
            .started_ms = 1769738400123,
        };
        assert_int_equal(typed_table_new(&w->tables[i], &w->cfg[i], STR_NONE, NULL), RC_OK);
    }
}

static void world_close(struct world *w)
{
    for (size_t i = 0; i < 2; i++)
        typed_table_free(w->tables[i]);
    buf_free(&w->text);
    fixture_free(&w->f);
}

static void add_cell(struct buf *b, struct str name, const struct typed_cell *c)
{
    struct str bytes;
    buf_addf(b, " " STR_FMT "=", STR_ARG(name));
    switch (c->value.kind) {
    case TYPED_NULL:
        buf_adds(b, "null");
        return;
    case TYPED_INTEGER:
        buf_addf(b, "%" PRId64, c->value.u.integer);
        return;
    case TYPED_DOUBLE:
        buf_addf(b, "%g", c->value.u.number);
        return;
    case TYPED_BOOLEAN:
        buf_adds(b, c->value.u.boolean ? "true" : "false");
        return;
    case TYPED_TIME:
        buf_addf(b, "@%" PRId64, c->value.u.time_us);
        return;
    case TYPED_TEXT:
    case TYPED_DECIMAL:
    case TYPED_JSON:
        break;
    case TYPED_MISFIT:
        fail_msg("a misfit came out");
    }
    buf_addc(b, c->value.kind == TYPED_JSON ? '<' : '\'');
    size_t from = b->len;
    typed_cell_write(b, c);
    if (typed_cell_bytes(c, &bytes)) {
        assert_int_equal(bytes.len, b->len - from);
        assert_memory_equal(bytes.ptr, b->data + from, bytes.len);
    }
    buf_addc(b, c->value.kind == TYPED_JSON ? '>' : '\'');
}

static void add_row(struct buf *b, const struct typed_table *t, const struct typed_row *row)
{
    assert_int_equal(row->n, typed_table_columns(t));
    assert_int_equal(row->n_last, typed_table_last_columns(t));
    for (size_t i = 0; i < row->n; i++)
        add_cell(b, typed_table_column(t, i).name, &row->cells[i]);
    buf_adds(b, " |");
    for (size_t i = 0; i < row->n_last; i++)
        add_cell(b, typed_table_last_column(t, i)->name, &row->last[i]);
    buf_addc(b, '\n');
}

/* The rows of both tables. */
static const char *rows_of(struct world *w, const char *payload)
{
    struct lead *lead = lead_with_body(str_c(payload));
    struct err e = {.msg = ""};
    assert_int_equal(lead_flatten(&w->f, lead, false, &e), RC_OK);
    buf_clear(&w->text);
    for (size_t table = 0; table < 2; table++) {
        for (uint32_t i = 0; i < lead->tables[table].n_rows; i++) {
            struct typed_row row;
            assert_int_equal(
                typed_table_row(w->tables[table], lead, &lead->tables[table].rows[i], &row, &e),
                RC_OK);
            add_row(&w->text, w->tables[table], &row);
        }
    }
    lead_free(lead);
    return buf_cstr(&w->text);
}

static const char *misfits_of(struct world *w)
{
    struct sink_misfits *list;
    size_t n;
    assert_int_equal(typed_table_misfits(w->tables, 2, &list, &n), RC_OK);
    buf_clear(&w->text);
    for (size_t i = 0; i < n; i++)
        buf_addf(&w->text, "%s.%s %" PRIu64 "\n", list[i].table, list[i].column, list[i].n);
    free(list);
    return buf_cstr(&w->text);
}

#define KEYS " provider='acme' lead_id='L-1' agent_id='A-1'"
#define GOOD                                                                                       \
    "{\"name\":\"Ann\",\"size\":\"7\",\"ok\":true,\"at\":\"2026-01-30T02:00:00.5Z\",\"what\":[1,"  \
    "\"x\"]}"
#define BAD                                                                                            \
    "{\"name\":7,\"size\":1.5,\"ok\":\"no\",\"at\":null,\"what\":\"t\",\"late\":{\"a\":1},\"notes\":[" \
    "{\"price\":0.1},{\"price\":\"cheap\",\"more\":1},{\"price\":1e400}]}"

static void rows_and_late_columns(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false, false);
    assert_string_equal(rows_of(&w, GOOD),
                        KEYS " name='Ann' size=7 ok=true at=@1769738400500000 what=<[1,\"x\"]> |"
                             " _misfits=null\n");
    assert_string_equal(rows_of(&w, BAD), KEYS
                        " name='7' size=null ok=null at=null what=<\"t\"> late='{\"a\":1}' |"
                        " _misfits=<{\"size\":1.5,\"ok\":\"no\"}>\n" KEYS " position=0 price=0.1 |"
                        " _misfits=null\n" KEYS " position=1 price=null more='1' |"
                        " _misfits=<{\"price\":\"cheap\"}>\n" KEYS
                        " position=2 price=null more=null |"
                        " _misfits=<{\"price\":1e400}>\n");
    /* of a column that another lead has, this one has null; a null is no misfit */
    assert_string_equal(rows_of(&w, "{\"size\":null,\"soon\":null}"),
                        KEYS " name=null size=null ok=null at=null what=null late=null soon=null |"
                             " _misfits=null\n");
    assert_string_equal(misfits_of(&w), "leads.size 1\nleads.ok 1\nnotes.price 2\n");
    const struct typed_column agent = typed_table_column(w.tables[1], 2);
    const struct typed_column position = typed_table_column(w.tables[1], 3);
    const struct typed_column more = typed_table_column(w.tables[1], 5);
    assert_true(agent.is_key && !agent.spec && !agent.extra && agent.type == TYPE_TEXT);
    assert_true(position.is_key && position.spec && position.type == TYPE_INTEGER);
    assert_true(!more.is_key && !more.spec && more.type == TYPE_TEXT);
    assert_true(str_eq_c(more.extra->origin.key, "more"));
    world_close(&w);
}

static void run_columns(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false, true);
    assert_string_equal(rows_of(&w, "{\"late\":1,\"ok\":0}"),
                        KEYS " name=null size=null ok=null at=null what=null late='1' |"
                             " _misfits=<{\"ok\":0}> _exported_at=@1769738400123000"
                             " _run_id='0123456789abcdef0123456789abcdef'\n");
    world_close(&w);
}

static void as_text(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, true, true);
    assert_string_equal(rows_of(&w, BAD),
                        KEYS " name='7' size='1.5' ok='no' at=null what='t' late='{\"a\":1}' |"
                             " _exported_at='2026-01-30T02:00:00.123Z'"
                             " _run_id='0123456789abcdef0123456789abcdef'\n" KEYS
                             " position='0' price='0.1' |"
                             " _exported_at='2026-01-30T02:00:00.123Z'"
                             " _run_id='0123456789abcdef0123456789abcdef'\n" KEYS
                             " position='1' price='cheap' more='1' |"
                             " _exported_at='2026-01-30T02:00:00.123Z'"
                             " _run_id='0123456789abcdef0123456789abcdef'\n" KEYS
                             " position='2' price='1e400' more=null |"
                             " _exported_at='2026-01-30T02:00:00.123Z'"
                             " _run_id='0123456789abcdef0123456789abcdef'\n");
    assert_int_equal(typed_table_column(w.tables[0], 4).type, TYPE_TEXT);
    assert_string_equal(misfits_of(&w), "");
    world_close(&w);
}

/* A column may have another type in the target, which may also hold less than its type says. */
static void what_the_target_holds(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false, false);
    (void)rows_of(&w, "{\"late\":1}");
    typed_table_set_type(w.tables[0], 3, TYPE_INTEGER); /* name */
    typed_table_set_type(w.tables[0], 8, TYPE_BOOLEAN); /* late */
    assert_string_equal(rows_of(&w, "{\"name\":5,\"late\":true}"),
                        KEYS " name=5 size=null ok=null at=null what=null late=true |"
                             " _misfits=null\n");
    assert_string_equal(rows_of(&w, "{\"name\":\"Ann\",\"late\":1}"),
                        KEYS " name=null size=null ok=null at=null what=null late=null |"
                             " _misfits=<{\"name\":\"Ann\",\"late\":1}>\n");
    struct err e = {.msg = ""};
    struct typed_row row;
    for (int first = 0; first < 2; first++) { /* the first misfit of the row, and not */
        struct lead *lead =
            lead_with_body(first ? STR("{\"size\":70000}") : STR("{\"size\":70000,\"ok\":2}"));
        assert_int_equal(lead_flatten(&w.f, lead, false, &e), RC_OK);
        assert_int_equal(typed_table_row(w.tables[0], lead, &lead->tables[0].rows[0], &row, &e),
                         RC_OK);
        assert_int_equal(row.cells[4].value.u.integer, 70000);
        assert_int_equal(typed_table_refuse(w.tables[0], 4, &e), RC_OK);
        assert_int_equal(row.cells[4].value.kind, TYPED_NULL);
        buf_clear(&w.text);
        typed_cell_write(&w.text, &row.last[0]);
        assert_string_equal(buf_cstr(&w.text),
                            first ? "{\"size\":70000}" : "{\"ok\":2,\"size\":70000}");
        lead_free(lead);
    }
    assert_string_equal(misfits_of(&w), "leads.name 1\nleads.size 2\nleads.ok 1\nleads.late 1\n");
    world_close(&w);
}

/* ---- marks ---- */

static void resume(struct world *w)
{
    for (size_t i = 0; i < 2; i++) {
        struct buf mark;
        buf_init(&mark, 1 << 20);
        typed_table_mark(w->tables[i], &mark);
        assert_int_equal(buf_rc(&mark), RC_OK);
        assert_null(memchr(mark.data, '\n', mark.len));
        typed_table_free(w->tables[i]);
        assert_int_equal(typed_table_new(&w->tables[i], &w->cfg[i], buf_str(&mark), NULL), RC_OK);
        buf_free(&mark);
    }
}

static void marks(void **state)
{
    (void)state;
    struct world w, other;
    world_open(&w, false, false);
    world_open(&other, false, false);
    static const char *const payloads[] = {
        "{}", BAD, "{\"new\":1,\"ok\":1}", GOOD, "{\"newest\":1,\"late\":2,\"new\":3}", BAD};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        resume(&w);
        const char *want = rows_of(&other, payloads[i]);
        assert_string_equal(rows_of(&w, payloads[i]), want);
    }
    assert_string_equal(misfits_of(&w), misfits_of(&other));
    resume(&w); /* a column that was not met since is known by its name alone */
    assert_string_equal(typed_table_column(w.tables[0], 8).name.ptr, "late");
    assert_null(typed_table_column(w.tables[0], 8).extra);
    (void)rows_of(&w, "{\"late\":1}");
    assert_non_null(typed_table_column(w.tables[0], 8).extra);
    world_close(&other);
    world_close(&w);
}

static void damaged_marks(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "late",
        "late,",
        ", ",
        "late,late, ",
        "late, 4",
        "late, 4:",
        " 4:1",
        " 99:1,",
        " 4:0,",
        " 4:1,4:1,",
        " 4:-1,",
        " a:1,",
        " 8:1,",
        "a\x01, ",
        "\xff, ",
        " 4:99999999999999999999,",
        " 4:9223372036854775808,",
        " 4:1, ",
    };
    struct world w;
    world_open(&w, false, false);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct typed_table *t = NULL;
        struct err e = {.msg = ""};
        if (typed_table_new(&t, &w.cfg[0], str_c(texts[i]), &e) != RC_SYNTAX)
            fail_msg("taken: \"%s\"", texts[i]);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_late_columns),
        cmocka_unit_test(run_columns),
        cmocka_unit_test(as_text),
        cmocka_unit_test(what_the_target_holds),
        cmocka_unit_test(marks),
        cmocka_unit_test(damaged_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
