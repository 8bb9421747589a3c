#!/bin/sh
# The demo from a clone in a bare Debian 12, where make is not even there: copies a clean clone of
# this tree into one, and runs the README's line.
set -eu
cd "$(dirname "$0")/../.."
base=$(tests/e2e/bare_debian.sh)

line=$(sed -n 's/^    \(apt-get update .*make demo\)$/\1/p' README.md)
test -n "$line" || { echo "README.md has no line for a bare container" >&2; exit 1; }

clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git clone -q . "$clone/courier-relay"
# A copy, not a mount: the queue shall lie on the container's own overlay.
container=$(docker create --network host -w /courier-relay -e DEBIAN_FRONTEND=noninteractive \
    -e DEBCONF_NOWARNINGS=yes "$base" sh -c "$line")
trap 'rm -rf "$clone"; docker rm -f "$container" >/dev/null' EXIT
docker cp "$clone/courier-relay/." "$container:/courier-relay" >/dev/null
echo "in a bare Debian: $line"
docker start -a "$container"

# The mails were written to the container's /tmp, and it is removed now.
mails=$(mktemp -d)
docker cp "$container:/tmp/." "$mails" >/dev/null
echo "The container is removed; what it wrote is below $mails"
