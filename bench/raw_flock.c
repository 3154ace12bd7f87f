/* SPDX-License-Identifier: MIT
 *
 * raw_flock.c - flock(2)
 */
#include <config.h>

#include "raw.h"

#include <stddef.h>
#include <sys/file.h>

static int lock(int fd, int wait)
{
    return flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
}

static int unlock(int fd)
{
    return flock(fd, LOCK_UN);
}

static int share(int fd)
{
    return flock(fd, LOCK_SH);
}

static const struct raw_calls calls = { lock, unlock, share, 0 };

extern const struct subject subjects_raw_flock[];
const struct subject subjects_raw_flock[] = {
    RAW_BARE("raw flock", &calls),         RAW_STAT("raw flock, stat", &calls),
    RAW_LOOK("raw flock, look", &calls),   RAW_CYCLE("raw flock, open", &calls),
    RAW_FIRST("raw flock, first", &calls), RAW_CONVERT("raw flock, convert", &calls),
    RAW_PAIR("raw flock, two", &calls),    { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
