#include "cmd/job_file.h"

#include <libgen.h>
#include <limits.h>
#include <errno.h>
#include <stdlib.h>

#include "cmd/job_secret.h"
#include "cmd/job_value.h"
#include "cmd/job_yaml.h"
#include "cmd/options.h"
#include "sinks/registry.h"

#define KEY_SHOWN 64
#define SPEC_BYTES_MAX ((size_t)2 << 20)
#define NAMES_BYTES_MAX 4096

/* The options of one table, as they are read from the file. */
struct taker {
    struct job_file *job;
    struct option_reader options; /* checks values */
    struct buf *spec;             /* of a sink; NULL: they are the job's arguments */
    struct err *err;
};

static enum rc argument_add(struct job_file *j, const struct option_spec *o, const char *value,
                            struct err *e)
{
    bool is_full = (j->n & (j->n - 1)) == 0; /* of 0, 1, 2, 4, ... there is no more room */
    if (is_full) {
        struct job_argument *more = arena_array(&j->memory, j->n ? 2 * j->n : 1, sizeof *more);
        if (!more)
            return err_nomem(e);
        if (j->n)
            memcpy(more, j->arguments, j->n * sizeof *more);
        j->arguments = more;
    }
    j->arguments[j->n++] = (struct job_argument){o, value};
    return RC_OK;
}

/* ---- keys ---------------------------------------------------------------------------------- */

/* Reports an unknown key. If the blank after a colon is missing, the key contains the value, which may be a secret; so a
 * key that cannot be a name is not shown. */
static enum rc refuse_key(struct taker *t, const struct job_node *key, const char *hint)
{
    struct job_text *text = &t->job->text;
    struct str name = key->text;
    struct err why;
    size_t n = 0;
    while (n < name.len && job_is_name_byte(name.ptr[n]))
        n++;
    if (job_is_secret_name(name)) {
        text->hides_values = true;
        return job_fail(text, key->at, t->err,
                        "%.*s: a secret must not be in a job file: name a file or an environment "
                        "variable that holds it (api-key-file, secret-env, header-env, ...)",
                        (int)(n < KEY_SHOWN ? n : KEY_SHOWN), name.ptr);
    }
    if (n < name.len || n == 0)
        return job_fail(text, key->at, t->err, "this is not a key of a job file; %s", hint);
    if (option_unknown(&t->options, name, hint, &why) == RC_NOMEM)
        return err_nomem(t->err);
    return job_fail(text, key->at, t->err, "%s", why.msg);
}

bool job_leaves_out(const struct option_spec *o)
{
    return strcmp(o->name, "help") == 0 || strcmp(o->name, "save-job") == 0;
}

/* ---- values -------------------------------------------------------------------------------- */

static enum rc value_of(struct taker *t, const struct option_spec *o, const struct job_node *node,
                        const char **out)
{
    struct job_file *j = t->job;
    struct job_value v = {.text = &j->text,
                          .memory = &j->memory,
                          .folder = j->folder,
                          .keeps_references = j->keeps_references,
                          .option = o};
    return job_value_make(&v, node, out, t->err);
}

static enum rc emit(struct taker *t, const struct option_spec *o, const char *value)
{
    if (!t->spec)
        return argument_add(t->job, o, value, t->err);
    buf_addf(t->spec, ",%s", o->name);
    if (value) {
        buf_addc(t->spec, '=');
        sink_spec_put_value(t->spec, value);
    }
    return RC_OK;
}

/* Checks the value with the table now, so that the message has the place in the file. Values from the environment are not
 * shown. */
static enum rc take(struct taker *t, const struct option_spec *o, const struct job_node *node,
                    const char *value)
{
    struct err why;
    struct option_spec shown = *o;
    if (value && strcmp(value, node->text.ptr) != 0 && strstr(node->text.ptr, "${"))
        shown.flags |= OPTION_SECRET;
    enum rc rc = option_take(&t->options, &shown, value, &why);
    if (rc == RC_USAGE)
        return job_fail(&t->job->text, node->at, t->err, "%s", why.msg);
    if (rc == RC_OK)
        t->options.given[t->options.n_given - 1].spec = o;
    return rc == RC_OK ? emit(t, o, value) : err_set(t->err, rc, "%s", why.msg);
}

