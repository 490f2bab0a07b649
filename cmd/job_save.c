#include "cmd/job_save.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/job_file.h"
#include "core/file/fd_io.h"
#include "core/json/json.h"
#include "sinks/registry.h"

#define JOB_TEXT_BYTES_MAX ((size_t)8 << 20)
#define VALUE_BYTES_MAX ((size_t)4 << 20)
#define COUNT_MAX 9

struct saver {
    const struct export_options *options;
    struct buf text;
    char folder[PATH_MAX]; /* the working directory, to which relative paths are relative */
};

/* ---- texts --------------------------------------------------------------------------------- */

static bool is_plain(struct str s)
{
    if (s.len == 0 || str_eq_c(s, "true") || str_eq_c(s, "false") || strchr("-.=%@+~_", s.ptr[0]))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool is_safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       strchr("/._-+=@%~", c);
        if (!is_safe)
            return false;
    }
    return true;
}

/* Appends a text, in quotes as in JSON if they are needed. */
static enum rc put_text(struct saver *s, bool is_path, const char *text, struct err *e)
{
    struct buf value;
    if (!utf8_valid(text, strlen(text)))
        return err_set(e, RC_USAGE, "a value is not UTF-8; a job file must be");
    buf_init(&value, VALUE_BYTES_MAX);
    if (is_path)
        buf_addf(&value, "%s/", strcmp(s->folder, "/") == 0 ? "" : s->folder);
    for (const char *at = text; *at; at++) {
        if (at[0] == '$' && at[1] == '{')
            buf_addc(&value, '$');
        buf_addc(&value, *at);
    }
    if (is_plain(buf_str(&value)))
        buf_add_str(&s->text, buf_str(&value));
    else
        json_write_string(&s->text, value.len ? buf_str(&value) : STR(""));
    buf_addc(&s->text, '\n');
    enum rc rc = buf_rc(&value);
    buf_free(&value);
    return rc == RC_OK ? RC_OK : err_set(e, RC_USAGE, "a value is too long");
}

/* ---- sinks --------------------------------------------------------------------------------- */

/* The next "name" or "name=value" of a specification. False: there are no more. */
static bool next_piece(struct str *rest, struct str *name, struct str *value)
{
    if (rest->len == 0 || rest->ptr[0] != ',')
        return false;
    struct str s = {rest->ptr + 1, rest->len - 1};
    size_t n = sink_spec_piece(s);
    const char *equals = memchr(s.ptr, '=', n);
    name->ptr = s.ptr;
    name->len = equals ? (size_t)(equals - s.ptr) : n;
    *value = equals ? (struct str){equals + 1, n - name->len - 1} : STR_NONE;
    *rest = (struct str){s.ptr + n, s.len - n};
    return true;
}

static enum rc put_sink_value(struct saver *s, const struct option_spec *o, struct str value,
                              struct err *e)
{
    struct buf text;
    buf_init(&text, VALUE_BYTES_MAX);
    sink_spec_get_value(&text, value);
    const char *plain = buf_cstr(&text);
    enum rc rc = put_text(s, job_is_path(o, plain), plain, e);
    buf_free(&text);
    return rc;
}

/* A repeatable option becomes a list, with all its later values. */
static enum rc put_sink_option(struct saver *s, const struct option_spec *o, struct str value,
                               struct str rest, struct err *e)
{
    if (!option_takes_value(o)) {
        buf_addf(&s->text, "      %s: true\n", o->name);
        return RC_OK;
    }
    buf_addf(&s->text, "      %s:%s", o->name, option_is_repeatable(o) ? "\n" : " ");
    if (!option_is_repeatable(o))
        return put_sink_value(s, o, value, e);
    struct str name = str_c(o->name);
    enum rc rc;
    do {
        if (!str_eq_c(name, o->name))
            continue;
        buf_adds(&s->text, "        - ");
        rc = put_sink_value(s, o, value, e);
        if (rc != RC_OK)
            return rc;
    } while (next_piece(&rest, &name, &value));
    return RC_OK;
}

