/* SPDX-License-Identifier: MIT
 *
 * Operations shared by the kinds that lock a file by the operating system.  A backend has the rest.
 */
#ifndef FLK_OS_LOCK_H
#define FLK_OS_LOCK_H

#include "kind.h"
#include "os/os_file.h"
#include "outcome.h"
#include "wait/limits.h"
#include "wait/lookout.h"

enum outcome flk_os_lock_try(const struct target *target, void *state, enum filelock_mode mode, bool waits);
int flk_os_lock_convert(const struct target *target, void *state, enum filelock_mode mode, const struct limits *limits);
enum outcome flk_os_lock_look(const struct target *target, void *state, enum filelock_mode mode,
                              struct lookout *lookout);
void flk_os_lock_withdraw(const struct target *target, void *state);
enum outcome flk_os_lock_release(const struct target *target, void *state, enum filelock_mode mode);
void flk_os_lock_close(const struct target *target, void *state);
void flk_os_lock_after_fork(const struct target *target, void *state, bool holds);
bool flk_os_lock_has_open(const void *state);
void flk_os_lock_before_fork(const struct target *target, void *state);
int flk_os_lock_target_key(const struct target *target, struct lock_key *key);
void flk_os_lock_locked_key(const void *state, struct lock_key *key);
int flk_os_lock_descriptor(const void *state);
int flk_os_lock_check(const struct target *target, const void *state);
int flk_os_lock_owner(const struct target *target, struct filelock_owner *owner);

/* The part that is the same in the struct kind of each of them. */
#define OS_LOCK_OPERATIONS                                                                                          \
    .state_size = FLK_STATE_SIZE(struct os_lock), .init = flk_os_file_init, .try = flk_os_lock_try,                 \
    .look = flk_os_lock_look, .withdraw = flk_os_lock_withdraw, .convert = flk_os_lock_convert,                     \
    .release = flk_os_lock_release, .close = flk_os_lock_close, .after_fork = flk_os_lock_after_fork,               \
    .has_open = flk_os_lock_has_open, .before_fork = flk_os_lock_before_fork, .target_key = flk_os_lock_target_key, \
    .locked_key = flk_os_lock_locked_key, .descriptor = flk_os_lock_descriptor, .check = flk_os_lock_check,         \
    .owner = flk_os_lock_owner

#endif
