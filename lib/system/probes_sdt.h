/* SPDX-License-Identifier: MIT
 *
 * Probes by <sys/sdt.h>: each is one instruction without effect, and a note in the ELF file that tells where it is.
 */
#ifndef FLK_PROBES_SDT_H
#define FLK_PROBES_SDT_H

#include <filelock.h>
#include <sys/sdt.h>

/* The macros of <sys/sdt.h> leave out an argument that C99 wants.  Compilers pass that over in headers of the system. */
#pragma GCC system_header

static inline void flk_probe_wait(const void *lock, const char *path, enum filelock_mode mode)
{
    DTRACE_PROBE3(filelock, wait, lock, path, mode);
}

static inline void flk_probe_acquired(const void *lock, const char *path, enum filelock_mode mode)
{
    DTRACE_PROBE3(filelock, acquired, lock, path, mode);
}

static inline void flk_probe_released(const void *lock, const char *path)
{
    DTRACE_PROBE2(filelock, released, lock, path);
}

static inline void flk_probe_taken_over(const char *path)
{
    DTRACE_PROBE1(filelock, taken_over, path);
}

static inline void flk_probe_lost(const void *lock, const char *path)
{
    DTRACE_PROBE2(filelock, lost, lock, path);
}

#endif
