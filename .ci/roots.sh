# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Clean root file systems of the Debian that this machine runs, made once by mmdebstrap and unpacked for each
# use.  Wants root, and $work.
: "${work:?}"

# What apt-get knows of Debian's own archive, one line of sources.list each.
debian_sources() {
    apt-get indextargets --format '$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' |
        sed -n 's/^Debian|//p' | sort -u
}

base_system() { # makes $work/base.tar
    [ "$(id -u)" -eq 0 ] || { echo "a root file system is made by root" && return 1; }
    local sources
    sources=$(debian_sources)
    [ -n "$sources" ] || { apt-get -q update && sources=$(debian_sources); }
    [ -n "$sources" ] || { echo "apt-get knows no archive of Debian here" && return 1; }
    # shellcheck disable=SC1091 # what it says is of this machine
    mmdebstrap --quiet --mode=root --variant=apt --include=gcc,libc6-dev,make,pkgconf \
        --dpkgopt=force-unsafe-io --skip=cleanup/apt/lists --format=tar "$(. /etc/os-release && echo "$VERSION_CODENAME")" \
        "$work/base.tar.new" - <<<"$sources"
    mv "$work/base.tar.new" "$work/base.tar"
}

new_root() { # DIRECTORY
    (
        flock 8
        [ -e "$work/base.tar" ] || base_system
    ) 8>"$work/base.lock"
    mkdir -p "$1"
    tar -C "$1" -xpf "$work/base.tar"
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
}

# Its mounts are its own, and go with its last process.
with_mounts() { # DIRECTORY COMMAND...
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount sh -euc '
        mount -t proc proc "$1/proc"
        mount -t tmpfs tmpfs "$1/tmp" -o mode=1777
        shift
        exec "$@"' sh "$@"
}

in_root() { # DIRECTORY COMMAND...
    local root=$1
    shift
    with_mounts "$root" env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin ${http_proxy:+http_proxy="$http_proxy"} \
        chroot "$root" "$@"
}

install_in() { # DIRECTORY PACKAGE...
    in_root "$1" apt-get -q -y --no-install-recommends install "${@:2}"
}

# in_as_user DIRECTORY COMMAND...: as somebody who is not root, with a home.
in_as_user() {
    local root=$1
    shift
    grep -q '^builder:' "$root/etc/passwd" || in_root "$root" useradd --create-home builder
    in_root "$root" setpriv --reuid=builder --regid=builder --init-groups env HOME=/home/builder "$@"
}
