/* SPDX-License-Identifier: MIT
 *
 * options.c - parses the command line of the tool: what flock(1) has, as flock(1) does, and the tool's own options.
 */
#include "options.h"

#include "numbers.h"
#include "report.h"

#include <ctype.h>
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
    OPTION_LEASE,
    OPTION_ETCD,
    OPTION_WHO,
    OPTION_BREAK,
    OPTION_LIST,
    OPTION_RECORD,
    OPTION_DOCTOR,
    OPTION_MEET,
    OPTION_ALL,
    OPTION_JSON,
    OPTION_ANNOUNCE,
    OPTION_VERBOSE
};

/* "+": options end at the first operand.  ":": next_option() complains. */
static const char short_options[] = "+:sexnoFuc:w:E:hV";

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
    { "lease", required_argument, NULL, OPTION_LEASE },
    { "etcd", required_argument, NULL, OPTION_ETCD },
    { "who", optional_argument, NULL, OPTION_WHO },
    { "list", optional_argument, NULL, OPTION_LIST },
    { "all", no_argument, NULL, OPTION_ALL },
    { "json", no_argument, NULL, OPTION_JSON },
    { "break", required_argument, NULL, OPTION_BREAK },
    { "record", no_argument, NULL, OPTION_RECORD },
    { "doctor", no_argument, NULL, OPTION_DOCTOR },
    { "meet", no_argument, NULL, OPTION_MEET },
    { "announce", no_argument, NULL, OPTION_ANNOUNCE },
    { "verbose", no_argument, NULL, OPTION_VERBOSE },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    /* Abbreviations that are unique among the options of some version of flock(1), but not among the options above. */
    { "e", no_argument, NULL, 'x' },
    { "s", no_argument, NULL, 's' },
    { "w", required_argument, NULL, 'w' },
    { "f", no_argument, NULL, OPTION_FCNTL },
    { "l", required_argument, NULL, OPTION_LENGTH },
    { "le", required_argument, NULL, OPTION_LENGTH },
    { "co", required_argument, NULL, 'E' },
    { NULL, 0, NULL, 0 }
};

