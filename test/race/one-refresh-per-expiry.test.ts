import { expect, it } from "vitest";
import type { AccessTokenAnswer, Answer, WalkingClient } from "../../scripts/walk/client.ts";
import { brokerProcess } from "../kit/broker-process.ts";
import { expireSoon } from "../kit/expire.ts";
import { AMELIA, world } from "../kit/world.ts";

const REPETITIONS = 50;
const CALLERS = 200;

it(`${CALLERS} callers at each of two broker processes at the moment of expiry spend the refresh token once, ${REPETITIONS} times of ${REPETITIONS} (F19)`, {
  timeout: 120_000,
}, async () => {
  const here = await world();
  await here.connect();
  const processes = await Promise.all([brokerProcess(here), brokerProcess(here)]);
  const clients = processes.map(({ base }) => here.clientOf(base));
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;

  for (let repetition = 1; repetition <= REPETITIONS; repetition++) {
    await expireSoon(here, grant);
    const answers = await Promise.all(
      clients.flatMap((client) => Array.from({ length: CALLERS }, () => persistently(client, ask))),
    );
    const refused = answers.filter(({ status }) => status !== 200).map(({ body }) => body.code);
    expect(refused).toEqual([]);
    expect(new Set(answers.map(({ body }) => body.fingerprint)).size).toBe(1);
    expect(here.simulator.counts().grant_types.refresh_token).toBe(repetition);
  }
  const truth = here.simulator.truth().families.filter(({ user_id }) => user_id === "amelia.hart");
  expect(truth).toMatchObject([{ refreshes: REPETITIONS, can_refresh: true }]);
});

/** On two cores that others use Redis may take longer than a second: then, as every client does, once more. */
async function persistently(client: WalkingClient, ask: object): Promise<Answer<AccessTokenAnswer>> {
  const answer = await client.accessToken(ask);
  return answer.body.code === "store_unavailable" ? client.accessToken(ask) : answer;
}
