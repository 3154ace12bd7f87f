/* SPDX-License-Identifier: MIT
 *
 * row.c - looks up rows, and lets them take turns
 */
#include <config.h>

#include "row.h"

#include <stdio.h>
#include <string.h>

const struct subject *row_subject(const struct row *row, const struct settings *settings)
{
    return row->slow && settings->quick ? NULL : subject_find(row->subject);
}

int row_due(const struct row *row, long round)
{
    return row->every <= 1 || round % row->every == 0;
}

size_t row_find(const struct row *rows, size_t count, const char *label)
{
    for (size_t i = 0; label && i < count; i++)
        if (strcmp(rows[i].label, label) == 0)
            return subject_find(rows[i].subject) ? i : count;
    return count;
}

size_t row_turn(size_t count, long round, size_t i)
{
    return (i + (size_t) round) % count;
}

void rows_print_absent(const struct row *rows, size_t count)
{
    int absent = 0;

    for (size_t i = 0; i < count; i++)
        if (!subject_find(rows[i].subject))
            printf("%s- %s\n", absent++ ? "" : "Not on this system:\n\n", rows[i].label);
    printf(absent ? "\n" : "");
}
