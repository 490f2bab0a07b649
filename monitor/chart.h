/* What the charts of a report have in common: a plot with a scale on its left and marks below it. The plot is an SVG of
 * 1000 by 100 that is stretched to the width of the page; its texts are HTML, which is not. Private to monitor. */
#ifndef LEADPIPE_CHART_H
#define LEADPIPE_CHART_H

#include "monitor/page.h"

#define CHART_WIDTH 1000.0
#define CHART_HEIGHT 100.0

/* The scale goes from 0 to *top, at least `max`, and to 1 where `is_whole`. Between the two: SVG. `label`: of the
 * plot, for those who do not see it. */
void chart_open_plot(struct page *p, const char *label, double max, bool is_whole, double *top);
void chart_close_plot(struct page *p);

/* A mark below the plot, at `part` of `whole`. Of every other one, `is_odd`, there is no room on a phone. */
void chart_open_marks(struct page *p);
void chart_put_mark(struct page *p, double part, double whole, bool is_odd, const char *text);
void chart_close_marks(struct page *p);

/* Marks of time. */
void chart_put_times(struct page *p, int64_t length_us);

/* A rectangle without its end: it may get a title. */
void chart_open_rect(struct page *p, double x, double width, double y, double height);

#endif
