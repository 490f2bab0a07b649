/* Private to core/file: recovery of local files (outfile_recover()). */
#ifndef LEADPIPE_LOCAL_RECOVER_H
#define LEADPIPE_LOCAL_RECOVER_H

#include "core/file/outfile_recover.h"

/* As outfile_recover(), of what local files have appended to the text. */
enum rc local_recover(const struct outfile_recovery *r, struct err *e);

#endif
