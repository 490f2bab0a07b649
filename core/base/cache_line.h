/* Members that several threads write for every lead stand apart from those that are only read: a write
 * takes the whole cache line away from the other processors. Padding on both sides does that without an
 * alignment that malloc() does not give. */
#ifndef LEADPIPE_CACHE_LINE_H
#define LEADPIPE_CACHE_LINE_H

#define CACHE_LINE_BYTES 64
#define CACHE_LINE_PADDING(name) char name[CACHE_LINE_BYTES]

#endif
