/* May objects be written? Private to core/object. */
#ifndef LEADPIPE_OBJECT_PROBE_H
#define LEADPIPE_OBJECT_PROBE_H

#include "core/base/findings.h"
#include "core/object/object_store.h"

/* Puts a small object beside that of `url`, under a name of its own, and deletes it. */
void object_probe(struct object_store *s, const char *url, const char *subject,
                  const struct findings *f);

#endif
