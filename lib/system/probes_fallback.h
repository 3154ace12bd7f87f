/* SPDX-License-Identifier: MIT
 *
 * Probes where there is no <sys/sdt.h>: they are nothing at all.
 */
#ifndef FLK_PROBES_FALLBACK_H
#define FLK_PROBES_FALLBACK_H

#include <filelock.h>

static inline void flk_probe_wait(const void *lock, const char *path, enum filelock_mode mode)
{
    (void) lock;
    (void) path;
    (void) mode;
}

static inline void flk_probe_acquired(const void *lock, const char *path, enum filelock_mode mode)
{
    (void) lock;
    (void) path;
    (void) mode;
}

static inline void flk_probe_released(const void *lock, const char *path)
{
    (void) lock;
    (void) path;
}

static inline void flk_probe_taken_over(const char *path)
{
    (void) path;
}

static inline void flk_probe_lost(const void *lock, const char *path)
{
    (void) lock;
    (void) path;
}

#endif
