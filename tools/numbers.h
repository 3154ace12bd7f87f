/* SPDX-License-Identifier: MIT
 *
 * numbers.h - the numbers of a command line.
 *
 * All of these read the whole text, after any blanks and one '+', and answer 0, -EINVAL (not such a
 * number) or -ERANGE (too large); the value is written only on success.  None knows a sign, and none
 * depends on the locale.
 */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stdint.h>

/* Decimal digits, 0 to `greatest`. */
int parse_integer(const char *text, int64_t greatest, int64_t *value);

/* Decimal seconds ("5", "1.25", ".5"); what is finer than a millisecond is rounded up. */
int parse_milliseconds(const char *text, int64_t *value);

/* Bytes: a C integer (0x is hexadecimal, 0 octal), or a decimal one that may have a fraction before
 * a unit: K, KiB (1024), KB (1000), and so on with M, G, T, P and E, in either case. */
int parse_size(const char *text, int64_t *value);

#endif
