import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort, startRedis, startRedisCluster } from "../../scripts/redis/index.ts";
import {
  connectRedis,
  disconnect,
  type RedisAddress,
  type RedisConnection,
  whenReady,
} from "../../src/store/connect-redis.ts";
import { issue, makeAuthority } from "../kit/certificates.ts";
import { temporaryFolder } from "../scripts/program.ts";

const AUTHORITY = makeAuthority("The firm's own");
const OF_ANOTHER_HOST = issue(AUTHORITY, { hosts: ["elsewhere.example"] });
const OF_THIS_HOST = issue(AUTHORITY, { hosts: ["127.0.0.1"] });

/** A certificate as Redis takes it. */
async function tlsArgs(
  of = OF_THIS_HOST,
): Promise<{ readonly port: number; readonly args: readonly string[] }> {
  const folder = await temporaryFolder();
  const [certificate, key, ca] = ["server.pem", "server.key", "ca.pem"].map((name) => join(folder, name));
  await writeFile(certificate!, of.certificate);
  await writeFile(key!, of.key);
  await writeFile(ca!, AUTHORITY.certificate);
  const port = await freePort();
  return {
    port,
    args: [
      ...["--tls-port", String(port), "--tls-cert-file", certificate!, "--tls-key-file", key!],
      ...["--tls-ca-cert-file", ca!, "--tls-auth-clients", "no"],
    ],
  };
}

function connected(address: RedisAddress): {
  readonly connection: RedisConnection;
  readonly refused: Promise<string>;
} {
  const refused = Promise.withResolvers<string>();
  const connection = connectRedis(address, "durable", refused.resolve);
  onTestFinished(() => disconnect(connection));
  return { connection, refused: refused.promise };
}

describe("Redis with a certificate of the firm's own authority", () => {
  it("is asked where REDIS_CA_FILE names that authority, and nothing is said to it where the system's must vouch", async () => {
    const { port, args } = await tlsArgs();
    const redis = await startRedis({ extraArgs: args });
    onTestFinished(() => redis.stop());
    const url = `rediss://127.0.0.1:${port}`;
    const { connection } = connected({ url, ca: AUTHORITY.certificate });
    await whenReady(connection);
    expect(await connection.set("b1:{o:1}:a", "1")).toBe("OK");
    expect(await connected({ url }).refused).toMatch(
      /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/,
    );
  });

  it("is not asked where its certificate is another host's", async () => {
    const { port, args } = await tlsArgs(OF_ANOTHER_HOST);
    const redis = await startRedis({ extraArgs: args });
    onTestFinished(() => redis.stop());
    const { refused } = connected({ url: `rediss://127.0.0.1:${port}`, ca: AUTHORITY.certificate });
    expect(await refused).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  });

  it("is asked as a cluster, whose nodes name each other by their TLS ports", async () => {
    const { port, args } = await tlsArgs();
    const cluster = await startRedisCluster({
      nodes: 1,
      redis: { extraArgs: [...args, "--tls-cluster", "yes"] },
    });
    onTestFinished(() => cluster.stop());
    const { connection } = connected({
      url: "rediss://127.0.0.1:1",
      ca: AUTHORITY.certificate,
      clusterNodes: [`127.0.0.1:${port}`],
    });
    await whenReady(connection);
    expect(await connection.set("b1:{o:1}:a", "1")).toBe("OK");
  });

  it("is asked behind Sentinels that speak TLS too", async () => {
    const { port, args } = await tlsArgs();
    const redis = await startRedis({ extraArgs: [...args, "--tls-replication", "yes"] });
    onTestFinished(() => redis.stop());
    const sentinel = await startSentinel(port);
    const { connection } = connected({
      url: "rediss://127.0.0.1:1",
      ca: AUTHORITY.certificate,
      sentinel: { nodes: [`127.0.0.1:${sentinel}`], master: "broker", tls: true },
    });
    await whenReady(connection);
    expect(await connection.set("b1:{o:1}:a", "1")).toBe("OK");
  });
});

/** @returns its TLS port */
async function startSentinel(master: number): Promise<number> {
  const { port, args } = await tlsArgs();
  const file = join(await temporaryFolder(), "sentinel.conf");
  await writeFile(file, `sentinel monitor broker 127.0.0.1 ${master} 1\n`);
  const sentinel = await startRedis({
    configFile: file,
    extraArgs: ["--sentinel", "--tls-replication", "yes", ...args],
  });
  onTestFinished(() => sentinel.stop());
  return port;
}
