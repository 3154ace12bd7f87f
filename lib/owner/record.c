/* SPDX-License-Identifier: MIT
 *
 * Writing and parsing owner records.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "owner/record.h"
#include "owner/sha256.h"

/* ---- Writing -------------------------------------------------------------------------------- */

/* Appends a line.  Every acquire of a soft lock writes a record, and this is quicker than printf. */
static char *append(char *end, const char *text)
{
    size_t n = strlen(text);

    memcpy(end, text, n);
    end[n] = '\n';
    return end + n + 1;
}

/* Appends a line "name=value". */
static char *append_field(char *end, const char *name, const char *value)
{
    size_t n = strlen(name);

    memcpy(end, name, n);
    end[n] = '=';
    return append(end + n + 1, value);
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

#define PROTOCOL_2 "filelock/2"
#define NS_PER_S 1000000000

/* Writes seconds as Python writes them: with a fraction that has no more digits than it needs, but at least one. */
static void write_seconds(int64_t ns, char text[40])
{
    int length = snprintf(text, 40, "%" PRId64 ".%09" PRId64, ns / NS_PER_S, ns % NS_PER_S);

    while (text[length - 1] == '0' && text[length - 2] != '.')
        text[--length] = '\0';
}

static size_t format_lease(const struct record *record, char text[RECORD_SIZE])
{
    char pid[24], seconds[40], *end = append(text, PROTOCOL_2);

    write_pid(record->pid, pid);
    write_seconds(record->lease, seconds);
    end = append_field(end, "pid", pid);
    end = append_field(end, "host", record->host);
    end = append_field(end, "mode", "lease");
    end = append_field(end, "token", record->grant);
    end = append_field(end, "duration", seconds);
    if (record->token[0] != '\0')
        end = append_field(end, "start", record->token);
    return (size_t) (end - text);
}

size_t flk_record_format(const struct record *record, char text[RECORD_SIZE])
{
    char pid[24], *end = text;

    if (record->claim == CLAIM_LEASE && record->lease > 0)
        return format_lease(record, text);
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

/* Keep this much of a long host: "-" and 8 digits of a hash of the rest follow, which makes 253 characters. */
#define KEPT_OF_LONG 244

static size_t escape(const char *name, char *escaped)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    for (size_t i = 0; i < MAX_RECORD_NAME && name[i] != '\0'; i++) {
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
    char escaped[3 * MAX_RECORD_NAME];
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

/* Cuts off the next line, and returns it without a CR at its end.  NULL: there is none, or it has no end. */
static const char *next_line(const char **bytes, size_t *size, size_t *length)
{
    const char *line = *bytes, *end = memchr(line, '\n', *size);

    if (end == NULL)
        return NULL;
    *length = (size_t) (end - line);
    *bytes = end + 1;
    *size -= *length + 1;
    if (*length > 0 && line[*length - 1] == '\r')
        --*length;
    return line;
}

static bool is_text(const char *bytes, size_t size, const char *text)
{
    return size == strlen(text) && memcmp(bytes, text, size) == 0;
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

/* Returns the pid that the text is, or 0 if it is none. */
static int64_t read_pid(const char *text, size_t length)
{
    int64_t pid = 0;

    if (!all_digits(text, length))
        return 0;
    for (size_t i = 0; i < length; i++) {
        pid = pid * 10 + (text[i] - '0');
        if (pid > MAX_RECORD_PID)
            return 0;
    }
    return pid;
}

/* Stores a token without leading zeros, so that equal numbers are equal texts; "" if the text is no token. */
static void read_token(const char *text, size_t length, char token[64])
{
    while (length > 1 && *text == '0')
        text++, length--;
    if (!all_digits(text, length) || length >= 64)
        length = 0;
    memcpy(token, text, length);
    token[length] = '\0';
}

/*
 * Stores a host, which is any text without a control character.  A text that is too long is cut off.  What is left is
 * still longer than any host that this library writes, so that it matches none.
 */
static bool read_host(const char *text, size_t length, struct record *record)
{
    size_t kept = length < sizeof(record->host) ? length : sizeof(record->host) - 1;

    for (size_t i = 0; i < length; i++)
        if ((unsigned char) text[i] < 0x20 || text[i] == 0x7f)
            return false;
    memcpy(record->host, text, kept);
    record->host[kept] = '\0';
    return true;
}

/* ---- Protocol 1 ----------------------------------------------------------------------------- */

static bool read_owner(const char *bytes, size_t size, struct record *record)
{
    const char *line;
    size_t length;

    line = next_line(&bytes, &size, &length);
    if (line == NULL || (record->pid = read_pid(line, length)) == 0)
        return false;
    line = next_line(&bytes, &size, &length);
    if (line == NULL || !read_host(line, length, record))
        return false;
    if (size > 0) {
        line = next_line(&bytes, &size, &length);
        if (line == NULL || size > 0)
            return false;
        read_token(line, length, record->token);
    }
    record->claim = CLAIM_OWNER;
    return true;
}

/* ---- Numbers and the sentinel --------------------------------------------------------------- */

static bool is_plain_pid(const char *text, size_t length)
{
    return length > 0 && text[0] != '0' && read_pid(text, length) != 0;
}

/* Reads a record that is a single number, with or without the end of a line: a pid, or 0 where no owner is named. */
static bool read_number(const char *bytes, size_t size, struct record *record)
{
    if (size > 0 && bytes[size - 1] == '\n')
        size--;
    if (size > 0 && bytes[size - 1] == '\r')
        size--;
    record->pid = is_plain_pid(bytes, size) ? read_pid(bytes, size) : 0;
    record->claim = record->pid != 0 ? CLAIM_PROCESS : CLAIM_FOR_EVER;
    return record->pid != 0 || is_text(bytes, size, "0");
}

static bool read_sentinel(const char *bytes, size_t size, struct record *record)
{
    static const char sentinel[] = "1\nfilelock-strict-v1\0\n0\n";

    record->claim = CLAIM_FOR_EVER;
    return size == sizeof(sentinel) - 1 && memcmp(bytes, sentinel, size) == 0;
}

/* ---- Protocol 2 ----------------------------------------------------------------------------- */

enum mode { MODE_MISSING, MODE_LEASE, MODE_EXCLUSIVE, MODE_UNKNOWN };

struct lease_fields {
    enum mode mode;
    double seconds; /* -1: missing, or not a number */
};

/* Returns the value in the line "name=value", which no NUL ends.  NULL: the line has another name. */
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

/*
 * Reads a number of seconds: digits, then a fraction or not, then a signed exponent or not ("12.5", "1e-05").  The
 * locale does not matter.  Returns -1 if the text is something else.
 */
static double read_seconds(const char *text, size_t length)
{
    double value = 0, exponent = 0;
    size_t n = read_digits(text, length, &value), fraction = 0, power = 1;
    bool negative = false;

    if (n == 0)
        return -1;
    if (n < length && text[n] == '.') {
        fraction = read_digits(text + n + 1, length - n - 1, &value);
        n += fraction > 0 ? 1 + fraction : 0;
    }
    if (n + 1 < length && text[n] == 'e' && (text[n + 1] == '-' || text[n + 1] == '+')) {
        negative = text[n + 1] == '-';
        power = read_digits(text + n + 2, length - n - 2, &exponent);
        n += 2 + power;
    }
    if (power == 0 || n != length || exponent > 400)
        return -1;
    exponent = (negative ? -exponent : exponent) - (double) fraction;
    for (; exponent > 0; exponent--)
        value *= 10;
    for (; exponent < 0; exponent++)
        value /= 10;
    return value;
}

static enum mode read_mode(const char *text, size_t length)
{
    return is_text(text, length, "lease")       ? MODE_LEASE
           : is_text(text, length, "exclusive") ? MODE_EXCLUSIVE
                                                : MODE_UNKNOWN;
}

/* Stores the text that tells a lease from others.  A long text is cut off: its beginning will do. */
static void read_grant(const char *text, size_t length, char grant[33])
{
    size_t kept = length < 33 ? length : 32;

    for (size_t i = 0; i < kept; i++)
        grant[i] = text[i] >= 0x21 && text[i] <= 0x7e ? text[i] : '?';
    grant[kept] = '\0';
}

/* Reads a line "name=value".  An unknown name is passed over, because a later version may have written it. */
static bool read_field(const char *line, size_t length, struct record *record, struct lease_fields *fields)
{
    const char *value;
    size_t n;

    if ((value = value_of(line, length, "pid", &n)) != NULL)
        record->pid = read_pid(value, n);
    else if ((value = value_of(line, length, "host", &n)) != NULL)
        return read_host(value, n, record);
    else if ((value = value_of(line, length, "start", &n)) != NULL)
        read_token(value, n, record->token);
    else if ((value = value_of(line, length, "mode", &n)) != NULL)
        fields->mode = read_mode(value, n);
    else if ((value = value_of(line, length, "duration", &n)) != NULL)
        fields->seconds = read_seconds(value, n);
    else if ((value = value_of(line, length, "token", &n)) != NULL)
        read_grant(value, n, record->grant);
    return memchr(line, '=', length) != NULL;
}

#define MAX_LEASE_SECONDS 1e9

static bool read_protocol_2(const char *bytes, size_t size, struct record *record)
{
    struct lease_fields fields = { .seconds = -1 };
    size_t length;
    const char *line = next_line(&bytes, &size, &length);
    bool good = line != NULL && is_text(line, length, PROTOCOL_2);

    while (good && size > 0) {
        line = next_line(&bytes, &size, &length);
        good = line != NULL && read_field(line, length, record, &fields);
    }
    if (!good || fields.mode == MODE_MISSING || record->pid == 0 || record->host[0] == '\0')
        return false;
    record->claim = fields.mode == MODE_UNKNOWN ? CLAIM_UNKNOWN : CLAIM_LEASE;
    if (fields.mode != MODE_LEASE)
        return true;
    if (fields.seconds < MAX_LEASE_SECONDS)
        record->lease = fields.seconds * 1e9 > 1 ? (int64_t) (fields.seconds * 1e9) : 1;
    return record->grant[0] != '\0' && fields.seconds > 0 && fields.seconds < HUGE_VAL;
}

/* ---- Torn records --------------------------------------------------------------------------- */

static bool is_nothing(const char *value, size_t length)
{
    (void) value;
    return length == 0;
}

static bool is_host(const char *value, size_t length)
{
    return length < sizeof(((struct record *) NULL)->host) && all_graphic(value, length);
}

/* True if a lease may last as long as the number says: for some time, and not for ever. */
static bool is_duration(const char *value, size_t length)
{
    double seconds = read_seconds(value, length);

    return seconds > 0 && seconds < HUGE_VAL;
}

/* True if the number, or the number with more digits, is a duration. */
static bool is_seconds(const char *value, size_t length)
{
    static const char *const rests[] = { "", "1", "+1", "-1" };
    char whole[RECORD_SIZE + 2];

    for (size_t i = 0; i < sizeof(rests) / sizeof(*rests) && length <= RECORD_SIZE; i++) {
        memcpy(whole, value, length);
        memcpy(whole + length, rests[i], strlen(rests[i]));
        if (length > 0 && is_duration(whole, length + strlen(rests[i])))
            return true;
    }
    return false;
}

/* A line of a record, in the form in which programs write it. */
struct line {
    const char *lead;                                /* NULL: there are no more lines */
    bool (*fits)(const char *value, size_t length);  /* true for the text after the lead, and for any beginning of it */
    bool (*whole)(const char *value, size_t length); /* true for all of the text alone; NULL: as fits() */
};

static const struct line owner_lines[] = {
    { "", is_plain_pid, NULL }, { "", is_host, NULL }, { "", all_digits, NULL }, { NULL, NULL, NULL }
};

static const struct line lease_lines[] = {
    { PROTOCOL_2, is_nothing, NULL }, { "pid=", is_plain_pid, NULL },
    { "host=", is_host, NULL },       { "mode=lease", is_nothing, NULL },
    { "token=", all_graphic, NULL },  { "duration=", is_seconds, is_duration },
    { "start=", all_digits, NULL },   { NULL, NULL, NULL },
};

static const struct line exclusive_lines[] = {
    { PROTOCOL_2, is_nothing, NULL },       { "pid=", is_plain_pid, NULL }, { "host=", is_host, NULL },
    { "mode=exclusive", is_nothing, NULL }, { "start=", all_digits, NULL }, { NULL, NULL, NULL },
};

/* True if the bytes are the beginning of a record that has these lines, and not all of it. */
static bool is_beginning(const char *bytes, size_t size, const struct line *line)
{
    for (; line->lead != NULL; line++) {
        size_t lead = strlen(line->lead) < size ? strlen(line->lead) : size, length;
        const char *end;

        if (memcmp(bytes, line->lead, lead) != 0)
            return false;
        bytes += lead;
        size -= lead;
        end = memchr(bytes, '\n', size);
        length = end != NULL ? (size_t) (end - bytes) : size;
        if ((length > 0 || end != NULL) && !line->fits(bytes, length))
            return false;
        if (end != NULL && line->whole != NULL && !line->whole(bytes, length))
            return false;
        if (end == NULL)
            return true;
        bytes += length + 1;
        size -= length + 1;
    }
    return false;
}

/* ---- All records ---------------------------------------------------------------------------- */

enum reading flk_record_read(const char *bytes, size_t size, struct record *record)
{
    static bool (*const readers[])(const char *bytes, size_t size,
                                   struct record *record) = { read_sentinel, read_number, read_protocol_2, read_owner };

    if (size > RECORD_SIZE)
        return READING_UNKNOWN;
    for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++) {
        struct record read = { .pid = 0 };

        if (readers[i](bytes, size, &read)) {
            *record = read;
            return READING_RECORD;
        }
    }
    return is_beginning(bytes, size, owner_lines) || is_beginning(bytes, size, lease_lines) ||
                   is_beginning(bytes, size, exclusive_lines)
               ? READING_TORN
               : READING_UNKNOWN;
}

int flk_record_parse(const char *bytes, size_t size, struct record *record)
{
    struct record read;

    if (flk_record_read(bytes, size, &read) != READING_RECORD || read.claim != CLAIM_OWNER ||
        !all_graphic(read.host, strlen(read.host)))
        return -EINVAL;
    *record = read;
    return 0;
}
