/* SPDX-License-Identifier: MIT
 *
 * test_hostile.c - what another user may plant at the path of a lock, in a directory that others can write.  A plant is
 * neither waited for, nor followed, nor changed.  The handle can be used once the plant is gone.
 */
#include "posix.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifdef __linux__
#include <sys/sysmacros.h>
#endif

#define ANOTHER 54321
#define VICTIM "somebody's data\n"

/* ---- Plants ------------------------------------------------------------------------------------ */

/* Each makes a plant at a path, in a directory that also has "victim".  Returns 0, or -1 where it cannot be made. */
static int plant_link(const char *path)
{
    return symlink("victim", path);
}

static int plant_dangling(const char *path)
{
    return symlink("nothing", path);
}

static int plant_loop(const char *path)
{
    return symlink(strrchr(path, '/') + 1, path);
}

static int plant_absolute(const char *path)
{
    return symlink("/dev/null", path);
}

static int plant_fifo(const char *path)
{
    return mkfifo(path, 0666);
}

static int plant_socket(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), result;
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path);
    result = bind(fd, (const struct sockaddr *) &address, sizeof address);
    close(fd);
    return result;
}

static int plant_directory(const char *path)
{
    return mkdir(path, 0777);
}

static int plant_null(const char *path)
{
    return mknod(path, S_IFCHR | 0666, makedev(1, 3));
}

static int plant_zero(const char *path)
{
    return mknod(path, S_IFCHR | 0666, makedev(1, 5));
}

static int plant_full(const char *path)
{
    return mknod(path, S_IFCHR | 0666, makedev(1, 7));
}

/* Makes a device that has no driver. */
static int plant_no_device(const char *path)
{
    return mknod(path, S_IFCHR | 0666, makedev(511, 255));
}

/* Makes a file of a terabyte that has no contents, where files may be that large. */
static int plant_sparse(const char *path)
{
    const int64_t terabyte = INT64_C(1) << 40;
    if (sizeof(off_t) < sizeof terabyte)
        return -1;
    make_file(path, 0666, "");
    return truncate(path, (off_t) terabyte);
}

static int plant_hard_link(const char *path)
{
    char victim[2048];
    snprintf(victim, sizeof victim, "%.*s/victim", (int) (strrchr(path, '/') - path), path);
    return link(victim, path);
}

/* Makes a file of another user that all users may read. */
static int plant_anothers(const char *path)
{
    make_file(path, 0644, VICTIM);
    return chown(path, ANOTHER, ANOTHER);
}

static int plant_secret(const char *path)
{
    make_file(path, 0600, VICTIM);
    return chown(path, ANOTHER, ANOTHER);
}

enum { FLOCK, OFD, SOFT, KINDS };

/* What an exclusive acquire without waiting returns, for each kind. */
struct answers {
    int of[KINDS];
};

#define ALL(result)                \
    {                              \
        {                          \
            result, result, result \
        }                          \
    }
#define TAKEN -ETIMEDOUT  /* to a soft lock, a file that cannot be read is a marker that is held */
#define NO_MARKER -EEXIST /* and a file that is no record is no marker */

