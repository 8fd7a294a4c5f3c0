import autocannon from "autocannon";
import { expect, it } from "vitest";
import type { GrantId } from "../../src/domain/id.ts";
import { type BrokerProcess, brokerProcess } from "../kit/broker-process.ts";
import { dueNow, expireSoon } from "../kit/expire.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { manyGrants } from "../kit/many-grants.ts";
import { type Memory, memoryOf, TELLS_MEMORY } from "../kit/memory.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { type World, world } from "../kit/world.ts";

const TOKENS = Number(process.env.VERIFY_TOKENS ?? 0);
const REFRESHES = Number(process.env.VERIFY_REFRESHES ?? TOKENS / 10);
/** So many people's tokens are asked for; those of the others are left to the worker, who looks what is due every few seconds. */
const ASKED = 200;
const LEFT = 1_000;
/** Somewhat less than a server's gate lets through. */
const REFRESHES_PER_SECOND = 90;
const CONNECTIONS = 16;
const SAMPLES = 20;
/** By then whatever has a bound is full: each process remembers its last 10,000 refreshes, for ten minutes. */
const WARM = 0.25;
const GROWTH_MAX = 0.05;

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

it.skipIf(TOKENS === 0)(
  `memory of broker and worker grows by less than ${GROWTH_MAX * 100} % over ${TOKENS} tokens and ${REFRESHES} refreshes`,
  { timeout: 120_000 + TOKENS * 5 + REFRESHES * 30 },
  async () => {
    const redis = await ownRedisForThisTest();
    const here = await world({ redisUrl: redis.url, settings: { AUDIT_BUFFER_MAX_ENTRIES: "10000000" } });
    here.simulator.setSwitches({ refresh_mode: "same" });
    const [asked, left] = [await manyGrants(here, ASKED), await manyGrants(here, LEFT, ASKED)];
    const quiet = { ...TELLS_MEMORY, LOG_LEVEL: "warn", AUDIT_BUFFER_MAX_ENTRIES: "10000000" };
    const processes = {
      broker: await brokerProcess(here, "http", quiet),
      worker: await brokerProcess(here, "worker", quiet),
    };
    const refreshes = () => here.simulator.counts().grant_types.refresh_token ?? 0;
    const samples: Record<keyof typeof processes, Memory>[] = [];
    let tokens = 0;
    for (let sample = 1; sample <= SAMPLES; sample++) {
      const until = Math.round((REFRESHES * sample) / SAMPLES);
      const enough = () => tokens >= (TOKENS * sample) / SAMPLES && refreshes() >= until;
      const asking = async () => {
        while (!enough()) tokens += await askFor(here, processes.broker, Math.min(2_000, TOKENS / SAMPLES));
      };
      await Promise.all([asking(), makeRefreshes(here, asked, left, enough)]);
      samples.push({ broker: await memoryOf(processes.broker), worker: await memoryOf(processes.worker) });
      const of = (name: keyof typeof processes) =>
        `${name} ${mebibytes(samples.at(-1)![name].live)} live, ${mebibytes(samples.at(-1)![name].rss)} resident`;
      console.log(`${tokens} tokens, ${refreshes()} refreshes: ${of("broker")}; ${of("worker")}`);
    }

    const growth = (name: keyof typeof processes) => {
      const live = samples.slice(Math.ceil(SAMPLES * WARM) - 1).map((sample) => sample[name].live);
      return slope(live) * (live.length - 1);
    };
    const [broker, worker] = [growth("broker"), growth("worker")];
    const told = (part: number) => `${part < 0 ? "" : "+"}${(100 * part).toFixed(1)} %`;
    console.log(
      `figure: memory over ${tokens} tokens and ${refreshes()} refreshes, from the first quarter to the end: ` +
        `broker ${told(broker)}, worker ${told(worker)}`,
    );
    expect(tokens).toBeGreaterThanOrEqual(TOKENS);
    expect(refreshes()).toBeGreaterThanOrEqual(REFRESHES);
    expect(Math.max(broker, worker)).toBeLessThan(GROWTH_MAX);
    expect((await checkInvariants(here)).broken).toEqual([]);
  },
);

/** Of a line through these values, per step, as a part of its first: one value alone is what was alive at that moment. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const rise =
    values.reduce((sum, value, at) => sum + (at - middle) * (value - mean), 0) /
    values.reduce((sum, _value, at) => sum + (at - middle) ** 2, 0);
  return rise / (mean - rise * middle);
}

async function askFor(here: World, broker: BrokerProcess, amount: number): Promise<number> {
  const { body } = await here.clientOf(broker.base).token({ grant_type: "client_credentials" });
  const result = await autocannon({
    url: broker.base,
    connections: CONNECTIONS,
    amount,
    requests: Array.from({ length: ASKED }, (_, i) => ({
      method: "POST" as const,
      path: "/v1/access-tokens",
      headers: { authorization: `Bearer ${String(body.access_token)}`, "content-type": "application/json" },
      body: JSON.stringify({ server: here.server, subject: { type: "user", id: `user.${i}` } }),
    })),
  });
  expect(result.non2xx + result.errors).toBe(0);
  return result["2xx"];
}

/** Half of them by those who ask for a token that has expired, half by the worker. */
async function makeRefreshes(
  here: World,
  asked: readonly GrantId[],
  left: readonly GrantId[],
  enough: () => boolean,
): Promise<void> {
  for (let second = 0; !enough(); second++) {
    const half = REFRESHES_PER_SECOND / 2;
    const some = (all: readonly GrantId[]) =>
      Array.from({ length: half }, (_, i) => all[(second * half + i) % all.length]!);
    await Promise.all([
      ...some(asked).map((grant) => expireSoon(here, grant, -1)),
      ...some(left).map((grant) => dueNow(here, grant)),
      new Promise((resolve) => setTimeout(resolve, 1_000)),
    ]);
  }
}
