/* The parts of a report. Private to monitor.
 *
 *   report.c           the page, and how the run ended
 *   report_outcomes.c  outcomes, requests, latencies
 *   report_time.c      what happened when
 *   report_sinks.c     sinks, misfits, new columns
 *   report_failures.c  the leads that failed
 *   report.css         how all of it looks */
#ifndef LEADPIPE_REPORT_PARTS_H
#define LEADPIPE_REPORT_PARTS_H

#include "core/base/builtin.h"
#include "core/run/figures.h"
#include "monitor/page.h"
#include "monitor/report.h"

extern const struct builtin report_style_builtins[];

#define REPORT_NAME_BYTES 300  /* shown of a path, a column, a sink */
#define REPORT_TEXT_BYTES 1500 /* of a message */
#define REPORT_ROWS_MAX 100    /* of a table; what remains is summed */

/* Each is a section, or nothing where there is nothing to say. The run did begin. */
void report_put_outcomes(struct page *p, const struct report *r);
void report_put_time(struct page *p, const struct report *r);
void report_put_requests(struct page *p, const struct report *r);
void report_put_sinks(struct page *p, const struct report *r);
void report_put_misfits(struct page *p, const struct report *r);
void report_put_columns(struct page *p, const struct report *r);
void report_put_failures(struct page *p, const struct report *r);

/* A row of a table: the first cell heads it, the others are numbers. */
void report_open_section(struct page *p, const char *title);
void report_close_section(struct page *p);

#endif
