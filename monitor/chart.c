#include "monitor/chart.h"

#include "monitor/scale.h"

#define SCALE_STEPS_MAX 4
#define TIMES_MAX 8

void chart_open_plot(struct page *p, const char *label, double max, bool is_whole, double *top)
{
    double step = scale_step(max, SCALE_STEPS_MAX, is_whole, top);
    unsigned n = (unsigned)(*top / step + 0.5);
    page_raw(p, "<div class=\"plot\"><div class=\"ys\" aria-hidden=\"true\">");
    for (unsigned i = 0; i <= n; i++) {
        char at[16], text[SCALE_NUMBER_CHARS];
        scale_number(text, i * step);
        buf_addf(p->out, "<span style=\"bottom:%s%%\">%s</span>", page_share(at, i, n, 100), text);
    }
    buf_addf(p->out,
             "</div><svg viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" role=\"img\" "
             "aria-label=\"%s\">\n<path class=\"grid\" d=\"",
             label);
    for (unsigned i = 0; i < n; i++) {
        char at[16];
        buf_addf(p->out, "M0 %sH1000", page_share(at, i, n, CHART_HEIGHT));
    }
    page_raw(p, "\"/>\n");
}

void chart_close_plot(struct page *p)
{
    page_raw(p, "</svg></div>\n");
}

void chart_open_marks(struct page *p)
{
    page_raw(p, "<div class=\"xs\" aria-hidden=\"true\">");
}

void chart_put_mark(struct page *p, double part, double whole, bool is_odd, const char *text)
{
    char at[16];
    buf_addf(p->out, "<span%s style=\"left:%s%%\">%s</span>", is_odd ? " class=\"odd\"" : "",
             page_share(at, part, whole, 100), text);
}

void chart_close_marks(struct page *p)
{
    page_raw(p, "</div>\n");
}

void chart_put_times(struct page *p, int64_t length_us)
{
    int64_t step_us = scale_time_step_us(length_us, TIMES_MAX);
    chart_open_marks(p);
    for (int64_t i = 0; i * step_us <= length_us; i++) {
        char text[SCALE_TIME_CHARS];
        scale_time(text, i * step_us);
        chart_put_mark(p, (double)(i * step_us), (double)length_us, i % 2, text);
    }
    chart_close_marks(p);
}

void chart_open_rect(struct page *p, double x, double width, double y, double height)
{
    char texts[4][16];
    buf_addf(p->out, "<rect x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"",
             page_share(texts[0], x, CHART_WIDTH, CHART_WIDTH),
             page_share(texts[1], y, CHART_HEIGHT, CHART_HEIGHT),
             page_share(texts[2], width, CHART_WIDTH, CHART_WIDTH),
             page_share(texts[3], height, CHART_HEIGHT, CHART_HEIGHT));
}