static bool is_word(const struct job_node *node, const char *word)
{
    return node->kind == JOB_TEXT && node->is_plain && str_eq_c(node->text, word);
}

static enum rc take_flag(struct taker *t, const struct option_spec *o, const struct job_node *node)
{
    if (is_word(node, "true"))
        return take(t, o, node, NULL);
    if (is_word(node, "false"))
        return RC_OK;
    return job_fail(&t->job->text, node->at, t->err, "%s: must be true or false", o->name);
}

/* How often a flag is given: true means once. */
static enum rc take_count(struct taker *t, const struct option_spec *o, const struct job_node *node)
{
    bool is_digit = node->kind == JOB_TEXT && node->is_plain && node->text.len == 1 &&
                    node->text.ptr[0] >= '0' && node->text.ptr[0] <= '9';
    if (!is_digit && !is_word(node, "true") && !is_word(node, "false"))
        return job_fail(&t->job->text, node->at, t->err,
                        "%s: must be true, false or a number from 0 to 9", o->name);
    int n = is_digit ? node->text.ptr[0] - '0' : is_word(node, "true");
    enum rc rc = RC_OK;
    while (rc == RC_OK && n-- > 0)
        rc = take(t, o, node, NULL);
    return rc;
}

static enum rc take_text(struct taker *t, const struct option_spec *o, const struct job_node *node)
{
    const char *value;
    struct buf arg;
    struct job_text *text = &t->job->text;
    bool is_bool = is_word(node, "true") || is_word(node, "false");
    if (node->kind == JOB_TEXT && !is_bool) {
        enum rc rc = value_of(t, o, node, &value);
        return rc == RC_OK ? take(t, o, node, value) : rc;
    }
    buf_init(&arg, NAMES_BYTES_MAX);
    option_put_arg(&arg, o);
    const char *is = is_bool ? "true or false" : node->kind == JOB_MAP ? "a map" : "a list";
    enum rc rc =
        buf_rc(&arg) == RC_OK
            ? job_fail(text, node->at, t->err, "%s: takes one value (%s), not %s%s", o->name,
                       buf_cstr(&arg), is, is_bool ? "; quote what is meant as text" : "")
            : err_nomem(t->err);
    buf_free(&arg);
    return rc;
}

static enum rc refuse_empty(struct taker *t, const char *name, const struct job_node *node)
{
    return job_fail(&t->job->text, node->at, t->err, "%s: the list must not be empty", name);
}

static enum rc take_option(struct taker *t, const struct option_spec *o,
                           const struct job_node *node)
{
    if (o->type == OPTION_FLAG)
        return take_flag(t, o, node);
    if (o->type == OPTION_COUNT)
        return take_count(t, o, node);
    if (!option_is_repeatable(o) || node->kind != JOB_LIST)
        return take_text(t, o, node);
    enum rc rc = node->first ? RC_OK : refuse_empty(t, o->name, node);
    for (const struct job_node *item = node->first; rc == RC_OK && item; item = item->next)
        rc = take_text(t, o, item);
    return rc;
}

/* ---- ids ----------------------------------------------------------------------------------- */

static const struct option_spec ids_spec = {
    .name = "ids", .type = OPTION_LIST, .file = FILE_READ, .arg = "FILE"};

bool job_is_ids_path(const char *value)
{
    return job_is_path(&ids_spec, value);
}

static enum rc take_ids_file(struct taker *t, const struct job_node *node)
{
    const char *value;
    if (node->kind != JOB_TEXT || is_word(node, "true") || is_word(node, "false"))
        return job_fail(&t->job->text, node->at, t->err, "ids: must be a FILE, or a list of files");
    if (node->text.len == 0)
        return job_fail(&t->job->text, node->at, t->err, "ids: FILE must not be empty");
    enum rc rc = value_of(t, &ids_spec, node, &value);
    if (rc == RC_OK && !*value)
        return job_fail(&t->job->text, node->at, t->err, "ids: FILE must not be empty");
    return rc == RC_OK ? argument_add(t->job, NULL, value, t->err) : rc;
}