static const struct plant {
    const char *name;
    int (*make)(const char *path);
    struct answers to_root, to_user;
} plants[] = {
    { "link", plant_link, ALL(-ELOOP), ALL(-ELOOP) },
    { "dangling link", plant_dangling, ALL(-ELOOP), ALL(-ELOOP) },
    { "loop", plant_loop, ALL(-ELOOP), ALL(-ELOOP) },
    { "link to a device", plant_absolute, ALL(-ELOOP), ALL(-ELOOP) },
    { "fifo", plant_fifo, { { 0, 0, TAKEN } }, { { 0, 0, TAKEN } } },
    { "socket", plant_socket, { { -ENXIO, -ENXIO, TAKEN } }, { { -ENXIO, -ENXIO, TAKEN } } },
    { "directory", plant_directory, { { 0, -EISDIR, -EISDIR } }, { { 0, -EISDIR, -EISDIR } } },
    { "null", plant_null, { { 0, 0, TAKEN } }, { { 0, 0, TAKEN } } },
    { "zero", plant_zero, { { 0, 0, TAKEN } }, { { 0, 0, TAKEN } } },
    { "full", plant_full, { { 0, 0, TAKEN } }, { { 0, 0, TAKEN } } },
    { "no device", plant_no_device, { { -ENXIO, -ENXIO, TAKEN } }, { { -ENXIO, -ENXIO, TAKEN } } },
    { "terabyte", plant_sparse, { { 0, 0, NO_MARKER } }, { { 0, 0, NO_MARKER } } },
    { "hard link", plant_hard_link, { { 0, 0, NO_MARKER } }, { { 0, -EACCES, NO_MARKER } } },
    { "file of another", plant_anothers, { { 0, 0, NO_MARKER } }, { { 0, -EACCES, NO_MARKER } } },
    { "secret", plant_secret, { { 0, 0, NO_MARKER } }, { { -EACCES, -EACCES, TAKEN } } },
};

#define PLANTS (sizeof plants / sizeof *plants)

static int answer(const struct answers *answers, const struct kind *kind)
{
    return answers->of[kind->kind == FILELOCK_KIND_FLOCK ? FLOCK : kind->kind == FILELOCK_KIND_OFD ? OFD : SOFT];
}

/* ---- Directories ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned mode;
} folders[] = { { "open", 0777 }, { "sticky", 01777 }, { "group", 0775 } };

#define FOLDERS (sizeof folders / sizeof *folders)

static const char *at(size_t folder, const char *name)
{
    static char path[2048];
    snprintf(path, sizeof path, "%s/%s", scratch(folders[folder].name), name);
    return path;
}

/* Called as root: makes all plants in all directories, and a victim in each. */
static void plant_all(int made[PLANTS])
{
    umask(0);
    for (size_t f = 0; f < FOLDERS; f++) {
        ck_assert_int_eq(make_directory(scratch(folders[f].name)), 0);
        ck_assert_int_eq(chown(scratch(folders[f].name), 0, NOBODY), 0);
        ck_assert_int_eq(chmod(scratch(folders[f].name), (mode_t) folders[f].mode), 0);
        make_file(at(f, "victim"), 0644, VICTIM);
        for (size_t i = 0; i < PLANTS; i++)
            made[i] = plants[i].make(at(f, plants[i].name)) == 0;
    }
    for (size_t i = 0; i < PLANTS; i++)
        if (!made[i])
            say_skipped("hostile", "cannot make a %s here", plants[i].name);
}

static struct stat look(const char *path)
{
    struct stat status;
    ck_assert_msg(lstat(path, &status) == 0, "%s is gone", path);
    return status;
}

static void expect_unharmed(const char *path, const struct stat *before)
{
    struct stat after = look(path);
    ck_assert_msg(after.st_ino == before->st_ino && after.st_dev == before->st_dev, "%s is another", path);
    ck_assert_msg(after.st_mode == before->st_mode && after.st_uid == before->st_uid, "%s: another's", path);
    ck_assert_msg(after.st_size == before->st_size, "%s: another size", path);
    ck_assert_msg(after.st_mtim.tv_sec == before->st_mtim.tv_sec, "%s was written", path);
    ck_assert_msg(after.st_mtim.tv_nsec == before->st_mtim.tv_nsec, "%s was written", path);
}

static void expect_victims_unharmed(void)
{
    for (size_t f = 0; f < FOLDERS; f++) {
        expect_contents(at(f, "victim"), VICTIM);
        ck_assert(!path_exists(at(f, "nothing")));
    }
}

/* ---- Tests ------------------------------------------------------------------------------------- */

