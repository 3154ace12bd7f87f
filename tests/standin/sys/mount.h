/* SPDX-License-Identifier: MIT
 *
 * sys/mount.h - as Linux has it, and statfs(2) with MNT_LOCAL as macOS has it: here every file system is local.
 */
#ifndef STANDIN_MOUNT_H
#define STANDIN_MOUNT_H

#include_next <sys/mount.h>

#include <sys/vfs.h>

#define MNT_LOCAL 0x20 /* ST_VALID, which Linux always sets */

#endif