void options_help(void)
{
    char kinds[256];

    fputs("Usage:\n"
          " filelock [options] <file>|<directory> <command> [<argument>...]\n"
          " filelock [options] <file>|<directory> -c <command>\n"
          " filelock [options] <descriptor>\n"
          " filelock [options] --fd <descriptor> [<command> [<argument>...] | -c <command>]\n"
          " filelock [options] --etcd <endpoints> <name> <command> [<argument>...]\n"
          " filelock [--kind <kind>] [--all] [--json] --who <file>\n"
          " filelock [--kind <kind>] [--json] --list [<directory>]\n"
          " filelock [--kind <kind>] --doctor [--meet] [--json] [<directory>]\n"
          " filelock --break <file>\n"
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
    options_list_kinds(filelock_supported, kinds, sizeof kinds);
    printf("     --fd <descriptor>     lock this descriptor\n"
           "     --kind <kind>         %s\n",
           kinds);
    fputs("     --fcntl               the same as --kind ofd\n"
          "     --soft                the same as --kind soft\n"
          "     --lease <seconds>     a lease, which others take over when it was not renewed\n"
          "                           for this time; the command ends when it is lost\n"
          "     --etcd <endpoints>    a lock of this name that a cluster of etcd keeps\n"
          "     --start <offset>      first byte to lock (implies --fcntl)\n"
          "     --length <size>       number of bytes to lock (implies --fcntl)\n"
          "     --who <file>          tell who holds a lock on it, of any kind unless one is\n"
          "                           named; exit 1 if nobody does\n"
          "     --all                 with --who: tell each holder, and who waits\n"
          "     --list [<directory>]  tell who holds which lock, and who waits; in the directory\n"
          "                           soft locks too\n"
          "     --doctor              try which kinds of lock work in a directory, and say which\n"
          "                           to use; exit 1 if the default kind does not exclude\n"
          "     --meet                try it together with another machine, which runs the same\n"
          "                           in the same directory meanwhile\n"
          "     --json                with --who, --list and --doctor: write JSON\n"
          "     --break <file>        remove the marker of a soft lock or lease, even if its\n"
          "                           owner is alive\n"
          "     --record              write the holder into the lock file, for --who on NFS\n"
          "     --announce            say who holds the lock when it has to be waited for\n"
          "     --verbose             tell how long it took, or why it failed\n"
          " -h, --help                show this help\n"
          " -V, --version             show the version\n"
          "\n"
          "For more see filelock(1).\n",
          stdout);
}

/* Asks the library for the kinds that there are, so that the tool knows a new kind at once. */
void options_list_kinds(int (*wanted)(int kind), char *text, size_t size)
{
    const char *name;
    size_t used = 0;
    int kind;

    text[0] = '\0';
    for (kind = FILELOCK_KIND_DEFAULT; (name = filelock_kind_name(kind)) != NULL; kind++)
        if (used < size && wanted(kind))
            used += (size_t) snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", name);
}

static enum outcome parse_kind(const char *text, int *kind)
{
    char kinds[256];
    const char *name;
    int k;

    for (k = FILELOCK_KIND_DEFAULT; (name = filelock_kind_name(k)) != NULL; k++)
        if (strcmp(text, name) == 0) {
            *kind = k;
            return OUTCOME_DONE;
        }
    options_list_kinds(filelock_supported, kinds, sizeof kinds);
    complain("invalid kind '%s': it is one of %s", text, kinds);
    return OUTCOME_USAGE;
}

static enum outcome parse_seconds(const char *text, int64_t *timeout_ms)
{
    if (parse_milliseconds(text, timeout_ms) == 0)
        return OUTCOME_DONE;
    complain("invalid timeout '%s': it is decimal seconds, as 5 or 0.25", text);
    return OUTCOME_USAGE;
}

static enum outcome parse_lease(const char *text, struct tool_options *options)
{
    if (options->endpoints == NULL)
        options->kind = FILELOCK_KIND_LEASE;
    if (parse_milliseconds(text, &options->lease_ms) == 0 && options->lease_ms > 0)
        return OUTCOME_DONE;
    complain("invalid lease '%s': it is decimal seconds, more than 0, as 30 or 2.5", text);
    return OUTCOME_USAGE;
}

static enum outcome parse_conflict_status(const char *text, int *status)
{
    int64_t number;

    if (parse_integer(text, 255, &number) != 0) {
        complain("invalid exit status '%s': it is 0 to 255", text);
        return OUTCOME_USAGE;
    }
    *status = (int) number;
    return OUTCOME_DONE;
}

static enum outcome parse_descriptor(const char *text, int *fd)
{
    int64_t number;

    if (parse_integer(text, INT_MAX, &number) != 0) {
        complain("invalid descriptor number '%s' (a file to lock wants a command to run)", text);
        return OUTCOME_USAGE;
    }
    *fd = (int) number;
    return OUTCOME_DONE;
}

/* Reads the start or the length of a range.  flock(1) also reads numbers that are too large for a file: handles.c
 * refuses these, together with the range. */
static enum outcome parse_range(struct tool_options *options, const char *what, const char *text, int64_t *bytes)
{
    uint64_t number;

    options->has_range = 1;
    if (parse_bytes(text, &number) == 0) {
        *bytes = number > INT64_MAX ? -1 : (int64_t) number;
        return OUTCOME_DONE;
    }
    complain("invalid %s '%s': it is bytes, or a size as 4K, 4KiB or 4KB", what, text);
    return OUTCOME_USAGE;
}

/* Takes an option with a value. */
static enum outcome take_value(struct tool_options *options, int option, char *value)
{
    switch (option) {
    case 'w':
        return parse_seconds(value, &options->timeout_ms);
    case 'E':
        return parse_conflict_status(value, &options->conflict_status);
    case 'c':
        options->shell_command = value;
        return OUTCOME_DONE;
    case OPTION_FD:
        return parse_descriptor(value, &options->fd);
    case OPTION_START:
        return parse_range(options, "start", value, &options->range_start);
    case OPTION_LENGTH:
        return parse_range(options, "length", value, &options->range_length);
    case OPTION_LEASE:
        return parse_lease(value, options);
    case OPTION_KIND:
        return parse_kind(value, &options->kind);
    case OPTION_ETCD:
        options->endpoints = value;
        if (options->lease_ms > 0 && options->kind == FILELOCK_KIND_LEASE)
            options->kind = KIND_NOT_SAID; /* --lease says how long the lock of the cluster lasts */
        return OUTCOME_DONE;
    case OPTION_WHO:
    case OPTION_BREAK:
    case OPTION_LIST:
        options->action = option == OPTION_WHO ? ACTION_WHO : option == OPTION_LIST ? ACTION_LIST : ACTION_BREAK;
        options->path = value; /* NULL: it is the first operand */
        return OUTCOME_DONE;
    default:
        return OUTCOME_USAGE;
    }
}

static enum outcome take_option(struct tool_options *options, int option)
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
    case OPTION_ALL:
        options->every_process = 1;
        break;
    case OPTION_DOCTOR:
        options->action = ACTION_DOCTOR;
        break;
    case OPTION_MEET:
        options->meet = 1;
        break;
    case OPTION_JSON:
        options->json = 1;
        break;
    case OPTION_RECORD:
        options->record = 1;
        break;
    case OPTION_ANNOUNCE:
        options->announce = 1;
        break;
    case OPTION_VERBOSE:
        options->verbose = 1;
        break;
    default:
        return take_value(options, option, optarg);
    }
    return OUTCOME_DONE;
}

