/* Private to core/object: how to finish uploads that are complete, as a text (renames.h), and doing it. */
#ifndef LEADPIPE_OBJECT_RECOVER_H
#define LEADPIPE_OBJECT_RECOVER_H

#include "core/file/outfile_recover.h"
#include "core/object/upload.h"

/* Appends the three texts of an upload that is to be completed: "URL?TOKEN?ID", "URL", "BYTES:PARTS:". */
void object_put_upload(struct buf *out, const char *url, const struct upload_name *name,
                       unsigned parts, uint64_t bytes);
/* Of one that is to be aborted: the last two are empty. */
void object_put_removal(struct buf *out, const char *url, const struct upload_name *name);

/* As outfile_recover(), of objects. */
enum rc object_recover(const struct outfile_recovery *r, struct err *e);

#endif
