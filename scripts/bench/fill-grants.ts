import { randomBytes } from "node:crypto";
import { storeConsent } from "../../src/broker/authorization/redeem.ts";
import { readSettings } from "../../src/config/settings.ts";
import { type GrantId, type OrganisationId, organisationOf, type ServerId } from "../../src/domain/id.ts";
import { days } from "../../src/domain/instant.ts";
import { Secret } from "../../src/domain/secret.ts";
import { compose } from "../../src/main/compose.ts";
import { rootKeysetOf } from "../../src/main/root-keys.ts";
import { systemClock } from "../../src/ops/clock.ts";
import { makeLog } from "../../src/ops/log.ts";
import { dueKey, grantsKey } from "../../src/store/keys.ts";
import { personOf } from "./person.ts";

/**
 * A process of the broker without listeners that does what it is told: makes grants by the broker's own story, only that nobody
 * sits before a browser for each, and sweeps the schedule.
 */
export type FillOrder =
  | {
      readonly does: "fill";
      readonly server: string;
      readonly client: string;
      /** Numbers of the people who get a grant each: from the first, before the last. */
      readonly from: number;
      readonly to: number;
      /** Of so many in the end: their sign-ins are spread evenly over `spanMs` before now. */
      readonly of: number;
      readonly spanMs: number;
      /** What iManage gave those of them who come first. Others have tokens of the same form that nobody will refresh. */
      readonly issued: readonly Issued[];
    }
  /** Lets a week pass so many times, after each of which the first so many grants are kept alive. */
  | { readonly does: "age"; readonly server: string; readonly count: number; readonly weeks: number }
  | { readonly does: "sweep"; readonly server: string; readonly due: number; readonly times: number };
export interface Issued {
  readonly access_token: string;
  readonly refresh_token: string;
}
export type FillSaid =
  | { readonly says: "ready" }
  | { readonly says: "filled"; readonly ms: number }
  | { readonly says: "aged"; readonly grants: readonly string[] }
  /** In ms, each time: a sweep as the worker makes it, and reading all that is due. */
  | { readonly says: "swept"; readonly sweeps: readonly number[]; readonly reads: readonly number[] };

/** They live until the bench is over, so that a token is read and not refreshed. */
const ACCESS_TOKEN_LIFE_MS = days(8);
const AT_ONCE = 100;

/** Time as this process' clock and its scripts have it. */
let offsetMs = 0;
const settings = readSettings();
const broker = await compose({
  settings,
  rootKeyset: await rootKeysetOf(settings),
  log: makeLog({ level: "warn" }),
  clock: systemClock(() => offsetMs),
  storeOffsetMs: () => offsetMs,
});
await broker.ready();

process.on("message", async (order: FillOrder) => {
  const does = { fill, age, sweep } as {
    [does in FillOrder["does"]]: (order: FillOrder) => Promise<FillSaid>;
  };
  process.send!(await does[order.does](order));
});
process.on("disconnect", () => process.exit());
process.on("SIGTERM", () => process.exit());
process.send!({ says: "ready" } satisfies FillSaid);

async function fill(order: Extract<FillOrder, { does: "fill" }>): Promise<FillSaid> {
  const { authorization } = broker;
  const server = (await authorization.servers.findServer(order.server as ServerId))!;
  const startedAt = performance.now();
  let next = order.from;
  const work = async () => {
    while (next < order.to) {
      const i = next++;
      offsetMs = -Math.round(order.spanMs * (1 - i / order.of));
      const { id, name, email } = personOf(i);
      const issued = order.issued[i] ?? {
        access_token: `sim_at_${randomBytes(32).toString("base64url")}`,
        refresh_token: `sim_rt_${randomBytes(32).toString("base64url")}`,
      };
      await storeConsent(
        authorization,
        {
          server,
          credentials: { clientId: "token-broker", secrets: [] },
          receivedAt: authorization.clock.monotonicMs(),
          answer: {
            accessToken: new Secret(issued.access_token),
            refreshToken: new Secret(issued.refresh_token),
            accessTokenLifeMs: ACCESS_TOKEN_LIFE_MS,
            scope: undefined,
          },
          identity: {
            user: { customerId: "5948", userId: id, name, email },
            apiRoot: "",
            dmsVersion: undefined,
          },
        },
        {
          type: "user",
          client: order.client as never,
          subject: { type: "user", issuer: "client", id },
        },
        { actor: `client:${order.client}`, requestId: `req_${randomBytes(12).toString("base64url")}` },
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  offsetMs = 0;
  return { says: "filled", ms: performance.now() - startedAt };
}

async function age({ server, count, weeks }: Extract<FillOrder, { does: "age" }>): Promise<FillSaid> {
  const { fast } = broker.stores;
  const key = grantsKey(organisationOf(server as ServerId));
  const grants = (await fast.call((redis) => redis.zrange(key, "0", String(count - 1)))) as GrantId[];
  for (let week = 1; week <= weeks; week++) {
    offsetMs = days(7.5) * week;
    for (const id of grants) {
      // The server's gate lets so many a second through.
      for (let tries = 0; !(await broker.workerStories.refreshGrant(id)); tries++) {
        if (tries > 100) throw new Error(`${id} is not refreshed`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
  offsetMs = 0;
  return { says: "aged", grants };
}

/** At the moment at which exactly so many are due. */
async function sweep({ server, due, times }: Extract<FillOrder, { does: "sweep" }>): Promise<FillSaid> {
  const organisation: OrganisationId = organisationOf(server as ServerId);
  const { fast } = broker.stores;
  const [, score] = await fast.call((redis) =>
    redis.zrange(dueKey(organisation), String(due - 1), String(due - 1), "WITHSCORES"),
  );
  offsetMs = Number(score) - (await fast.now());
  const sweeps: number[] = [];
  const reads: number[] = [];
  for (let i = 0; i < times; i++) {
    let startedAt = performance.now();
    const swept = await broker.workerStories.sweepRefreshes();
    sweeps.push(performance.now() - startedAt);
    // The moment moves on by itself while it is looked at.
    offsetMs = Number(score) - (await fast.now()) + offsetMs;
    startedAt = performance.now();
    const all = await broker.grantStore.dueGrants(organisation, due);
    reads.push(performance.now() - startedAt);
    if (swept.length !== Math.min(due, 200) || all.length !== due)
      throw new Error(`${swept.length} swept, ${all.length} read of ${due} due`);
  }
  offsetMs = 0;
  return { says: "swept", sweeps, reads };
}
