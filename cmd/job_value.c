#include "cmd/job_value.h"

#include <stdlib.h>

#include "cmd/job_file.h"
#include "cmd/job_secret.h"

#define VALUE_BYTES_MAX ((size_t)2 << 20)
#define NAME_SHOWN 64

/* ---- what is refused ----------------------------------------------------------------------- */

static enum rc refuse_secret(const struct job_value *v, const struct job_node *node,
                             enum job_secret secret, struct err *e)
{
    const char *what = secret == JOB_SECRET_USERINFO ? "user and password of a URL"
                       : secret == JOB_SECRET_HEADER ? "the value of this header"
                                                     : "what is named like a secret";
    v->text->hides_values = true;
    return job_fail(v->text, node->at, e,
                    "%s: %s must not be in a job file; put it into the environment and write "
                    "${VARIABLE}",
                    v->option->name, what);
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7F)
            return true;
    }
    return false;
}

/* ---- variables ----------------------------------------------------------------------------- */

static enum rc put_variable(const struct job_value *v, const struct job_node *node, struct str ref,
                            bool keep, struct buf *out, struct err *e)
{
    const char *name = arena_strdup(v->memory, (struct str){ref.ptr + 2, ref.len - 3});
    if (!name)
        return err_nomem(e);
    const char *value = getenv(name);
    if (!value)
        return job_fail(v->text, node->at, e, "%s: the environment variable %.*s is not set%s",
                        v->option->name, NAME_SHOWN, name,
                        job_is_set_by_systemd(str_c(name))
                            ? "; systemd sets it: systemctl start leadpipe@NAME.service, or "
                              "leadpipe-check@NAME.service to check the job"
                            : "");
    if (has_control(str_c(value)))
        return job_fail(v->text, node->at, e,
                        "%s: the environment variable %.*s has a control character",
                        v->option->name, NAME_SHOWN, name);
    if (keep)
        buf_addf(out, "\1%s\2", name);
    else
        buf_adds(out, value);
    return RC_OK;
}

static enum rc expand(const struct job_value *v, const struct job_node *node, bool keep,
                      struct buf *out, struct err *e)
{
    struct str s = node->text;
    enum rc rc = RC_OK;
    for (size_t at = 0; rc == RC_OK && at < s.len;) {
        struct str rest = {s.ptr + at, s.len - at};
        size_t n = job_reference(rest);
        if (rest.len >= 3 && memcmp(rest.ptr, "$${", 3) == 0) {
            buf_adds(out, "${");
            at += 3;
        } else if (n) {
            rc = put_variable(v, node, (struct str){rest.ptr, n}, keep, out, e);
            at += n;
        } else if (rest.len >= 2 && memcmp(rest.ptr, "${", 2) == 0) {
            return job_fail(v->text, node->at, e,
                            "%s: ${ must be followed by the name of a variable and }; write $${ "
                            "for a literal ${",
                            v->option->name);
        } else {
            buf_addc(out, s.ptr[at++]);
        }
    }
    return rc;
}

/* ---- paths --------------------------------------------------------------------------------- */

/* "-" is a standard file, a URL is not a path, and names of built-in files have neither "/" nor ".". */
static bool is_relative(unsigned names, const char *value)
{
    size_t scheme =
        strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    if (!*value || *value == '/' || strcmp(value, "-") == 0 ||
        (scheme && strncmp(value + scheme, "://", 3) == 0))
        return false;
    return !(names & (NAMES_PROVIDERS | NAMES_DESTINATIONS)) || strpbrk(value, "/.");
}

bool job_is_path(const struct option_spec *o, const char *value)
{
    bool is_file = o->file != FILE_UNUSED || o->names & NAMES_FILES ||
                   (o->arg && (strstr(o->arg, "FILE") || strcmp(o->arg, "DIR") == 0));
    return is_file && is_relative(o->names, value);
}

bool job_is_target_path(unsigned names, const char *target)
{
    return names & NAMES_FILES && is_relative(names, target);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static enum rc put_value(const struct job_value *v, const struct job_node *node, bool keep,
                         struct buf *out, struct err *e)
{
    struct buf value;
    buf_init(&value, VALUE_BYTES_MAX);
    enum rc rc = expand(v, node, keep, &value, e);
    const char *text = buf_cstr(&value);
    bool is_path = rc == RC_OK && job_is_path(v->option, text);
    if (rc == RC_OK && v->keeps_references && !keep && !is_path &&
        job_hides_variables(v->option, node->text, str_c(text))) {
        buf_clear(&value);
        rc = expand(v, node, true, &value, e);
        text = buf_cstr(&value);
    }
    if (is_path && text[0] == '~' && (text[1] == '/' || !text[1])) {
        rc = job_fail(v->text, node->at, e,
                      "%s: ~ is not expanded; write ${HOME}, or the whole path", v->option->name);
    } else if (is_path) {
        while (strncmp(text, "./", 2) == 0 && text[2])
            text += 2 + strspn(text + 2, "/");
        buf_addf(out, "%s/%s", strcmp(v->folder, "/") == 0 ? "" : v->folder,
                 strcmp(text, ".") == 0 ? "" : text);
    } else if (rc == RC_OK) {
        buf_adds(out, text);
    }
    if (rc == RC_OK && (buf_rc(&value) != RC_OK || buf_rc(out) != RC_OK))
        rc = buf_rc(&value) == RC_LIMIT || buf_rc(out) == RC_LIMIT
                 ? job_fail(v->text, node->at, e, "%s: the value is too long", v->option->name)
                 : err_nomem(e);
    buf_free(&value);
    return rc;
}

enum rc job_value_make(const struct job_value *v, const struct job_node *node, const char **out,
                       struct err *e)
{
    struct buf made;
    if (has_control(node->text))
        return job_fail(v->text, node->at, e, "%s: the value has a control character",
                        v->option->name);
    enum job_secret secret = job_secret_in(v->option, node->text);
    if (secret > JOB_SECRET_REFERENCE)
        return refuse_secret(v, node, secret, e);
    buf_init(&made, VALUE_BYTES_MAX);
    enum rc rc =
        put_value(v, node, v->keeps_references && secret == JOB_SECRET_REFERENCE, &made, e);
    if (rc == RC_OK) {
        *out = arena_strdup(v->memory, buf_str(&made));
        if (made.len == 0)
            *out = "";
        rc = *out ? RC_OK : err_nomem(e);
    }
    buf_free(&made);
    return rc;
}
