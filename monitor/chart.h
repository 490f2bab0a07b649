/* Shared by the charts of a report: a plot with a scale on the left and tick marks below. The plot is an SVG of 1000 by
 * 100 units, stretched to the width of the page; its labels are HTML, so they are not stretched. Private to monitor. */
#ifndef LEADPIPE_CHART_H
#define LEADPIPE_CHART_H

#include "monitor/page.h"

#define CHART_WIDTH 1000.0
#define CHART_HEIGHT 100.0

/* Between these two calls, append SVG. The scale goes from 0 to *top, which is at least `max`, and at least 1 if
 * `is_whole`. `label`: names the plot for screen readers. */
void chart_open_plot(struct page *p, const char *label, double max, bool is_whole, double *top);
void chart_close_plot(struct page *p);

/* A tick mark below the plot, at `part` of `whole`. Those with `is_odd` are hidden on narrow screens. */
void chart_open_marks(struct page *p);
void chart_put_mark(struct page *p, double part, double whole, bool is_odd, const char *text);
void chart_close_marks(struct page *p);

/* Tick marks for a time axis of `length_us` microseconds. */
void chart_put_times(struct page *p, int64_t length_us);

/* Opens a <rect>; the caller closes it, and may put a title into it. */
void chart_open_rect(struct page *p, double x, double width, double y, double height);

#endif
