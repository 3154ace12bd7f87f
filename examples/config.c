/* SPDX-License-Identifier: MIT
 *
 * config FILE KEY VALUE - sets a value in a file of KEY=VALUE lines, which examples/config.sh changes too
 *
 * Both lock FILE.lock in the same way, by an open-file-description lock of fcntl(2).  That kind also works between
 * machines if FILE is in a home directory on NFS.  The lock file has a record of the holder, so that a program on
 * another machine can name it.
 */
#define _POSIX_C_SOURCE 200809L
#include <filelock.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define LINE_SIZE 1024

struct setting {
    const char *path, *key, *value;
};

/* Copies the lines of other keys, and adds the line of this one.  A file that does not exist yet has no lines. */
static int copy_lines(FILE *from, FILE *to, const struct setting *setting)
{
    size_t length = strlen(setting->key);
    char line[LINE_SIZE];

    while (from != NULL && fgets(line, sizeof line, from) != NULL)
        if (strncmp(line, setting->key, length) != 0 || line[length] != '=')
            fputs(line, to);
    fprintf(to, "%s=%s\n", setting->key, setting->value);
    if ((from != NULL && ferror(from)) || fflush(to) != 0 || ferror(to))
        return -1;
    return fsync(fileno(to));
}

/* Caller holds the lock.  A reader that takes no lock sees the old file or the new one. */
static int set_value(void *arg)
{
    const struct setting *setting = arg;
    char temporary[PATH_SIZE + 8];
    FILE *from = fopen(setting->path, "r"), *to = NULL;
    int failed = from == NULL && errno != ENOENT;

    snprintf(temporary, sizeof temporary, "%s.new", setting->path);
    if (!failed)
        to = fopen(temporary, "w");
    failed = failed || to == NULL || copy_lines(from, to, setting) != 0;
    if (to != NULL && fclose(to) != 0)
        failed = 1;
    if (!failed)
        failed = rename(temporary, setting->path) != 0;
    if (failed)
        perror(setting->path);
    if (from != NULL)
        fclose(from);
    return failed;
}

int main(int argc, char **argv)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock = NULL;
    struct setting setting;
    char path[PATH_SIZE], why[PATH_SIZE + 256];
    int result;

    if (argc != 4 || snprintf(path, sizeof path, "%s.lock", argv[1]) >= (int) sizeof path) {
        fprintf(stderr, "usage: config FILE KEY VALUE\n");
        return 64;
    }
    setting.path = argv[1];
    setting.key = argv[2];
    setting.value = argv[3];
    options.kind = FILELOCK_KIND_OFD;
    options.flags = FILELOCK_RECORD_OWNER;
    result = filelock_new(&lock, path, &options);
    if (result == 0)
        result = filelock_with(lock, FILELOCK_EXCLUSIVE, 10000, set_value, &setting);
    if (result < 0) {
        filelock_describe(lock, result, why, sizeof why);
        fprintf(stderr, "config: %s\n", why);
    }
    filelock_free(lock);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
