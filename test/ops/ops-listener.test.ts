import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { appRoutes } from "@bull-board/api/dist/routes.js";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { LogFields } from "../../src/broker/ports.ts";
import { Problem } from "../../src/domain/problem.ts";
import type { Finding } from "../../src/ops/finding.ts";
import { buildOpsApp, type Phase, type Readiness } from "../../src/ops/ops-listener.ts";
import { queueBoard } from "../../src/ops/queue-board.ts";
import { connectRedis } from "../../src/store/connect-redis.ts";
import { addressOf, ownRedisForThisTest } from "../kit/redis.ts";

const WELL: Readiness = {
  checks: [{ check: "redis-role", ok: true, severity: "warn", sentence: "Redis is a master." }],
  durability: { class: "D2", sentence: "Every write is on the disk." },
};
const GRANT = "grt_abcdefghjk01234567890123456789012345";
const SERVER = "srv_abcdefghjk01234567890123456789012345";

async function listening(parts: Partial<Parameters<typeof buildOpsApp>[0]> = {}, from = "127.0.0.1") {
  const lines: (LogFields & { message: string })[] = [];
  const write = (fields: LogFields, message: string) => void lines.push({ ...fields, message });
  const app = buildOpsApp({
    checks: async () => WELL,
    queues: [],
    log: { info: write, warn: write, error: write },
    ...parts,
  });
  const server = createServer().listen(0, "127.0.0.1");
  server.on("request", ({ socket }) => {
    Object.defineProperty(socket, "remoteAddress", { value: from, configurable: true });
  });
  server.on("request", app);
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const port = (server.address() as AddressInfo).port;
  const get = (path: string, method = "GET", headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, { method, headers });
  return { get, port, lines };
}

/** `fetch` sets Host by itself. */
async function statusFor(port: number, host: string | undefined, path = "/healthz"): Promise<number> {
  const call = request({
    host: "127.0.0.1",
    port,
    path,
    setHost: false,
    headers: host === undefined ? {} : { host },
  });
  call.end();
  const [answer] = await once(call, "response");
  answer.resume();
  return answer.statusCode;
}

describe("health and readiness", () => {
  it("says that the process lives, whatever the checks say", async () => {
    const { get } = await listening({ checks: () => Promise.reject(new Error("x")) });
    const answer = await get("/healthz");
    expect([answer.status, await answer.json()]).toEqual([200, { status: "ok" }]);
  });

  it("is ready with every check, its reason and what the store may lose", async () => {
    const warning: Finding = {
      check: "redis-clock",
      ok: false,
      severity: "warn",
      sentence: "Off.",
      remedy: "NTP.",
    };
    const { get } = await listening({ checks: async () => ({ ...WELL, checks: [...WELL.checks, warning] }) });
    const answer = await get("/readyz");
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { status: "ready", durability: WELL.durability, checks: [...WELL.checks, warning] },
    ]);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  it("is ready from the moment at which its start is through, whatever was found before, until the moment at which it ends", async () => {
    let phase: Phase = "starting";
    const { get } = await listening({
      checks: async () => (phase === "starting" ? Promise.reject(new Error("no Redis yet")) : WELL),
      phase: () => phase,
    });
    const told = async () => {
      const answer = await get("/readyz");
      const { checks } = (await answer.json()) as { checks: Finding[] };
      return [answer.status, ...checks.filter(({ ok }) => !ok).map(({ check }) => check)];
    };
    expect(await told()).toEqual([503, "start", "checks"]);
    phase = "serving";
    expect(await told()).toEqual([200]);
    phase = "ending";
    expect(await told()).toEqual([503, "shutdown"]);
  });

  it("is not ready where one check refuses, and says why", async () => {
    const refusal: Finding = {
      check: "redis-eviction",
      ok: false,
      severity: "refuse",
      sentence: "It evicts.",
      remedy: "Set noeviction.",
    };
    const { get } = await listening({ checks: async () => ({ checks: [...WELL.checks, refusal] }) });
    const answer = await get("/readyz");
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ status: "not_ready", checks: [...WELL.checks, refusal] });
  });

  it.each<[string, () => Promise<Readiness>, string]>([
    [
      "reject",
      () => Promise.reject(new Problem("store_unavailable", { detail: "canary" })),
      "The checks failed: store_unavailable.",
    ],
    [
      "throw something",
      () => {
        throw new TypeError("canary");
      },
      "The checks failed: TypeError.",
    ],
    [
      "throw anything",
      () => {
        throw "canary canary";
      },
      "The checks failed: unknown.",
    ],
    ["never end", () => new Promise(() => {}), "The checks did not end within 20 ms."],
  ])("is not ready where the checks %s", async (_, checks, sentence) => {
    const { get, lines } = await listening({ checks, checksMaxMs: 20 });
    const answer = await get("/readyz");
    expect(answer.status).toBe(503);
    const text = await answer.text();
    expect(JSON.parse(text).checks).toMatchObject([{ check: "checks", ok: false, sentence }]);
    expect(text + JSON.stringify(lines)).not.toContain("canary");
  });

  it("shows metrics where there are some", async () => {
    const { get } = await listening({ metricsText: () => "broker_up 1\n" });
    const answer = await get("/metrics");
    expect(answer.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    expect(await answer.text()).toBe("broker_up 1\n");
  });
});

