/* SPDX-License-Identifier: MIT
 *
 * json.h - writes JSON (RFC 8259).  The names keep clear of those of jansson.
 */
#ifndef JSON_H
#define JSON_H

#include <stdint.h>
#include <stdio.h>

/*
 * Writes a string in quotation marks.  The bytes may be any: each byte that is no part of valid UTF-8 becomes U+FFFD.
 * Returns 1 if there was such a byte, else 0.
 */
int put_json_string(FILE *file, const char *text);

/* An object that is being written to standard output, on a line of its own. */
struct json {
    int members; /* how many are written */
};

void put_json_begin(struct json *json);
void put_json_end(struct json *json);

/* Writes a member whose value is a string, or null for NULL.  Returns as put_json_string() does. */
int put_json_text(struct json *json, const char *name, const char *text);

/* Writes the bytes of a text as hexadecimal digits. */
void put_json_hex(struct json *json, const char *name, const char *text);

void put_json_number(struct json *json, const char *name, int64_t number);

/* Writes false for 0, true for more, null for less. */
void put_json_truth(struct json *json, const char *name, int truth);

void put_json_null(struct json *json, const char *name);

#endif
