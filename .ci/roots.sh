# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Makes clean root file systems of the Debian that this machine runs: once by mmdebstrap, then unpacked for each use.
# Needs to be root, and $work.
: "${work:?}"

# Prints the lines of sources.list for Debian's own archives that apt-get knows.
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

# Runs a command with /proc and /tmp mounted in DIRECTORY.  The mounts are private, and go with the last process.
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

# in_as_user DIRECTORY COMMAND...: runs a command in the root as a user that is not root, and has a home.
in_as_user() {
    local root=$1
    shift
    grep -q '^builder:' "$root/etc/passwd" || in_root "$root" useradd --create-home builder
    in_root "$root" setpriv --reuid=builder --regid=builder --init-groups env HOME=/home/builder "$@"
}