describe("T37: where no sign-in of operators is set up", () => {
  const metricsText = () => "broker_up 1\n";
  const queue = new Queue("unasked", {
    connection: { lazyConnect: true, url: "redis://127.0.0.1:9" } as never,
  });
  queue.on("error", () => {});
  afterAll(() => queue.close().catch(() => {}));
  const told = async (answer: Response) => [answer.status, ((await answer.json()) as { code?: string }).code];

  it.each(["192.0.2.7", "::ffff:192.0.2.7", "10.0.0.1", "2001:db8::1"])(
    "tells %s that it lives and which check fails, and no more",
    async (from) => {
      const { get } = await listening({ queues: [queue], metricsText }, from);
      expect(await told(await get("/queues/"))).toEqual([403, "operators_not_set_up"]);
      expect(await told(await get("/queues/api/queues"))).toEqual([403, "operators_not_set_up"]);
      expect(await told(await get("/metrics"))).toEqual([401, "metrics_not_allowed"]);
      expect((await get("/healthz")).status).toBe(200);
      expect(await (await get("/readyz")).json()).toEqual({
        status: "ready",
        durability: { class: "D2" },
        checks: [{ check: "redis-role", ok: true, severity: "warn" }],
      });
    },
  );

  it.each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])("is open to %s, to look at", async (from) => {
    const { get } = await listening({ queues: [queue], metricsText }, from);
    expect((await get("/metrics")).status).toBe(200);
    expect((await get("/queues/")).status).toBe(200);
    expect((await get("/queues/", "PUT")).status).toBe(405);
    expect(JSON.stringify(await (await get("/readyz")).json())).toContain("Redis is a master.");
  });

  it.each(["forwarded", "via", "x-forwarded-for", "x-real-ip"])(
    "takes nobody for one on this machine who comes through a proxy on it (%s)",
    async (name) => {
      const { get } = await listening({ queues: [queue], metricsText });
      expect((await get("/metrics", "GET", { [name]: "127.0.0.1" })).status).toBe(401);
      expect((await get("/queues/", "GET", { [name]: "127.0.0.1" })).status).toBe(403);
    },
  );

  it("nor who asks under another name than a loopback one", async () => {
    const { port } = await listening({ metricsText, allowedHosts: ["ops.internal"] });
    expect(await statusFor(port, "ops.internal", "/metrics")).toBe(401);
  });

  it("shows metrics to whoever sends the token, wherever he is", async () => {
    const isMetricsToken = (presented: string) => presented === "right";
    const { get } = await listening({ metricsText, isMetricsToken }, "192.0.2.7");
    const by = async (authorization: string) => (await get("/metrics", "GET", { authorization })).status;
    expect(await by("Bearer right")).toBe(200);
    for (const wrong of ["Bearer wrong", "Basic right", "right", "Bearer ", "Bearer right wrong"])
      expect(await by(wrong), wrong).toBe(401);
    expect((await get("/metrics")).headers.get("www-authenticate")).toBe('Bearer realm="metrics"');
  });
});

