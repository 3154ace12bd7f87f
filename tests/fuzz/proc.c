/* SPDX-License-Identifier: MIT
 *
 * proc.c - fuzzes what reads the text of proc(5), in which processes choose their names.
 */
#include "config.h"

#include "fuzz.h"
#include "posix/proc_text.h"

#include <string.h>

/* Whatever the name is, what stands behind it is read right. */
static void check_name(const char *name)
{
    struct process_stat stat = { 0 };
    size_t size = strlen(name) + 256;
    char *text = malloc(size);

    PROMISE(text != NULL);
    snprintf(text, size, "17 (%s) S 1 17 17 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 33 0 4711 8192 200 7\n", name);
    PROMISE(flk_proc_stat(text, &stat) && stat.state == 'S' && stat.threads == 33 && stat.start == 4711);
    *strstr(strrchr(text, ')'), " 8192") = '\0';
    PROMISE(!flk_proc_stat(text, &stat)); /* the last field may have been cut off */
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size);
    struct process_stat stat;
    struct proc_lock lock;

    (void) flk_proc_stat(text, &stat);
    if (flk_proc_lock(text, &lock))
        PROMISE(memchr(lock.name, '\0', sizeof lock.name) && lock.name[0] != '\0' && strcmp(lock.name, "->") != 0);
    check_name(text);
    free(text);
    return 0;
}
