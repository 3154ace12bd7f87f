/* SPDX-License-Identifier: MIT
 *
 * test_windows.c - what is different on Windows: paths, sharing, deletion, and what can be waited for.
 */
#include "markers.h"
#include "peers.h"
#include "testing.h"
#include "win32.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <string.h>

#define DENIED_MS 500

static const struct kind *os_kind(void)
{
    for (int i = 0; i < kinds_count(); i++)
        if (kind_at(i)->kind == FILELOCK_KIND_WIN32)
            return kind_at(i);
    ck_abort_msg("this build has no kind win32");
    return NULL;
}

/* Opens the file as another program would; INVALID_HANDLE_VALUE: refused. */
static HANDLE open_as(const char *path, DWORD access, DWORD sharing, DWORD disposition, DWORD flags)
{
    WCHAR text[MOST_PATH];
    return CreateFileW(wide(path, text), access, sharing, NULL, disposition, flags, NULL);
}

static HANDLE must_open(const char *path, DWORD access, DWORD sharing, DWORD flags)
{
    HANDLE handle = open_as(path, access, sharing, OPEN_ALWAYS, flags);
    ck_assert_msg(handle != INVALID_HANDLE_VALUE, "cannot open %s: %lu", path, GetLastError());
    return handle;
}

static int try_once(const struct kind *kind, const char *path, unsigned flags)
{
    struct filelock *lock = new_lock(kind, path, flags);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    filelock_free(lock);
    return result;
}

/* ---- Paths ---------------------------------------------------------------------------------- */

static void expect_excludes(const struct kind *kind, const char *path, const char *same)
{
    struct filelock *lock = new_lock(kind, path, FILELOCK_MAKE_PARENTS);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_check(lock), 0);
    ck_assert_msg(try_once(kind, same, 0) == -ETIMEDOUT, "%s does not exclude %s", path, same);
    filelock_free(lock);
    EXPECT(try_once(kind, same, 0), 0);
}

START_TEST(test_utf8)
{
    const struct kind *kind = kind_at(_i);
    static const WCHAR name[] = L"\x00fc\x65e5\xd83d\xdd12";
    const char *path = scratch("\xc3\xbc\xe6\x97\xa5\xf0\x9f\x94\x92");
    WCHAR text[MOST_PATH];
    struct filelock *lock = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    wcscpy(wcsrchr(wcscpy(text, wide(path, text)), L'\\') + 1, name);
    ck_assert(GetFileAttributesW(text) != INVALID_FILE_ATTRIBUTES);
    filelock_free(lock);
    EXPECT(try_once(kind, scratch("\xff"), 0), -EILSEQ);
}
END_TEST

/* Returns a path in directories as deep as asked, with names of 100 bytes. */
static const char *deep_path(int depth)
{
    char name[1024] = "";
    for (int i = 0; i < depth; i++)
        snprintf(name + strlen(name), sizeof name - strlen(name), "%0100d/", i);
    strcat(name, "lock");
    return scratch(name);
}

START_TEST(test_long_paths)
{
    for (int depth = 1; depth <= 5; depth++)
        expect_excludes(kind_at(_i), deep_path(depth), deep_path(depth));
    ck_assert_uint_gt(strlen(deep_path(5)), MAX_PATH);
    ck_assert(path_exists(deep_path(5)) || kind_at(_i)->kind == FILELOCK_KIND_SOFT);
}
END_TEST

/* Other spellings of a path name the same file. */
START_TEST(test_spellings)
{
    const struct kind *kind = kind_at(_i);
    char path[MOST_PATH], literal[MOST_PATH];
    snprintf(path, sizeof path, "%s", scratch("a/b/Lock"));
    for (char *at = path; *at; at++)
        if (*at == '/')
            *at = '\\';
    snprintf(literal, sizeof literal, "\\\\?\\%s", path);
    expect_excludes(kind, scratch("a/b/Lock"), path);
    expect_excludes(kind, path, literal);
    expect_excludes(kind, path, scratch("a//b/../b/./Lock"));
    expect_excludes(kind, path, scratch("A/B/lOCK"));
}
END_TEST

/* Returns the path, with slashes, by which a share names a file on a drive. */
static const char *share_path(const char *path)
{
    static char text[MOST_PATH];
    ck_assert_msg(path[1] == ':', "%s is on no drive", path);
    snprintf(text, sizeof text, "//localhost/%c$%s", path[0], path + 2);
    return text;
}