describe("the listener", () => {
  it.each(["/", "/metrics", "/queues", "/queues/api/queues", "/nowhere?x=canary", "/healthz/x", "/%zz"])(
    "answers JSON for %s, which it does not have",
    async (path) => {
      const { get } = await listening();
      const answer = await get(path);
      expect([answer.status, await answer.text()]).toEqual([404, '{"error":"not_found"}']);
    },
  );

  it("gives no text of an error away", async () => {
    const { get, lines } = await listening({ metricsText: () => Promise.reject(new Error("canary")) });
    const answer = await get("/metrics");
    expect([answer.status, await answer.text()]).toEqual([500, '{"error":"internal_error"}']);
    expect(lines).toEqual([{ code: "Error", message: "ops listener: a request failed" }]);
  });

  it.each<[string | undefined, number]>([
    ["localhost", 200],
    ["LOCALHOST:9090", 200],
    ["127.0.0.1:1", 200],
    ["[::1]:9090", 200],
    ["evil.example", 421],
    ["10.42.0.17:9090", 200],
    ["[fd00::17]:9090", 200],
    ["10.42.0.17.evil.example", 421],
    ["[evil.example]", 421],
    ["localhost.evil.example", 421],
    ["127.0.0.1.nip.io:9090", 421],
    ["localhost@evil.example", 421],
    ["", 421],
    ["[::1", 421],
  ])("asked as %j answers %d (DNS rebinding)", async (host, status) => {
    const { port } = await listening();
    expect(await statusFor(port, host)).toBe(status);
  });

  it("can be given another name", async () => {
    const { port } = await listening({ allowedHosts: ["Ops.Internal"] });
    expect(await statusFor(port, "ops.internal:9090")).toBe(200);
    expect(await statusFor(port, "localhost")).toBe(421);
  });

  it("lets a page load, frame or submit nothing", async () => {
    const { get } = await listening();
    const { headers } = await get("/healthz");
    expect(headers.get("content-security-policy")).toBe(
      "default-src 'none';frame-ancestors 'none';form-action 'none';base-uri 'none'",
    );
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("strict-transport-security")).toBeNull();
    expect(headers.get("x-powered-by")).toBeNull();
  });
});

