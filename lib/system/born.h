/* SPDX-License-Identifier: MIT
 *
 * When a file was made.
 */
#ifndef FLK_BORN_H
#define FLK_BORN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Finds when the file at the path was made, on the clock of its times (struct file_version).  The last component may be a
 * symbolic link, which is not followed.  False: that is not known.
 */
bool flk_file_born(const char *path, int64_t *ns);

#endif