static enum rc take_ids(struct taker *t, const struct job_node *node)
{
    if (node->kind != JOB_LIST)
        return take_ids_file(t, node);
    enum rc rc = node->first ? RC_OK : refuse_empty(t, "ids", node);
    for (const struct job_node *item = node->first; rc == RC_OK && item; item = item->next)
        rc = take_ids_file(t, item);
    return rc;
}

/* ---- sinks --------------------------------------------------------------------------------- */

static enum rc refuse_sink(struct taker *t, const struct job_node *key)
{
    struct job_text *text = &t->job->text;
    struct buf names;
    const char *option = sink_left_out(key->text);
    if (memchr(key->text.ptr, ',', key->text.len))
        return job_fail(text, key->at, t->err,
                        "the options of a sink are keys beside its target, such as "
                        "\"- csv: {target: out/, gzip: 6}\"");
    if (option)
        return job_fail(text, key->at, t->err,
                        "this build has no " STR_FMT " sink: rebuild with -D%s=ON",
                        STR_ARG(key->text), option);
    buf_init(&names, NAMES_BYTES_MAX);
    for (size_t i = 0; sink_registry[i]; i++)
        buf_addf(&names, "%s%s", i ? ", " : "", sink_registry[i]->name);
    enum rc rc =
        buf_rc(&names) == RC_OK
            ? job_fail(text, key->at, t->err, "unknown sink; the sinks are: %s", buf_cstr(&names))
            : err_nomem(t->err);
    buf_free(&names);
    return rc;
}

static enum rc sink_hint(const struct sink_ops *ops, struct buf *hint)
{
    buf_adds(hint, "the keys are: target");
    for (const struct option_spec *o = ops->opts; o && o->name; o++)
        buf_addf(hint, ", %s", o->name);
    return buf_rc(hint);
}

static enum rc refuse_sink_key(struct taker *t, const struct sink_ops *ops,
                               const struct job_node *key)
{
    struct buf hint;
    buf_init(&hint, NAMES_BYTES_MAX);
    enum rc rc =
        sink_hint(ops, &hint) == RC_OK ? refuse_key(t, key, buf_cstr(&hint)) : err_nomem(t->err);
    buf_free(&hint);
    return rc;
}

/* A target is a path where the sink's are. */
static enum rc take_target(struct taker *t, const struct sink_ops *ops, const struct job_node *node,
                           const char **out)
{
    const struct option_spec target = {
        .name = "target", .type = OPTION_TEXT, .names = ops->target, .arg = "TARGET"};
    if (node->kind != JOB_TEXT || is_word(node, "true") || is_word(node, "false"))
        return job_fail(&t->job->text, node->at, t->err, "target: must be a text");
    if (node->text.len == 0)
        return job_fail(&t->job->text, node->at, t->err, "target: must not be empty");
    enum rc rc = value_of(t, &target, node, out);
    if (rc == RC_OK && !**out)
        return job_fail(&t->job->text, node->at, t->err, "target: must not be empty");
    return rc;
}

/* A text is the target alone. */
static enum rc take_sink_options(struct taker *t, const struct sink_ops *ops,
                                 const struct job_node *sink)
{
    const char *target = NULL;
    struct err why;
    enum rc rc = sink->kind == JOB_TEXT ? take_target(t, ops, sink, &target) : RC_OK;
    for (const struct job_node *n = sink->first; rc == RC_OK && n; n = n->next) {
        const struct option_spec *o = option_named(ops->opts, n->key->text);
        if (str_eq_c(n->key->text, "target"))
            rc = take_target(t, ops, n, &target);
        else
            rc = o ? take_option(t, o, n) : refuse_sink_key(t, ops, n->key);
    }
    if (rc == RC_OK && !target)
        return job_fail(&t->job->text, sink->at, t->err, "%s: target is missing", ops->name);
    if (rc != RC_OK)
        return rc;
    rc = option_check(&t->options, &why);
    if (rc == RC_NOMEM)
        return err_nomem(t->err);
    if (rc != RC_OK)
        return job_fail(&t->job->text, sink->at, t->err, "%s: %s", ops->name, why.msg);
    buf_addf(t->spec, ":%s", target);
    return RC_OK;
}