describe("T37: the board", () => {
  const CANARY = `canary${randomBytes(6).toString("hex")}`;
  const CODE = "refresh_pending";
  const name = `q${randomBytes(6).toString("hex")}`;

  /** A queue with canaries wherever a job can carry something: waiting, done, failed, repeated. */
  async function queueWithCanaries(): Promise<Queue> {
    const connection = connectRedis(addressOf(), "durable");
    const queue = new Queue(name, { connection: connection as never, prefix: `{${name}}` });
    const data = { grant: GRANT, token: CANARY, [CANARY]: 1, deep: { server: SERVER, list: [CANARY, 7] } };
    const worker = new Worker(
      name,
      async (job) => {
        await job.log(`log ${CANARY}`);
        await job.updateProgress({ progress: CANARY });
        if (job.name === "done") return { grant: GRANT, access_token: CANARY };
        throw new Error(job.name === "coded" ? `${CODE}: ${CANARY}` : `upstream said ${CANARY}`);
      },
      { connection: connection as never, prefix: `{${name}}` },
    );
    const ended = new Promise<void>((resolve) => {
      let left = 3;
      const count = () => void (--left === 0 && resolve());
      worker.on("completed", count).on("failed", count);
    });
    const options = { attempts: 1, deduplication: { id: CANARY } };
    await queue.add("done", data, { jobId: "done" });
    await queue.add("coded", data, { jobId: "coded", ...options });
    await queue.add("failing", data, { jobId: "failing" });
    await ended;
    await worker.close();
    await queue.add("waiting", data, { jobId: "waiting", delay: 3_600_000 });
    await queue.add(CANARY, data, { jobId: "named" });
    await queue.upsertJobScheduler(
      "sweep",
      { every: 3_600_000 },
      { name: "sweep", data, opts: { attempts: 2 } },
    );
    return queue;
  }

  let queue: Queue;
  beforeAll(async () => {
    queue = await queueWithCanaries();
    return async () => {
      const connection = queue.opts.connection as unknown as Redis;
      await queue.obliterate({ force: true });
      await queue.close();
      connection.disconnect();
    };
  });

  const jobIds = async () => (await queue.getJobs()).map((job) => job.id!);
  const bodyOf = async (answer: Response) => [answer.status, await answer.text()] as const;

  it("holds the canary in Redis, or the tests below prove nothing", async () => {
    const jobs = await queue.getJobs();
    expect(jobs).toHaveLength(6);
    const failing = jobs.find(({ id }) => id === "failing")!;
    expect([failing.failedReason, failing.stacktrace?.join(), JSON.stringify(failing.data)].join()).toMatch(
      new RegExp(`${CANARY}.*${CANARY}.*${CANARY}`, "s"),
    );
  });

  it("shows of jobs only ids, numbers, names of ours and problem codes, on every route it has", async () => {
    const { get } = await listening({ queues: [queue] });
    const paths = [
      `/queues/api/queues?activeQueue=${name}&jobsPerPage=50`,
      "/queues/",
      `/queues/queue/${name}`,
    ];
    for (const status of ["completed", "failed", "delayed", "waiting", "latest"]) {
      paths.push(`/queues/api/queues?activeQueue=${name}&status=${status}&jobsPerPage=50`);
    }
    for (const { method, route } of appRoutes.api) {
      if (method !== "get") continue;
      for (const jobId of await jobIds()) {
        paths.push(
          `/queues${[route].flat()[0]!.replace(":queueName", name).replace(":jobId", encodeURIComponent(jobId))}`,
        );
      }
    }
    let all = "";
    for (const path of new Set(paths)) {
      const [status, text] = await bodyOf(await get(path));
      expect(status, path).not.toBe(500);
      expect(text, path).not.toContain(CANARY);
      all += text;
    }
    expect(all).toContain(`"data":{"ids":["${GRANT}","${SERVER}"]}`);
    expect(all).toContain(`"returnValue":{"ids":["${GRANT}"]}`);
    expect(all).toContain(`"failedReason":"${CODE}: `);
    expect(all).toContain('"failedReason":"(hidden: the log has the reason)"');
    expect(all).toContain('"readOnlyMode":true');
    expect(all).toContain('"name":"(hidden)"');
  });

  it("hides what it knows of Redis and of the workers", async () => {
    const { get } = await listening({ queues: [queue] });
    expect((await get("/queues/api/redis/stats")).status).toBe(403);
    expect((await get(`/queues/api/queues/${name}/workers`)).status).toBe(403);
  });

  it("changes nothing, by any route and any method", async () => {
    const { get } = await listening({ queues: [queue] });
    const before = await queue.getJobCounts();
    const changing = appRoutes.api.filter(({ method }) => method !== "get");
    expect(changing.length).toBeGreaterThan(20);
    for (const { route } of appRoutes.api) {
      const path = `/queues${[route].flat()[0]!}`
        .replace(":queueName", name)
        .replace(":jobId", "failing")
        .replace(":schedulerId", "sweep")
        .replace(":queueStatus", "failed");
      for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
        const answer = await get(path, method);
        expect([answer.status, answer.headers.get("allow")], `${method} ${path}`).toEqual([405, "GET, HEAD"]);
        await answer.body?.cancel();
      }
    }
    expect(await queue.getJobCounts()).toEqual(before);
    expect(await queue.isPaused()).toBe(false);
  });

  it("has no route that changes anything, whoever mounts it", async () => {
    const board = createServer(queueBoard([queue], "/")).listen(0, "127.0.0.1");
    await once(board, "listening");
    onTestFinished(() => void board.close());
    const url = `http://127.0.0.1:${(board.address() as AddressInfo).port}/api/queues`;
    for (const [method, path] of [
      ["PUT", "/pause"],
      ["PUT", `/${name}/obliterate`],
      ["POST", `/${name}/add`],
      ["PATCH", `/${name}/failing/update-data`],
    ] as const) {
      const answer = await fetch(url + path, { method });
      expect(answer.status, path).toBe(404);
      await answer.body?.cancel();
    }
  });

  it("does nothing that the audit does not take", async () => {
    const noteAct = () => Promise.reject(new Problem("store_unavailable"));
    const board = createServer(queueBoard([queue], "/", undefined, noteAct)).listen(0, "127.0.0.1");
    await once(board, "listening");
    onTestFinished(() => void board.close());
    const url = `http://127.0.0.1:${(board.address() as AddressInfo).port}/api/queues/${name}`;
    const before = await queue.getJobCounts();
    for (const act of [
      "/failing/retry",
      "/failing/clean",
      "/waiting/promote",
      "/clean/failed",
      "/retry/failed",
    ]) {
      const answer = await fetch(url + act, { method: "PUT" });
      expect([answer.status, await answer.text()], act).toEqual([
        500,
        '{"error":{"key":"ERRORS.INTERNAL_SERVER_ERROR"}}',
      ]);
    }
    expect(await queue.getJobCounts()).toEqual(before);
  });

  it("loads nothing from elsewhere, and may name its own address as base", async () => {
    const { get } = await listening({ queues: [queue] });
    const page = await get("/queues/");
    expect(page.status).toBe(200);
    expect(page.headers.get("x-powered-by")).toBeNull();
    const policy = page.headers.get("content-security-policy")!;
    expect(policy).toContain("base-uri 'self'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toMatch(/https?:|\*|unsafe-eval/);
    const text = await page.text();
    expect(text).toContain('<base href="/queues/"');
    const script = /src="(static\/js\/main[^"]+)"/.exec(text)![1];
    const loaded = await get(`/queues/${script}`);
    expect([loaded.status, loaded.headers.get("x-content-type-options")]).toEqual([200, "nosniff"]);
    await loaded.body?.cancel();
  });

  it("answers, and says nothing of Redis, while Redis is away", async () => {
    const server = await ownRedisForThisTest();
    const connection = new Redis(server.url, { enableOfflineQueue: false, maxRetriesPerRequest: 0 });
    connection.on("error", () => {});
    onTestFinished(() => connection.disconnect());
    await once(connection, "ready");
    const away = new Queue("away", { connection: connection as never, skipWaitingForReady: true });
    away.on("error", () => {});
    await away.waitUntilReady();
    await server.kill();
    const { get } = await listening({ queues: [away] });
    const [status, text] = await bodyOf(await get("/queues/api/queues"));
    expect(status).toBe(500);
    expect(text).toBe('{"error":{"key":"ERRORS.INTERNAL_SERVER_ERROR"}}');
  });

  it("does not wait for a Redis that has frozen", async () => {
    const server = await ownRedisForThisTest();
    const connection = new Redis(server.url, { maxRetriesPerRequest: null });
    onTestFinished(() => connection.disconnect());
    const frozen = new Queue("frozen", { connection: connection as never });
    frozen.on("error", () => {});
    await frozen.waitUntilReady();
    server.pause();
    onTestFinished(() => server.resume());
    const board = createServer(queueBoard([frozen], "/", 20)).listen(0, "127.0.0.1");
    await once(board, "listening");
    onTestFinished(() => void board.close());
    const answer = await fetch(`http://127.0.0.1:${(board.address() as AddressInfo).port}/api/queues`);
    expect(answer.status).toBe(500);
    await answer.body?.cancel();
  });
});
