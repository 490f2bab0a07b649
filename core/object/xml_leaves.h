/* What an answer in XML says, element by element. The text is a server's: bounded in depth and length,
 * and without a document type, so that no entity can be declared. Private to core/object. */
#ifndef LEADPIPE_XML_LEAVES_H
#define LEADPIPE_XML_LEAVES_H

#include "core/base/err.h"
#include "core/base/str.h"

#define XML_DEPTH_MAX 8
#define XML_PATH_BYTES_MAX 256
#define XML_TEXT_BYTES_MAX 4096

/* The end of an element: names from the root on without their namespaces' prefixes, as "Error/Code"; and
 * the characters in it, "" where it has elements. Another result than RC_OK ends it. */
typedef enum rc xml_leaf_fn(void *ctx, const char *path, struct str text);

/* RC_SYNTAX: it is no XML, or more than is allowed; RC_NOMEM; or what `fn` returned. */
enum rc xml_leaves(struct str xml, xml_leaf_fn *fn, void *ctx);

#endif
