/* SPDX-License-Identifier: MIT
 *
 * numbers.h - reads the numbers of a command line.
 *
 * Each function reads the whole text, which may begin with blanks and one '+'.  No function accepts a '-', and none
 * depends on the locale.  Each returns
 *   0        the value is written
 *   -EINVAL  the text is not such a number
 *   -ERANGE  the number is too large
 */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stdint.h>

/* Reads decimal digits, from 0 to `greatest`. */
int parse_integer(const char *text, int64_t greatest, int64_t *value);

/* Reads decimal seconds ("5", "1.25", ".5"), and rounds up to whole milliseconds. */
int parse_milliseconds(const char *text, int64_t *value);

/* Reads a number of bytes: a C integer (0x: hexadecimal, 0: octal), maybe with a unit.  Before a unit it may have a
 * decimal fraction.  Units are K and KiB (1024), KB (1000), and so on with M, G, T, P and E, in either case. */
int parse_size(const char *text, int64_t *value);

/* Reads what parse_size() reads, up to the greatest number of 64 bits. */
int parse_bytes(const char *text, uint64_t *value);

#endif
