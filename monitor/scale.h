/* Where the tick marks of an axis are: at few, round numbers. Pure. Private to monitor. */
#ifndef LEADPIPE_SCALE_H
#define LEADPIPE_SCALE_H

#include <stdbool.h>
#include <stdint.h>

/* The distance of tick marks on an axis from 0 to at least `max`: 1, 2 or 5 times a power of ten, so that at most `most`
 * steps reach `max`; if `is_whole`, at least 1. *top: the end of the axis, a multiple of the step that is not below `max`
 * and not 0. */
double scale_step(double max, unsigned most, bool is_whole, double *top);

/* The same for a time axis of length `length_us`: a usual duration (1, 2, 5, 10, 15 or 30 seconds or minutes; hours;
 * days), at most `most` of which fit into the axis. Below a second as in scale_step(). */
int64_t scale_time_step_us(int64_t length_us, unsigned most);

/* A label on a time axis: "0", "0.5 s", "30 s", "2:30 min", "1:30 h", "2 d 6 h". */
#define SCALE_TIME_CHARS 32
void scale_time(char out[SCALE_TIME_CHARS], int64_t us);

/* A label for a number: "250", "1.5k", "2M". */
#define SCALE_NUMBER_CHARS 32
void scale_number(char out[SCALE_NUMBER_CHARS], double n);

/* A short duration with two digits: "1.5 ms", "260 ms", "2.1 s", "35 s", "5 min". */
void scale_latency(char out[SCALE_TIME_CHARS], uint64_t us);

#endif
