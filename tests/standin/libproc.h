/* SPDX-License-Identifier: MIT
 *
 * libproc.h - what the library uses of macOS's libproc, for the stand-in on Linux (standin.c).
 */
#ifndef STANDIN_LIBPROC_H
#define STANDIN_LIBPROC_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>

/* On macOS these are in sys/fcntl.h. */
#define FREAD 1
#define FWRITE 2

#define PROC_PIDLISTFDS 1
#define PROC_PIDTBSDINFO 3
#define PROC_PIDFDVNODEINFO 1
#define PROX_FDTYPE_VNODE 1
#define PROX_FDTYPE_SOCKET 2

struct proc_bsdinfo {
    uint32_t pbi_status;
    char pbi_comm[16];
    char pbi_name[32];
    uint64_t pbi_start_tvsec;
    uint64_t pbi_start_tvusec;
};

struct proc_fdinfo {
    int32_t proc_fd;
    uint32_t proc_fdtype;
};

struct vnode_fdinfo {
    struct {
        uint32_t fi_openflags;
    } pfi;
    struct {
        struct {
            uint32_t vst_dev;
            uint64_t vst_ino;
        } vi_stat;
    } pvi;
};

int proc_listallpids(void *buffer, int size);
int proc_pidinfo(int pid, int flavor, uint64_t arg, void *buffer, int size);
int proc_pidfdinfo(int pid, int fd, int flavor, void *buffer, int size);

#endif
