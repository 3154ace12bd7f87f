/* SPDX-License-Identifier: MIT
 *
 * json.h - writes JSON (RFC 8259).  No function has a name of jansson's, which calls its own: a static tool has both.
 */
#ifndef JSON_H
#define JSON_H

#include <stdint.h>
#include <stdio.h>

/*
 * Writes a string in quotation marks.  The bytes may be any: each byte that is no part of valid UTF-8 becomes U+FFFD.
 * Returns 1 if there was such a byte, else 0.
 */
int json_put_string(FILE *file, const char *text);

/* An object that is being written to standard output, on a line of its own. */
struct json {
    int members; /* how many are written */
};

void json_begin(struct json *json);
void json_end(struct json *json);

/* Writes a member whose value is a string, or null for NULL.  Returns as json_put_string() does. */
int json_text(struct json *json, const char *name, const char *text);

/* Writes the bytes of a text as hexadecimal digits. */
void json_hex(struct json *json, const char *name, const char *text);

void json_number(struct json *json, const char *name, int64_t number);

/* Writes false for 0, true for more, null for less. */
void json_truth(struct json *json, const char *name, int truth);

void json_put_null(struct json *json, const char *name);

#endif
