#!/bin/sh
# First process without isolation, for machines that forbid namespaces and operators who accept that.
# $1 file for "pid starttime generation", $2 generation, further arguments: the command
note=$1 generation=$2
shift 2
stat=$(cat /proc/$$/stat)
start=$(set -- ${stat##*) }; printf '%s' "${20}")
printf '%s %s %s\n' "$$" "$start" "$generation" > "$note.new" && mv "$note.new" "$note"
exec "$@"
