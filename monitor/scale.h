/* Where the marks of an axis are: round numbers, few of them. Pure. Private to monitor. */
#ifndef LEADPIPE_SCALE_H
#define LEADPIPE_SCALE_H

#include <stdbool.h>
#include <stdint.h>

/* The step of an axis from 0 to at least `max`: 1, 2 or 5 times a power of ten, so that at most `most` steps reach
 * it; where `is_whole`, at least 1. *top is the end of the axis: a multiple of the step, not below `max`, and not 0. */
double scale_step(double max, unsigned most, bool is_whole, double *top);

/* The step of an axis of time that is `length_us` long: a duration that people count in (1, 2, 5, 10, 15, 30 of
 * seconds or minutes; hours; days), at most `most` of which go into it. Below a second as above. */
int64_t scale_time_step_us(int64_t length_us, unsigned most);

/* A time on such an axis, from its start: "0", "0.5 s", "30 s", "2:30 min", "1:30 h", "2 d 6 h". */
#define SCALE_TIME_CHARS 32
void scale_time(char out[SCALE_TIME_CHARS], int64_t us);

/* A number on an axis, short: "250", "1.5k", "2M". */
#define SCALE_NUMBER_CHARS 32
void scale_number(char out[SCALE_NUMBER_CHARS], double n);

/* A short duration with two digits: "1.5 ms", "260 ms", "2.1 s", "35 s", "5 min". */
void scale_latency(char out[SCALE_TIME_CHARS], uint64_t us);

#endif