/* `key`: the name of the sink. The resulting text is parsed as a check, because it must be valid on a command line. */
static enum rc take_sink(struct taker *all, const struct option_spec *to,
                         const struct sink_ops *ops, const struct job_node *sink)
{
    struct job_file *j = all->job;
    struct buf spec;
    struct sink_spec parsed;
    struct err why;
    void *values = arena_zalloc(&j->memory, ops->opts_size ? ops->opts_size : 1);
    if (!values)
        return err_nomem(all->err);
    struct taker t = {.job = j, .spec = &spec, .err = all->err};
    t.options = (struct option_reader){ops->opts, values, "", &j->memory, NULL, 0};
    buf_init(&spec, SPEC_BYTES_MAX);
    buf_adds(&spec, ops->name);
    enum rc rc = option_begin(&t.options, t.err);
    if (rc == RC_OK)
        rc = take_sink_options(&t, ops, sink);
    if (rc == RC_OK)
        rc = buf_rc(&spec) == RC_OK ? RC_OK : err_nomem(t.err);
    bool is_made = rc == RC_OK;
    if (is_made)
        rc = sink_spec_parse(&parsed, buf_cstr(&spec), &why);
    if (is_made && rc == RC_OK)
        sink_spec_free(&parsed);
    else if (is_made)
        rc = rc == RC_NOMEM ? err_nomem(t.err) : job_fail(&j->text, sink->at, t.err, "%s", why.msg);
    const char *text = rc == RC_OK ? arena_strdup(&j->memory, buf_str(&spec)) : NULL;
    buf_free(&spec);
    if (rc != RC_OK)
        return rc;
    return text ? argument_add(j, to, text, t.err) : err_nomem(t.err);
}

#define SINK_FORM                                                                                  \
    "a list of sinks, with items such as \"- csv: out/\" or \"- csv: {target: out/, gzip: 6}\""

static enum rc take_sinks(struct taker *t, const struct option_spec *to,
                          const struct job_node *node)
{
    if (node->kind != JOB_LIST)
        return job_fail(&t->job->text, node->at, t->err, "%s: must be " SINK_FORM, to->name);
    enum rc rc = node->first ? RC_OK : refuse_empty(t, to->name, node);
    for (const struct job_node *item = node->first; rc == RC_OK && item; item = item->next) {
        const struct job_node *sink = item->first;
        if (item->kind != JOB_MAP || !sink || sink->next)
            return job_fail(&t->job->text, item->at, t->err, "%s: must be " SINK_FORM, to->name);
        const struct sink_ops *ops = sink_by_name(sink->key->text);
        if (!ops)
            return refuse_sink(t, sink->key);
        if (sink->kind == JOB_LIST)
            return job_fail(&t->job->text, sink->at, t->err,
                            "%s: must be its target, or a map of its options and its target",
                            ops->name);
        rc = take_sink(t, to, ops, sink);
    }
    return rc;
}

/* ---- all of it ----------------------------------------------------------------------------- */

#define KEYS "the keys are the long options of \"leadpipe export\", and ids"

/* A sink, or the list of them, which was not put into to:. */
static bool names_sink(struct str key)
{
    return sink_by_name(key) || sink_left_out(key) || str_eq_c(key, "sink") ||
           str_eq_c(key, "sinks");
}

static enum rc refuse_option(struct taker *t, const struct job_node *key)
{
    if (!names_sink(key->text))
        return refuse_key(t, key, KEYS);
    return job_fail(&t->job->text, key->at, t->err,
                    "unknown option \"" STR_FMT "\"; " KEYS
                    "; sinks are items of to:, such as \"- csv: out/\"",
                    STR_ARG(key->text));
}

