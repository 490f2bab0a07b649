#include "core/source/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/permission.h"
#include "core/file/descriptor.h"
#include "core/source/ids_input.h"
#include "core/source/ids_item.h"
#include "core/source/ids_text.h"

struct ids {
    struct id_source source;
    struct ids_cfg cfg;
    size_t n_params;
    size_t next; /* index of the next file or --id */
    bool is_open;
    struct ids_input input;
    struct ids_found found;
    bool has_read; /* an ID or a bad line has been read */
};

enum rc id_check(struct str id, struct err *e)
{
    return ids_value_check(STR("the ID"), id, e);
}

/* ---- checking -------------------------------------------------------------------------------- */

/* *is_regular: a regular file, which can be opened again. */
static enum rc check_file(const char *file, bool *is_regular, struct err *e)
{
    struct stat st;
    *is_regular = false;
    int fd = descriptor_read(file);
    if (fd >= 0)
        return descriptor_check(fd, false, descriptor_label(fd, file), e);
    if (stat(file, &st) != 0)
        return permission_failed(e, RC_USAGE, errno, file, PERMISSION_READ);
    if (S_ISDIR(st.st_mode))
        return err_sys(e, RC_USAGE, EISDIR, "%s", file);
    if (faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) != 0)
        return permission_failed(e, RC_USAGE, errno, file, PERMISSION_READ);
    *is_regular = S_ISREG(st.st_mode);
    return RC_OK;
}

/* Opens the input. In the format lines there are no parameters: if one has no value, that is a usage error as long
 * as nothing has been done; later each line is a bad line. */
static enum rc open_input(struct ids *ids, const char *file, struct err *e)
{
    enum rc rc = ids_input_open(&ids->input, &ids->cfg, file, e);
    if (rc != RC_OK)
        return rc;
    int missing = ids_missing_param(&ids->cfg, NULL);
    if (ids->input.format != ID_FORMAT_LINES || missing < 0 || ids->has_read) {
        ids->is_open = true;
        return RC_OK;
    }
    rc = ids_missing_error(&ids->cfg, missing, RC_USAGE, e);
    err_prefix(e, "%s", ids->input.reader.source.name);
    ids_input_close(&ids->input);
    return rc;
}

static void close_input(struct ids *ids)
{
    if (ids->is_open)
        ids_input_close(&ids->input);
    ids->is_open = false;
}

/* Refuses everything that can be found to be wrong before the first ID is read. Reads only files that can be opened
 * again. */
static enum rc check_files(struct ids *ids, struct err *e)
{
    size_t n_stdin = 0;
    for (size_t i = 0; i < ids->cfg.n_files; i++) {
        const char *file = ids->cfg.files[i];
        bool is_regular;
        enum rc rc = check_file(file, &is_regular, e);
        if (rc != RC_OK)
            return rc;
        n_stdin += descriptor_read(file) == STDIN_FILENO;
        if (n_stdin > 1)
            return err_set(e, RC_USAGE, "-: standard input can be read only once");
        rc = is_regular ? open_input(ids, file, e) : RC_OK;
        close_input(ids);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc check_ids(const struct ids *ids, struct err *e)
{
    for (size_t i = 0; i < ids->cfg.n_ids; i++) {
        struct err why;
        if (id_check(ids_trim(str_c(ids->cfg.ids[i])), &why) != RC_OK)
            return err_set(e, RC_USAGE, "--id: %s", why.msg);
    }
    int missing = ids->cfg.n_ids ? ids_missing_param(&ids->cfg, NULL) : -1;
    return missing < 0 ? RC_OK : ids_missing_error(&ids->cfg, missing, RC_USAGE, e);
}

static enum rc ids_prepare(struct ids *ids, struct err *e)
{
    ids->found.params = calloc(ids->n_params + 1, sizeof *ids->found.params);
    if (!ids->found.params)
        return err_nomem(e);
    enum rc rc = ids_check_defaults(&ids->cfg, e);
    if (rc == RC_OK)
        rc = ids->cfg.n_ids ? check_ids(ids, e) : check_files(ids, e);
    return rc;
}

/* ---- one ID --------------------------------------------------------------------------------- */

static enum rc open_next(struct ids *ids, struct err *e)
{
    enum rc rc = open_input(ids, ids->cfg.files[ids->next++], e);
    if (rc == RC_OK && ids->input.may_have_header)
        log_msg(ids->cfg.log, LOG_LEVEL_WARN_ALWAYS, ids->input.reader.source.name,
                "every line is read as an ID, including the first; if that is a header, use "
                "--id-format csv");
    return rc;
}

/* Reads the next line or argument, from any input. */
static enum rc find_next(struct ids *ids, struct err *e)
{
    for (size_t i = 0; i < ids->n_params; i++)
        ids->found.params[i] = STR_NONE;
    if (ids->cfg.n_ids) {
        if (ids->next == ids->cfg.n_ids)
            return RC_END;
        ids->found.id = ids_trim(str_c(ids->cfg.ids[ids->next++]));
        ids->found.line = ids->next;
        ids->found.bad.rc = RC_OK;
        return RC_OK;
    }
    for (;;) {
        if (!ids->is_open && ids->next == ids->cfg.n_files)
            return RC_END;
        enum rc rc = RC_OK;
        if (!ids->is_open)
            rc = open_next(ids, e);
        if (rc == RC_OK)
            rc = ids_input_next(&ids->input, &ids->found, e);
        if (rc != RC_END)
            return rc;
        close_input(ids);
    }
}

static enum rc next_item(struct id_source *source, struct arena *a, struct id_item *out,
                         struct err *e)
{
    struct ids *ids = (struct ids *)source;
    enum rc rc = find_next(ids, e);
    if (rc != RC_OK)
        return rc;
    bool bad = !ids_found_complete(&ids->cfg, &ids->found);
    const char *file = ids->cfg.n_ids ? "--id" : ids->input.reader.source.name;
    ids->has_read = true;
    return ids_item_make(&ids->cfg, &ids->found, bad, file, a, out) == RC_OK ? RC_OK : err_nomem(e);
}

/* ---- opening, closing ------------------------------------------------------------------------ */

static void close_ids(struct id_source *source)
{
    struct ids *ids = (struct ids *)source;
    close_input(ids);
    free(ids->found.params);
    free(ids);
}

static const struct id_source_ops ids_ops = {.next = next_item, .close = close_ids};

enum rc ids_open(struct id_source **out, const struct ids_cfg *cfg, struct err *e)
{
    static const char *const stdin_only[] = {"-"};
    struct ids *ids = calloc(1, sizeof *ids);
    if (!ids)
        return err_nomem(e);
    ids->source.ops = &ids_ops;
    ids->cfg = *cfg;
    if (cfg->n_ids == 0 && cfg->n_files == 0) {
        ids->cfg.files = stdin_only;
        ids->cfg.n_files = 1;
    }
    ids->n_params = cfg->profile ? cfg->profile->n_params : 0;
    enum rc rc = ids_prepare(ids, e);
    if (rc != RC_OK) {
        close_ids(&ids->source);
        return rc;
    }
    *out = &ids->source;
    return RC_OK;
}