static bool is_named_before(struct str options, struct str name)
{
    struct str earlier, value;
    while (next_piece(&options, &earlier, &value) && earlier.ptr < name.ptr) {
        if (str_eq(earlier, name))
            return true;
    }
    return false;
}

static enum rc put_sink(struct saver *s, const char *text, struct err *e)
{
    struct sink_spec spec;
    enum rc rc = sink_spec_parse(&spec, text, e);
    if (rc != RC_OK)
        return rc;
    const struct sink_ops *ops = spec.ops;
    struct str options = str_c(text + strlen(ops->name)), rest = options, name, value;
    bool is_path = job_is_target_path(ops->target, spec.target);
    buf_addf(&s->text, "  - %s:\n      target: ", ops->name);
    rc = put_text(s, is_path, spec.target, e);
    while (rc == RC_OK && next_piece(&rest, &name, &value)) {
        const struct option_spec *o = option_named(ops->opts, name);
        if (o && !is_named_before(options, name))
            rc = put_sink_option(s, o, value, rest, e);
    }
    sink_spec_free(&spec);
    return rc;
}

/* ---- options ------------------------------------------------------------------------------- */

static bool is_first(const struct export_options *o, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (o->given[k].spec == o->given[i].spec)
            return false;
    }
    return true;
}

static enum rc put_list(struct saver *s, size_t first, struct err *e)
{
    const struct export_options *all = s->options;
    const struct option_spec *o = all->given[first].spec;
    enum rc rc = RC_OK;
    buf_addf(&s->text, "%s:\n", o->name);
    for (size_t i = first; rc == RC_OK && i < all->n_given; i++) {
        const char *value = all->given[i].text;
        if (all->given[i].spec != o)
            continue;
        if (!(o->flags & OPTION_SINK))
            buf_adds(&s->text, "  - ");
        rc = o->flags & OPTION_SINK ? put_sink(s, value, e)
                                    : put_text(s, job_is_path(o, value), value, e);
    }
    return rc;
}

static size_t count_of(const struct export_options *all, const struct option_spec *o)
{
    size_t n = 0;
    for (size_t i = 0; i < all->n_given; i++)
        n += all->given[i].spec == o;
    return n < COUNT_MAX ? n : COUNT_MAX; /* more has no further effect */
}

static enum rc put_option(struct saver *s, size_t i, struct err *e)
{
    const struct option_given *g = &s->options->given[i];
    const struct option_spec *o = g->spec;
    if (o->type == OPTION_LIST)
        return put_list(s, i, e);
    if (o->type == OPTION_COUNT)
        buf_addf(&s->text, "%s: %zu\n", o->name, count_of(s->options, o));
    else if (!option_takes_value(o))
        buf_addf(&s->text, "%s: true\n", o->name);
    else
        buf_addf(&s->text, "%s: ", o->name);
    return option_takes_value(o) ? put_text(s, job_is_path(o, g->text), g->text, e) : RC_OK;
}

static enum rc put_files(struct saver *s, struct err *e)
{
    const struct text_list *files = &s->options->files;
    enum rc rc = RC_OK;
    if (files->n)
        buf_adds(&s->text, "ids:\n");
    else if (!s->options->ids.n && !s->options->all)
        buf_adds(&s->text, "ids:\n  - \"-\"\n"); /* a job file has no default for this */
    for (size_t i = 0; rc == RC_OK && i < files->n; i++) {
        buf_adds(&s->text, "  - ");
        rc = put_text(s, job_is_ids_path(files->items[i]), files->items[i], e);
    }
    return rc;
}

static enum rc make_text(struct saver *s, struct err *e)
{
    const struct export_options *all = s->options;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < all->n_given; i++) {
        if (!job_leaves_out(all->given[i].spec) && is_first(all, i))
            rc = put_option(s, i, e);
    }
    if (rc == RC_OK)
        rc = put_files(s, e);
    if (rc != RC_OK)
        return rc;
    return buf_rc(&s->text) == RC_NOMEM ? err_nomem(e) : RC_OK;
}

