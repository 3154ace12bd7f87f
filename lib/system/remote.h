/* SPDX-License-Identifier: MIT
 *
 * File systems of other hosts.
 */
#ifndef FLK_REMOTE_H
#define FLK_REMOTE_H

#include <stdbool.h>

#include "system_types.h"

/* True if other hosts may lock or change files of this file system without the kernel of this host being told. */
bool flk_file_is_remote(int fd);
bool flk_file_path_is_remote(const char *path);

/* True if this host may take a path for what it named a while ago, since another host has changed that. */
bool flk_file_names_age(int fd, const struct identity *id);

#endif
