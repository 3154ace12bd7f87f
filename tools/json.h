/* SPDX-License-Identifier: MIT
 *
 * json.h - writes JSON objects (RFC 8259) to standard output, one a line.
 */
#ifndef JSON_H
#define JSON_H

#include <stdint.h>

/* An object that is being written. */
struct json {
    int members; /* how many are written */
};

void json_begin(struct json *json);
void json_end(struct json *json);

/*
 * Writes a string, or null for NULL.  The bytes may be any: each byte that is no part of valid UTF-8 becomes U+FFFD.
 * Returns 1 if there was such a byte, else 0.
 */
int json_text(struct json *json, const char *name, const char *text);

/* Writes the bytes of a text as hexadecimal digits. */
void json_hex(struct json *json, const char *name, const char *text);

void json_number(struct json *json, const char *name, int64_t number);

/* Writes false for 0, true for more, null for less. */
void json_truth(struct json *json, const char *name, int truth);

void json_null(struct json *json, const char *name);

#endif
