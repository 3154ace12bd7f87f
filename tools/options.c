/* SPDX-License-Identifier: MIT
 *
 * options.c - parses the command line of the tool as flock(1) does, and what it has beyond that.
 */
#include "options.h"

#include "numbers.h"
#include "report.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define KIND_NOT_SAID (-1)

enum {
    OPTION_FCNTL = UCHAR_MAX + 1,
    OPTION_START,
    OPTION_LENGTH,
    OPTION_FD,
    OPTION_KIND,
    OPTION_SOFT,
    OPTION_WHO,
    OPTION_BREAK,
    OPTION_VERBOSE
};

static const char short_options[] = "+sexnoFuc:w:E:hV";

static const struct option long_options[] = {
    { "shared", no_argument, NULL, 's' },
    { "exclusive", no_argument, NULL, 'x' },
    { "unlock", no_argument, NULL, 'u' },
    { "nonblocking", no_argument, NULL, 'n' },
    { "nb", no_argument, NULL, 'n' },
    { "wait", required_argument, NULL, 'w' },
    { "timeout", required_argument, NULL, 'w' },
    { "conflict-exit-code", required_argument, NULL, 'E' },
    { "close", no_argument, NULL, 'o' },
    { "no-fork", no_argument, NULL, 'F' },
    { "command", required_argument, NULL, 'c' },
    { "fd", required_argument, NULL, OPTION_FD },
    { "fcntl", no_argument, NULL, OPTION_FCNTL },
    { "start", required_argument, NULL, OPTION_START },
    { "length", required_argument, NULL, OPTION_LENGTH },
    { "kind", required_argument, NULL, OPTION_KIND },
    { "soft", no_argument, NULL, OPTION_SOFT },
    { "who", required_argument, NULL, OPTION_WHO },
    { "break", required_argument, NULL, OPTION_BREAK },
    { "verbose", no_argument, NULL, OPTION_VERBOSE },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    /* Abbreviations that are unique among the options of some flock(1), but not among these. */
    { "s", no_argument, NULL, 's' },
    { "w", required_argument, NULL, 'w' },
    { "f", no_argument, NULL, OPTION_FCNTL },
    { "co", required_argument, NULL, 'E' },
    { NULL, 0, NULL, 0 }
};

void options_help(void)
{
    fputs("Usage:\n"
          " filelock [options] <file>|<directory> <command> [<argument>...]\n"
          " filelock [options] <file>|<directory> -c <command>\n"
          " filelock [options] <descriptor>\n"
          " filelock [options] --fd <descriptor> [<command> [<argument>...] | -c <command>]\n"
          " filelock [--kind <kind>] --who <file> | --break <file>\n"
          "\n"
          "Run a command while holding a lock on a file, or lock an open descriptor.\n"
          "\n"
          "Options:\n"
          " -s, --shared              shared lock\n"
          " -x, -e, --exclusive       exclusive lock (default)\n"
          " -n, --nb, --nonblock, --nonblocking\n"
          "                           fail at once if somebody else holds the lock\n"
          " -w, --wait, --timeout <seconds>\n"
          "                           fail after this time, and say who holds the lock\n"
          " -E, --conflict-exit-code <number>\n"
          "                           exit status for these two (default 1)\n"
          " -o, --close               run the command without the lock's descriptor\n"
          " -F, --no-fork             run the command in place of filelock\n"
          " -c, --command <command>   run a command line by the shell\n"
          " -u, --unlock              drop the lock of a descriptor\n",
          stdout);
    fputs("     --fd <descriptor>     lock this descriptor\n"
          "     --kind <kind>         default, flock, ofd, win32 or soft\n"
          "     --fcntl               the same as --kind ofd\n"
          "     --soft                the same as --kind soft\n"
          "     --start <offset>      first byte to lock (implies --fcntl)\n"
          "     --length <size>       number of bytes to lock (implies --fcntl)\n"
          "     --who <file>          tell who holds the lock; exit 1 if nobody does\n"
          "     --break <file>        remove the marker of a soft lock, whoever's it is\n"
          "     --verbose             tell how long it took, or why it failed\n"
          " -h, --help                show this help\n"
          " -V, --version             show the version\n"
          "\n"
          "For more see filelock(1).\n",
          stdout);
}

