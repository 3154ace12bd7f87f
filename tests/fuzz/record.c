/* SPDX-License-Identifier: MIT
 *
 * record.c - fuzzes the code that reads records of other processes, and the code that writes a record.
 */
#include "config.h"

#include "fuzz.h"
#include "owner/record.h"

#include <errno.h>
#include <string.h>

static int is_graphic(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return 0;
    return length > 0;
}

/*
 * Checks that a lease that was written is read as that lease.  Seconds are a double, so the last digits may differ.
 */
static void check_lease(const struct record *record, const struct record *again)
{
    int64_t off = again->lease - record->lease;

    PROMISE(again->claim == CLAIM_LEASE && again->pid == record->pid && again->lease > 0);
    PROMISE(off >= -1000 && off <= 1000);
    PROMISE(strcmp(again->grant, record->grant) == 0);
}

/*
 * Checks that an owner's record that was written is read as a record.  Each beginning of it is read as torn, or as a
 * shorter record.
 */
static void check_written(const struct record *record)
{
    struct record again;
    char text[RECORD_SIZE];
    size_t size = flk_record_format(record, text);

    PROMISE(size <= RECORD_SIZE && flk_record_read(text, size, &again) == READING_RECORD);
    PROMISE(strcmp(again.host, record->host) == 0 && strcmp(again.token, record->token) == 0);
    if (record->lease > 0)
        check_lease(record, &again);
    else
        PROMISE(again.claim == CLAIM_OWNER && again.pid == record->pid && again.lease == 0);
    if (!is_graphic(record->host, strlen(record->host)))
        return;
    PROMISE((flk_record_parse(text, size, &again) == 0) == (record->lease == 0));
    for (size_t length = 0; length < size; length++)
        PROMISE(flk_record_read(text, length, &again) != READING_UNKNOWN);
}

/* Checks that a record that was read is within bounds, and is the same after it is written and read again. */
static void check_read(const struct record *record)
{
    int nobody = record->claim == CLAIM_FOR_EVER;

    PROMISE(record->pid >= (nobody ? 0 : 1) && record->pid <= MAX_RECORD_PID);
    PROMISE(record->lease >= 0 && (record->lease == 0 || record->claim == CLAIM_LEASE));
    PROMISE(memchr(record->host, '\0', sizeof record->host) && memchr(record->token, '\0', sizeof record->token));
    PROMISE(strspn(record->token, "0123456789") == strlen(record->token));
    PROMISE(*record->host != '\0' || nobody || record->claim == CLAIM_PROCESS || record->claim == CLAIM_OWNER);
    if (!nobody)
        check_written(record);
}

static void fuzz_parse(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *) data;
    struct record record, before, parsed;
    enum reading reading;
    int rc;

    memset(&record, 0x5a, sizeof record);
    before = record;
    reading = flk_record_read(bytes, size, &record);
    PROMISE(reading == READING_RECORD || reading == READING_TORN || reading == READING_UNKNOWN);
    if (reading == READING_RECORD)
        check_read(&record);
    else
        PROMISE(memcmp(&record, &before, sizeof record) == 0);
    memset(&parsed, 0x5a, sizeof parsed);
    rc = flk_record_parse(bytes, size, &parsed);
    PROMISE(rc == 0 || (rc == -EINVAL && memcmp(&parsed, &before, sizeof parsed) == 0));
    PROMISE(rc != 0 || (reading == READING_RECORD && memcmp(&parsed, &record, sizeof parsed) == 0));
    if (reading != READING_TORN)
        return;
    for (size_t length = 0; length < size; length++)
        PROMISE(flk_record_read(bytes, length, &record) != READING_UNKNOWN);
}

static int unhex(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Checks that a short name can be read back. */
static void check_host(const char *host, const char *name)
{
    char plain[RECORD_HOST_SIZE];
    size_t n = 0;

    for (const char *at = host; *at != '\0'; at++) {
        plain[n++] = (char) (*at == '?' ? unhex(at[1]) << 4 | unhex(at[2]) : *at);
        at += *at == '?' ? 2 : 0;
    }
    plain[n] = '\0';
    PROMISE(strcmp(plain, name) == 0);
}

static void fuzz_host(const uint8_t *data, size_t size)
{
    char *name = fuzz_string(data, size < MAX_RECORD_NAME ? size : MAX_RECORD_NAME);
    char host[RECORD_HOST_SIZE];
    struct record record = { .pid = 1 };

    flk_record_host(name, host);
    PROMISE(memchr(host, '\0', sizeof host) && is_graphic(host, strlen(host)));
    strcpy(record.host, host);
    check_written(&record);
    if (strlen(name) < RECORD_HOST_SIZE / 3 && name[0] != '\0')
        check_host(host, name);
    free(name);
}

/* Checks that a number that is turned into decimal and back is the same. */
static void fuzz_decimal(const uint8_t *data, size_t size)
{
    uint8_t number[RECORD_NUMBER_BYTES] = { 0 }, back[RECORD_NUMBER_BYTES] = { 0 };
    char text[64];

    memcpy(number, data, size < sizeof number ? size : sizeof number);
    flk_record_decimal(number, text);
    PROMISE(strspn(text, "0123456789") == strlen(text) && (text[0] != '0' || text[1] == '\0'));
    for (const char *digit = text; *digit != '\0'; digit++) {
        unsigned carry = (unsigned) (*digit - '0');

        for (size_t i = sizeof back; i-- > 0; carry >>= 8) {
            carry += back[i] * 10u;
            back[i] = (uint8_t) carry;
        }
        PROMISE(carry == 0);
    }
    PROMISE(memcmp(number, back, sizeof number) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    fuzz_parse(data, size);
    fuzz_host(data, size);
    fuzz_decimal(data, size);
    return 0;
}
