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

/*
 * True if the file is known to be on SMB, as Linux mounts it.  There
 *   - a lock keeps other descriptors from reading and writing the file,
 *   - a descriptor that has a lock is refused it when it asks once more,
 *   - a call that waits for a lock cannot be ended,
 *   - while a file is open by one name, the client cannot open another name of it,
 *   - a file that is removed keeps its name until no process has it open, and no open file can be replaced.
 */
bool flk_file_is_smb(int fd);
bool flk_file_path_is_smb(const char *path);

/* True if the folder of what the path names, or named, is known to be on SMB.  Nothing tells that of a removed file. */
bool flk_file_place_is_smb(const char *path, bool follow);

/* True if this host may take a path for what it named a while ago, since another host has changed that. */
bool flk_file_names_age(int fd, const struct identity *id);

#endif
