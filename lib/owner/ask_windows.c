/* SPDX-License-Identifier: MIT
 *
 * Questions about the file of a lock, on Windows.
 */
#include "config.h"

#include "owner/ask.h"
#include "owner/writers.h"
#include "system/file.h"

/* Never borrows: on Windows a lock belongs to one handle, and closing another handle does not end it. */
int flk_file_open_to_ask(const char *path, bool follow, bool *borrowed)
{
    *borrowed = false;
    return flk_file_open_to_read(path, follow);
}

/*
 * Never looks for writers.  A process that has a marker without a record open does not share it for deletion.  So the
 * attempt to delete the marker fails as long as such a process lives, and that is proof enough.
 */
int flk_file_writers(int fd, const struct identity *id)
{
    (void) fd;
    (void) id;
    return WRITERS_NONE;
}
