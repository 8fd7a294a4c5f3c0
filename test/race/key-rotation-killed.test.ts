import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Redis } from "ioredis";
import { expect, it, onTestFinished } from "vitest";
import { endWithThisProcess } from "../../scripts/watchdog.mjs";
import { type RotationAnswer, startRotation } from "../../src/broker/keys/rotate-data-keys.ts";
import { organisationOwner, refreshTokenContext } from "../../src/broker/seal-contexts.ts";
import { metIn, type RotationTiming } from "../../src/domain/data-key-rotation.ts";
import type { GrantId, OrganisationId } from "../../src/domain/id.ts";
import { seconds } from "../../src/domain/instant.ts";
import type { Sealed } from "../../src/domain/sealed.ts";
import { brokerProcesses } from "../kit/broker-process.ts";
import { expireSoon } from "../kit/expire.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { Seeded } from "../kit/seeded.ts";
import { type World, world } from "../kit/world.ts";
import { type RotatingOrders, STEPS } from "./rotating-orders.ts";

const GRANTS = Number(process.env.TEST_ROTATED_GRANTS ?? 200);
const KILLS = Number(process.env.TEST_ROTATION_KILLS ?? 2);
/** Requests a second; 0: as fast as a few callers are answered. */
const RATE = Number(process.env.TEST_ROTATION_RATE ?? 0);
/** Brokers in processes of their own, whose minutes are minutes; 0: one in this process, whose minutes are skipped. */
const PROCESSES = Number(process.env.TEST_ROTATION_PROCESSES ?? 0);

/** As in production, but that nobody of this test holds on to what he sealed for three quarters of an hour. */
const TIMING: RotationTiming = { knownAfterMs: seconds(65), keptAfterMs: seconds(80), againMs: seconds(5) };

it(`F40: ${KILLS} kills -9 of the one who seals ${GRANTS} grants anew, under load: each request is served, and nothing names the old key`, {
  timeout: 120_000 + GRANTS * 20 + KILLS * 5_000,
}, async () => {
  const here = await world({
    serverSettings: { rotation: "leeway" },
    settings: { AUDIT_BUFFER_MAX_ENTRIES: "10000000" },
  });
  here.simulator.setSwitches({ refresh_mode: "leeway", leeway_seconds: 600 });
  const seeded = new Seeded();
  console.log(`seed ${seeded.seed}: ${GRANTS} grants, ${KILLS} kills`);
  // Ready ahead: starting takes longer than their work does.
  const waiting = Array.from({ length: PROCESSES > 0 ? 2 : KILLS + 2 }, () => rotating(here));
  const grants = await manyGrants(here, GRANTS);
  const bases =
    PROCESSES > 0 ? (await brokerProcesses(here, PROCESSES)).map(({ base }) => base) : [here.base];
  const owner = organisationOwner(here.organisation as OrganisationId);
  const load = underLoad(here, bases, grants, seeded);
  let offsetMs = 0;
  const passed = async (ms: number) => {
    if (PROCESSES > 0) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return;
    }
    here.advance(ms);
    offsetMs += ms;
    // What a minute does in a process: it reads its keys again.
    here.broker.sealer.forget(owner);
  };

  const { rotation } = await startRotation(here.broker.rotations, owner, BY_TEST);
  await passed(TIMING.knownAfterMs);
  // Of the first pass as a whole, so that each of them finds something to do.
  const pages = Math.ceil((GRANTS * 5) / 200);
  let [killed, waits] = [0, 0];
  for (let ended = false; !ended; ) {
    const one = await (waiting.shift() ?? rotating(here));
    if (PROCESSES > 0) waiting.push(rotating(here));
    const at = seeded.pick(STEPS);
    const most = Math.ceil((at.startsWith("replace") ? GRANTS : pages) / KILLS / 2);
    const die = killed < KILLS ? { at, nth: 1 + seeded.below(Math.max(1, most)) } : undefined;
    const end = await one.work({ owner, timing: TIMING, offsetMs, die });
    if (end === "killed") killed += 1;
    else if (end === "waits" && ++waits < 6) await passed(TIMING.keptAfterMs);
    else ended = true;
  }
  const { answered, errors, refreshed, slowest } = await load.end();

  const after = await here.broker.rotations.keys.read(owner);
  console.log(
    `figure: ${GRANTS} grants, ${killed} kills -9, ${answered} requests answered (${Math.round(load.perSecond())} a second, ` +
      `${refreshed} of them with a refresh, slowest ${Math.round(slowest)} ms), ${after.rotation?.passes} passes, ` +
      `${after.rotation?.resealed} secrets sealed anew; errors: ${errors.length}`,
  );
  expect(errors).toEqual([]);
  expect(killed).toBe(KILLS);
  expect(answered).toBeGreaterThan(KILLS);
  expect(after.rotation).toMatchObject({ phase: "done", to: rotation.to });
  expect(metIn(after.rotation!.last!)).toBe(0);
  expect(Object.keys(after.keys!.wrapped).sort()).toEqual([rotation.to, "fingerprint"].sort());

  // Exact counts, and every refresh token opens with the new key alone.
  const server = (await here.broker.configuration.findServer(here.server))!;
  here.broker.sealer.forget(owner);
  const redis = here.broker.stores.fast.connection as Redis;
  let opened = 0;
  for (const grant of grants as readonly GrantId[]) {
    const [rt, att, gen, at] = await redis.hmget(`b1:{${owner}}:grant:${grant}`, "rt", "rt_att", "gen", "at");
    expect([rt!.split(".")[1], at!.split(".")[1]]).toEqual([rotation.to, rotation.to]);
    const of = { grant, server, consentGeneration: Number(gen), attempt: Number(att) };
    const token = await here.broker.sealer.open(rt as Sealed, refreshTokenContext(of));
    if (token.reveal().startsWith("sim_rt_")) opened += 1;
  }
  expect(opened).toBe(GRANTS);
});

