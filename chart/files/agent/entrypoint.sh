#!/bin/sh
# First process of an agent's pod: prepares home and workspace, then ttyd -> dtach -> loop -> claude. Stays to collect
# ended processes, and to end the CLI gently when the pod is stopped.
set -u
start=/run/sac-start
socket=/run/terminal/claude
umask 022
# For the CLI's own sockets: the /tmp of a pod has no sticky bit, which it rightly does not trust.
XDG_RUNTIME_DIR=/dev/shm/agent
export XDG_RUNTIME_DIR
mkdir -p -m 700 "$XDG_RUNTIME_DIR"
mkdir -p /workspace/output "$HOME/.local/bin"
node /opt/sac/agent/seed.mjs "$start" || echo 'the home could not be prepared' >&2
# The kernel counts the processes of a user within a user namespace. In the node's own one this user is that of all agents,
# and a limit would let one of them starve the others; there the node limits each pod (podPidsLimit of the kubelet).
read -r _ outside _ < /proc/self/uid_map
if [ "${outside:-0}" != 0 ] && [ -n "${SAC_PIDS_LIMIT:-}" ]; then
  ulimit -u "$SAC_PIDS_LIMIT" 2> /dev/null || ulimit -p "$SAC_PIDS_LIMIT"
fi
# An earlier container of this pod leaves its socket behind when it is killed.
rm -f "$socket"

# ttyd takes its credential from its words only. It is good for this agent's own terminal alone, and for one start.
ttyd --port 7681 --writable --credential "$(cat "$start/credential")" --terminal-type xterm-256color --debug 3 \
  dtach -A "$socket" -r winch -E -z /bin/sh /opt/sac/agent/loop.sh /usr/local/bin/claude /workspace &
terminal=$!

ending() {
  # To everything but this process: the CLI saves what it has to.
  kill -s TERM -- -1
  tries=0
  while [ "$tries" -lt 50 ] && pgrep -x claude > /dev/null; do
    sleep 0.1
    tries=$((tries + 1))
  done
  exit 0
}
trap ending TERM INT
while kill -0 "$terminal" 2> /dev/null; do wait "$terminal"; done
exit 1