/* Locks a plant, or is refused.  If the library waited, it would wait for ever, until the time limit of the test. */
static struct filelock *meet(const struct kind *kind, const char *path, int wanted)
{
    struct filelock *lock = new_lock(kind, path, 0);
    struct filelock_owner owner = { .size = sizeof owner };
    struct stat before = look(path);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    ck_assert_msg(result == wanted, "%s, %s: %s, not %s", kind->name, path, result_name(result), result_name(wanted));
    ck_assert_int_eq(filelock_held(lock), result == 0);
    filelock_owner(lock, &owner); /* looks inside, without waiting */
    if (result == 0) {
        EXPECT(filelock_check(lock), 0);
        EXPECT(filelock_release(lock), 0);
    }
    expect_unharmed(path, &before);
    return lock;
}

static void meet_all(const struct kind *kind, const int made[PLANTS], int as_root)
{
    for (size_t f = 0; f < FOLDERS; f++)
        for (size_t i = 0; i < PLANTS; i++)
            if (made[i])
                filelock_free(
                    meet(kind, at(f, plants[i].name), answer(as_root ? &plants[i].to_root : &plants[i].to_user, kind)));
    expect_victims_unharmed();
}

START_TEST(test_as_root)
{
    NEEDS_ROOT();
    int made[PLANTS];
    plant_all(made);
    meet_all(kind_at(_i), made, 1);
}
END_TEST

START_TEST(test_as_user)
{
    NEEDS_ROOT();
    int made[PLANTS];
    plant_all(made);
    become_nobody();
    meet_all(kind_at(_i), made, 0);
}
END_TEST

/* Once the plant is gone, the same handle locks the file that is there then. */
START_TEST(test_usable_afterwards)
{
    NEEDS_ROOT();
    const struct kind *kind = kind_at(_i);
    int made[PLANTS];
    plant_all(made);
    become_nobody();
    for (size_t i = 0; i < PLANTS; i++) {
        const char *path = at(0, plants[i].name);
        if (!made[i])
            continue;
        struct filelock *lock = meet(kind, path, answer(&plants[i].to_user, kind));
        ck_assert_int_eq(remove(path), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_check(lock), 0);
        EXPECT(filelock_release(lock), 0);
        filelock_free(lock);
        remove(path);
    }
    expect_victims_unharmed();
}
END_TEST

/* A record is written into regular files only. */
START_TEST(test_record_owner)
{
    NEEDS_ROOT();
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    static const char *const special[] = { "link", "dangling link", "loop",      "link to a device",
                                           "fifo", "socket",        "directory", "null",
                                           "zero", "full",          "no device" };
    int made[PLANTS];
    plant_all(made);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        const char *path = at(0, special[i]);
        struct stat before;
        if (lstat(path, &before) != 0)
            continue;
        struct filelock *lock = new_lock(kind, path, FILELOCK_RECORD_OWNER);
        int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
        ck_assert_msg(result < 0 && result != -ETIMEDOUT, "%s: %s", special[i], result_name(result));
        ck_assert_int_eq(filelock_held(lock), 0);
        filelock_free(lock);
        expect_unharmed(path, &before);
    }
    expect_victims_unharmed();
}
END_TEST

/* The last release removes nothing but a lock file. */
START_TEST(test_unlink)
{
    NEEDS_ROOT();
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    make_file(scratch("folder/victim"), 0644, VICTIM);
    ck_assert_int_eq(symlink("folder/victim", scratch("link")), 0);
    struct filelock *lock = new_lock(kind, scratch("folder"), FILELOCK_UNLINK);
    int result = filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY);
    EXPECT(result, 0);
    filelock_release(lock);
    filelock_free(lock);
    lock = new_lock(kind, scratch("link"), FILELOCK_UNLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ELOOP);
    filelock_free(lock);
    expect_contents(scratch("folder/victim"), VICTIM);
    ck_assert(path_exists(scratch("link")));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("hostile");
    TCase *tcase = add_case(suite, "plants");
    ADD_FOR_KINDS(tcase, test_as_root);
    ADD_FOR_KINDS(tcase, test_as_user);
    ADD_FOR_KINDS(tcase, test_usable_afterwards);
    ADD_FOR_KINDS(tcase, test_record_owner);
    ADD_FOR_KINDS(tcase, test_unlink);
    return suite;
}