/* What kinds there are is the library's to say, so that a new one is known here at once. */
void options_list_kinds(int (*wanted)(int kind), char *text, size_t size)
{
    const char *name;
    size_t used = 0;
    int kind;

    text[0] = '\0';
    for (kind = FILELOCK_KIND_DEFAULT; (name = filelock_kind_name(kind)) != NULL; kind++)
        if (used < size && wanted(kind))
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", name);
}

static int any_kind(int kind)
{
    return filelock_kind_name(kind) != NULL;
}

static int parse_kind(const char *text, int *kind)
{
    char kinds[256];
    const char *name;
    int k;

    for (k = FILELOCK_KIND_DEFAULT; (name = filelock_kind_name(k)) != NULL; k++)
        if (strcmp(text, name) == 0) {
            *kind = k;
            return STATUS_OK;
        }
    options_list_kinds(any_kind, kinds, sizeof kinds);
    complain("invalid kind '%s': it is one of %s", text, kinds);
    return STATUS_USAGE;
}

static int parse_seconds(const char *text, int64_t *timeout_ms)
{
    if (parse_milliseconds(text, timeout_ms) == 0)
        return STATUS_OK;
    complain("invalid timeout '%s': it is decimal seconds, as 5 or 0.25", text);
    return STATUS_USAGE;
}

static int parse_status(const char *text, int *status)
{
    int64_t number;

    if (parse_integer(text, 255, &number) != 0) {
        complain("invalid exit status '%s': it is 0 to 255", text);
        return STATUS_USAGE;
    }
    *status = (int)number;
    return STATUS_OK;
}

static int parse_descriptor(const char *text, int *fd)
{
    int64_t number;

    if (parse_integer(text, INT_MAX, &number) != 0) {
        complain("invalid descriptor number '%s' (a file to lock wants a command to run)", text);
        return STATUS_USAGE;
    }
    *fd = (int)number;
    return STATUS_OK;
}

static int parse_range(struct tool_options *options, const char *what, const char *text, int64_t *bytes)
{
    options->has_range = 1;
    if (parse_size(text, bytes) == 0)
        return STATUS_OK;
    complain("invalid %s '%s': it is bytes, or a size as 4K, 4KiB or 4KB", what, text);
    return STATUS_USAGE;
}

/* The options that take a value.  getopt_long() has already complained about one it does not know. */
static int take_value(struct tool_options *options, int option, char *value)
{
    switch (option) {
    case 'w':
        return parse_seconds(value, &options->timeout_ms);
    case 'E':
        return parse_status(value, &options->conflict_status);
    case 'c':
        options->shell_command = value;
        return STATUS_OK;
    case OPTION_FD:
        return parse_descriptor(value, &options->fd);
    case OPTION_START:
        return parse_range(options, "start", value, &options->range_start);
    case OPTION_LENGTH:
        return parse_range(options, "length", value, &options->range_length);
    case OPTION_KIND:
        return parse_kind(value, &options->kind);
    case OPTION_WHO:
    case OPTION_BREAK:
        options->action = option == OPTION_WHO ? ACTION_WHO : ACTION_BREAK;
        options->path = value;
        return STATUS_OK;
    default:
        return STATUS_USAGE;
    }
}

static int take_option(struct tool_options *options, int option)
{
    switch (option) {
    case 's':
    case 'e':
    case 'x':
        options->mode = option == 's' ? FILELOCK_SHARED : FILELOCK_EXCLUSIVE;
        options->unlock = 0;
        break;
    case 'u':
        options->unlock = 1;
        break;
    case 'n':
        options->nonblock = 1;
        break;
    case 'o':
        options->close = 1;
        break;
    case 'F':
        options->no_fork = 1;
        break;
    case OPTION_FCNTL:
        options->kind = FILELOCK_KIND_OFD;
        break;
    case OPTION_SOFT:
        options->kind = FILELOCK_KIND_SOFT;
        break;
    case OPTION_VERBOSE:
        options->verbose = 1;
        break;
    default:
        return take_value(options, option, optarg);
    }
    return STATUS_OK;
}

