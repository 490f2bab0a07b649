/* cmocka wants these four before it, in this order. */
#ifndef LEADPIPE_TESTS_CMOCKA_ALL_H
#define LEADPIPE_TESTS_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
