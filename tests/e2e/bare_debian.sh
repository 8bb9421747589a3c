#!/bin/sh
# Makes the image of a bare Debian 12, once, and prints its name. Where images can be pulled that
# would be debian:bookworm-slim; this one is made of Debian's packages alone, and is as slim.
set -eu
name=courier-relay-bare-debian:bookworm
if test -z "$(docker images -q "$name")"; then
    command -v debootstrap >/dev/null || {
        echo "this needs debootstrap: apt-get install debootstrap" >&2
        exit 1
    }
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    root=$work/root
    debootstrap --variant=minbase bookworm "$root" >&2
    # What the slim image leaves out, now and of what is installed later.
    for folder in doc man locale info; do
        echo "path-exclude /usr/share/$folder/*"
        rm -rf "${root:?}/usr/share/$folder"
    done >"$root/etc/dpkg/dpkg.cfg.d/slim"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*
    # An update must go through what this machine's own apt goes through.
    cp /etc/apt/sources.list "$root/etc/apt/" 2>/dev/null || rm "$root/etc/apt/sources.list"
    cp -r /etc/apt/sources.list.d /etc/apt/apt.conf.d "$root/etc/apt/" 2>/dev/null || true
    tar -C "$root" -c . | docker import - "$name" >/dev/null
fi
echo "$name"