/* A command, or -c and a line for the shell: what stands after the file, or after --fd's options. */
static int take_command(struct tool_options *options, int count, char **words)
{
    if (count == 0)
        return STATUS_OK;
    if (strcmp(words[0], "-c") != 0 && strcmp(words[0], "--command") != 0) {
        options->command = words;
        return STATUS_OK;
    }
    if (count != 2) {
        complain("%s wants exactly one command line after it", words[0]);
        return STATUS_USAGE;
    }
    options->shell_command = words[1];
    return STATUS_OK;
}

static int take_operands(struct tool_options *options, int count, char **words)
{
    if (options->path != NULL || (options->fd >= 0 && options->shell_command != NULL)) {
        if (count == 0)
            return STATUS_OK;
        complain("a file or command too many: '%s'", words[0]);
        return STATUS_USAGE;
    }
    if (options->fd >= 0)
        return take_command(options, count, words);
    if (options->shell_command != NULL) {
        complain("-c comes after the file to lock");
        return STATUS_USAGE;
    }
    if (count == 0) {
        complain("a file, directory or descriptor to lock is missing");
        return STATUS_USAGE;
    }
    if (count == 1)
        return parse_descriptor(words[0], &options->fd);
    options->path = words[0];
    return take_command(options, count - 1, words + 1);
}

static int check_combination(const struct tool_options *options)
{
    const char *problem;

    if (options->no_fork && options->close)
        problem = "--no-fork and --close together would leave nobody to hold the lock";
    else if (options->unlock && options->kind == FILELOCK_KIND_SOFT)
        problem = "--unlock is for descriptors, which a soft lock has none of: see --break";
    else if (options->path != NULL && options->fd >= 0)
        problem = "--who and --break want a file, not a descriptor";
    else if (options->path != NULL && options->shell_command != NULL)
        problem = "--who and --break run no command";
    else
        return STATUS_OK;
    complain("%s", problem);
    return STATUS_USAGE;
}

/* What does not depend on the order of the options.  Without a word it is what flock(1) takes. */
static void settle(struct tool_options *options)
{
    if (options->has_range && options->kind <= FILELOCK_KIND_DEFAULT)
        options->kind = filelock_supported(FILELOCK_KIND_OFD) ? FILELOCK_KIND_OFD : FILELOCK_KIND_DEFAULT;
    if (options->kind == KIND_NOT_SAID)
        options->kind = filelock_supported(FILELOCK_KIND_FLOCK) ? FILELOCK_KIND_FLOCK : FILELOCK_KIND_DEFAULT;
    if (options->nonblock)
        options->timeout_ms = FILELOCK_TRY;
    if (options->action == ACTION_LOCK && options->unlock)
        options->action = ACTION_UNLOCK;
}

int options_parse(struct tool_options *options, int argc, char **argv)
{
    static const struct tool_options defaults = { .mode = FILELOCK_EXCLUSIVE,
                                                  .kind = KIND_NOT_SAID,
                                                  .timeout_ms = FILELOCK_FOREVER,
                                                  .conflict_status = STATUS_FAILURE,
                                                  .fd = -1 };
    int option, status;

    *options = defaults;
    while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (option == 'h' || option == 'V') {
            options->action = option == 'h' ? ACTION_HELP : ACTION_VERSION;
            return STATUS_OK;
        }
        status = take_option(options, option);
        if (status != STATUS_OK)
            return status;
    }
    status = check_combination(options);
    if (status != STATUS_OK)
        return status;
    settle(options);
    return take_operands(options, argc - optind, argv + optind);
}