/* ---- Words that are no options ---------------------------------------------------------------- */

/* Ends a sentence about a command line of which it is not clear what it means. */
#define TRY_HELP ". Try '" TOOL_NAME " --help'."

static int is_ambiguous(const char *word, size_t length)
{
    const struct option *option;
    int count = 0;

    for (option = long_options; option->name != NULL; option++)
        count += strncmp(option->name, word, length) == 0;
    return count > 1;
}

/* Says what is wrong with an option.  word: it, or the word that it is in.  Returns as getopt_long() did. */
static int complain_option(int what, const char *word)
{
    int length = (int) strcspn(word, "=");

    if (strncmp(word, "--", 2) != 0)
        complain(what == ':' ? "option '-%c' wants a value" TRY_HELP : "invalid option '-%c'" TRY_HELP, optopt);
    else if (what == ':' && word[length] == '\0')
        complain("option '%s' wants a value" TRY_HELP, word);
    else if (what == ':' || optopt != 0) /* some C libraries answer ':' here, too */
        complain("option '%.*s' takes no value" TRY_HELP, length, word);
    else if (is_ambiguous(word + 2, (size_t) length - 2))
        complain("option '%.*s' is ambiguous" TRY_HELP, length, word);
    else
        complain("unrecognized option '%.*s'" TRY_HELP, length, word);
    return what;
}

static int wants_path(const struct tool_options *options)
{
    return options->path == NULL && (options->action == ACTION_WHO || options->action == ACTION_LIST);
}

/*
 * Returns the next option, or -1.  The file that --who asks about may follow other options, and other options may
 * follow it.
 */
static int next_option(struct tool_options *options, int argc, char **argv)
{
    int at = optind, option;

    opterr = 0;
    optopt = 0;
    option = getopt_long(argc, argv, short_options, long_options, NULL);
    if (option == -1 && wants_path(options) && optind < argc) {
        int ended = strcmp(argv[optind - 1], "--") == 0;

        options->path = argv[optind++];
        return ended ? -1 : next_option(options, argc, argv);
    }
    return option == '?' || option == ':' ? complain_option(option, argv[at]) : option;
}

/* Takes what stands after the file, or with --fd after the options: a command, or -c and a line for the shell. */
static enum outcome take_command(struct tool_options *options, int count, char **words)
{
    if (count == 0)
        return OUTCOME_DONE;
    if (strcmp(words[0], "-c") != 0 && strcmp(words[0], "--command") != 0) {
        options->command = words;
        return OUTCOME_DONE;
    }
    if (count != 2) {
        complain("%s wants exactly one command line after it", words[0]);
        return OUTCOME_USAGE;
    }
    options->shell_command = words[1];
    return OUTCOME_DONE;
}

/* Takes the directory of --doctor, which is the working directory unless it is named. */
static enum outcome take_directory(struct tool_options *options, int count, char **words)
{
    if (count > 1) {
        complain("a directory too many: '%s'", words[1]);
        return OUTCOME_USAGE;
    }
    options->path = count > 0 ? words[0] : ".";
    return OUTCOME_DONE;
}

static enum outcome take_operands(struct tool_options *options, int count, char **words)
{
    if (options->path != NULL || options->action == ACTION_LIST ||
        (options->fd >= 0 && options->shell_command != NULL)) {
        if (count == 0)
            return OUTCOME_DONE;
        complain("a file or command too many: '%s'", words[0]);
        return OUTCOME_USAGE;
    }
    if (options->fd >= 0)
        return take_command(options, count, words);
    if (options->shell_command != NULL) {
        complain("-c comes after the file to lock");
        return OUTCOME_USAGE;
    }
    if (count == 0) {
        complain("a file, directory or descriptor to lock is missing" TRY_HELP);
        return OUTCOME_USAGE;
    }
    if (count == 1 && options->unlock && !isdigit((unsigned char) words[0][0])) {
        complain("-u drops the lock of a descriptor, as in '" TOOL_NAME " -u 9', and '%s' is no descriptor: "
                 "the lock of a file ends with its holder, which --who names",
                 words[0]);
        return OUTCOME_USAGE;
    }
    if (count == 1 && options->endpoints != NULL) {
        complain("a command to run is missing");
        return OUTCOME_USAGE;
    }
    if (count == 1)
        return parse_descriptor(words[0], &options->fd);
    options->path = words[0];
    return take_command(options, count - 1, words + 1);
}

