import { expect, it } from "vitest";
import { balancer } from "../kit/balancer.ts";
import { brokerProcess, brokerProcesses } from "../kit/broker-process.ts";
import { expireSoon } from "../kit/expire.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { Seeded } from "../kit/seeded.ts";
import { AMELIA, world } from "../kit/world.ts";

const RESTARTS = Number(process.env.TEST_RESTARTS ?? 2);
const CALLERS = 4;
const tokenCall = { route: "token", grant_type: "refresh_token" } as const;

it(`F18: ${RESTARTS} rolling restarts by SIGTERM under load behind a balancer lose no grant, and no caller sees an error`, {
  timeout: 60_000 + RESTARTS * 10_000,
}, async () => {
  const here = await world({ serverSettings: { rotation: "strict" } });
  here.simulator.setSwitches({ refresh_mode: "strict" });
  // Long enough that most restarts meet a refresh which has left.
  here.simulator.addFault({
    on: tokenCall,
    times: "always",
    do: { delay_before_ms: 50, delay_after_ms: 50 },
  });
  const replicas = await brokerProcesses(here, 2);
  const client = here.clientOf((await balancer(replicas.map(({ base }) => ({ base })))).base);
  const grants = await manyGrants(here, CALLERS);
  const seeded = new Seeded();
  console.log(`seed ${seeded.seed}: ${RESTARTS} restarts`);

  let going = true;
  const answers: Record<string, number> = {};
  const callers = grants.map(async (grant, i) => {
    const ask = { server: here.server, subject: { type: "user", id: `user.${i}` } };
    while (going) {
      if (seeded.next() < 0.2) await expireSoon(here, grant);
      const { status, body } = await client.accessToken(ask);
      const said = `${status} ${body.warning ?? body.code ?? ""}`.trim();
      answers[said] = (answers[said] ?? 0) + 1;
    }
  });
  const exits: (number | null)[] = [];
  for (let restart = 0; restart < RESTARTS; restart++) {
    const replica = replicas[restart % replicas.length]!;
    replica.signal("SIGTERM");
    exits.push(await replica.exited);
    await replica.restart();
  }
  going = false;
  await Promise.all(callers);

  const findings = await checkInvariants(here);
  const refreshes = here.simulator.counts().grant_types.refresh_token ?? 0;
  console.log(
    `figure: ${RESTARTS} rolling restarts: ${findings.grants.length - findings.with("healthy").length} grants lost, ` +
      `answers ${JSON.stringify(answers)}, ${refreshes} refreshes`,
  );
  expect(exits).toEqual(exits.map(() => 0));
  expect(answers).toEqual({ "200": expect.any(Number) });
  expect(findings.broken).toEqual([]);
  expect(findings.with("healthy")).toHaveLength(CALLERS);
});

it("F18: SIGTERM while a refresh is out for which nobody waits any more: its token is stored before the process ends", async () => {
  const here = await world({ serverSettings: { rotation: "strict" } });
  here.simulator.setSwitches({ refresh_mode: "strict" });
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  const broker = await brokerProcess(here);

  // Its caller has left: nobody waits for what iManage is about to answer.
  await expireSoon(here, grant, -1);
  here.simulator.addFault({ on: tokenCall, do: { hold_after: true } });
  const caller = new AbortController();
  const { id, secret } = here.credentials;
  const left = fetch(`${broker.base}/v1/access-tokens`, {
    method: "POST",
    signal: caller.signal,
    headers: {
      authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(ask),
  }).catch(() => "left");
  await expect.poll(() => here.simulator.held().length, { timeout: 10_000 }).toBe(1);
  caller.abort();
  expect(await left).toBe("left");
  broker.signal("SIGTERM");
  await expect
    .poll(
      () =>
        fetch(`${broker.base}/v1`).then(
          () => "listens",
          () => "refuses",
        ),
      { timeout: 10_000 },
    )
    .toBe("refuses");
  here.simulator.release();
  expect(await broker.exited).toBe(0);
  expect((await checkInvariants(here)).grants).toMatchObject([{ grant, verdict: "healthy" }]);
  expect((await here.client.accessToken(ask)).status).toBe(200);
  expect(here.simulator.counts().grant_types.refresh_token).toBe(1);
});
