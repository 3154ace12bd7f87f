/* SPDX-License-Identifier: MIT
 *
 * peer.c - the helper process: reads commands, does them, answers.
 */
#include "peer.h"

#include "names.h"
#include "platform.h"
#include "witness.h"
#include "workers.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDLES 64
#define WORKERS 8

static struct {
    char name[16];
    struct filelock *lock;
} handles[HANDLES];

static struct hand {
    char name[16];
    struct worker worker;
    char line[REPLY_SIZE];
    char reply[REPLY_SIZE];
} hands[WORKERS];

static struct {
    char text[8192];
    size_t length;
} input;

static pthread_mutex_t tables = PTHREAD_MUTEX_INITIALIZER;

char peer_program[4096];

void peer_directory(char *path, size_t size)
{
    const char *end = strrchr(peer_program, '/');
    snprintf(path, size, "%.*s", end ? (int) (end - peer_program) : 1, end ? peer_program : ".");
}

void peer_command_line(const char *argv[PEER_WORDS], const char *program, const char *one, const char *other)
{
    static char words[1024];
    const char *emulator = getenv("FILELOCK_TEST_EMULATOR");
    int count = 0;
    snprintf(words, sizeof words, "%s", emulator ? emulator : "");
    for (char *rest = words, *word = peer_word(&rest); *word && count < PEER_WORDS - 4; word = peer_word(&rest))
        argv[count++] = word;
    argv[count++] = program;
    argv[count++] = one;
    argv[count++] = one ? other : NULL;
    argv[count] = NULL;
}

void peer_pause(void)
{
    pthread_mutex_lock(&tables);
}

void peer_resume(void)
{
    pthread_mutex_unlock(&tables);
}

void peer_reply(char *reply, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reply, REPLY_SIZE, format, arguments);
    va_end(arguments);
}

/* ---- Words ---------------------------------------------------------------------------------- */

char *peer_word(char **words)
{
    char *word = *words + strspn(*words, " ");
    size_t length = strcspn(word, " ");
    *words = word + length + (word[length] != '\0');
    word[length] = '\0';
    return word;
}

const char *peer_text(const char *words, const char *key, char *text, size_t size)
{
    size_t length = strlen(key);
    text[0] = '\0';
    for (const char *at = words; (at = strstr(at, key)) != NULL; at += length)
        if ((at == words || at[-1] == ' ') && at[length] == '=') {
            snprintf(text, size, "%.*s", (int) strcspn(at + length + 1, " "), at + length + 1);
            break;
        }
    return text;
}

long long peer_number(const char *words, const char *key, long long otherwise)
{
    char text[64];
    return *peer_text(words, key, text, sizeof text) ? strtoll(text, NULL, 0) : otherwise;
}

static enum filelock_mode mode_of(const char *word)
{
    return strcmp(word, "shared") ? FILELOCK_EXCLUSIVE : FILELOCK_SHARED;
}

/* ---- Handles -------------------------------------------------------------------------------- */

struct filelock *peer_handle(const char *name)
{
    struct filelock *lock = NULL;
    pthread_mutex_lock(&tables);
    for (int i = 0; i < HANDLES && !lock; i++)
        if (!strcmp(handles[i].name, name))
            lock = handles[i].lock;
    pthread_mutex_unlock(&tables);
    return lock;
}

static void put_handle(const char *name, struct filelock *lock)
{
    pthread_mutex_lock(&tables);
    for (int i = 0; i < HANDLES; i++)
        if (!handles[i].lock) {
            snprintf(handles[i].name, sizeof handles[i].name, "%s", name);
            handles[i].lock = lock;
            break;
        }
    pthread_mutex_unlock(&tables);
}

static void drop_handle(const char *name)
{
    pthread_mutex_lock(&tables);
    for (int i = 0; i < HANDLES; i++)
        if (!strcmp(handles[i].name, name)) {
            handles[i].name[0] = '\0';
            handles[i].lock = NULL;
        }
    pthread_mutex_unlock(&tables);
}

static void do_new(char *words, char *reply)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock;
    char path[REPLY_SIZE];
    const char *name = peer_word(&words);
    options.kind = (int) peer_number(words, "kind", FILELOCK_KIND_DEFAULT);
    options.flags = (unsigned) peer_number(words, "flags", 0);
    options.timeout_ms = peer_number(words, "timeout", FILELOCK_FOREVER);
    options.file_mode = (unsigned) peer_number(words, "mode", 0);
    options.range_start = peer_number(words, "start", 0);
    options.range_length = peer_number(words, "length", 0);
    options.lease_ms = peer_number(words, "lease", 0);
    int result = filelock_new(&lock, peer_text(words, "path", path, sizeof path), &options);
    if (result == 0)
        put_handle(name, lock);
    peer_reply(reply, "%s", result_name(result));
}

