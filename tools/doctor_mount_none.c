/* SPDX-License-Identifier: MIT
 *
 * doctor_mount_none.c - for systems that do not tell where a directory is mounted from.
 */
#include "doctor_findings.h"

void mount_find(const char *directory, struct mount_findings *mount)
{
    (void) directory;
    mount->type[0] = mount->source[0] = mount->point[0] = mount->options[0] = '\0';
}