static const char *with_backslashes(const char *before, const char *path)
{
    static char text[MOST_PATH];
    snprintf(text, sizeof text, "%s%s", before, path);
    for (char *at = text; *at; at++)
        if (*at == '/')
            *at = '\\';
    return text;
}

static void expect_share_is_there(void)
{
    char path[MOST_PATH];
    snprintf(path, sizeof path, "%s", share_path(scratch("there")));
    put_marker(scratch("there"), "");
    ck_assert_msg(path_exists(path), "there is no share %s", path);
    ck_assert_int_eq(remove_file(path), 0);
}

/* A share, a literal name, and the drive all name the same file. */
START_TEST(test_share)
{
    const struct kind *kind = kind_at(_i);
    expect_share_is_there();
    expect_excludes(kind, share_path(scratch("a/lock")), scratch("a/lock"));
    expect_excludes(kind, scratch("a/lock"), share_path(scratch("a/lock")));
    expect_excludes(kind, with_backslashes("", share_path(scratch("a/lock"))), scratch("a/lock"));
    expect_excludes(kind, with_backslashes("\\\\?\\UNC", share_path(scratch("a/lock")) + 1), scratch("a/lock"));
    expect_excludes(kind, with_backslashes("\\\\.\\UNC", share_path(scratch("a/lock")) + 1), scratch("a/lock"));
    for (int depth = 1; depth <= 5; depth++) {
        expect_excludes(kind, share_path(deep_path(depth)), deep_path(depth));
        expect_excludes(kind, deep_path(depth), share_path(deep_path(depth)));
    }
    EXPECT(try_once(kind, share_path(deep_path(6)), 0), -ENOENT);
    EXPECT(try_once(kind, share_path(scratch("a")), 0), -EISDIR);
}
END_TEST

/* A lock that is held through the drive is waited for through the share.  The file goes at the release. */
START_TEST(test_share_wait)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, share_path(path), FILELOCK_UNLINK), *other = new_lock(kind, path, 0);
    struct caller caller;
    expect_share_is_there();
    caller_start(&caller);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    nap_ms(20);
    ck_assert_int_eq(still_calling(&caller), 1);
    EXPECT(filelock_release(other), 0);
    EXPECT(end_call(&caller), 0);
    filelock_free(other);
    ck_assert_int_eq(path_exists(path), 1);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    ck_assert_int_eq(path_exists(path), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* FILELOCK_MAKE_PARENTS makes no hosts and no shares. */
START_TEST(test_missing_share)
{
    const struct kind *kind = kind_at(_i);
    const char *const paths[] = { "//localhost/none$/lock", "//localhost/none$/made/lock", "//none.invalid/none/lock" };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (int with = 0; with < 2; with++) {
            int result = try_once(kind, paths[i], with ? FILELOCK_MAKE_PARENTS : 0);
            ck_assert_msg(result == -ENOENT || result == -EHOSTUNREACH, "%s: %s", paths[i], result_name(result));
        }
    EXPECT(try_once(kind, share_path(scratch("made/of/many/lock")), FILELOCK_MAKE_PARENTS), 0);
    ck_assert_int_eq(path_exists(scratch("made/of/many")), 1);
    ck_assert_str_eq(filelock_strerror(-EHOSTUNREACH), "the host cannot be reached");
}
END_TEST

/* Relative paths, from the current directory of a drive, and from its root. */
START_TEST(test_relative)
{
    const struct kind *kind = kind_at(_i);
    char was[MOST_PATH], path[MOST_PATH];
    GetCurrentDirectoryA(sizeof was, was);
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    ck_assert(SetCurrentDirectoryA(scratch("folder")));
    snprintf(path, sizeof path, "%c:lock", scratch("")[0]);
    expect_excludes(kind, path, scratch("folder/lock"));
    expect_excludes(kind, scratch("folder/lock"), path);
    /* From the root of the drive on.  With a slash at its beginning, Wine would take it for a path of Unix. */
    expect_excludes(kind, with_backslashes("", scratch("folder/lock") + 2), "lock");
    expect_excludes(kind, "..\\folder/./lock", scratch("folder/lock"));
    ck_assert(SetCurrentDirectoryA(was));
}
END_TEST

/* Dots and blanks at the end are not part of a name, unless the path says that it is literal. */
START_TEST(test_name_ends)
{
    const struct kind *kind = kind_at(_i);
    expect_excludes(kind, scratch("name."), scratch("name"));
    expect_excludes(kind, scratch("name . "), scratch("name"));
    for (int depth = 1; depth <= 3; depth++) {
        char path[MOST_PATH];
        snprintf(path, sizeof path, "%s. .", deep_path(depth));
        expect_excludes(kind, path, deep_path(depth));
    }
}
END_TEST

/* A device is no file, whatever folder it seems to be in.  It is not opened, so nothing happens to it. */
START_TEST(test_devices)
{
    const struct kind *kind = kind_at(_i);
    const char *const paths[] = {
        "NUL",  "nul",        "C:/NUL",  "CON",        "PRN",       "AUX",       "COM1",
        "LPT1", "\\\\.\\NUL", "//./con", "\\\\?\\NUL", "\\\\.\\C:", "\\\\?\\C:", "\\\\.\\PhysicalDrive0"
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct filelock *lock = new_lock(kind, paths[i], FILELOCK_RECORD_OWNER | FILELOCK_UNLINK);
        int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
        ck_assert_msg(result == -ENOTSUP, "%s: %s", paths[i], result_name(result));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -ENOTSUP);
        if (kind->kind == FILELOCK_KIND_SOFT)
            EXPECT(filelock_break(lock), -ENOTSUP);
        filelock_free(lock);
    }
    /* A path that leads to a file by way of the devices is a path like any other. */
    expect_excludes(kind, with_backslashes("\\\\.\\", scratch("lock")), scratch("lock"));
    expect_excludes(kind, with_backslashes("\\\\.\\", deep_path(4)), deep_path(4));
}
END_TEST