/** A process that is ready to go on with a rotation. */
async function rotating(here: World) {
  const child = fork(fileURLToPath(new URL("./rotating-process.ts", import.meta.url)), {
    env: { PATH: process.env.PATH ?? "", ...here.environment },
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  endWithThisProcess(child, { graceSeconds: 2 });
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  let said = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = exited.then(([code, signal]) => {
    if (signal === "SIGKILL") return "killed" as const;
    throw new Error(`it ended with ${code ?? signal}:\n${said}`);
  });
  ended.catch(() => {});
  await Promise.race([once(child, "message"), ended]);
  return {
    /** Until it is dead, or has nothing to do. */
    async work(orders: RotatingOrders): Promise<"killed" | RotationAnswer> {
      child.send(orders);
      const answer = once(child, "message").then(([said]) => said as RotationAnswer);
      return Promise.race([answer, ended]);
    },
  };
}

/** Callers who ask for tokens of users drawn by lot, now and then for one that is about to end. */
function underLoad(here: World, bases: readonly string[], grants: readonly string[], seeded: Seeded) {
  const clients = bases.map((base) => here.clientOf(base));
  const errors: string[] = [];
  let [going, answered, refreshed, slowest] = [true, 0, 0, 0];
  const startedAt = performance.now();
  const ask = async () => {
    const i = seeded.below(grants.length);
    const at = performance.now();
    try {
      if (seeded.next() < 0.02) {
        await expireSoon(here, grants[i]!);
        refreshed += 1;
      }
      const subject = { type: "user", id: `user.${i}` };
      const { status, body } = await seeded.pick(clients).accessToken({ server: here.server, subject });
      if (status === 200) answered += 1;
      else errors.push(`${status} ${JSON.stringify(body)}`);
    } catch (error) {
      errors.push(String(error));
    }
    slowest = Math.max(slowest, performance.now() - at);
  };
  const asking = new Set<Promise<void>>();
  const caller = async () => {
    while (going) await ask();
  };
  if (RATE === 0) for (let i = 0; i < 2; i++) asking.add(caller());
  let asked = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * RATE);
    for (; asked < due; asked++) {
      const one: Promise<void> = ask().finally(() => asking.delete(one));
      asking.add(one);
    }
  }, 10);
  let took = 0;
  return {
    perSecond: () => answered / (took / 1_000),
    async end() {
      going = false;
      clearInterval(timer);
      took = performance.now() - startedAt;
      await Promise.all(asking);
      return { answered, errors, refreshed, slowest };
    },
  };
}
