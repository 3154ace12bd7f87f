/* SPDX-License-Identifier: MIT
 *
 * Points at which tracers such as bpftrace(8) and perf(1) can look at the library.
 *
 * configure chooses the file that defines these functions:
 *   flk_probe_wait        an acquire begins to wait, or leaves an attempt under way
 *   flk_probe_acquired    a lock is held, at depth 1
 *   flk_probe_released    a lock is no longer held
 *   flk_probe_taken_over  a soft lock is held that was taken from a dead owner
 *   flk_probe_lost        a held lock is found not to count any more
 *
 * filelock(3) lists them: their names and arguments are part of what users rely on.
 */
#ifndef FLK_PROBES_H
#define FLK_PROBES_H

#include FLK_PROBES_FILE

#endif
