import { describe, expect, it, onTestFinished } from "vitest";
import type { WalkingClient } from "../../scripts/walk/client.ts";
import { ContainmentWork, type WorkPorts } from "../../src/broker/containment/carry-out.ts";
import { contain, progressOf } from "../../src/broker/containment/contain.ts";
import type { GrantId, OrganisationId } from "../../src/domain/id.ts";
import { connectRedis, disconnect, whenReady } from "../../src/store/connect-redis.ts";
import { brokerProcess, brokerProcesses } from "../kit/broker-process.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { addressOf, ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, type World, world } from "../kit/world.ts";

/** 0: replicas in this process. */
const PROCESSES = Number(process.env.TEST_KILL_SWITCH_PROCESSES ?? 0);
const ROUNDS = Number(process.env.TEST_KILL_SWITCH_ROUNDS ?? 2);
const DELETIONS = Number(process.env.TEST_DELETIONS ?? 3);
const REVOKED = Number(process.env.TEST_BULK_GRANTS ?? 20);
const CALLERS = Number(process.env.TEST_CALLERS ?? 3);
const BOUND_MS = 1_000;

const BY = { actor: "cli:test", requestId: "req_test" };

async function replicasOf(here: World): Promise<readonly WalkingClient[]> {
  if (PROCESSES > 0) return (await brokerProcesses(here, PROCESSES)).map(({ base }) => here.clientOf(base));
  return [here.client, (await here.replica()).client, (await here.replica()).client];
}

interface Seen {
  readonly replica: number;
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly code: string;
}

/** Callers that ask each replica again and again until told to stop. */
function asking(replicas: readonly WalkingClient[], request: object) {
  const seen: Seen[] = [];
  let going = true;
  const caller = async (client: WalkingClient, replica: number) => {
    while (going) {
      const askedAt = performance.now();
      const { status, body } = await client.accessToken(request);
      const code = status === 200 ? "served" : String((body as unknown as { code: string }).code);
      seen.push({ replica, askedAt, answeredAt: performance.now(), code });
    }
  };
  const callers = replicas.flatMap((client, i) => Array.from({ length: CALLERS }, () => caller(client, i)));
  return {
    seen,
    /** Each replica has given this answer to somebody who asked after `at`. */
    everywhere: (code: string, at: number) =>
      expect
        .poll(
          () =>
            replicas.every((_, i) =>
              seen.some((one) => one.replica === i && one.askedAt > at && one.code === code),
            ),
          { timeout: 20_000, interval: 5 },
        )
        .toBe(true),
    async stop() {
      going = false;
      await Promise.all(callers);
    },
  };
}

const replicaCount = PROCESSES > 0 ? `${PROCESSES} broker processes` : "3 replicas";

describe("the kill switch", () => {
  it(`from its answer to the last token on ${replicaCount} are less than a second, and lifting it works at once (T33)`, {
    timeout: 120_000,
  }, async () => {
    const here = await world();
    await here.connect();
    const replicas = await replicasOf(here);
    const request = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
    const asked = asking(replicas, request);
    await asked.everywhere("served", 0);

    const figures: { afterAnswer: number; startedAfter: number; lifted: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const target = { kind: "client", client: here.client.id, organisation: here.organisation };
      const { status, body } = await replicas[0]!.call<{ containment: { id: string } }>(
        "POST",
        "/v1/containments",
        { target, reason: "a compromised caller" },
      );
      const answeredAt = performance.now();
      expect(status).toBe(200);
      await asked.everywhere("contained", answeredAt);
      const served = asked.seen.filter(({ code }) => code === "served");
      const last = Math.max(...served.map((one) => one.answeredAt));
      // Since contain is a fact before it is answered, nobody who asks afterwards gets one.
      const startedAfter = served.filter(({ askedAt }) => askedAt > answeredAt).length;

      await replicas[0]!.call("POST", `/v1/containments/${body.containment.id}/lift`, { reason: "over" });
      const liftedAt = performance.now();
      await asked.everywhere("served", liftedAt);
      const refused = asked.seen.filter(({ code, askedAt }) => code === "contained" && askedAt > liftedAt);
      figures.push({ afterAnswer: last - answeredAt, startedAfter, lifted: refused.length });
    }
    await asked.stop();
    const worst = Math.max(...figures.map(({ afterAnswer }) => afterAnswer));
    console.log(
      `figure: kill switch on ${replicaCount}, ${ROUNDS} rounds: last token ${worst.toFixed(1)} ms after its answer, 0 to whoever asked afterwards`,
    );
    expect(worst).toBeLessThan(BOUND_MS);
    expect(figures.map(({ startedAfter, lifted }) => [startedAfter, lifted])).toEqual(
      figures.map(() => [0, 0]),
    );
  });

  it("works when Redis is full (T33)", async () => {
    const redis = await ownRedisForThisTest();
    const here = await world({ redisUrl: redis.url });
    await here.connect();
    const connection = connectRedis(addressOf(redis.url), "fast");
    onTestFinished(() => disconnect(connection));
    await whenReady(connection);
    await connection.config("SET", "maxmemory", "1");
    const target = { kind: "server", server: here.server };
    const { status, body } = await here.client.call<{ containment: { id: string } }>(
      "POST",
      "/v1/containments",
      { target, effect: "revoke", reason: "Redis is full" },
    );
    expect(status).toBe(200);
    await here.broker.containmentWork.settled();
    await here.broker.revoker.settled();
    const path = `/v1/containments/${body.containment.id}`;
    expect((await here.client.call("GET", path)).body).toMatchObject({
      progress: { finished: true, tokens: { all: 2, to_do: 0 } },
    });
    expect((await here.client.call("POST", `${path}/lift`, { reason: "over" })).status).toBe(200);
  });
});