static void do_free(char *words, char *reply)
{
    const char *name = peer_word(&words);
    struct filelock *lock = peer_handle(name);
    drop_handle(name);
    filelock_free(lock);
    peer_reply(reply, "0");
}

static void do_acquire(char *words, char *reply)
{
    struct filelock *lock = peer_handle(peer_word(&words));
    enum filelock_mode mode = mode_of(peer_word(&words));
    peer_reply(reply, "%s", result_name(filelock_acquire(lock, mode, atoll(peer_word(&words)))));
}

static void do_begin(char *words, char *reply)
{
    struct filelock *lock = peer_handle(peer_word(&words));
    enum filelock_mode mode = mode_of(peer_word(&words));
    peer_reply(reply, "%s", result_name(filelock_acquire_begin(lock, mode, atoll(peer_word(&words)))));
}

static void do_finish(char *words, char *reply)
{
    peer_reply(reply, "%s", result_name(filelock_acquire_finish(peer_handle(peer_word(&words)))));
}

static void do_abort(char *words, char *reply)
{
    peer_reply(reply, "%s", result_name(filelock_acquire_abort(peer_handle(peer_word(&words)))));
}

static void do_convert(char *words, char *reply)
{
    struct filelock *lock = peer_handle(peer_word(&words));
    enum filelock_mode mode = mode_of(peer_word(&words));
    peer_reply(reply, "%s", result_name(filelock_convert(lock, mode, atoll(peer_word(&words)))));
}

/* Stores the handles that the rest of the line names, and returns their number. */
static size_t handles_of(char *words, struct filelock *locks[HANDLES])
{
    size_t count = 0;
    for (char *name = peer_word(&words); *name && count < HANDLES; name = peer_word(&words))
        locks[count++] = peer_handle(name);
    return count;
}

static void do_acquire_several(char *words, char *reply)
{
    struct filelock *locks[HANDLES];
    enum filelock_mode mode = mode_of(peer_word(&words));
    long long timeout_ms = atoll(peer_word(&words));
    size_t count = handles_of(words, locks);
    peer_reply(reply, "%s", result_name(filelock_acquire_several(locks, count, mode, timeout_ms)));
}

static void do_release_several(char *words, char *reply)
{
    struct filelock *locks[HANDLES];
    size_t count = handles_of(words, locks);
    peer_reply(reply, "%s", result_name(filelock_release_several(locks, count)));
}

static void do_release(char *words, char *reply)
{
    peer_reply(reply, "%s", result_name(filelock_release(peer_handle(peer_word(&words)))));
}

static void do_release_all(char *words, char *reply)
{
    peer_reply(reply, "%s", result_name(filelock_release_all(peer_handle(peer_word(&words)))));
}

static void do_held(char *words, char *reply)
{
    peer_reply(reply, "%d", filelock_held(peer_handle(peer_word(&words))));
}

static void do_depth(char *words, char *reply)
{
    peer_reply(reply, "%u", filelock_depth(peer_handle(peer_word(&words))));
}

static void do_check(char *words, char *reply)
{
    peer_reply(reply, "%s", result_name(filelock_check(peer_handle(peer_word(&words)))));
}

static void do_remaining(char *words, char *reply)
{
    int64_t ms = 0;
    int result = filelock_remaining(peer_handle(peer_word(&words)), &ms);
    if (result == 0)
        peer_reply(reply, "%lld", (long long) ms);
    else
        peer_reply(reply, "%s", result_name(result));
}

static void do_fd(char *words, char *reply)
{
    peer_reply(reply, "%s", filelock_fd(peer_handle(peer_word(&words))) < 0 ? "none" : "open");
}

static void do_owner(char *words, char *reply)
{
    struct filelock_owner owner;
    memset(&owner, 0, sizeof owner);
    owner.size = sizeof owner;
    int result = filelock_owner(peer_handle(peer_word(&words)), &owner);
    peer_reply(reply, "%s %lld %d %d %s", result_name(result), (long long) owner.pid, owner.alive, owner.local,
               owner.command);
}

static void do_describe(char *words, char *reply)
{
    int result = 0;
    const char *name, *handle = peer_word(&words), *wanted = peer_word(&words);
    for (int i = 0; (name = named_result(i, &result)) != NULL && strcmp(name, wanted) != 0; i++)
        ;
    filelock_describe(peer_handle(handle), result, reply, REPLY_SIZE);
}

/* ---- Threads -------------------------------------------------------------------------------- */

static void run_line(char *line, char *reply);

static void run_hand(void *arg)
{
    struct hand *hand = arg;
    run_line(hand->line, hand->reply);
}

/* Called by the main thread only, which alone makes workers. */
static struct hand *find_hand(const char *name)
{
    for (struct hand *hand = hands; hand < hands + WORKERS; hand++) {
        if (!strcmp(hand->name, name))
            return hand;
        if (!hand->name[0]) {
            snprintf(hand->name, sizeof hand->name, "%s", name);
            return worker_start(&hand->worker) == 0 ? hand : NULL;
        }
    }
    return NULL;
}

