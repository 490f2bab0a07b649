#include "core/run/report_file.h"

enum rc report_file_write(struct outfile **out, const struct run_cfg *run, const char *path,
                          const struct buf *text, struct err *e)
{
    /* A pipe's reader is notified as late as a file's. */
    const struct outfile_cfg cfg = {
        .places = run->places, .path = path, .spool = true, .stop = run->stop};
    struct outfile *f = NULL;
    enum rc rc = buf_rc(text);
    if (rc != RC_OK)
        (void)err_set(e, rc, "%s: %s", path, rc_text(rc));
    else
        rc = outfile_open_cfg(&f, &cfg, e);
    if (rc == RC_USAGE)
        rc = e->rc = RC_IO; /* not a usage error: it was possible when the run began */
    if (rc == RC_OK) {
        outfile_write(f, text->data, text->len);
        rc = outfile_complete(f, e);
    }
    if (rc == RC_OK)
        *out = f;
    else if (f)
        outfile_close(f, false);
    return rc;
}
