#!/bin/sh
# Becomes bubblewrap. $1 how: user, rooted or plain (see isolation.ts), $2 the bubblewrap executable, $3 file with its
# NUL-separated options, $4 file with the filter of system calls. Unless how is user: $5 the sandbox's own user and group,
# $6 a mount point to build on, $7 how many pairs of a name and a source follow. Then the command to run inside.
set -e
how=$1 bwrap=$2 options=$3 filter=$4
shift 4
[ "$how" = user ] && exec "$bwrap" --args 3 --seccomp 4 -- "$@" 3< "$options" 4< "$filter"
id=$1 stage=$2 pairs=$3
shift 3
# The terminal changes hands, so that /dev/stdout can be opened inside.
if [ -t 0 ]; then chown "$id" /proc/self/fd/0; fi
# We are in a mount namespace of our own, which may still hand mounts on to the machine: on a private one nothing leaves.
mount --make-private "$stage"
mount -t tmpfs -o mode=755,size=1m,nosuid,nodev sandbox "$stage"
if [ "$how" = plain ]; then
  # bubblewrap wants a root that is a mount point, which that of a chroot is not.
  mkdir "$stage/root"
  mount --rbind / "$stage/root"
  mount --make-rprivate "$stage/root"
  exec chroot "$stage/root" "$bwrap" --args 3 --seccomp 4 -- "$@" 3< "$options" 4< "$filter"
fi
# What the sandbox gets to see lies in closed folders; here its user can reach it.
while [ "$pairs" -gt 0 ]; do
  if [ -d "$2" ]; then mkdir "$stage/$1"; else : > "$stage/$1"; fi
  mount --bind "$2" "$stage/$1"
  shift 2
  pairs=$((pairs - 1))
done
exec setpriv --reuid "$id" --regid "$id" --clear-groups --inh-caps=-all --ambient-caps=-all --bounding-set=-all \
  "$bwrap" --args 3 --seccomp 4 -- "$@" 3< "$options" 4< "$filter"
