/* SPDX-License-Identifier: MIT
 *
 * numbers.c - reads the numbers of a command line.  All results depend on the text alone.
 */
#include "numbers.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

/* True for 0 to 9.  isdigit() would ask the locale, and is undefined for the negative values of a signed char. */
static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Skips what strtol(3), and so flock(1), allows before a number: blanks and one "+". */
static const char *skip_prefix(const char *text)
{
    text += strspn(text, " \t\n\v\f\r");
    return *text == '+' ? text + 1 : text;
}

/* Appends the digits at *text, if any, to *value, and moves *text past them.  Returns 0 or -ERANGE. */
static int read_digits(const char **text, int64_t *value)
{
    for (; is_digit(**text); ++*text) {
        int digit = **text - '0';

        if (*value > (INT64_MAX - digit) / 10)
            return -ERANGE;
        *value = *value * 10 + digit;
    }
    return 0;
}

int parse_integer(const char *text, int64_t greatest, int64_t *value)
{
    int64_t number = 0;
    const char *at = skip_prefix(text);
    int error;

    if (!is_digit(*at))
        return -EINVAL;
    error = read_digits(&at, &number);
    if (at[strspn(at, "0123456789")] != '\0')
        return -EINVAL;
    if (error != 0 || number > greatest)
        return -ERANGE;
    *value = number;
    return 0;
}

/* Reads the decimal digits after a point, at *text.  Returns them in milliseconds, rounded up. */
static int read_fraction(const char **text)
{
    int unit = 100, milliseconds = 0, finer = 0;

    for (; is_digit(**text); ++*text) {
        int digit = **text - '0';

        milliseconds += digit * unit;
        finer |= unit == 0 && digit != 0;
        unit /= 10;
    }
    return milliseconds + finer;
}

int parse_milliseconds(const char *text, int64_t *value)
{
    int64_t seconds = 0;
    int fraction = 0, error;
    const char *at = skip_prefix(text);

    if (!is_digit(at[0]) && !(at[0] == '.' && is_digit(at[1])))
        return -EINVAL;
    error = read_digits(&at, &seconds);
    at += strspn(at, "0123456789");
    if (*at == '.') {
        ++at;
        fraction = read_fraction(&at);
    }
    if (*at != '\0')
        return -EINVAL;
    if (error != 0 || seconds > (INT64_MAX - fraction) / 1000)
        return -ERANGE;
    *value = seconds * 1000 + fraction;
    return 0;
}

/* Returns the bytes of the unit at `text`, or 0 if that is no unit. */
static int64_t read_unit(const char *text)
{
    static const char letters[] = "KkMmGgTtPpEe";
    const char *letter = *text != '\0' ? strchr(letters, *text) : NULL;
    int64_t base, unit = 1;
    ptrdiff_t power;

    if (letter == NULL)
        return 0;
    if (text[1] == '\0' || (text[1] == 'i' && (text[2] == 'B' || text[2] == 'b') && text[3] == '\0'))
        base = 1024;
    else if ((text[1] == 'B' || text[1] == 'b') && text[2] == '\0')
        base = 1000;
    else
        return 0;
    for (power = (letter - letters) / 2 + 1; power > 0; power--)
        unit *= base;
    return unit;
}

/*
 * Returns the part of `unit` that the digits of a fraction make, rounded down.  Goes from the last digit to the first:
 * then the rounding of each step loses nothing of the result.  The greatest value in between is 10 EiB.
 */
static int64_t part_of_unit(const char *digits, size_t count, int64_t unit)
{
    uint64_t part = 0;

    while (count-- > 0)
        part = ((uint64_t) (digits[count] - '0') * (uint64_t) unit + part) / 10;
    return (int64_t) part;
}

int parse_bytes(const char *text, uint64_t *value)
{
    const char *at = skip_prefix(text);
    char *end;
    uintmax_t number;
    int64_t unit = 1, part = 0;

    if (!is_digit(*at))
        return -EINVAL;
    errno = 0;
    number = strtoumax(at, &end, 0);
    if (*end == '.') {
        const char *digits = end + 1;
        size_t count = strspn(digits, "0123456789");

        unit = read_unit(digits + count);
        part = part_of_unit(digits, count, unit);
    } else if (*end != '\0') {
        unit = read_unit(end);
    }
    if (unit == 0)
        return -EINVAL;
    if (errno == ERANGE || number > (UINT64_MAX - (uint64_t) part) / (uint64_t) unit)
        return -ERANGE;
    *value = (uint64_t) number * (uint64_t) unit + (uint64_t) part;
    return 0;
}

int parse_size(const char *text, int64_t *value)
{
    uint64_t bytes;
    int error = parse_bytes(text, &bytes);

    if (error != 0)
        return error;
    if (bytes > INT64_MAX)
        return -ERANGE;
    *value = (int64_t) bytes;
    return 0;
}
