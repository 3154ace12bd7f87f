/* SPDX-License-Identifier: MIT
 *
 * The file systems of Linux that other hosts may use at the same time.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "system/remote.h"

static bool is_smb(const struct statfs *fs)
{
    uint32_t type = (uint32_t) fs->f_type;

    return type == 0xFF534D42 || type == 0xFE534D42 || type == 0x517B; /* cifs smb2 smb */
}

static bool is_remote(const struct statfs *fs)
{
    static const uint32_t magic[] = {
        0x6969,     0x65735546, 0x01021997,                                     /* nfs fuse 9p */
        0x00C36400, 0x5346414F, 0x73757245, 0x01161970, 0x7461636F, 0x0BD00BD0, /* ceph afs coda gfs2 ocfs2 lustre */
    };

    for (size_t i = 0; i < sizeof(magic) / sizeof(*magic); i++)
        if ((uint32_t) fs->f_type == magic[i])
            return true;
    return is_smb(fs);
}

bool flk_file_is_remote(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) != 0 || is_remote(&fs);
}

bool flk_file_path_is_remote(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) != 0 || is_remote(&fs);
}

int flk_file_is_smb(int fd)
{
    struct statfs fs;
    int rc;

    do
        rc = fstatfs(fd, &fs);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? is_smb(&fs) : -errno;
}

bool flk_file_path_is_smb(const char *path)
{
    struct statfs fs;
    int rc;

    do
        rc = statfs(path, &fs);
    while (rc != 0 && errno == EINTR);
    return rc == 0 && is_smb(&fs);
}

/* A file system on a device of this host is known without a question.  Hosts that share a device keep each other right. */
bool flk_file_names_age(int fd, const struct identity *id)
{
    return major(id->device) == 0 && flk_file_is_remote(fd);
}