describe("once DELETE of a grant has returned", () => {
  it(`no replica hands out its token, although every announcement is lost, ${DELETIONS} times (T33)`, {
    timeout: 120_000,
  }, async () => {
    const redis = await ownRedisForThisTest();
    const here = await world({ redisUrl: redis.url });
    const replicas = await replicasOf(here);
    await manyGrants(here, DELETIONS);
    const cutter = connectRedis(addressOf(redis.url), "fast");
    onTestFinished(() => disconnect(cutter));
    await whenReady(cutter);
    // Whoever listens is cut off as soon as he has come back.
    let cuts = 0;
    let cutting = true;
    const cut = (async () => {
      while (cutting) cuts += Number(await cutter.call("CLIENT", "KILL", "TYPE", "pubsub"));
    })();
    for (let i = 0; i < DELETIONS; i++) {
      const asked = asking(replicas, { server: here.server, subject: { type: "user", id: `user.${i}` } });
      await asked.everywhere("served", 0);
      const { grant } = (
        await here.client.accessToken({ server: here.server, subject: { type: "user", id: `user.${i}` } })
      ).body;
      expect((await here.client.call("DELETE", `/v1/grants/${grant}`)).status).toBe(204);
      const deletedAt = performance.now();
      await asked.everywhere("authorization_required", deletedAt);
      await asked.stop();
      expect(asked.seen.filter(({ code, askedAt }) => code === "served" && askedAt > deletedAt)).toEqual([]);
    }
    cutting = false;
    await cut;
    expect(cuts).toBeGreaterThan(replicas.length);
  });
});

describe("a bulk revocation", () => {
  it(`whose worker is killed in the middle of ${REVOKED} grants goes on, with a receipt for each token`, {
    timeout: 120_000,
  }, async () => {
    const here = await world();
    const grants = await manyGrants(here, REVOKED);
    const { broker, simulator } = here;
    // Nothing goes out of this process: the worker alone revokes.
    const quiet = { ...broker.containment, work: { workSoon: () => {} } };
    // One in the middle hangs, and with it a lane; the others go on.
    const middle = { route: "revoke", nth: REVOKED } as const;
    simulator.addFault({ on: middle, do: { hold_before: true } });
    const target = { kind: "server", server: here.server } as const;
    const begun = await contain(quiet, { target, effect: "revoke", reason: "drill" }, BY);
    const worker = await brokerProcess(here, "worker");
    await expect.poll(() => simulator.held().length, { timeout: 30_000 }).toBe(1);
    await worker.kill();
    const atDeath = await progressOf(broker.containment, begun);
    expect(atDeath.tokens).toBe(2 * REVOKED);
    expect(atDeath.revoked + atDeath.alreadyDead).toBeLessThan(2 * REVOKED);
    expect(atDeath.revoked).toBeGreaterThan(0);
    simulator.clearFaults();
    // Another process, as soon as it takes its turn: the dead one's job waits for its lock, this one does not.
    await broker.containmentWork.workAll();
    await broker.revoker.revokeOf(here.organisation as OrganisationId);
    const left = async () => {
      const { tokens, revoked, alreadyDead, givenUp } = await progressOf(broker.containment, begun);
      return [tokens, revoked + alreadyDead, givenUp];
    };
    expect(await left()).toEqual([2 * REVOKED, 2 * REVOKED, 0]);
    const receipts = await broker.containment.containments.receipts(begun.id, undefined, 10_000);
    expect(new Set(receipts.map(({ grant, kind }) => `${grant} ${kind}`)).size).toBe(2 * REVOKED);
    expect(receipts).toHaveLength(2 * REVOKED);
    expect(new Set(receipts.map(({ grant }) => grant))).toEqual(new Set(grants));
  });

  it("whose process dies while grants are being found goes on where it was, and counts each once", async () => {
    const here = await world();
    const grants = await manyGrants(here, 12);
    const { broker } = here;
    const quiet = { ...broker.containment, work: { workSoon: () => {} } };
    const target = { kind: "server", server: here.server } as const;
    const begun = await contain(quiet, { target, effect: "revoke", reason: "drill" }, BY);
    const { containments } = broker.containment;
    const ports: WorkPorts = { ...broker.containment, log: broker.log, revoker: { revokeSoon: () => {} } };
    const organisation = here.organisation as OrganisationId;
    for (const diesAfter of [1, 2]) {
      let marks = 0;
      const mortal = Object.create(containments) as typeof containments;
      // Killed after it was stored and before it was heard: the next one repeats that page.
      mortal.mark = async (id, page) => {
        const answer = await containments.mark(id, page);
        if (++marks === diesAfter) throw new Error("killed");
        return answer;
      };
      for (const name of ["unfinished", "findContainment", "cursorOf", "libraryClients"] as const)
        mortal[name] = containments[name].bind(containments) as never;
      const work = new ContainmentWork({ ...ports, containments: mortal }, { pageSize: 3 });
      await expect(work.workOf(organisation)).rejects.toThrow("killed");
      expect((await progressOf(broker.containment, begun)).counted).toBe(false);
    }
    await new ContainmentWork(ports, { pageSize: 3 }).workOf(organisation);
    expect(await progressOf(broker.containment, begun)).toMatchObject({
      counted: true,
      grants: 12,
      users: 12,
      clients: 1,
      tokens: 24,
    });
    const states = await Promise.all(grants.map((id: GrantId) => broker.grantStore.findGrant(id)));
    expect(new Set(states.map((grant) => grant?.state))).toEqual(new Set(["revoked"]));
  });
});
