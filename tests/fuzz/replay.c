/* SPDX-License-Identifier: MIT
 *
 * replay.c - runs a target over its kept corpus, without libFuzzer.
 *
 * CORPUS is the directory.  If there are arguments, they are files to run instead.
 */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

#define INPUT_MOST 65536

static int replay(const char *path)
{
    static uint8_t bytes[INPUT_MOST];
    FILE *file = fopen(path, "rb");
    uint8_t *input;
    size_t size;

    if (file == NULL) {
        perror(path);
        return -1;
    }
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    input = malloc(size + (size == 0)); /* of just the right size, so that sanitizers find reads behind it */
    PROMISE(input != NULL);
    memcpy(input, bytes, size);
    LLVMFuzzerTestOneInput(input, size);
    free(input);
    return 0;
}

static int replay_all(const char *folder)
{
    char path[4096];
    struct dirent *entry;
    int count = 0;
    DIR *directory = opendir(folder);

    if (directory == NULL) {
        perror(folder);
        return -1;
    }
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (replay(path) != 0)
            break;
        count++;
    }
    closedir(directory);
    return entry == NULL ? count : -1;
}

int main(int argc, char **argv)
{
    int count = 0;

    if (argc < 2)
        count = replay_all(CORPUS);
    for (int i = 1; i < argc; i++)
        count = count >= 0 && replay(argv[i]) == 0 ? count + 1 : -1;
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
