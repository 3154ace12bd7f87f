/* SPDX-License-Identifier: MIT
 *
 * json.h - writes JSON.
 */
#ifndef JSON_H
#define JSON_H

#include <stdio.h>

/*
 * Writes a string in quotation marks.  Bytes that are not UTF-8, as a path may have, become the halves of surrogate
 * pairs \udc80 to \udcff, which Python turns back into the bytes (os.fsencode).
 */
void json_string(FILE *file, const char *bytes);

#endif