/* Returns what is wrong with --etcd beside the other options, or NULL. */
static const char *find_cluster_problem(const struct tool_options *options)
{
    if (options->kind != KIND_NOT_SAID || options->has_range)
        return "--etcd is for locks of a cluster, which have no other kind and no range";
    if (options->fd >= 0 || options->unlock)
        return "--etcd is for locks of a cluster, not for descriptors";
    if (options->no_fork)
        return "--no-fork would leave nobody to renew a lock of a cluster";
    return options->path != NULL ? "--who and --break are for files, not for a cluster" : NULL;
}

static enum outcome check_combination(const struct tool_options *options)
{
    const char *problem = options->endpoints != NULL ? find_cluster_problem(options) : NULL;

    if (problem != NULL)
        ;
    else if (options->no_fork && options->close)
        problem = "--no-fork and --close together would leave nobody to hold the lock";
    else if (options->no_fork && options->kind == FILELOCK_KIND_LEASE)
        problem = "--no-fork would leave nobody to renew a lease";
    else if (options->lease_ms > 0 && options->endpoints == NULL && options->kind != FILELOCK_KIND_LEASE)
        problem = "--lease is for locks of kind lease";
    else if (options->unlock && (options->kind == FILELOCK_KIND_SOFT || options->kind == FILELOCK_KIND_LEASE))
        problem = "--unlock is for descriptors, which a soft lock and a lease have none of: see --break";
    else if (options->action == ACTION_WHO && options->path == NULL)
        problem = "--who wants a file" TRY_HELP;
    else if (options->every_process && options->action != ACTION_WHO)
        problem = "--all is for --who";
    else if (options->json && options->action != ACTION_WHO && options->action != ACTION_LIST &&
             options->action != ACTION_DOCTOR)
        problem = "--json is for --who, --list and --doctor";
    else if (options->meet && options->action != ACTION_DOCTOR)
        problem = "--meet belongs to --doctor";
    else if (options->action == ACTION_DOCTOR &&
             (options->path != NULL || options->fd >= 0 || options->shell_command != NULL || options->has_range))
        problem = "--doctor wants a directory alone";
    else if (options->action != ACTION_LOCK && options->fd >= 0)
        problem = "--who, --break and --list want a file, not a descriptor";
    else if (options->action != ACTION_LOCK && options->shell_command != NULL)
        problem = "--who, --break and --list run no command";
    else
        return OUTCOME_DONE;
    complain("%s", problem);
    return OUTCOME_USAGE;
}

/*
 * Settles what does not depend on the order of the options.  If no kind is named, it is the kind that flock(1) takes.
 */
static void settle(struct tool_options *options)
{
    options->every_kind = options->kind == KIND_NOT_SAID && !options->has_range;
    if (options->has_range && options->kind <= FILELOCK_KIND_DEFAULT)
        options->kind = filelock_supported(FILELOCK_KIND_OFD) ? FILELOCK_KIND_OFD : FILELOCK_KIND_DEFAULT;
    if (options->kind == KIND_NOT_SAID)
        options->kind = filelock_supported(FILELOCK_KIND_FLOCK) ? FILELOCK_KIND_FLOCK : FILELOCK_KIND_DEFAULT;
    if (options->nonblock)
        options->timeout_ms = FILELOCK_TRY;
    if (options->action == ACTION_LOCK && options->unlock)
        options->action = ACTION_UNLOCK;
}

enum outcome options_parse(struct tool_options *options, int argc, char **argv)
{
    static const struct tool_options defaults = { .mode = FILELOCK_EXCLUSIVE,
                                                  .kind = KIND_NOT_SAID,
                                                  .timeout_ms = FILELOCK_FOREVER,
                                                  .conflict_status = 1,
                                                  .fd = -1 };
    enum outcome outcome;
    int option;

    *options = defaults;
    while ((option = next_option(options, argc, argv)) != -1) {
        if (option == 'h' || option == 'V') {
            options->action = option == 'h' ? ACTION_HELP : ACTION_VERSION;
            return OUTCOME_DONE;
        }
        outcome = take_option(options, option);
        if (outcome != OUTCOME_DONE)
            return outcome;
    }
    outcome = check_combination(options);
    if (outcome != OUTCOME_DONE)
        return outcome;
    settle(options);
    if (options->action == ACTION_DOCTOR)
        return take_directory(options, argc - optind, argv + optind);
    return take_operands(options, argc - optind, argv + optind);
}
