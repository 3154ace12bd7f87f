/* SPDX-License-Identifier: MIT
 *
 * fcntl.h - as Linux has it, and OFD locks with a deadline of macOS (standin.c).
 */
#include_next <fcntl.h>

#ifndef STANDIN_FCNTL_H
#define STANDIN_FCNTL_H

#include <time.h>

#define F_OFD_SETLKWTIMEOUT 93

struct flocktimeout {
    struct flock fl;
    struct timespec timeout;
};

#endif
