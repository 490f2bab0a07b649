/* The parts of a report. Private to monitor.
 *
 *   report.c           the page, and how the run ended
 *   report_outcomes.c  outcomes, requests, latencies
 *   report_time.c      charts over time
 *   report_sinks.c     sinks, misfits, new columns
 *   report_failures.c  the leads that failed
 *   report.css         the style sheet */
#ifndef LEADPIPE_REPORT_PARTS_H
#define LEADPIPE_REPORT_PARTS_H

#include "core/base/builtin.h"
#include "core/run/figures.h"
#include "monitor/page.h"
#include "monitor/report.h"

extern const struct builtin report_style_builtins[];

#define REPORT_NAME_BYTES 300  /* a path, a column or a sink is cut after this */
#define REPORT_TEXT_BYTES 1500 /* a message is cut after this */
#define REPORT_ROWS_MAX 100    /* of a table; the rest is only in its sums */

/* Each appends a section, or nothing if there is nothing to report. Only for a run that began. */
void report_put_outcomes(struct page *p, const struct report *r);
void report_put_time(struct page *p, const struct report *r);
void report_put_requests(struct page *p, const struct report *r);
void report_put_sinks(struct page *p, const struct report *r);
void report_put_misfits(struct page *p, const struct report *r);
void report_put_columns(struct page *p, const struct report *r);
void report_put_failures(struct page *p, const struct report *r);

void report_open_section(struct page *p, const char *title);
void report_close_section(struct page *p);

#endif
