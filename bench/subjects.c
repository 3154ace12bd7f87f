/* SPDX-License-Identifier: MIT
 *
 * subjects.c - finds subjects by name, among those that configure has found
 */
#include <config.h>

#include "subject.h"

#include <stdio.h>
#include <string.h>

#define DECLARE(name) extern const struct subject subjects_##name[];
#define ROW(name) subjects_##name,

BENCH_SUBJECTS(DECLARE)

static const struct subject *const files[] = { BENCH_SUBJECTS(ROW) };

void subject_second(const char *path, char *second, size_t size)
{
    snprintf(second, size, "%s.second", path);
}

const struct subject *subject_find(const char *name)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (const struct subject *subject = files[i]; subject->name; subject++)
            if (strcmp(subject->name, name) == 0)
                return subject->available && !subject->available(subject) ? NULL : subject;
    return NULL;
}
