/* SPDX-License-Identifier: MIT
 *
 * handles.c - makes handles for what the command line names, or says in a sentence why there can be none.
 */
#include "handles.h"

#include "cluster.h"
#include "who.h"

#include "run.h"

#include <errno.h>
#include <inttypes.h>

static int available(int kind)
{
    return kind != FILELOCK_KIND_DEFAULT && filelock_supported(kind);
}

/* True if the range ends where a file can end: byte INT64_MAX is the last that a file can have. */
static int has_end(const struct tool_options *options)
{
    int64_t start = options->range_start, length = options->range_length;

    return start >= 0 && length >= 0 && (length == 0 || length - 1 <= INT64_MAX - start);
}

/* Says why there is no handle for a lock of a cluster. */
static enum outcome explain_no_cluster(const struct tool_options *options, int error)
{
    if (error == -ENOTSUP) {
        complain("locks of a cluster are not available here: libfilelock-etcd is not installed");
        return OUTCOME_UNAVAILABLE;
    }
    if (error != -EINVAL) {
        complain("cannot lock '%s': %s", options->path, filelock_strerror(error));
        return outcome_of_error(-error);
    }
    if (options->lease_ms > 0 && options->lease_ms < 2000)
        complain("a lock of a cluster lasts 2 seconds at least without its holder, not less");
    else
        complain("invalid endpoints '%s' or name '%s': endpoints are addresses with commas between", options->endpoints,
                 options->path);
    return OUTCOME_USAGE;
}

/* Says why there is no handle. */
static enum outcome explain_no_handle(const struct tool_options *options, int error)
{
    const char *kind = filelock_kind_name(options->kind);

    if (error == -ENOTSUP) {
        char kinds[256];

        options_list_kinds(available, kinds, sizeof kinds);
        complain("locks of kind %s are not available here; what is: %s", kind, kinds);
        return OUTCOME_UNAVAILABLE;
    }
    if (error == -EINVAL && !has_end(options)) {
        complain("a range ends at byte %" PRId64 " at the latest, which --start and --length go beyond", INT64_MAX);
        return OUTCOME_DATAERR;
    }
    if (error == -EINVAL && options->has_range) {
        complain("--start and --length are for locks on ranges of bytes, which kind %s is not", kind);
        return OUTCOME_USAGE;
    }
    if (error == -EINVAL && options->path != NULL && options->lease_ms > 0) {
        complain("a lease of that many seconds is longer than a lease can be");
        return OUTCOME_DATAERR;
    }
    if (error == -EINVAL) {
        complain("a lock of kind %s cannot be taken on a descriptor", kind);
        return OUTCOME_USAGE;
    }
    if (options->path != NULL)
        complain("cannot lock '%s': %s", options->path, filelock_strerror(error));
    else
        complain("cannot lock descriptor %d: %s", options->fd, filelock_strerror(error));
    return outcome_of_error(-error);
}

/* Returns the flags of the handle.  They say whether the command gets the descriptor, and with it the lock. */
static unsigned flags_for(const struct tool_options *options)
{
    unsigned flags = FILELOCK_ANY_THREAD;

    if (options->endpoints != NULL)
        return flags;
    if (options->path != NULL)
        flags |= FILELOCK_FOLLOW_SYMLINK;
    if (options->record)
        flags |= FILELOCK_RECORD_OWNER;
    if (!options->close && options->kind != FILELOCK_KIND_LEASE) /* only this process renews a lease */
        flags |= run_sharing_flags(options->path != NULL);
    return flags;
}

static void announce(struct filelock *lock, void *options)
{
    char sentence[SENTENCE_SIZE];

    filelock_describe(lock, -EINPROGRESS, sentence, sizeof sentence);
    who_add_command(lock, options, sentence, sizeof sentence);
    complain("%s", sentence);
}

enum outcome handle_make(struct filelock **lock, const struct tool_options *options)
{
    struct filelock_options handle = FILELOCK_OPTIONS_INIT;
    int error;

    handle.kind = options->endpoints == NULL ? options->kind : FILELOCK_KIND_DEFAULT;
    handle.flags = flags_for(options);
    handle.lease_ms = options->lease_ms;
    handle.range_start = options->range_start;
    handle.range_length = options->range_length;
    if (options->announce) {
        handle.on_wait = announce;
        handle.on_wait_arg = (void *) (uintptr_t) options;
    }
    if (options->endpoints != NULL) {
        error = cluster_handle(lock, options->path, &handle, options->endpoints);
        return error == 0 ? OUTCOME_DONE : explain_no_cluster(options, error);
    }
    if (options->path == NULL)
        error = filelock_new_from_fd(lock, options->fd, &handle);
    else if (*options->path == '\0')
        error = -ENOENT;
    else
        error = filelock_new(lock, options->path, &handle);
    return error == 0 ? OUTCOME_DONE : explain_no_handle(options, error);
}