static enum rc take_all(struct taker *t, const struct job_node *root)
{
    enum rc rc = RC_OK;
    if (root->kind != JOB_MAP)
        return job_fail(&t->job->text, root->at, t->err,
                        "a job file must be a map of options, such as \"provider: omni\"");
    for (const struct job_node *n = root->first; rc == RC_OK && n; n = n->next) {
        const struct option_spec *o = option_named(export_option_specs, n->key->text);
        if (str_eq_c(n->key->text, ids_spec.name))
            rc = take_ids(t, n);
        else if (!o)
            rc = refuse_option(t, n->key);
        else if (job_leaves_out(o))
            rc = job_fail(&t->job->text, n->key->at, t->err,
                          "%s: is not a key of a job file; give it on the command line", o->name);
        else
            rc = o->flags & OPTION_SINK ? take_sinks(t, o, n) : take_option(t, o, n);
    }
    return rc;
}

static enum rc taker_begin(struct taker *t)
{
    struct arena *memory = &t->job->memory;
    struct export_options *values = arena_zalloc(memory, sizeof *values);
    if (!values)
        return err_nomem(t->err);
    t->options = (struct option_reader){export_option_specs, values, "", memory, NULL, 0};
    return option_begin(&t->options, t->err);
}

/* The error has been set. The options that say how the end of a run is reported are still needed. */
static enum rc keep_reporting(struct job_file *j, const struct job_node *root)
{
    struct err ignored;
    struct taker t = {.job = j, .err = &ignored};
    const struct job_text said = j->text;
    enum rc rc = taker_begin(&t);
    j->n = 0;
    for (const struct job_node *n = root->first; rc == RC_OK && n; n = n->next) {
        const struct option_spec *o = option_named(export_option_specs, n->key->text);
        if (o && (o->flags & OPTION_REPORTING) && n->kind == JOB_TEXT)
            rc = take_text(&t, o, n);
        rc = rc == RC_USAGE ? RC_OK : rc;
    }
    j->text = said;
    return rc;
}

static enum rc read_checked(struct job_file *j, struct err *e)
{
    struct job_node *root = NULL;
    struct taker t = {.job = j, .err = e};
    enum rc rc = taker_begin(&t);
    if (rc == RC_OK)
        rc = job_yaml_parse(&root, &j->text, &j->memory, e);
    if (rc == RC_OK)
        rc = take_all(&t, root);
    if (rc == RC_USAGE && root && root->kind == JOB_MAP && keep_reporting(j, root) != RC_OK)
        return err_nomem(e);
    return rc;
}

static enum rc find_folder(struct job_file *j, const char *path, struct err *e)
{
    char *copy = arena_strdup(&j->memory, str_c(path));
    char *resolved = copy ? realpath(dirname(copy), NULL) : NULL;
    if (!copy || (!resolved && errno == ENOMEM))
        return err_nomem(e);
    if (!resolved)
        return err_sys(e, RC_USAGE, errno, "%s", path);
    j->folder = arena_strdup(&j->memory, str_c(resolved));
    free(resolved);
    return j->folder ? RC_OK : err_nomem(e);
}

enum rc job_file_read(struct job_file *j, const char *path, struct err *e)
{
    arena_init(&j->memory, SIZE_MAX / 2);
    enum rc rc = job_text_read(&j->text, path, &j->memory, e);
    if (rc == RC_OK)
        rc = find_folder(j, path, e);
    return rc == RC_OK ? read_checked(j, e) : rc;
}

enum rc job_file_read_text(struct job_file *j, const char *path, struct str text,
                           const char *folder, struct err *e)
{
    arena_init(&j->memory, SIZE_MAX / 2);
    j->folder = folder;
    enum rc rc = job_text_check(&j->text, path, text, e);
    return rc == RC_OK ? read_checked(j, e) : rc;
}

void job_file_free(struct job_file *j)
{
    arena_free(&j->memory);
    *j = (struct job_file){.n = 0};
}
