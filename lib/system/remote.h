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
 * Returns 1 if the file is on SMB, as Linux mounts it, 0 if it is not, or -errno: its file system does not tell, as the
 * client of SMB does not for a file that was removed.  On SMB
 *   - a lock keeps other descriptors from reading and writing the file,
 *   - a descriptor that has a lock is refused it when it asks once more,
 *   - a call that waits for a lock cannot be ended,
 *   - while a file is open by one name, the client cannot open another name of it,
 *   - a file that is removed keeps its name until no process has it open, and no open file can be replaced.
 */
int flk_file_is_smb(int fd);

/* True if the path names what is known to be on SMB. */
bool flk_file_path_is_smb(const char *path);

/* True if the folder of what the path names, or named, is known to be on SMB. */
bool flk_file_place_is_smb(const char *path, bool follow);

/* True if this host may take a path for what it named a while ago, since another host has changed that. */
bool flk_file_names_age(int fd, const struct identity *id);

#endif
