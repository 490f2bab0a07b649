/* Files that a run completed and prepared (outfile_prepare()), and did not live to publish: what the
 * text says is compared with what is there and with the outputs that it should be about, and done.
 *
 * The text may be anything: no path of it is ever opened, renamed or removed. The names are made from
 * the outputs' paths, and it only says which of them are due, and what the complete files are like. */
#ifndef LEADPIPE_OUTFILE_RECOVER_H
#define LEADPIPE_OUTFILE_RECOVER_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/err.h"

struct outfile_recovery {
    const struct places *places; /* as in struct outfile_cfg */
    const char *subject;         /* of messages about the text: whose it is */
    const char *advice; /* in them: what to do where the text is of other files; a clause */
    struct str paths;   /* final ones of all files that there must be, with a NUL behind each */
    struct str text;    /* what outfile_prepare() appended for them */
    bool takes_back;    /* they are to be removed, and not renamed */
    bool only_check;    /* nothing changes */
};

/* Every file gets its final name, durably, or has it already; or all are removed. RC_SYNTAX: the text is
 * damaged. RC_USAGE: it is about other files, or a file is not the one that was completed, is gone or
 * is another user's. RC_BUSY: another run has one. RC_IO, RC_NOMEM. After an error some may be done;
 * the same again resumes. */
enum rc outfile_recover(const struct outfile_recovery *r, struct err *e);

#endif
