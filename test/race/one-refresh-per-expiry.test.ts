import { expect, it } from "vitest";
import { brokerProcesses } from "../kit/broker-process.ts";
import { expireSoon } from "../kit/expire.ts";
import { AMELIA, world } from "../kit/world.ts";

const PROCESSES = Number(process.env.TEST_PROCESSES ?? 2);
const EXPIRIES = Number(process.env.TEST_EXPIRIES ?? 6);
const CALLERS = Number(process.env.TEST_CALLERS ?? 200);
const ANSWER_MS = 150;

it(`${CALLERS} callers at each of ${PROCESSES} broker processes at the moment of expiry spend the refresh token once, ${EXPIRIES} times of ${EXPIRIES} (F19)`, {
  timeout: 60_000 + EXPIRIES * PROCESSES * 2_000,
}, async () => {
  const here = await world();
  await here.connect();
  const processes = await brokerProcesses(here, PROCESSES);
  const clients = processes.map(({ base }) => here.clientOf(base));
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  // Long enough for callers at every process to find the token stale before the first call has its answer.
  here.simulator.addFault({
    on: { route: "token", grant_type: "refresh_token" },
    times: "always",
    do: { delay_after_ms: ANSWER_MS },
  });
  const { grant } = (await here.client.accessToken(ask)).body;

  for (let expiry = 1; expiry <= EXPIRIES; expiry++) {
    await expireSoon(here, grant);
    const answers = await Promise.all(
      clients.flatMap((client) => Array.from({ length: CALLERS }, () => client.accessToken(ask))),
    );
    const refused = answers.filter(({ status }) => status !== 200).map(({ body }) => body.code);
    expect(refused).toEqual([]);
    expect(new Set(answers.map(({ body }) => body.fingerprint)).size).toBe(1);
    expect(here.simulator.counts().grant_types.refresh_token).toBe(expiry);
    // As a worker would: two million entries that nobody takes away would rightly stop the tokens.
    await here.broker.workerStories.exportAudit();
    await here.broker.workerStories.reapUnbound();
  }
  const calls = here.simulator.counts().grant_types.refresh_token ?? 0;
  console.log(
    `figure: ${PROCESSES} processes x ${CALLERS} callers, ${EXPIRIES} expiries: ${(calls / EXPIRIES).toFixed(3)} calls at iManage per expiry`,
  );
  const truth = here.simulator.truth().families.filter(({ user_id }) => user_id === "amelia.hart");
  expect(truth).toMatchObject([{ refreshes: EXPIRIES, can_refresh: true }]);
});