/* A pipe is not taken for a file, though it can be opened like a file. */
START_TEST(test_pipe)
{
    const struct kind *kind = kind_at(_i);
    char path[128];
    snprintf(path, sizeof path, "\\\\.\\pipe\\filelock.%lld", (long long) own_pid());
    HANDLE pipe = CreateNamedPipeA(path, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 1, 64, 64, 0, NULL);
    ck_assert(pipe != INVALID_HANDLE_VALUE);
    int result = try_once(kind, path, 0);
    ck_assert_msg(result == -ENOTSUP || (result == -EACCES && kind->kind == FILELOCK_KIND_SOFT), "%s",
                  result_name(result));
    CloseHandle(pipe);
}
END_TEST

START_TEST(test_missing_parents)
{
    const struct kind *kind = kind_at(_i);
    EXPECT(try_once(kind, scratch("no/lock"), 0), -ENOENT);
    EXPECT(try_once(kind, scratch("missing/"), 0), -ENOENT);
    EXPECT(try_once(kind, scratch("made/of/many/lock"), FILELOCK_MAKE_PARENTS), 0);
    EXPECT(try_once(kind, "Q:/no/drive/lock", FILELOCK_MAKE_PARENTS), -ENOENT);
    put_marker(scratch("file"), "");
    EXPECT(try_once(kind, scratch("file/lock"), FILELOCK_MAKE_PARENTS), -ENOTDIR);
}
END_TEST

START_TEST(test_directory)
{
    const struct kind *kind = kind_at(_i);
    int64_t start = now_ns();
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    EXPECT(try_once(kind, scratch("folder"), 0), -EISDIR);
    EXPECT(try_once(kind, scratch("folder/"), 0), -EISDIR);
    ck_assert_msg(now_ns() - start < (int64_t) PATIENCE_MS * 1000000, "a directory is not waited for");
}
END_TEST

START_TEST(test_reparse_point)
{
    const struct kind *kind = kind_at(_i);
    WCHAR link[MOST_PATH], target[MOST_PATH];
    const WCHAR *from = wide(scratch("link"), link), *to = wide(scratch("target"), target);
    CloseHandle(must_open(scratch("target"), GENERIC_READ, FILE_SHARE_READ, 0));
    CreateSymbolicLinkW(from, to, 2 /* SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE */);
    if (GetFileAttributesW(from) == INVALID_FILE_ATTRIBUTES)
        SKIP("no symbolic link can be made here");
    EXPECT(try_once(kind, scratch("link"), 0), -ELOOP);
    if (kind->kind == FILELOCK_KIND_SOFT)
        ck_assert_int_eq(remove_file(scratch("target")), 0);
    EXPECT(try_once(kind, scratch("link"), FILELOCK_FOLLOW_SYMLINK), 0);
}
END_TEST

