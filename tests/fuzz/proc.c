/* SPDX-License-Identifier: MIT
 *
 * proc.c - fuzzes the code that reads the text of proc(5), in which processes choose their own names.
 */
#include "config.h"

#include "fuzz.h"
#include "owner/proc_text.h"

#include <string.h>

/* A token has only digits, at most 63. */
static void check_token(const char *text)
{
    char token[64];
    uint8_t boot[PROC_BOOT_BYTES];
    uint64_t start;

    snprintf(token, sizeof token, "%.63s", text);
    token[strspn(token, "0123456789")] = '\0';
    (void) flk_proc_token(token, boot, &start);
    PROMISE(flk_proc_token("18446744073709551617", boot, &start) && boot[15] == 1 && start == 1);
    PROMISE(!flk_proc_token("999999999999999999999999999999999999999999999999999999999999999", boot, &start));
}

/* Checks that the fields behind a name are read right, whatever the name is. */
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
    int64_t ns;

    (void) flk_proc_stat(text, &stat);
    (void) flk_proc_boottime_offset(text, &ns);
    PROMISE(flk_proc_innermost_pid("NSpid:\t4711\t7\n") == 7 && flk_proc_innermost_pid("NSpid:\t4711\n") == 0);
    (void) flk_proc_innermost_pid(text);
    check_token(text);
    if (flk_proc_lock(text, &lock))
        PROMISE(memchr(lock.name, '\0', sizeof lock.name) && lock.name[0] != '\0' && strcmp(lock.name, "->") != 0);
    check_name(text);
    free(text);
    return 0;
}
