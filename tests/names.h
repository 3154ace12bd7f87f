/* SPDX-License-Identifier: MIT
 *
 * names.h - results by name, as peers send them and as failure messages print them.
 */
#ifndef NAMES_H
#define NAMES_H

/* Returns the name of a result, such as "0" or "-ETIMEDOUT"; if it has no name, its digits. */
const char *result_name(int result);

/* Returns the name of each result that has one, by index, and stores the result; NULL after the last. */
const char *named_result(int index, int *result);

#endif
