# One image for all processes; the command says which: `node src/main/http.ts`, `… worker.ts`, `… cli.ts`.
#
# The last stage begins with nothing: Node, the libraries that it loads, the packages and our source. So there is no
# shell, no package manager, no compiler and no npm to be misused, and nothing that runs as somebody else.
#
# Built twice from the same commit, every layer is the same, byte for byte: names, owners, modes and times are set here.
# The time of our own files is the commit's:
#   docker build --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" -t imanage-token-broker .
# A registry or proxy of your own: `--secret id=npmrc,src=$HOME/.npmrc`; it reaches npm and no layer.
ARG NODE_IMAGE=node:26.10.0-bookworm-slim

# ---- Node and what it needs of Debian -------------------------------------------------------------------------------
FROM ${NODE_IMAGE} AS system
WORKDIR /image
# Only for debuggers are the names that `strip` takes off Node: a fifth of the whole image.
RUN apt-get update && apt-get install --yes --no-install-recommends binutils
# Links of the merged /usr first, so that what Debian lists under /lib lands in /usr/lib as it does there. `status.d` is
# where scanners look for the packages of an image without dpkg.
RUN set -eu; \
    for folder in bin lib lib64 sbin; do if [ -L "/$folder" ]; then mkdir -p "usr/$folder"; ln -s "usr/$folder" "$folder"; fi; done; \
    mkdir -p dev etc proc run sys tmp usr/local/bin var/lib/dpkg/status.d var/lib/token-broker; \
    for package in base-files libatomic1 libc6 libgcc-s1 libstdc++6 "$(dpkg-query -W -f '${Package}' 'gcc-*-base')"; do \
      dpkg-query -s "$package" > "var/lib/dpkg/status.d/$package"; \
      dpkg-query -L "$package" | while read -r path; do \
        case "$path" in \
          /usr/share/doc/*/copyright) cp -a --parents "$path" . ;; \
          /etc/*|*/gconv/*|/usr/share/gcc/*|/usr/share/lintian/*|/usr/share/base-files/*|/usr/share/doc/*/*) ;; \
          *) if [ -L "$path" ] || [ -f "$path" ]; then cp -a --parents "$path" .; fi ;; \
        esac; \
      done; \
    done; \
    cp -a /etc/debian_version etc/; ln -s ../usr/lib/os-release etc/os-release; \
    printf 'hosts: files dns\n' > etc/nsswitch.conf; \
    printf 'root:x:0:0:root:/:/nonexistent\nnode:x:1000:1000:node:/app:/nonexistent\n' > etc/passwd; \
    printf 'root:x:0:\nnode:x:1000:\n' > etc/group; \
    # Node's licence with those of all that is linked into it, as the notices say.
    mkdir -p usr/share/doc/nodejs; cp /usr/local/LICENSE usr/share/doc/nodejs/LICENSE; \
    cp -L "$(command -v node)" usr/local/bin/node; strip usr/local/bin/node; chroot . /usr/local/bin/node --version; \
    chmod -R u=rwX,go=rX .; chmod 1777 tmp; \
    # The audit's folder: a volume mounted here starts with this owner. Everything else stays root's, so that the process
    # cannot change its own code.
    chown 1000:1000 var/lib/token-broker; chmod 0750 var/lib/token-broker; \
    find . -exec touch -h -d @0 {} +

# ---- The packages, so that a change of ours does not install them again ---------------------------------------------
FROM ${NODE_IMAGE} AS packages
WORKDIR /image/app
COPY package.json package-lock.json .npmrc ./
# The optional packages are the Node that development machines bring along; this image has its own.
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm ci --omit=dev --omit=optional --no-audit --no-fund
# What no process here can read: Node runs no TypeScript below node_modules, so all of it there is types; source maps; the
# packages' own tests and manuals (licences stay); of the interface's page the variants that it does not load.
RUN set -eu; \
    rm -rf node_modules/.bin package.json package-lock.json .npmrc; \
    find node_modules -type f \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.tsbuildinfo' \) -delete; \
    find node_modules -type f \( -iname '*.md' -o -iname '*.markdown' \) ! -iname '*licen[cs]e*' ! -iname '*notice*' -delete; \
    find node_modules -regextype posix-extended -type d \
      -regex '(.*/)?node_modules/(@[^/]+/)?[^/@]+/(tests?|__tests__|docs|examples?|benchmarks?|man|\.github)' \
      -prune -exec rm -rf {} +; \
    find node_modules -regextype posix-extended -type f -regex '(.*/)?node_modules/(@[^/]+/)?[^/@]+/\.[^/]+' -delete; \
    (cd node_modules/swagger-ui-dist && rm -f swagger-ui-es-bundle* swagger-ui.js swagger-ui-standalone-preset* log.*); \
    find node_modules -type d -empty -delete; \
    chmod -R u=rwX,go=rX /image; find /image -exec touch -h -d @0 {} +

# ---- Our own files ----------------------------------------------------------------------------------------------------
FROM ${NODE_IMAGE} AS source
WORKDIR /image/app
COPY package.json package-lock.json LICENSE config/papers/THIRD-PARTY-NOTICES.txt ./
# The templates of the upload packages; the rest of config/ is for whoever deploys.
COPY config/package ./config/package
COPY src ./src
ARG SOURCE_DATE_EPOCH=0
RUN chmod -R u=rwX,go=rX /image && find /image -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

FROM scratch
LABEL org.opencontainers.image.title="imanage-token-broker" \
      org.opencontainers.image.licenses="Apache-2.0"
# No debugger opens on a signal: it would read every key in memory.
ENV PATH=/usr/local/bin \
    NODE_ENV=production \
    NODE_OPTIONS=--disable-sigusr1
COPY --from=system /image /
COPY --from=packages /image /
COPY --from=source /image /
WORKDIR /app
# `node`, by number: Kubernetes can then see that it is not root.
USER 1000:1000
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.OPS_PORT || 9090}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main/all.ts"]
