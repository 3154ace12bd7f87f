/* SPDX-License-Identifier: MIT
 *
 * sighting.c - writes a line about a process that holds a lock or waits for it.
 */
#include "sighting.h"

#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- A sentence ----------------------------------------------------------------------------- */

/* Prints the command rather than the program that holds the lock for it: users know the command. */
static void print_process(const struct sighting *sighting)
{
    const struct filelock_owner *owner = &sighting->owner;
    const struct command *command = &sighting->command;

    if (sighting->runs && command->holds) {
        printf("pid %" PRId64 " (%s)", command->pid, command->name);
        return;
    }
    if (owner->pid > 0)
        printf("pid %" PRId64, owner->pid);
    else
        fputs("a process whose pid is not known", stdout);
    if (owner->command[0] != '\0')
        printf(" (%s)", owner->command);
    if (sighting->runs)
        printf(" for pid %" PRId64 " (%s)", command->pid, command->name);
}

/* Returns what a sentence calls the kind of lock, without an article. */
static const char *spoken_kind(const struct sighting *sighting)
{
    if (strcmp(sighting->kind, "win32") == 0)
        return "LockFileEx";
    return sighting->maybe != NULL && strcmp(sighting->maybe, "posix") == 0 ? "fcntl" : sighting->kind;
}

static void print_kind(const struct sighting *sighting)
{
    static const char *const modes[] = { [FILELOCK_EXCLUSIVE] = "an exclusive", [FILELOCK_SHARED] = "a shared" };
    const char *kind = spoken_kind(sighting);
    int is_vowel = kind[0] == 'o' || strcmp(kind, "fcntl") == 0;

    printf("%s %s%s",
           sighting->mode != MODE_UNKNOWN ? modes[sighting->mode]
           : is_vowel                     ? "an"
                                          : "a",
           kind, strcmp(kind, "lease") == 0 ? "" : " lock");
    if (sighting->maybe != NULL && kind == sighting->kind)
        printf(" or a recorded %s", sighting->maybe);
    if (sighting->length != 0)
        printf(" on bytes %" PRId64 " to %" PRId64, sighting->start, sighting->start + (sighting->length - 1));
    else if (sighting->start != 0)
        printf(" from byte %" PRId64 " on", sighting->start);
}

/* Returns the length of the control character at the beginning of a text, as U+0080 to U+009F are; 0: there is none. */
static int control_length(const char *text)
{
    unsigned char first = (unsigned char) text[0], second = first != '\0' ? (unsigned char) text[1] : 0;

    if (first < 0x20 || first == 0x7F)
        return 1;
    return first == 0xC2 && second >= 0x80 && second <= 0x9F ? 2 : 0;
}

/* Prints '?' for control characters: a path may have any, and a terminal obeys them. */
static void print_path(const char *path)
{
    while (*path != '\0') {
        int length = control_length(path);

        putchar(length > 0 ? '?' : *path);
        path += length > 0 ? length : 1;
    }
}

static void print_sentence(const struct sighting *sighting)
{
    static const char *const life[] = { "whether it is alive cannot be told", "dead", "alive" };
    const struct filelock_owner *owner = &sighting->owner;

    if (sighting->path != NULL)
        print_path(sighting->path);
    else
        printf("inode %" PRIu64 " of device %u:%u", sighting->inode, sighting->major, sighting->minor);
    fputs(sighting->waits ? ": waited for by " : ": held by ", stdout);
    print_process(sighting);
    if (!owner->local && owner->host[0] != '\0')
        printf(" on %s", owner->host);
    fputs(" with ", stdout);
    print_kind(sighting);
    printf(", %s\n", life[owner->alive < 0 ? 0 : owner->alive > 0 ? 2 : 1]);
}

/* ---- An object ------------------------------------------------------------------------------ */

static void put_process(struct json *json, const char *pid_name, int64_t pid, const char *command_name,
                        const char *command)
{
    if (pid > 0)
        put_json_number(json, pid_name, pid);
    else
        put_json_null(json, pid_name);
    (void) put_json_text(json, command_name, command[0] != '\0' ? command : NULL);
}

static void put_file(struct json *json, const struct sighting *sighting)
{
    char device[32];

    if (put_json_text(json, "path", sighting->path))
        put_json_hex(json, "path_hex", sighting->path);
    if (sighting->inode == 0) {
        put_json_null(json, "device");
        put_json_null(json, "inode");
        return;
    }
    snprintf(device, sizeof device, "%u:%u", sighting->major, sighting->minor);
    (void) put_json_text(json, "device", device);
    put_json_number(json, "inode", (int64_t) sighting->inode);
}

/* filelock(1) documents these names. */
static void print_object(const struct sighting *sighting)
{
    static const char *const modes[] = { [FILELOCK_EXCLUSIVE] = "exclusive", [FILELOCK_SHARED] = "shared" };
    const struct filelock_owner *owner = &sighting->owner;
    const struct command *command = &sighting->command;
    struct json json;

    put_json_begin(&json);
    put_file(&json, sighting);
    (void) put_json_text(&json, "role", sighting->waits ? "waiter" : "holder");
    (void) put_json_text(&json, "kind", sighting->kind);
    (void) put_json_text(&json, "maybe", sighting->maybe);
    (void) put_json_text(&json, "mode", sighting->mode != MODE_UNKNOWN ? modes[sighting->mode] : NULL);
    put_json_number(&json, "start", sighting->start);
    put_json_number(&json, "length", sighting->length);
    put_process(&json, "pid", owner->pid, "command", owner->command);
    put_process(&json, "for_pid", sighting->runs ? command->pid : 0, "for_command",
                sighting->runs ? command->name : "");
    (void) put_json_text(&json, "host", owner->host[0] != '\0' ? owner->host : NULL);
    put_json_truth(&json, "local", owner->local != 0);
    put_json_truth(&json, "alive", owner->alive);
    put_json_end(&json);
}

void sighting_print(const struct sighting *sighting, int json)
{
    if (json)
        print_object(sighting);
    else
        print_sentence(sighting);
}

/* ---- Lists ---------------------------------------------------------------------------------- */

int sightings_add(struct sightings *sightings, const struct sighting *sighting)
{
    size_t wanted = sightings->count + 1;
    struct sighting *list = realloc(sightings->list, wanted * sizeof *list);
    char *path = NULL;

    if (list == NULL)
        return -ENOMEM;
    sightings->list = list;
    if (sighting->path != NULL) {
        size_t size = strlen(sighting->path) + 1;

        path = malloc(size);
        if (path == NULL)
            return -ENOMEM;
        memcpy(path, sighting->path, size);
    }
    list[sightings->count] = *sighting;
    list[sightings->count++].path = path;
    return 0;
}

int sighting_rename(struct sighting *sighting, const char *path)
{
    size_t size = strlen(path) + 1;
    char *copy = malloc(size);

    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, path, size);
    free((void *) (uintptr_t) sighting->path);
    sighting->path = copy;
    return 0;
}

void sightings_free(struct sightings *sightings)
{
    size_t i;

    for (i = 0; i < sightings->count; i++)
        free((void *) (uintptr_t) sightings->list[i].path);
    free(sightings->list);
    *sightings = (struct sightings) { NULL, 0 };
}
