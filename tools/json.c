/* SPDX-License-Identifier: MIT
 *
 * json.c - writes JSON objects.
 */
#include "json.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

void put_json_begin(struct json *json)
{
    json->members = 0;
    putchar('{');
}

void put_json_end(struct json *json)
{
    (void) json;
    puts("}");
}

/* Names are written as they are: the caller takes care that they need no escapes. */
static void begin_member(struct json *json, const char *name)
{
    printf("%s\"%s\":", json->members++ > 0 ? "," : "", name);
}

/* ---- Text ----------------------------------------------------------------------------------- */

static int is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/*
 * Returns the length of the UTF-8 sequence at the beginning of a text; 0 if there is none.  Overlong forms, surrogates
 * and what lies beyond U+10FFFF are no UTF-8.  The NUL at the end of the text ends the search.
 */
static size_t sequence_length(const unsigned char *text)
{
    unsigned char first = text[0], second = text[0] != 0 ? text[1] : 0;

    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4 || !is_continuation(second))
        return 0;
    if (first < 0xE0)
        return 2;
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
        (first == 0xF4 && second > 0x8F) || !is_continuation(text[2]))
        return 0;
    if (first < 0xF0)
        return 3;
    return is_continuation(text[3]) ? 4 : 0;
}

static void put_ascii(FILE *file, unsigned char byte)
{
    if (byte == '"' || byte == '\\')
        fprintf(file, "\\%c", byte);
    else if (byte < 0x20 || byte == 0x7F)
        fprintf(file, "\\u%04x", byte);
    else
        fputc(byte, file);
}

int put_json_string(FILE *file, const char *text)
{
    const unsigned char *at = (const unsigned char *) text;
    int replaced = 0;

    fputc('"', file);
    while (*at != '\0') {
        size_t length = sequence_length(at);

        if (length == 1)
            put_ascii(file, *at);
        else if (length > 1)
            fwrite(at, 1, length, file);
        else
            fputs("\\ufffd", file);
        replaced = replaced || length == 0;
        at += length > 0 ? length : 1;
    }
    fputc('"', file);
    return replaced;
}

int put_json_text(struct json *json, const char *name, const char *text)
{
    if (text == NULL) {
        put_json_null(json, name);
        return 0;
    }
    begin_member(json, name);
    return put_json_string(stdout, text);
}

void put_json_hex(struct json *json, const char *name, const char *text)
{
    begin_member(json, name);
    putchar('"');
    for (; *text != '\0'; text++)
        printf("%02x", (unsigned char) *text);
    putchar('"');
}

/* ---- All else ------------------------------------------------------------------------------- */

void put_json_number(struct json *json, const char *name, int64_t number)
{
    begin_member(json, name);
    printf("%" PRId64, number);
}

void put_json_truth(struct json *json, const char *name, int truth)
{
    begin_member(json, name);
    fputs(truth < 0 ? "null" : truth > 0 ? "true" : "false", stdout);
}

void put_json_null(struct json *json, const char *name)
{
    begin_member(json, name);
    fputs("null", stdout);
}
