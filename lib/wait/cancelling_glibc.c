/* SPDX-License-Identifier: MIT
 *
 * glibc loads libgcc_s when the first thread is cancelled, and aborts the process if it cannot find that library, as in
 * a chroot.  backtrace(3) loads the same library, and tells whether that worked.
 */
#include "config.h"

#include <execinfo.h>

#include "wait/cancelling.h"

bool flk_cancelling_works(void)
{
    void *frame[1];

    return backtrace(frame, 1) > 0;
}
