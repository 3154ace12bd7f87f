/* SPDX-License-Identifier: MIT
 *
 * The text of owner records.
 */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "record.h"
#include "sha256.h"

/* ---- Writing -------------------------------------------------------------------------------- */

/* Every acquire of a soft lock writes a record: this is quicker than printf. */
static char *append(char *end, const char *text)
{
    size_t n = strlen(text);

    memcpy(end, text, n);
    end[n] = '\n';
    return end + n + 1;
}

static void write_pid(int64_t pid, char digits[24])
{
    char reversed[24];
    int n = 0;

    do {
        reversed[n++] = (char) ('0' + pid % 10);
        pid /= 10;
    } while (pid > 0);
    while (n > 0)
        *digits++ = reversed[--n];
    *digits = '\0';
}

size_t flk_record_format(const struct record *record, char text[RECORD_SIZE])
{
    char pid[24], *end = text;

    write_pid(record->pid, pid);
    end = append(end, pid);
    end = append(end, record->host);
    if (record->token[0] != '\0')
        end = append(end, record->token);
    return (size_t) (end - text);
}

void flk_record_decimal(const uint8_t number[RECORD_NUMBER_BYTES], char text[64])
{
    uint8_t rest[RECORD_NUMBER_BYTES];
    char digits[64];
    size_t count = 0;
    bool zero = false;

    memcpy(rest, number, sizeof(rest));
    while (!zero) {
        unsigned carry = 0;

        zero = true;
        for (size_t i = 0; i < sizeof(rest); i++) {
            unsigned part = carry * 256 + rest[i];

            rest[i] = (uint8_t) (part / 10);
            carry = part % 10;
            zero = zero && rest[i] == 0;
        }
        digits[count++] = (char) ('0' + carry);
    }
    for (size_t i = 0; i < count; i++)
        text[i] = digits[count - 1 - i];
    text[count] = '\0';
}

#define KEPT_OF_LONG 244 /* then "-" and 8 digits of a hash of the rest: 253 */

static size_t escape(const char *name, char *escaped)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    for (size_t i = 0; i < RECORD_NAME_MOST && name[i] != '\0'; i++) {
        unsigned char byte = (unsigned char) name[i];

        if (byte >= 0x21 && byte <= 0x7e && byte != '?') {
            escaped[n++] = name[i];
        } else {
            escaped[n++] = '?';
            escaped[n++] = hex[byte >> 4];
            escaped[n++] = hex[byte & 15];
        }
    }
    return n;
}