/* Checks the text as a run would, so that nothing is written that a run would refuse, such as secrets. */
static enum rc check_text(const struct saver *s, const char *path, struct err *e)
{
    struct job_file job = {.n = 0};
    if (buf_rc(&s->text) == RC_LIMIT || s->text.len > JOB_BYTES_MAX)
        return err_set(e, RC_USAGE, "the job file would be larger than 1 MiB");
    enum rc rc = job_file_read_text(&job, path, buf_str(&s->text), s->folder, e);
    job_file_free(&job);
    return rc;
}

/* ---- the file ------------------------------------------------------------------------------ */

static enum rc write_file(int fd, const char *path, struct str text, struct err *e)
{
    mode_t mask = umask(0);
    (void)umask(mask);
    int failed = fchmod(fd, 0666 & ~mask) == 0 ? 0 : errno;
    if (!failed)
        failed = fd_write_all(fd, text.ptr, text.len);
    if (!failed && fsync(fd) != 0)
        failed = errno;
    if (close(fd) != 0 && !failed)
        failed = errno;
    return failed ? err_sys(e, RC_IO, failed, "%s", path) : RC_OK;
}

/* Renames the file, unless there is one with that name. */
static enum rc publish(const char *part, const char *path, struct err *e)
{
    if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return RC_OK;
    bool is_unknown = errno == EINVAL || errno == ENOSYS; /* the file system does not support it */
    if (is_unknown && link(part, path) == 0)
        return unlink(part) == 0 ? RC_OK : err_sys(e, RC_IO, errno, "%s", part);
    if (errno == EEXIST)
        return err_set(e, RC_USAGE, "%s exists already, and is not replaced", path);
    return err_sys(e, RC_IO, errno, "%s", path);
}

static enum rc sync_folder(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
                   slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0)
        (void)close(fd);
    return failed && failed != EINVAL ? err_sys(e, RC_IO, failed, "%s", folder) : RC_OK;
}

static enum rc save_file(const char *path, struct str text, struct err *e)
{
    char part[PATH_MAX];
    struct stat st;
    const char *slash = strrchr(path, '/');
    int folder_bytes = slash ? (int)(slash - path) + 1 : 0;
    if (lstat(path, &st) == 0)
        return err_set(e, RC_USAGE, "%s exists already, and is not replaced", path);
    int n = snprintf(part, sizeof part, "%.*s.leadpipe-XXXXXX", folder_bytes, path);
    if (n < 0 || (size_t)n >= sizeof part)
        return err_sys(e, RC_USAGE, ENAMETOOLONG, "%s", path);
    int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, fd_open_rc(errno), errno, "%s", path);
    enum rc rc = write_file(fd, path, text, e);
    if (rc == RC_OK)
        rc = publish(part, path, e);
    if (rc != RC_OK) {
        (void)unlink(part);
        return rc;
    }
    return sync_folder(path, e);
}

enum rc job_save(const struct export_options *o, struct err *e)
{
    struct saver s = {.options = o};
    bool to_stdout = strcmp(o->save_job, "-") == 0;
    if (!getcwd(s.folder, sizeof s.folder))
        return err_sys(e, RC_USAGE, errno, "--save-job: the working directory");
    buf_init(&s.text, JOB_TEXT_BYTES_MAX);
    enum rc rc = make_text(&s, e);
    if (rc == RC_OK)
        rc = check_text(&s, to_stdout ? "standard output" : o->save_job, e);
    if (rc == RC_OK && to_stdout)
        (void)fwrite(s.text.data, 1, s.text.len, stdout); /* checked when it is closed */
    else if (rc == RC_OK)
        rc = save_file(o->save_job, buf_str(&s.text), e);
    if (rc != RC_OK)
        err_prefix(e, "--save-job");
    buf_free(&s.text);
    return rc;
}
