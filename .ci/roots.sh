# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Makes clean root file systems of the Debian that this machine runs, or of another release of Debian: once by mmdebstrap,
# then unpacked for each use.  Needs to be root, and $work.
: "${work:?}"

# shellcheck disable=SC1091 # what it says is of this machine
release_here() { (. /etc/os-release && echo "$VERSION_CODENAME"); }

# Prints the lines of sources.list for Debian's own archives that apt-get knows, with this release in place of this
# machine's.
debian_sources() { # RELEASE
    apt-get indextargets --format '$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' |
        sed -n "s/^Debian|//p" | sed "s/^\(deb [^ ]* \)$(release_here)/\1$1/" | sort -u
}

base_system() { # RELEASE: makes $work/RELEASE.tar
    [ "$(id -u)" -eq 0 ] || { echo "a root file system is made by root" && return 1; }
    local sources
    sources=$(debian_sources "$1")
    [ -n "$sources" ] || { apt-get -q update && sources=$(debian_sources "$1"); }
    [ -n "$sources" ] || { echo "apt-get knows no archive of Debian here" && return 1; }
    mmdebstrap --quiet --mode=root --variant=apt --include=gcc,libc6-dev,make,pkgconf \
        --dpkgopt=force-unsafe-io --skip=cleanup/apt/lists --format=tar "$1" "$work/$1.tar.new" - \
        <<<"$sources"
    mv "$work/$1.tar.new" "$work/$1.tar"
}

new_root() { # DIRECTORY [RELEASE]
    local release=${2-}
    [ -n "$release" ] || release=$(release_here)
    (
        flock 8
        [ -e "$work/$release.tar" ] || base_system "$release"
    ) 8>"$work/$release.lock"
    mkdir -p "$1"
    tar -C "$1" -xpf "$work/$release.tar"
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
    echo '127.0.0.1 localhost' >"$1/etc/hosts"
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