void flk_record_host(const char *name, char host[RECORD_HOST_SIZE])
{
    char escaped[3 * RECORD_NAME_MOST];
    uint8_t digest[32];
    size_t n = escape(name, escaped);

    if (n == 0)
        escaped[n++] = '?';
    if (n < RECORD_HOST_SIZE) {
        memcpy(host, escaped, n);
        host[n] = '\0';
        return;
    }
    flk_sha256(escaped + KEPT_OF_LONG, n - KEPT_OF_LONG, digest);
    memcpy(host, escaped, KEPT_OF_LONG);
    (void) snprintf(host + KEPT_OF_LONG, RECORD_HOST_SIZE - KEPT_OF_LONG, "-%02x%02x%02x%02x", digest[0], digest[1],
                    digest[2], digest[3]);
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* Cuts the next line off; NULL: there is none, or it does not end. */
static const char *next_line(const char **bytes, size_t *size, size_t *length)
{
    const char *line = *bytes, *end = memchr(line, '\n', *size);

    if (end == NULL)
        return NULL;
    *length = (size_t) (end - line);
    *bytes = end + 1;
    *size -= *length + 1;
    return line;
}

static bool all_digits(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return length > 0;
}

static bool all_graphic(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return false;
    return length > 0;
}

/* 0: not a pid. */
static int64_t read_pid(const char *text, size_t length)
{
    int64_t pid = 0;

    if (!all_digits(text, length))
        return 0;
    for (size_t i = 0; i < length; i++) {
        pid = pid * 10 + (text[i] - '0');
        if (pid > RECORD_PID_MOST)
            return 0;
    }
    return pid;
}

/* Without leading zeros, so that equal numbers are equal texts. */
static void read_token(const char *text, size_t length, char token[64])
{
    while (length > 1 && *text == '0')
        text++, length--;
    if (!all_digits(text, length) || length >= 64)
        length = 0;
    memcpy(token, text, length);
    token[length] = '\0';
}

static int parse_owner(const char *bytes, size_t size, struct record *record)
{
    const char *line;
    size_t length;

    line = next_line(&bytes, &size, &length);
    if (line == NULL || (record->pid = read_pid(line, length)) == 0)
        return -EINVAL;
    line = next_line(&bytes, &size, &length);
    if (line == NULL || !all_graphic(line, length) || length >= sizeof(record->host))
        return -EINVAL;
    memcpy(record->host, line, length);
    if (size > 0) {
        line = next_line(&bytes, &size, &length);
        if (line == NULL || size > 0)
            return -EINVAL;
        read_token(line, length, record->token);
    }
    return 0;
}

/* ---- Protocol 2 ----------------------------------------------------------------------------- */

static const char lease_head[] = "filelock/2\n";

struct lease_fields {
    bool mode, lease, token, duration;
    double seconds;
};

/* The value of "name=value" in a line that is no string; NULL: another name. */
static const char *value_of(const char *line, size_t length, const char *name, size_t *value_length)
{
    size_t n = strlen(name);

    if (length <= n || memcmp(line, name, n) != 0 || line[n] != '=')
        return NULL;
    *value_length = length - n - 1;
    return line + n + 1;
}

static size_t read_digits(const char *text, size_t length, double *value)
{
    size_t n = 0;

    for (; n < length && text[n] >= '0' && text[n] <= '9'; n++)
        *value = *value * 10 + (text[n] - '0');
    return n;
}

/* "12.5" or "1e-05", whatever the locale; -1: no such number. */
static double read_seconds(const char *text, size_t length)
{
    double value = 0, exponent = 0;
    size_t n = read_digits(text, length, &value), fraction = 0;
    bool negative = false, any = n > 0;

    if (n < length && text[n] == '.') {
        fraction = read_digits(text + n + 1, length - n - 1, &value);
        any = any || fraction > 0;
        n += 1 + fraction;
    }
    if (any && n < length && text[n] == 'e') {
        n++;
        if (n < length && (text[n] == '-' || text[n] == '+'))
            negative = text[n++] == '-';
        n += read_digits(text + n, length - n, &exponent);
    }
    if (!any || n != length || exponent > 400)
        return -1;
    exponent = (negative ? -exponent : exponent) - (double) fraction;
    for (; exponent > 0; exponent--)
        value *= 10;
    for (; exponent < 0; exponent++)
        value /= 10;
    return value;
}

/* A name that is not known is a later version's. */
static bool read_field(const char *line, size_t length, struct record *record, struct lease_fields *fields)
{
    const char *value;
    size_t n;

    if ((value = value_of(line, length, "pid", &n)) != NULL) {
        record->pid = read_pid(value, n);
    } else if ((value = value_of(line, length, "host", &n)) != NULL) {
        if (!all_graphic(value, n) || n >= sizeof(record->host))
            return false;
        memcpy(record->host, value, n);
        record->host[n] = '\0';
    } else if ((value = value_of(line, length, "start", &n)) != NULL) {
        read_token(value, n, record->token);
    } else if ((value = value_of(line, length, "mode", &n)) != NULL) {
        fields->mode = true;
        fields->lease = n == 5 && memcmp(value, "lease", 5) == 0;
    } else if ((value = value_of(line, length, "duration", &n)) != NULL) {
        fields->duration = true;
        fields->seconds = read_seconds(value, n);
    } else if (value_of(line, length, "token", &n) != NULL) {
        fields->token = true;
    }
    return memchr(line, '=', length) != NULL;
}

#define LEASE_SECONDS_MOST 1e9

static int parse_lease(const char *bytes, size_t size, struct record *record)
{
    struct lease_fields fields = { 0 };
    bool good = true;

    record->claim = CLAIM_LEASE;
    while (good && size > 0) {
        size_t length;
        const char *line = next_line(&bytes, &size, &length);

        good = line != NULL && read_field(line, length, record, &fields);
    }
    if (!good || !fields.mode || record->pid == 0 || record->host[0] == '\0')
        return -EINVAL;
    if (!fields.lease)
        return 0;
    /* The comparison is false for what is not a number. */
    if (!fields.token || !fields.duration || !(fields.seconds > 0 && fields.seconds < HUGE_VAL))
        return -EINVAL;
    if (fields.seconds < LEASE_SECONDS_MOST)
        record->lease = (int64_t) (fields.seconds * 1e9);
    return 0;
}

/* ---- Any ------------------------------------------------------------------------------------ */

static const char for_ever[] = "1\nfilelock-strict-v1\0\n0\n";

int flk_record_parse(const char *bytes, size_t size, struct record *record)
{
    struct record read = { .claim = CLAIM_OWNER };
    size_t head = sizeof(lease_head) - 1;
    int rc = 0;

    if (size > RECORD_SIZE)
        return -EINVAL;
    if (size == sizeof(for_ever) - 1 && memcmp(bytes, for_ever, size) == 0)
        read.claim = CLAIM_FOR_EVER;
    else if (size >= head && memcmp(bytes, lease_head, head) == 0)
        rc = parse_lease(bytes + head, size - head, &read);
    else
        rc = parse_owner(bytes, size, &read);
    if (rc == 0)
        *record = read;
    return rc;
}