static void do_on(char *words, char *reply)
{
    struct hand *hand = find_hand(peer_word(&words));
    if (!hand) {
        peer_reply(reply, "no thread");
        return;
    }
    worker_done(&hand->worker, 3600000); /* it still has the line before */
    snprintf(hand->line, sizeof hand->line, "%s", words);
    worker_send(&hand->worker, run_hand, hand);
    peer_reply(reply, "0");
}

static void do_answer(char *words, char *reply)
{
    struct hand *hand = find_hand(peer_word(&words));
    worker_done(&hand->worker, 3600000);
    memcpy(reply, hand->reply, REPLY_SIZE);
}

static void do_asleep(char *words, char *reply)
{
    struct hand *hand = find_hand(peer_word(&words));
    peer_reply(reply, "%d", worker_asleep(&hand->worker, 50000));
}

static void do_end(char *words, char *reply)
{
    struct hand *hand = find_hand(peer_word(&words));
    worker_end(&hand->worker);
    hand->name[0] = '\0';
    peer_reply(reply, "0");
}

/* ---- Commands ------------------------------------------------------------------------------- */

static void do_ping(char *words, char *reply)
{
    (void) words;
    peer_reply(reply, "pong");
}

static void do_switches(char *words, char *reply)
{
    (void) words;
    peer_reply(reply, "%lld", (long long) voluntary_switches());
}

static void do_descriptors(char *words, char *reply)
{
    peer_reply(reply, "%d", descriptors_on(peer_word(&words)));
}

static void do_spawned(char *words, char *reply)
{
    const char *argv[PEER_WORDS];
    struct process child;
    char text[32] = "";
    peer_command_line(argv, peer_program, "--descriptors", peer_word(&words));
    if (process_start(&child, argv) != 0) {
        peer_reply(reply, "cannot start %s", peer_program);
        return;
    }
    long length = read_some(child.from, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
    process_wait(&child, 60000);
    close_fd(child.to);
    close_fd(child.from);
    peer_reply(reply, "%d", atoi(text));
}

static void do_exit(char *words, char *reply)
{
    (void) reply;
    exit(atoi(peer_word(&words)));
}

static const struct peer_verb verbs[] = {
    { "new", do_new },
    { "free", do_free },
    { "acquire", do_acquire },
    { "acquire_several", do_acquire_several },
    { "release_several", do_release_several },
    { "convert", do_convert },
    { "begin", do_begin },
    { "finish", do_finish },
    { "abort", do_abort },
    { "release", do_release },
    { "release_all", do_release_all },
    { "held", do_held },
    { "depth", do_depth },
    { "check", do_check },
    { "remaining", do_remaining },
    { "fd", do_fd },
    { "owner", do_owner },
    { "describe", do_describe },
    { "on", do_on },
    { "answer", do_answer },
    { "asleep", do_asleep },
    { "end", do_end },
    { "work", peer_work },
    { "enter", peer_enter },
    { "leave", peer_leave },
    { "ping", do_ping },
    { "switches", do_switches },
    { "descriptors", do_descriptors },
    { "spawned", do_spawned },
    { "exit", do_exit },
    { NULL, NULL },
};

static int run_verb(const struct peer_verb *verb, const char *name, char *words, char *reply)
{
    for (; verb->name; verb++)
        if (!strcmp(verb->name, name)) {
            verb->run(words, reply);
            return 1;
        }
    return 0;
}

static void run_line(char *line, char *reply)
{
    const char *name = peer_word(&line);
    if (!run_verb(verbs, name, line, reply) && !run_verb(peer_platform_verbs, name, line, reply))
        peer_reply(reply, "unknown command %s", name);
}

/* Stores the next line; 0 at the end of the input. */
static int next_line(char *line, size_t size)
{
    char *end;
    while ((end = memchr(input.text, '\n', input.length)) == NULL) {
        long length = read_some(0, input.text + input.length, sizeof input.text - input.length);
        if (length <= 0)
            return 0;
        input.length += (size_t) length;
    }
    size_t length = (size_t) (end - input.text) + 1;
    snprintf(line, size, "%.*s", (int) length - 1, input.text);
    input.length -= length;
    memmove(input.text, input.text + length, input.length);
    return 1;
}

int peer_main(void)
{
    char line[REPLY_SIZE];
    char reply[REPLY_SIZE + 1]; /* room for a newline */
    while (next_line(line, sizeof line)) {
        reply[0] = '\0';
        run_line(line, reply);
        strcat(reply, "\n");
        if (write_all(1, reply, strlen(reply)) != 0)
            return 1;
    }
    return 0;
}

int peer_main_in_child(void)
{
    input.length = 0;
    memset(hands, 0, sizeof hands);
    return peer_main();
}