/* ---- Other programs that have the file open ------------------------------------------------- */

/* A file that no other program may open counts as held, as far as can be told.  It is free when that ends. */
START_TEST(test_sharing_violation)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    HANDLE other = must_open(path, GENERIC_READ, 0, FILE_FLAG_DELETE_ON_CLOSE);
    struct caller caller;
    EXPECT(try_once(kind, path, 0), -ETIMEDOUT);
    struct filelock *lock = new_lock(kind, path, 0);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 100), -ETIMEDOUT);
    EXPECT_TOOK(start, 100);
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    nap_ms(20);
    ck_assert_int_eq(still_calling(&caller), 1);
    CloseHandle(other);
    EXPECT(end_call(&caller), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

static int writable(const char *path)
{
    HANDLE handle = open_as(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, OPEN_EXISTING, 0);
    if (handle == INVALID_HANDLE_VALUE)
        return 0;
    CloseHandle(handle);
    return 1;
}

static void set_attributes(const char *path, DWORD attributes)
{
    WCHAR text[MOST_PATH];
    ck_assert(SetFileAttributesW(wide(path, text), attributes));
}

/*
 * Returns a file that may only be read; NULL: there is none.  For the privileged user of Wine it is a file of the
 * kernel.
 */
static const char *read_only_file(void)
{
    static const char kernel_file[] = "Z:/sys/kernel/uevent_seqnum";
    const char *path = scratch("read-only");
    CloseHandle(must_open(path, GENERIC_READ, 0, 0));
    set_attributes(path, FILE_ATTRIBUTE_READONLY);
    if (writable(path))
        path = path_exists(kernel_file) && !writable(kernel_file) ? kernel_file : NULL;
    return path;
}

/* A read-only file can be locked.  If the lock has a record to write, the file is locked without it. */
START_TEST(test_denied)
{
    const char *path = read_only_file();
    if (!path)
        SKIP("nothing is read-only to this user");
    EXPECT(try_once(os_kind(), path, 0), 0);
    EXPECT(try_once(os_kind(), path, FILELOCK_RECORD_OWNER), 0);
    set_attributes(scratch("read-only"), FILE_ATTRIBUTE_NORMAL);
}
END_TEST

/* The caller does not notice if access is denied only for a moment. */
static void allow_writing(void *arg)
{
    nap_ms(DENIED_MS / 10);
    set_attributes(arg, FILE_ATTRIBUTE_NORMAL);
}

START_TEST(test_denied_for_a_moment)
{
    const char *path = read_only_file();
    struct worker worker;
    int result = -EACCES;
    if (path != scratch("read-only"))
        SKIP("nothing can be made read-only to this user");
    ck_assert_int_eq(worker_start(&worker), 0);
    for (int tries = 0; result != 0 && tries < 10; tries++) { /* on a busy machine a moment may be long */
        set_attributes(path, FILE_ATTRIBUTE_READONLY);
        worker_send(&worker, allow_writing, (void *) path);
        result = try_once(os_kind(), path, FILELOCK_RECORD_OWNER);
        ck_assert_int_eq(worker_done(&worker, PATIENCE_MS), 1);
    }
    worker_end(&worker);
    EXPECT(result, 0);
}
END_TEST

static DWORD delete_error(const char *path)
{
    WCHAR text[MOST_PATH];
    return DeleteFileW(wide(path, text)) ? ERROR_SUCCESS : GetLastError();
}

START_TEST(test_held_file_stays)
{
    const struct kind *kind = os_kind();
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_uint_eq(delete_error(path), ERROR_SHARING_VIOLATION);
    ck_assert_int_ne(rename_over(path, scratch("elsewhere")), 0);
    EXPECT(filelock_check(lock), 0);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
    ck_assert_uint_eq(delete_error(path), ERROR_SUCCESS);
}
END_TEST

/* A program that uses the file keeps it from being removed.  The last of them removes it. */
START_TEST(test_unlink)
{
    const struct kind *kind = os_kind();
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, FILELOCK_UNLINK), *other = new_lock(kind, path, FILELOCK_UNLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(other, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(path_exists(path), 1);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_release(other), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(path_exists(path), 0);
    filelock_free(lock);
    filelock_free(other);
}
END_TEST

/* A lock counts even if its holder lets the file be deleted: no other program gets a lock on a new file. */
START_TEST(test_unlink_locked_by_another)
{
    const struct kind *kind = os_kind();
    const char *path = scratch("lock");
    OVERLAPPED first = { .Offset = 0 };
    struct filelock *lock = new_lock(kind, path, FILELOCK_UNLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    HANDLE other = must_open(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, 0);
    ck_assert(LockFileEx(other, LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &first));
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(path_exists(path), 1);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    ck_assert(UnlockFileEx(other, 0, 1, 0, &first));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    CloseHandle(other);
    ck_assert_int_eq(path_exists(path), 0);
    filelock_free(lock);
}
END_TEST

/* If the path names another file at the release, that file stays. */
START_TEST(test_unlink_of_another)
{
    const struct kind *kind = kind_at(_i);
    char folder[MOST_PATH], was[MOST_PATH];
    struct filelock *lock = new_lock(kind, "lock", FILELOCK_UNLINK);
    snprintf(folder, sizeof folder, "%s", scratch("folder"));
    ck_assert_int_eq(make_directory(folder), 0);
    put_marker(scratch("folder/lock"), "another's");
    GetCurrentDirectoryA(sizeof was, was);
    ck_assert(SetCurrentDirectoryA(scratch("folder/..")));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert(SetCurrentDirectoryA(folder));
    EXPECT(filelock_release(lock), 0);
    ck_assert(SetCurrentDirectoryA(was));
    expect_contents(scratch("folder/lock"), "another's");
    ck_assert(!path_exists(scratch("lock")));
    filelock_free(lock);
}
END_TEST

/* A file that cannot be deleted stays where it is. */
START_TEST(test_unlink_read_only)
{
    const struct kind *kind = os_kind();
    const char *path = scratch("lock");
    WCHAR text[MOST_PATH];
    struct filelock *lock = new_lock(kind, path, FILELOCK_UNLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert(SetFileAttributesW(wide(path, text), FILE_ATTRIBUTE_READONLY));
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(path_exists(path), 1);
    expect_nothing_beside(path);
    ck_assert(SetFileAttributesW(wide(path, text), FILE_ATTRIBUTE_NORMAL));
    filelock_free(lock);
}
END_TEST

static struct filelock *of_fiber;

static void CALLBACK be_a_fiber(void *back)
{
    of_fiber = new_lock(os_kind(), scratch("other"), 0);
    EXPECT(filelock_acquire(of_fiber, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    SwitchToFiber(back);
}

/* The locks belong to the thread, which goes on after its fiber was deleted. */
START_TEST(test_fiber_deleted)
{
    struct filelock *lock = new_lock(os_kind(), scratch("lock"), 0);
    void *self = ConvertThreadToFiber(NULL);
    ck_assert_ptr_nonnull(self);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    void *fiber = CreateFiber(0, be_a_fiber, self);
    ck_assert_ptr_nonnull(fiber);
    SwitchToFiber(fiber);
    DeleteFiber(fiber);
    ck_assert_int_eq(filelock_held(lock), 1);
    ck_assert_int_eq(filelock_held(of_fiber), 1);
    EXPECT(try_once(os_kind(), scratch("lock"), 0), -ETIMEDOUT);
    EXPECT(try_once(os_kind(), scratch("other"), 0), -ETIMEDOUT);
    filelock_free(of_fiber);
    filelock_free(lock);
}
END_TEST

/*
 * True if a program that was started keeps the file open after the release.  It inherits all handles that may be
 * inherited, and may live long.
 */
static int survives_in_child(unsigned flags)
{
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(os_kind(), path, flags);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    struct peer *peer = peer_start();
    PEER_SAYS(peer, "pong", "ping");
    filelock_free(lock);
    int busy = delete_error(path) == ERROR_SHARING_VIOLATION;
    ck_assert_int_eq(peer_end(peer), 0);
    return busy;
}

START_TEST(test_inherited)
{
    ck_assert_int_eq(survives_in_child(0), 0);
    /* The handle is inherited; the lock is not. */
    ck_assert_int_eq(survives_in_child(FILELOCK_KEEP_ON_EXEC), 1);
}
END_TEST

/* ---- The owner ------------------------------------------------------------------------------ */

/* Other programs can read nothing of what is locked exclusively, so the record is outside of that. */
START_TEST(test_owner_record)
{
    const struct kind *kind = os_kind();
    const char *path = scratch("lock");
    struct filelock_owner owner = { .size = sizeof owner };
    struct filelock *lock = new_lock(kind, path, FILELOCK_RECORD_OWNER), *other = new_lock(kind, path, 0);
    char bytes[1024];
    DWORD length;
    OVERLAPPED second = { .Offset = 1 };
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_owner(other, &owner), 0);
    ck_assert_int_eq(owner.pid, own_pid());
    ck_assert_int_eq(owner.alive, 1);
    ck_assert_int_eq(owner.local, 1);
    HANDLE reader = must_open(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, 0);
    ck_assert(ReadFile(reader, bytes, sizeof bytes - 1, &length, &second));
    bytes[length] = '\0';
    ck_assert_str_eq(bytes, marker_record(own_pid()));
    CloseHandle(reader);
    EXPECT(filelock_release(lock), 0);
    EXPECT(filelock_owner(other, &owner), -ENOTSUP);
    filelock_free(lock);
    filelock_free(other);
}
END_TEST

/* ---- Descriptors ---------------------------------------------------------------------------- */

START_TEST(test_descriptor)
{
    const struct kind *kind = os_kind();
    const char *path = scratch("lock");
    struct filelock_options options = options_of(kind);
    struct filelock *on_fd, *lock = new_lock(kind, path, 0);
    struct filelock_owner owner = { .size = sizeof owner };
    struct caller caller;
    int fd = open_fd(path);
    EXPECT(filelock_new_from_fd(&on_fd, fd, &options), 0);
    EXPECT(filelock_new_from_fd(&on_fd, -1, &options), -EBADF);
    EXPECT(filelock_acquire(on_fd, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(filelock_fd(on_fd), -1);
    ck_assert_int_eq(_lseek(fd, 3, SEEK_SET), 3);
    filelock_owner(on_fd, &owner);                /* which reads the file */
    ck_assert_int_eq(_lseek(fd, 0, SEEK_CUR), 3); /* the position is the caller's */
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_release(on_fd), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(on_fd, FILELOCK_EXCLUSIVE, 50), -ETIMEDOUT);
    EXPECT_TOOK(start, 50);
    caller_start(&caller);
    begin_acquire(&caller, on_fd, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    nap_ms(20);
    ck_assert_int_eq(still_calling(&caller), 1);
    EXPECT(filelock_release(lock), 0);
    EXPECT(end_call(&caller), 0);
    caller_end(&caller);
    filelock_free(on_fd);
    filelock_free(lock);
    close_fd(fd);
}
END_TEST

/* ---- Waiting -------------------------------------------------------------------------------- */

/* Returns the result of a wait for a lock that another handle holds.  `cancel` may end the wait. */
static int cancelled_by(const struct kind *kind, HANDLE cancel, unsigned flags)
{
    struct filelock_options options = options_of(kind);
    struct filelock *held = new_lock(kind, scratch("lock"), FILELOCK_ANY_THREAD);
    options.cancel = cancel;
    options.flags = flags;
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    EXPECT(filelock_acquire(held, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, 100);
    filelock_free(lock);
    filelock_free(held);
    return result;
}

START_TEST(test_cancel_objects)
{
    const struct kind *kind = kind_at(_i);
    struct peer *peer = peer_start();
    HANDLE manual = CreateEventW(NULL, TRUE, FALSE, NULL), automatic = CreateEventW(NULL, FALSE, TRUE, NULL);
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD) peer_pid(peer));
    EXPECT(cancelled_by(kind, manual, 0), -ETIMEDOUT);
    SetEvent(manual);
    EXPECT(cancelled_by(kind, manual, 0), -ECANCELED);
    EXPECT(cancelled_by(kind, automatic, 0), -ECANCELED);
    EXPECT(cancelled_by(kind, process, 0), -ETIMEDOUT);
    ck_assert_int_eq(peer_end(peer), 0);
    EXPECT(cancelled_by(kind, process, 0), -ECANCELED);
    EXPECT(cancelled_by(kind, (HANDLE) 0x7ffffff0, 0), -EINVAL);
    CloseHandle(manual);
    CloseHandle(automatic);
    CloseHandle(process);

    struct filelock_options options = options_of(kind);
    struct filelock *lock;
    options.cancel = INVALID_HANDLE_VALUE;
    EXPECT(filelock_new(&lock, scratch("lock"), &options), -EINVAL);
}
END_TEST

static void CALLBACK called(ULONG_PTR count)
{
    ++*(int *) count;
}

/* The closest thing to a signal: a call that is queued to the thread. */
START_TEST(test_queued_call)
{
    int count = 0;
    ck_assert(QueueUserAPC(called, GetCurrentThread(), (ULONG_PTR) &count));
    EXPECT(cancelled_by(kind_at(_i), FILELOCK_NO_WAITABLE, 0), -ETIMEDOUT);
    ck_assert_int_eq(count, 0);
    EXPECT(cancelled_by(kind_at(_i), FILELOCK_NO_WAITABLE, FILELOCK_INTERRUPTIBLE), -EINTR);
    ck_assert_int_eq(count, 1);
}
END_TEST

/* ---- Soft locks ----------------------------------------------------------------------------- */

/* A process is seen to have ended even while another process keeps a handle to it, and so its pid. */
START_TEST(test_soft_ended_process)
{
    NEEDS_SOFT();
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD) peer_pid(peer));
    ck_assert(process != NULL);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
    peer_kill(peer);
    EXPECT(try_soft(scratch("lock"), PATIENCE_MS), 0);
    CloseHandle(process);
}
END_TEST

/* A holder that writes no record, but keeps the file open, counts as alive. */
START_TEST(test_soft_open_marker)
{
    NEEDS_SOFT();
    const char *path = scratch("lock");
    HANDLE holder = must_open(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, 0);
    EXPECT(try_soft(path, GRACE_MS + 500), -ETIMEDOUT);
    CloseHandle(holder);
    EXPECT(try_soft(path, PATIENCE_MS), 0);
}
END_TEST

/* The path is free although the holder whose lock was broken has its marker open. */
START_TEST(test_soft_break)
{
    NEEDS_SOFT();
    const char *path = scratch("lock");
    struct filelock *lock = new_soft(path, FILELOCK_ANY_THREAD), *other = new_soft(path, FILELOCK_ANY_THREAD);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_break(other), 0);
    ck_assert_int_eq(path_exists(path), 0);
    EXPECT(filelock_check(lock), -ESTALE);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    EXPECT(filelock_check(other), 0);
    EXPECT(filelock_release(other), 0);
    expect_nothing_at(path);
    filelock_free(lock);
    filelock_free(other);
}
END_TEST

/* A reader of a marker does not keep it from being released, unless it reads for long. */
static void look_a_while(void *arg)
{
    nap_ms(50);
    CloseHandle(arg);
}

START_TEST(test_soft_release_while_read)
{
    NEEDS_SOFT();
    const char *path = scratch("lock");
    struct filelock *lock = new_soft(path, 0);
    struct worker worker;
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    HANDLE reader = must_open(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, 0);
    EXPECT(filelock_release(lock), -EAGAIN);
    ck_assert_int_eq(filelock_held(lock), 1);
    EXPECT(filelock_check(lock), 0);
    ck_assert_int_eq(worker_start(&worker), 0);
    int result = -EAGAIN;
    for (int tries = 0; tries < 10 && result == -EAGAIN; tries++) { /* the reader may be slow on a busy machine */
        if (tries > 0)
            reader = must_open(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, 0);
        worker_send(&worker, look_a_while, reader);
        result = filelock_release(lock);
        ck_assert(worker_done(&worker, PATIENCE_MS));
    }
    EXPECT(result, 0);
    worker_end(&worker);
    expect_nothing_at(path);
    filelock_free(lock);
}
END_TEST

struct release {
    struct filelock *lock;
    int result;
};

static void release_it(void *arg)
{
    struct release *release = arg;
    release->result = filelock_release(release->lock);
}

/*
 * Returns the result of a release.  While that waits for a reader, the marker is broken, and another handle acquires
 * the lock.
 */
static int release_broken(const char *path)
{
    struct filelock *other = new_soft(path, FILELOCK_ANY_THREAD);
    struct release release = { new_soft(path, FILELOCK_ANY_THREAD), 1 };
    struct worker worker;
    EXPECT(filelock_acquire(release.lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    HANDLE reader = must_open(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, 0);
    ck_assert_int_eq(worker_start(&worker), 0);
    worker_send(&worker, release_it, &release);
    nap_ms(50);
    CloseHandle(reader);
    while (path_exists(path)) /* the release may remove it first */
        filelock_break(other);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    worker_end(&worker);
    EXPECT(filelock_check(other), 0);
    filelock_free(release.lock);
    EXPECT(filelock_check(other), 0);
    filelock_free(other);
    expect_nothing_at(path);
    return release.result;
}

START_TEST(test_soft_broken_in_release)
{
    NEEDS_SOFT();
    int result = -EAGAIN;
    for (int tries = 0; tries < 10 && result == -EAGAIN; tries++) /* the reader was slow on a busy machine */
        result = release_broken(scratch("lock"));
    EXPECT(result, 0);
}
END_TEST

/* A break removes what a process left that was killed between moving a marker aside and removing it. */
START_TEST(test_soft_left_aside)
{
    NEEDS_SOFT();
    char name[64];
    snprintf(name, sizeof name, "lock.gone.%lld.7", (long long) dead_pid());
    put_marker(scratch(name), "");
    put_marker(scratch("lock.gone.x"), "");
    put_marker(scratch("lock.gone.99992.txt"), ""); /* a user's */
    snprintf(name, sizeof name, "lock.gone.%lld.7", (long long) own_pid());
    put_marker(scratch(name), "");
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_break(lock), -ENOENT);
    filelock_free(lock);
    ck_assert_int_eq(path_exists(scratch(name)), 1);
    ck_assert_int_eq(path_exists(scratch("lock.gone.x")), 1);
    ck_assert_int_eq(remove_file(scratch(name)), 0);
    ck_assert_int_eq(remove_file(scratch("lock.gone.x")), 0);
    ck_assert_int_eq(remove_file(scratch("lock.gone.99992.txt")), 0);
    expect_nothing_beside(scratch("lock"));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("windows");
    TCase *tcase = add_case(suite, "paths");
    ADD_FOR_KINDS(tcase, test_utf8);
    ADD_FOR_KINDS(tcase, test_long_paths);
    ADD_FOR_KINDS(tcase, test_spellings);
    ADD_FOR_KINDS(tcase, test_share);
    ADD_FOR_KINDS(tcase, test_share_wait);
    ADD_FOR_KINDS(tcase, test_missing_share);
    ADD_FOR_KINDS(tcase, test_relative);
    ADD_FOR_KINDS(tcase, test_name_ends);
    ADD_FOR_KINDS(tcase, test_devices);
    ADD_FOR_KINDS(tcase, test_pipe);
    ADD_FOR_KINDS(tcase, test_missing_parents);
    ADD_FOR_KINDS(tcase, test_directory);
    ADD_FOR_KINDS(tcase, test_reparse_point);
    tcase = add_case(suite, "others");
    ADD_FOR_KINDS(tcase, test_sharing_violation);
    tcase_add_test(tcase, test_denied);
    tcase_add_test(tcase, test_denied_for_a_moment);
    tcase_add_test(tcase, test_held_file_stays);
    tcase_add_test(tcase, test_unlink);
    tcase_add_test(tcase, test_unlink_locked_by_another);
    ADD_FOR_KINDS(tcase, test_unlink_of_another);
    tcase_add_test(tcase, test_unlink_read_only);
    tcase_add_test(tcase, test_fiber_deleted);
    tcase_add_test(tcase, test_inherited);
    tcase = add_case(suite, "owner and descriptor");
    tcase_add_test(tcase, test_owner_record);
    tcase_add_test(tcase, test_descriptor);
    tcase = add_case(suite, "waiting");
    ADD_FOR_KINDS(tcase, test_cancel_objects);
    ADD_FOR_KINDS(tcase, test_queued_call);
    tcase = add_case(suite, "soft");
    tcase_add_test(tcase, test_soft_ended_process);
    tcase_add_test(tcase, test_soft_open_marker);
    tcase_add_test(tcase, test_soft_break);
    tcase_add_test(tcase, test_soft_release_while_read);
    tcase_add_test(tcase, test_soft_broken_in_release);
    tcase_add_test(tcase, test_soft_left_aside);
    return suite;
}
