# The three images of SAC: `server`, `sidecar` (programs and nothing else) and `agent` (what Claude Code works with).
#   docker build --target server -t sac/server:VERSION .
# For amd64 and arm64 (--platform linux/amd64,linux/arm64): our programs are compiled on the machine that builds, whichever it is.
# What is shipped should name its bases by digest: --build-arg BUN_BASE=oven/bun:1.4.5-slim@sha256:… and AGENT_BASE=debian:…@sha256:…
# (`docker buildx imagetools inspect NAME` tells it); `npm run docker:build` hands both on from the environment.

ARG BUN_BASE=oven/bun:1.4.5-slim
ARG AGENT_BASE=debian:forky-slim
ARG CLAUDE_VERSION=2.1.330

# ---- packages of the lock file: made again only when it changes
FROM --platform=$BUILDPLATFORM ${BUN_BASE} AS packages
WORKDIR /build
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production --omit=optional --ignore-scripts

FROM packages AS sources
COPY tsconfig.json ./
COPY scripts/build.ts scripts/
COPY src src
COPY chart/files chart/files

FROM sources AS build-sidecar
COPY static/build.ts static/
COPY sidecar sidecar
ARG TARGETARCH
RUN set -eu; arch="${TARGETARCH:-$(dpkg --print-architecture)}"; bun scripts/build.ts --arch "$arch" sidecar; mv "dist/linux-$arch/sidecar" dist/

FROM sources AS build-server
COPY views views
COPY static static
COPY migrations migrations
ARG TARGETARCH
RUN set -eu; arch="${TARGETARCH:-$(dpkg --print-architecture)}"; bun scripts/build.ts --arch "$arch" static server; mv "dist/linux-$arch/sac" dist/

# ---- a root file system of the C library alone, of the machine that the image is for: no shell, no package manager
FROM ${BUN_BASE} AS root
RUN set -eu; \
    mkdir -p /root-fs/etc /root-fs/tmp /root-fs/data /root-fs/usr/local/bin; chmod 1777 /root-fs/tmp; chown 10000:10000 /root-fs/data; \
    for file in $(ldd /usr/local/bin/bun | grep -oE '/[^ ]+\.so[^ ]*'); do cp -L --parents "$file" /root-fs/; done; \
    printf 'hosts: files dns\n' > /root-fs/etc/nsswitch.conf; \
    printf 'root:x:0:0::/:/nologin\nsac:x:10000:10000::/tmp:/nologin\nsidecar:x:10002:10002::/tmp:/nologin\n' > /root-fs/etc/passwd; \
    printf 'root:x:0:\nsac:x:10000:\nsidecar:x:10002:\n' > /root-fs/etc/group

FROM scratch AS server
COPY --from=root /root-fs/ /
COPY --from=build-server /build/dist/sac /usr/local/bin/sac
ENV HOST=0.0.0.0 INTERNAL_HOST=0.0.0.0 DATA_DIR=/data
USER 10000:10000
WORKDIR /tmp
EXPOSE 8080 8082
ENTRYPOINT ["/usr/local/bin/sac"]
CMD ["serve"]

FROM scratch AS sidecar
COPY --from=root /root-fs/ /
COPY --from=build-sidecar /build/dist/sidecar /usr/local/bin/sac-sidecar
USER 10002:10002
WORKDIR /tmp
ENTRYPOINT ["/usr/local/bin/sac-sidecar"]

# ---- Claude Code: one executable out of the package for the machine that the image is for
FROM packages AS claude
ARG CLAUDE_VERSION
ARG TARGETARCH
WORKDIR /claude
RUN set -eu; \
    case "${TARGETARCH:-$(dpkg --print-architecture)}" in amd64) arch=x64 ;; arm64) arch=arm64 ;; *) echo "no Claude Code for this machine" >&2; exit 1 ;; esac; \
    echo '{}' > package.json; \
    bun add --exact --ignore-scripts --os linux --cpu "$arch" "@anthropic-ai/claude-code-linux-$arch@$CLAUDE_VERSION"; \
    install -m 755 "node_modules/@anthropic-ai/claude-code-linux-$arch/claude" /usr/local/bin/claude; \
    rm -rf node_modules

FROM ${AGENT_BASE} AS agent
# What an agent does besides typing: fetch, build, look, edit. The terminal's protocol is that of ttyd 1.7.7.
RUN set -eu; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      bash ca-certificates curl dtach file git jq less make nano nodejs openssh-client patch procps \
      python3 python3-pip python3-venv ripgrep ttyd unzip xz-utils zip; \
    rm -rf /var/lib/apt/lists/*; \
    ttyd --version | grep -qF ' 1.7.7'; \
    groupadd --gid 10001 agent; useradd --uid 10001 --gid 10001 --create-home --shell /bin/bash agent; \
    install -d -m 755 /opt/sac /opt/sac/agent /etc/claude-code /run/sac; install -d -o agent -g agent /workspace
COPY --from=claude /usr/local/bin/claude /usr/local/bin/claude
ENV LANG=C.UTF-8 DISABLE_AUTOUPDATER=1
USER 10001:10001
WORKDIR /workspace
EXPOSE 7681
# The scripts are not in the image: they come with the chart, in the version that fits the server.
CMD ["/bin/sh", "/opt/sac/agent/entrypoint.sh"]
