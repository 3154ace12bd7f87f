/* SPDX-License-Identifier: MIT
 *
 * doctor_findings.c - what the findings mean: how far locks reach, and which kind to use.
 */
#include "doctor_findings.h"

#include <stdio.h>
#include <string.h>

static int default_kind(void)
{
    struct filelock *lock = NULL;
    int kind = FILELOCK_KIND_DEFAULT;

    if (filelock_new(&lock, "default", NULL) == 0)
        kind = filelock_kind(lock);
    filelock_free(lock);
    return kind;
}

int findings_begin(struct findings *findings, const char *directory, int judged)
{
    int kind, preferred = default_kind();

    memset(findings, 0, sizeof *findings);
    findings->directory = directory;
    findings->judged = judged == FILELOCK_KIND_DEFAULT ? preferred : judged;
    findings->is_default = findings->judged == preferred;
    findings->recommended = -1;
    for (kind = FILELOCK_KIND_DEFAULT + 1; kind < MAX_KINDS; kind++)
        if (filelock_kind_name(kind) != NULL && filelock_supported(kind)) {
            findings->kinds[findings->count].kind = kind;
            findings->kinds[findings->count].wake_us = -1;
            findings->count++;
        }
    return findings_judged(findings) != NULL;
}

const struct kind_findings *findings_judged(const struct findings *findings)
{
    int i;

    for (i = 0; i < findings->count; i++)
        if (findings->kinds[i].kind == findings->judged)
            return &findings->kinds[i];
    return NULL;
}

const char *finding_json(enum finding finding)
{
    return finding == WORKS ? "true" : finding == FAILS ? "false" : "null";
}

const char *finding_text(enum finding finding)
{
    return finding == WORKS ? "yes" : finding == FAILS ? "no" : "-";
}

/* ---- How far locks reach -------------------------------------------------------------------- */

#define MACHINE_ONLY "locks are kept by this machine's kernel only"

struct file_system {
    const char *type; /* a type, or "fuse." for all types that begin so */
    enum reach flock, ofd, soft;
    const char *sentence;
};

/* A disk, or memory, that one machine has mounted. */
#define OF_ONE_MACHINE REACH_MACHINE, REACH_MACHINE, REACH_MACHINE
#define OF_THE_SERVER REACH_SERVER, REACH_SERVER, REACH_SERVER

static const char one_disk[] = MACHINE_ONLY ", and no other machine mounts this disk meanwhile";
static const char memory[] = MACHINE_ONLY ", and no other machine sees these files";
static const char fuse[] = MACHINE_ONLY ", unless this FUSE file system asks for locks; what other machines see, it "
                                        "decides";

static const struct file_system file_systems[] = {
    { "tmpfs", OF_ONE_MACHINE, memory },
    { "ramfs", OF_ONE_MACHINE, memory },
    { "ext2", OF_ONE_MACHINE, one_disk },
    { "ext3", OF_ONE_MACHINE, one_disk },
    { "ext4", OF_ONE_MACHINE, one_disk },
    { "xfs", OF_ONE_MACHINE, one_disk },
    { "btrfs", OF_ONE_MACHINE, one_disk },
    { "bcachefs", OF_ONE_MACHINE, one_disk },
    { "f2fs", OF_ONE_MACHINE, one_disk },
    { "zfs", OF_ONE_MACHINE, one_disk },
    { "jfs", OF_ONE_MACHINE, one_disk },
    { "vfat", OF_ONE_MACHINE, one_disk },
    { "exfat", OF_ONE_MACHINE, one_disk },
    { "ntfs3", OF_ONE_MACHINE, one_disk },
    { "fuseblk", OF_ONE_MACHINE, one_disk },
    { "overlay", REACH_MACHINE, REACH_MACHINE, REACH_MACHINE, MACHINE_ONLY ", whatever its layers are on" },
    { "nfs", OF_THE_SERVER, "the NFS server keeps locks, for every client that mounts it with locks" },
    { "nfs4", OF_THE_SERVER, "the NFS server keeps locks, for every client that mounts it with locks" },
    { "cifs", OF_THE_SERVER, "the SMB server keeps locks, and refuses reads and writes of what another has locked" },
    { "smb3", OF_THE_SERVER, "the SMB server keeps locks, and refuses reads and writes of what another has locked" },
    { "fuse", REACH_MACHINE, REACH_MACHINE, REACH_UNKNOWN, fuse },
    { "fuse.", REACH_MACHINE, REACH_MACHINE, REACH_UNKNOWN, fuse },
    { "virtiofs", REACH_MACHINE, REACH_MACHINE, REACH_SERVER,
      MACHINE_ONLY ", unless virtiofsd was told to take them; its files are the host's" },
    { "9p", REACH_UNKNOWN, REACH_UNKNOWN, REACH_SERVER,
      "locks go to the 9p server, which may grant every one, as QEMU's does; its files are the host's" },
    { "ceph", OF_THE_SERVER, "the metadata server keeps locks, for every client" },
    { "lustre", OF_THE_SERVER, "the lock manager keeps locks, for every client" },
    { "gfs2", OF_THE_SERVER, "the lock manager keeps locks, for every node of the cluster" },
    { "ocfs2", REACH_SERVER, REACH_UNKNOWN, REACH_SERVER,
      "the lock manager keeps flock locks; it keeps fcntl locks only with a cluster stack that has them" },
};

static const char local_locks[] = MACHINE_ONLY ": the mount options keep them from the server";

