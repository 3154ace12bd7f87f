/* SPDX-License-Identifier: MIT
 *
 * Opening the file of a lock for a question, where the system does not tell which record locks the program has.
 */
#include "config.h"

#include "owner/ask.h"
#include "system/file.h"

int flk_file_open_to_ask(const char *path, bool follow, bool *borrowed)
{
    *borrowed = false;
    return flk_file_open_to_read(path, follow);
}
