#!/bin/sh
# What the hooks of the managed settings run in a pod: hands the event on to the sidecar.
exec node /opt/sac/agent/conversation-sync.mjs
