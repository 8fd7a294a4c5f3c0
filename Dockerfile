# One image for all processes; the command says which. `node src/main/http.ts`, `… worker.ts`, `… cli.ts`.
ARG NODE_IMAGE=node:26.10.0-bookworm-slim

# The packages alone, so that a change of ours does not install them again.
FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The optional packages are the Node that development machines bring along; this image has its own.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="imanage-token-broker" \
      org.opencontainers.image.licenses="Apache-2.0"
# No debugger opens on a signal: it would read every key in memory.
ENV NODE_ENV=production \
    NODE_OPTIONS=--disable-sigusr1
WORKDIR /app
# The audit's folder: a volume mounted here starts with this owner. Everything under /app stays root's, so that the
# process cannot change its own code.
RUN install -d -o 1000 -g 1000 -m 0750 /var/lib/token-broker
COPY --from=packages /app/node_modules ./node_modules
COPY package.json package-lock.json LICENSE ./
COPY config ./config
COPY src ./src

# `node`, by number: Kubernetes can then see that it is not root.
USER 1000:1000
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.OPS_PORT || 9090}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main/all.ts"]
