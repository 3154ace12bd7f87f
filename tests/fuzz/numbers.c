/* SPDX-License-Identifier: MIT
 *
 * numbers.c - fuzzes the numbers of the tool's command line.
 */
#include "numbers.h"

#include "fuzz.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define UNTOUCHED (-42)

/*
 * Checks that the error is one of three, and that there is a value, from 0 to `greatest`, only without an error.
 * Returns the value.
 */
static int64_t checked(int error, int64_t value, int64_t greatest)
{
    PROMISE(error == 0 || error == -EINVAL || error == -ERANGE);
    if (error == 0)
        PROMISE(value >= 0 && value <= greatest);
    else
        PROMISE(value == UNTOUCHED);
    return value;
}

static int64_t integer(const char *text, int64_t greatest)
{
    int64_t value = UNTOUCHED;
    int error = parse_integer(text, greatest, &value);

    return checked(error, value, greatest);
}

static int64_t milliseconds(const char *text)
{
    int64_t value = UNTOUCHED;
    int error = parse_milliseconds(text, &value);

    return checked(error, value, INT64_MAX);
}

static int64_t size_of(const char *text)
{
    int64_t value = UNTOUCHED;
    int error = parse_size(text, &value);

    return checked(error, value, INT64_MAX);
}

/* Checks that a value that was read, printed and read again is the same. */
static void check_value(int64_t value)
{
    char text[64];

    snprintf(text, sizeof text, "%" PRId64, value);
    PROMISE(integer(text, INT64_MAX) == value && size_of(text) == value);
    snprintf(text, sizeof text, "%" PRId64 ".%03d", value / 1000, (int) (value % 1000));
    PROMISE(milliseconds(text) == value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size);
    int64_t number = integer(text, INT64_MAX), status = integer(text, 255), ms = milliseconds(text);
    int64_t bytes = size_of(text);

    PROMISE(status == UNTOUCHED || status == number);
    PROMISE(number < 0 || number > INT64_MAX / 1000 || ms == number * 1000);
    if (number >= 0)
        check_value(number);
    if (ms >= 0)
        check_value(ms);
    if (bytes >= 0)
        check_value(bytes);
    free(text);
    return 0;
}
