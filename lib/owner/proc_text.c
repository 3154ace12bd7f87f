/* SPDX-License-Identifier: MIT
 *
 * Parsing the text of proc(5).
 */
#include "config.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "owner/proc_text.h"

/* Counts fields after the last ')', because the command before it may contain blanks and parentheses. */
bool flk_proc_stat(const char *text, struct process_stat *stat)
{
    const char *field = strrchr(text, ')');
    int number = 2;

    while (field != NULL && (field = strchr(field, ' ')) != NULL && number < 22) {
        field++;
        number++;
        if (number == 3)
            stat->state = *field;
        if (number == 20)
            stat->threads = strtoull(field, NULL, 10);
        if (number == 22)
            stat->start = strtoull(field, NULL, 10);
    }
    return field != NULL; /* a blank follows field 22, so the text was not cut off within it */
}

/* Sets number to number * 10 + digit.  False if the result does not fit. */
static bool append_digit(uint8_t *number, size_t size, unsigned digit)
{
    for (size_t i = size; i > 0; i--) {
        unsigned value = number[i - 1] * 10u + digit;

        number[i - 1] = (uint8_t) value;
        digit = value >> 8;
    }
    return digit == 0;
}

bool flk_proc_token(const char *token, uint8_t boot[PROC_BOOT_BYTES], uint64_t *start)
{
    uint8_t number[PROC_BOOT_BYTES + sizeof(*start)] = { 0 };
    bool fits = true;

    for (; fits && *token != '\0'; token++)
        fits = append_digit(number, sizeof(number), (unsigned) (*token - '0'));
    memcpy(boot, number, PROC_BOOT_BYTES);
    *start = 0;
    for (size_t i = PROC_BOOT_BYTES; i < sizeof(number); i++)
        *start = *start << 8 | number[i];
    return fits;
}

/* Finds the line "boottime      100000         0": seconds, and nanoseconds to be added to them. */
bool flk_proc_boottime_offset(const char *text, int64_t *ns)
{
    const char *line = strstr(text, "boottime");
    int64_t seconds, rest;

    if (line == NULL || sscanf(line, "boottime %" SCNd64 " %" SCNd64, &seconds, &rest) != 2 ||
        seconds < INT64_MIN / 2000000000 || seconds > INT64_MAX / 2000000000 || rest < -1000000000 || rest > 1000000000)
        return false;
    *ns = seconds * 1000000000 + rest;
    return true;
}

/* The line is "NSpid:\t4711\t7": the pid in each pid namespace, the outermost first. */
int64_t flk_proc_innermost_pid(const char *line)
{
    static const char lead[] = "NSpid:";
    const char *last = strrchr(line, '\t');

    if (strncmp(line, lead, sizeof(lead) - 1) != 0 || last == NULL || last == strchr(line, '\t'))
        return 0;
    return strtoll(last, NULL, 10);
}

/* The line is "1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF".  For a waiter there is "->" before "FLOCK". */
bool flk_proc_lock(const char *line, struct proc_lock *lock)
{
    char end[24];

    if (sscanf(line, "%*s %15s %*s %*s %" SCNd64 " %x:%x:%" SCNu64 " %" SCNd64 " %23s", lock->name, &lock->pid,
               &lock->major, &lock->minor, &lock->inode, &lock->first, end) != 7)
        return false;
    lock->last = strcmp(end, "EOF") == 0 ? INT64_MAX : strtoll(end, NULL, 10);
    return strcmp(lock->name, "->") != 0;
}
