/* SPDX-License-Identifier: MIT
 *
 * raw_ofd.c - open-file-description locks of fcntl(2)
 */
#include <config.h>

#include "raw.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

static int set(int fd, int command, short type)
{
    struct flock range = { 0 };

    range.l_type = type;
    range.l_whence = SEEK_SET;
    return fcntl(fd, command, &range);
}

static int lock(int fd, int wait)
{
    return set(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, F_WRLCK);
}

static int unlock(int fd)
{
    return set(fd, F_OFD_SETLK, F_UNLCK);
}

static int share(int fd)
{
    return set(fd, F_OFD_SETLK, F_RDLCK);
}

static const struct raw_calls calls = { lock, unlock, share, 1 };

extern const struct subject subjects_raw_ofd[];
const struct subject subjects_raw_ofd[] = {
    RAW_BARE("raw ofd", &calls),         RAW_STAT("raw ofd, stat", &calls),
    RAW_LOOK("raw ofd, look", &calls),   RAW_CYCLE("raw ofd, open", &calls),
    RAW_FIRST("raw ofd, first", &calls), RAW_CONVERT("raw ofd, convert", &calls),
    RAW_PAIR("raw ofd, two", &calls),    { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
