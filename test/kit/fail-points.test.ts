import { expect, it } from "vitest";
import { failPointsOverIpc } from "../../src/main/fail-points.ts";
import { brokerProcess, WITH_FAIL_POINTS } from "./broker-process.ts";
import { expireLease, expireSoon } from "./expire.ts";
import { OF_A_GOOD_REFRESH } from "./fail-points.ts";
import { AMELIA, world } from "./world.ts";

it("a process stands, stops and dies exactly where it is told to, and starts again on the same ports", async () => {
  const here = await world({ serverSettings: { rotation: "static" } });
  here.simulator.setSwitches({ refresh_mode: "same" });
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  const broker = await brokerProcess(here, "http", WITH_FAIL_POINTS);
  const client = here.clientOf(broker.base);
  const refreshes = () => here.simulator.counts().grant_types.refresh_token ?? 0;

  // Waits: the call has not left before it is let go.
  await expireSoon(here, grant);
  const held = await broker.failPoints.wait("after-mark-sent", { grant });
  const waiting = client.accessToken(ask);
  expect(await held.reached).toMatchObject({ point: "after-mark-sent", grant });
  expect(refreshes()).toBe(0);
  await held.go();
  expect((await waiting).status).toBe(200);
  expect(refreshes()).toBe(1);
  expect(broker.failPoints.reached.map(({ point }) => point)).toEqual(OF_A_GOOD_REFRESH);

  // Stops, at the second time only: the whole process, until SIGCONT.
  const stopped = await broker.failPoints.stop("answer-received", { nth: 2 });
  for (const [nth, settled] of [
    [1, "answered"],
    [2, "stands"],
  ] as const) {
    await expireSoon(here, grant);
    const answered = client.accessToken(ask).then(({ status }) => status);
    const first = await Promise.race([
      answered.then(() => "answered"),
      stopped.reached.then(() => "stands", String),
    ]);
    expect([nth, first]).toEqual([nth, settled]);
    if (settled === "stands") {
      expect(refreshes()).toBe(3);
      broker.signal("SIGCONT");
      expect(await answered).toBe(200);
    }
  }

  // Dies, and another takes its place.
  await expireSoon(here, grant);
  const before = broker.pid;
  await broker.failPoints.kill("after-commit");
  await expect(client.accessToken(ask)).rejects.toThrow();
  expect(await broker.exited).toBeNull();
  expect(broker.running).toBe(false);
  await expect(broker.failPoints.kill("after-commit")).rejects.toThrow("the process has ended");
  await broker.restart();
  expect(broker.pid).not.toBe(before);
  await expireLease(here, grant);
  expect((await client.accessToken(ask)).status).toBe(200);
  expect(refreshes()).toBe(4);
});

it("without the switch a process takes no orders and tells of no point", async () => {
  const here = await world();
  await here.connect();
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  const broker = await brokerProcess(here);
  const unanswered = broker.failPoints.kill("after-begin").catch(({ message }: Error) => message);
  await expireSoon(here, grant);
  expect((await here.clientOf(broker.base).accessToken(ask)).status).toBe(200);
  expect(broker.failPoints.reached).toEqual([]);
  await broker.kill();
  expect(await unanswered).toBe("the process has ended");
});

it("without a parent there is nobody who could command", () => {
  expect(failPointsOverIpc({} as NodeJS.Process)).toBeUndefined();
});