/* True if a list with commas has this option. */
static int has_option(const char *options, const char *option)
{
    size_t length = strlen(option);
    const char *at = options;

    while ((at = strstr(at, option)) != NULL) {
        if ((at == options || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
            return 1;
        at += length;
    }
    return 0;
}

static int is_of_type(const struct file_system *system, const char *type)
{
    size_t length = strlen(system->type);

    return system->type[length - 1] == '.' ? strncmp(type, system->type, length) == 0 : strcmp(type, system->type) == 0;
}

/* Applies the mount options that keep locks from the server. */
static void apply_options(struct file_system *system, const char *options)
{
    int all = has_option(options, "local_lock=all") || has_option(options, "nolock") || has_option(options, "nobrl") ||
              has_option(options, "localflock") || has_option(options, "localflocks");

    if (all || has_option(options, "local_lock=flock"))
        system->flock = REACH_MACHINE;
    if (all || has_option(options, "local_lock=posix"))
        system->ofd = REACH_MACHINE;
    if (system->flock == REACH_MACHINE && system->ofd == REACH_MACHINE)
        system->sentence = local_locks;
    else if (system->flock == REACH_MACHINE)
        system->sentence = "flock " MACHINE_ONLY " (local_lock); the server keeps the others";
    else if (system->ofd == REACH_MACHINE)
        system->sentence = "fcntl " MACHINE_ONLY " (local_lock); the server keeps the others";
}

static enum reach reach_of(const struct file_system *system, int kind)
{
    switch (kind) {
    case FILELOCK_KIND_FLOCK:
        return system->flock;
    case FILELOCK_KIND_OFD:
        return system->ofd;
    case FILELOCK_KIND_SOFT:
    case FILELOCK_KIND_LEASE:
        return system->soft;
    default:
        return REACH_UNKNOWN;
    }
}

void reach_find(struct findings *findings)
{
    struct file_system system = { "", REACH_UNKNOWN, REACH_UNKNOWN, REACH_UNKNOWN,
                                  "what this file system does with locks is not known" };
    size_t i;
    int k;

    for (i = 0; i < sizeof file_systems / sizeof *file_systems; i++)
        if (is_of_type(&file_systems[i], findings->mount.type))
            system = file_systems[i];
    if (system.flock == REACH_SERVER)
        apply_options(&system, findings->mount.options);
    snprintf(findings->between, sizeof findings->between, "%s%s", system.sentence,
             has_option(findings->mount.options, "noac") ? "; noac: every look goes to the server" : "");
    for (k = 0; k < findings->count; k++)
        findings->kinds[k].reach = reach_of(&system, findings->kinds[k].kind);
}

/* ---- Which kind to use ---------------------------------------------------------------------- */

static int is_good(const struct kind_findings *kind)
{
    return kind->excludes == WORKS && kind->shares != FAILS && kind->ends_with_holder != FAILS &&
           kind->waiting != WAITING_LOST && kind->error[0] == '\0';
}

/* True if some kind may be seen by other machines: then its files are. */
static int is_shared(const struct findings *findings)
{
    int i;

    for (i = 0; i < findings->count; i++)
        if (findings->kinds[i].reach == REACH_SERVER)
            return 1;
    return 0;
}

/* Rates a kind.  A lock that reaches other machines comes first where the files do.  There an fcntl lock comes before
 * flock, which NFS and SMB imitate by it.  Next comes the judged kind, then those of the
 * operating system, then soft.  A lease comes last, since it can be lost. */
static int rate(const struct findings *findings, const struct kind_findings *kind)
{
    int rating = 1;

    if (!is_good(kind))
        return 0;
    if (is_shared(findings) && kind->reach == REACH_SERVER)
        rating += 16;
    if (is_shared(findings) && kind->kind == FILELOCK_KIND_OFD)
        rating += 8;
    if (kind->kind == FILELOCK_KIND_SOFT)
        rating += 1;
    else if (kind->kind != FILELOCK_KIND_LEASE)
        rating += 2;
    if (kind->kind == findings->judged)
        rating += 4;
    return rating;
}

static const struct kind_findings *choose(const struct findings *findings)
{
    const struct kind_findings *best = NULL;
    int i, rating = 0;

    for (i = 0; i < findings->count; i++)
        if (rate(findings, &findings->kinds[i]) > rating) {
            best = &findings->kinds[i];
            rating = rate(findings, best);
        }
    return best;
}

static const char *of_reach(const struct kind_findings *kind)
{
    switch (kind->reach) {
    case REACH_SERVER:
        return "for programs of all machines that mount it";
    case REACH_MACHINE:
        return "for programs of this machine";
    default:
        return "for programs of this machine; whether others are excluded, --doctor --meet tells";
    }
}

void advise(struct findings *findings)
{
    const struct kind_findings *best = choose(findings), *judged = findings_judged(findings);
    const char *lack = "does not exclude here";

    if (best == NULL) {
        snprintf(findings->advice, sizeof findings->advice,
                 "No kind of lock works here: keep lock files on another file system, such as /run.");
        return;
    }
    findings->recommended = best->kind;
    if (judged == NULL || judged == best) {
        snprintf(findings->advice, sizeof findings->advice, "Use %s%s, %s.", filelock_kind_name(best->kind),
                 findings->is_default && judged == best ? ", the default" : "", of_reach(best));
        return;
    }
    if (judged->excludes == WORKS)
        lack = !is_good(judged)               ? "excludes, but fails otherwise"
               : judged->reach == best->reach ? "works too, but the server knows only byte ranges"
                                              : "ends at this machine";
    else if (judged->excludes == NOT_TRIED)
        lack = "cannot be used here";
    snprintf(findings->advice, sizeof findings->advice, "Use %s, %s: %s %s.", filelock_kind_name(best->kind),
             of_reach(best), filelock_kind_name(judged->kind), lack);
}
