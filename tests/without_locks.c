/* SPDX-License-Identifier: MIT
 *
 * without_locks.c - a FUSE file system that shows a directory, and refuses every lock.
 *
 * without_locks DIRECTORY ERROR MOUNTPOINT [FUSE'S OPTIONS]: it asks the kernel for locks, so that it decides itself.
 * It answers ERROR, the number of an errno value.  tests/filesystems compiles it, where libfuse 3 is installed.
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int root, refusal;

static const char *below(const char *path)
{
    return path[1] ? path + 1 : ".";
}

static int answer(long rc)
{
    return rc < 0 ? -errno : (int) rc;
}

static int do_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
    return answer(info ? fstat((int) info->fh, st) : fstatat(root, below(path), st, AT_SYMLINK_NOFOLLOW));
}

static int do_readlink(const char *path, char *to, size_t size)
{
    ssize_t n = readlinkat(root, below(path), to, size - 1);
    if (n >= 0)
        to[n] = '\0';
    return n < 0 ? -errno : 0;
}

static int do_mkdir(const char *path, mode_t mode)
{
    return answer(mkdirat(root, below(path), mode));
}

static int do_unlink(const char *path)
{
    return answer(unlinkat(root, below(path), 0));
}

static int do_rmdir(const char *path)
{
    return answer(unlinkat(root, below(path), AT_REMOVEDIR));
}

static int do_symlink(const char *to, const char *path)
{
    return answer(symlinkat(to, root, below(path)));
}

static int do_link(const char *from, const char *to)
{
    return answer(linkat(root, below(from), root, below(to), 0));
}

static int do_rename(const char *from, const char *to, unsigned flags)
{
    return answer(syscall(SYS_renameat2, root, below(from), root, below(to), flags));
}

static int do_chmod(const char *path, mode_t mode, struct fuse_file_info *info)
{
    return answer(info ? fchmod((int) info->fh, mode) : fchmodat(root, below(path), mode, 0));
}

static int do_chown(const char *path, uid_t user, gid_t group, struct fuse_file_info *info)
{
    return answer(info ? fchown((int) info->fh, user, group)
                       : fchownat(root, below(path), user, group, AT_SYMLINK_NOFOLLOW));
}

static int do_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *info)
{
    return answer(info ? futimens((int) info->fh, times) : utimensat(root, below(path), times, AT_SYMLINK_NOFOLLOW));
}

static int open_as(const char *path, int flags, mode_t mode, struct fuse_file_info *info)
{
    int fd = openat(root, below(path), flags | O_NOFOLLOW | O_CLOEXEC, mode);
    info->fh = (uint64_t) fd;
    return fd < 0 ? -errno : 0;
}

static int do_open(const char *path, struct fuse_file_info *info)
{
    return open_as(path, info->flags, 0, info);
}

static int do_create(const char *path, mode_t mode, struct fuse_file_info *info)
{
    return open_as(path, info->flags | O_CREAT, mode, info);
}

static int do_truncate(const char *path, off_t size, struct fuse_file_info *info)
{
    struct fuse_file_info own;
    if (info)
        return answer(ftruncate((int) info->fh, size));
    int rc = open_as(path, O_WRONLY, 0, &own);
    if (rc == 0) {
        rc = answer(ftruncate((int) own.fh, size));
        close((int) own.fh);
    }
    return rc;
}

static int do_read(const char *path, char *bytes, size_t size, off_t at, struct fuse_file_info *info)
{
    (void) path;
    return answer(pread((int) info->fh, bytes, size, at));
}

static int do_write(const char *path, const char *bytes, size_t size, off_t at, struct fuse_file_info *info)
{
    (void) path;
    return answer(pwrite((int) info->fh, bytes, size, at));
}

static int do_release(const char *path, struct fuse_file_info *info)
{
    (void) path;
    return answer(close((int) info->fh));
}

static int do_readdir(const char *path, void *to, fuse_fill_dir_t fill, off_t at, struct fuse_file_info *info,
                      enum fuse_readdir_flags flags)
{
    int fd = openat(root, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    (void) at;
    (void) info;
    (void) flags;
    if (!directory)
        return -errno;
    while ((entry = readdir(directory)))
        fill(to, entry->d_name, NULL, 0, 0);
    closedir(directory);
    return 0;
}

static int do_flock(const char *path, struct fuse_file_info *info, int operation)
{
    (void) path;
    (void) info;
    (void) operation;
    return -refusal;
}

static int do_lock(const char *path, struct fuse_file_info *info, int command, struct flock *lock)
{
    (void) path;
    (void) info;
    (void) command;
    (void) lock;
    return -refusal;
}

static void *do_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
    (void) connection;
    config->use_ino = 1;
    config->attr_timeout = config->entry_timeout = config->negative_timeout = 0; /* shows the directory as it is now */
    return NULL;
}

static const struct fuse_operations operations = {
    .init = do_init,
    .getattr = do_getattr,
    .readlink = do_readlink,
    .mkdir = do_mkdir,
    .unlink = do_unlink,
    .rmdir = do_rmdir,
    .symlink = do_symlink,
    .link = do_link,
    .rename = do_rename,
    .chmod = do_chmod,
    .chown = do_chown,
    .utimens = do_utimens,
    .open = do_open,
    .create = do_create,
    .truncate = do_truncate,
    .read = do_read,
    .write = do_write,
    .release = do_release,
    .readdir = do_readdir,
    .flock = do_flock,
    .lock = do_lock,
};

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s DIRECTORY ERROR MOUNTPOINT [OPTION...]\n", argv[0]);
        return 2;
    }
    root = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    refusal = atoi(argv[2]);
    if (root < 0 || refusal <= 0) {
        fprintf(stderr, "%s: not a directory and the number of an error: %s %s\n", argv[0], argv[1], argv[2]);
        return 2;
    }
    umask(0);
    argv[2] = argv[0];
    return fuse_main(argc - 2, argv + 2, &operations, NULL);
}
