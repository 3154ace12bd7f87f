/* SPDX-License-Identifier: MIT
 *
 * tool_numbers.c - the numbers that the tool's command line takes, and those that it refuses.
 */
#include "numbers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static int failures;

struct row {
    const char *text;
    int error;
    int64_t value;
};

static const struct row milliseconds[] = {
    { "0", 0, 0 },
    { "5", 0, 5000 },
    { "5.", 0, 5000 },
    { ".5", 0, 500 },
    { "1.25", 0, 1250 },
    { "0.001", 0, 1 },
    { "0.0010", 0, 1 },
    { "0.0011", 0, 2 },
    { ".0000000000000000000000000000000000000000000001", 0, 1 },
    { "1.9999", 0, 2000 },
    { "0.000", 0, 0 },
    { "007.050", 0, 7050 },
    { " +3", 0, 3000 },
    { "9223372036854775.807", 0, INT64_MAX },
    { "9223372036854775.8070", 0, INT64_MAX },
    { "9223372036854775.8071", -ERANGE, 0 },
    { "9223372036854775.808", -ERANGE, 0 },
    { "9223372036854776", -ERANGE, 0 },
    { "99999999999999999999999", -ERANGE, 0 },
    { "99999999999999999999999.5", -ERANGE, 0 },
    { "99999999999999999999999x", -EINVAL, 0 },
    { "", -EINVAL, 0 },
    { " ", -EINVAL, 0 },
    { "+", -EINVAL, 0 },
    { ".", -EINVAL, 0 },
    { "..5", -EINVAL, 0 },
    { "1..5", -EINVAL, 0 },
    { "1.5.", -EINVAL, 0 },
    { "1,5", -EINVAL, 0 },
    { "-1", -EINVAL, 0 },
    { "-0", -EINVAL, 0 },
    { "+-1", -EINVAL, 0 },
    { "++1", -EINVAL, 0 },
    { "+ 1", -EINVAL, 0 },
    { "1 ", -EINVAL, 0 },
    { "1s", -EINVAL, 0 },
    { "nan", -EINVAL, 0 },
    { "inf", -EINVAL, 0 },
    { "0x10", -EINVAL, 0 },
    { "1e3", -EINVAL, 0 },
    { NULL, 0, 0 },
};

static const struct row bytes[] = {
    { "0", 0, 0 },
    { "1", 0, 1 },
    { "010", 0, 8 },
    { "0x10", 0, 16 },
    { " +7", 0, 7 },
    { "1K", 0, 1024 },
    { "1k", 0, 1024 },
    { "1KiB", 0, 1024 },
    { "1kib", 0, 1024 },
    { "1KB", 0, 1000 },
    { "0x2K", 0, 2048 },
    { "2M", 0, 2097152 },
    { "2MB", 0, 2000000 },
    { "3GiB", 0, INT64_C(3221225472) },
    { "4TB", 0, INT64_C(4000000000000) },
    { "5P", 0, INT64_C(5629499534213120) },
    { "7E", 0, INT64_C(8070450532247928832) },
    { "9EB", 0, INT64_C(9000000000000000000) },
    { "1.5K", 0, 1536 },
    { "1.K", 0, 1024 },
    { "0.3KB", 0, 300 },
    { "0.0001K", 0, 0 },
    { "0.9999999999999999999999E", 0, INT64_C(1152921504606846975) },
    { "7.9999999999999999999999E", 0, INT64_MAX },
    { "9223372036854775807", 0, INT64_MAX },
    { "9223372036854775808", -ERANGE, 0 },
    { "18446744073709551616", -ERANGE, 0 },
    { "99999999999999999999999999", -ERANGE, 0 },
    { "8E", -ERANGE, 0 },
    { "10EB", -ERANGE, 0 },
    { "9007199254740992K", -ERANGE, 0 },
    { "", -EINVAL, 0 },
    { "K", -EINVAL, 0 },
    { ".5K", -EINVAL, 0 },
    { "1.5", -EINVAL, 0 },
    { "1.5.5K", -EINVAL, 0 },
    { "-1", -EINVAL, 0 },
    { "1B", -EINVAL, 0 },
    { "1Ki", -EINVAL, 0 },
    { "1KiBB", -EINVAL, 0 },
    { "1KBB", -EINVAL, 0 },
    { "1KK", -EINVAL, 0 },
    { "1Q", -EINVAL, 0 },
    { "1 K", -EINVAL, 0 },
    { "1K ", -EINVAL, 0 },
    { "0x", -EINVAL, 0 },
    { "0xg", -EINVAL, 0 },
    { "08", -EINVAL, 0 },
    { NULL, 0, 0 },
};

static const struct row statuses[] = {
    { "0", 0, 0 },         { "255", 0, 255 },     { "0000000000000000000000000017", 0, 17 },
    { "\t+8", 0, 8 },      { "256", -ERANGE, 0 }, { "99999999999999999999999999", -ERANGE, 0 },
    { "", -EINVAL, 0 },    { "-1", -EINVAL, 0 },  { "1.0", -EINVAL, 0 },
    { "0x1", -EINVAL, 0 }, { "1x", -EINVAL, 0 },  { "99999999999999999999999999x", -EINVAL, 0 },
    { NULL, 0, 0 },
};

static int parse_exit_status(const char *text, int64_t *value)
{
    return parse_integer(text, 255, value);
}

/* Checks all rows.  An error must leave the value alone. */
static void check(const char *what, const struct row *rows, int (*parse)(const char *, int64_t *))
{
    const int64_t untouched = -42;
    const struct row *row;

    for (row = rows; row->text != NULL; row++) {
        int64_t value = untouched;
        int error = parse(row->text, &value);

        if (error == row->error && value == (error == 0 ? row->value : untouched))
            continue;
        failures++;
        printf("FAIL %s \"%s\": %d, %" PRId64 "; expected %d, %" PRId64 "\n", what, row->text, error, value, row->error,
               row->error == 0 ? row->value : untouched);
    }
}

int main(void)
{
    check("milliseconds", milliseconds, parse_milliseconds);
    check("size", bytes, parse_size);
    check("exit status", statuses, parse_exit_status);
    if (failures == 0)
        puts("ok numbers");
    return failures != 0;
}
