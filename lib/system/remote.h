/* SPDX-License-Identifier: MIT
 *
 * File systems of other hosts.
 */
#ifndef FLK_REMOTE_H
#define FLK_REMOTE_H

#include <stdbool.h>

/* True if other hosts may lock or change files of this file system without the kernel of this host being told. */
bool flk_file_is_remote(int fd);
bool flk_file_path_is_remote(const char *path);

#endif
