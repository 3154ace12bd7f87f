/* SPDX-License-Identifier: MIT
 *
 * names.h - results by name: what peers say to each other and what failure messages print.
 */
#ifndef NAMES_H
#define NAMES_H

/* "0", "-ETIMEDOUT", ...; a number that has no name, in digits. */
const char *result_name(int result);

/* All that have one: NULL after the last. */
const char *named_result(int index, int *result);

#endif
