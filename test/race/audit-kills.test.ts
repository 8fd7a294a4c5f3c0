import { expect, it } from "vitest";
import type { WalkingClient } from "../../scripts/walk/client.ts";
import { connect } from "../../scripts/walk/connect.ts";
import { auditFault } from "../../src/domain/audit-actions.ts";
import type { AuditEntry } from "../../src/domain/audit-entry.ts";
import type { OrganisationId } from "../../src/domain/id.ts";
import { connectRedis } from "../../src/store/connect-redis.ts";
import { auditKey } from "../../src/store/keys.ts";
import { verifyAuditFile } from "../kit/audit-file.ts";
import { type BrokerProcess, brokerProcesses } from "../kit/broker-process.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { addressOf, ownRedisForThisTest } from "../kit/redis.ts";
import { Seeded } from "../kit/seeded.ts";
import { AMELIA, RETURN_URL, type World, world } from "../kit/world.ts";

const KILLS = Number(process.env.TEST_AUDIT_KILLS ?? 4);
const LANES = 2;

/** What a client is sure of: it was answered that it has happened. */
interface Answered {
  readonly action: string;
  /** `request` and its id; of what two may end at once what it was: only one of them did. */
  readonly by: readonly [field: string, value: string];
}

it(`${KILLS} kills -9 of brokers and workers at random writes of the audit: no change without its entry, no entry without its change, no hole (T38)`, {
  timeout: 120_000 + KILLS * 5_000,
}, async () => {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
  await here.connect();
  const seeded = new Seeded();
  console.log(`seed ${seeded.seed}: ${KILLS} kills`);
  const processes = await brokerProcesses(here, LANES, "all");
  const answered: Answered[] = [];
  let cut = 0;
  let begun = 0;
  await Promise.all(
    processes.map(async (victim, lane) => {
      while (begun < KILLS) {
        begun += 1;
        const killed = killAtEntry(here, victim, 1 + seeded.below(12));
        const changes = changesOf(here, here.clientOf(victim.base), lane);
        const outcomes = await Promise.all(
          Array.from({ length: 3 }, () => keepChanging(changes, victim, answered)),
        );
        cut += outcomes.reduce((sum, one) => sum + one, 0);
        await killed;
        await victim.restart();
      }
    }),
  );
  for (const process of processes) await process.kill();
  here.advance(10_000);
  await here.broker.workerStories.exportAudit();

  const organisation = here.organisation as OrganisationId;
  const entries = await allEntries(here, organisation);
  const { journals } = await verifyAuditFile(here);
  const [, ours] = journals;
  console.log(
    `figure: ${begun} kills -9, ${answered.length} changes answered, ${cut} cut off, ${entries.length} entries, ${ours!.repeated} exported twice`,
  );
  expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, at) => at + 1));
  expect(entries.map(({ fields }) => auditFault(fields)).filter((fault) => fault !== undefined)).toEqual([]);
  expect(ours).toMatchObject({
    last: entries.length,
    fault: undefined,
    proven: { from: 1, to: entries.length },
  });
  expect((await checkInvariants(here)).broken).toEqual([]);

  // What was answered has its entry, once.
  const written = Map.groupBy(
    entries.flatMap(({ fields }) => Object.entries(fields).map((by) => `${fields.action} ${by.join()}`)),
    (text) => text,
  );
  const unwritten = answered.filter(({ action, by }) => written.get(`${action} ${by.join()}`)?.length !== 1);
  expect(unwritten).toEqual([]);
  // And what is stored is what the entries come to, those included whose answer was cut off.
  expect(await storedState(here)).toEqual(stateByEntries(entries));
  expect(begun).toBeGreaterThanOrEqual(KILLS);
  expect(answered.length).toBeGreaterThan(0);
});

/** What was answered, if by that something has surely happened. */
type Change = () => Promise<Answered | undefined>;

/** Each leaves something behind by which it is seen whether it has happened. */
function changesOf(here: World, client: WalkingClient, lane: number): readonly Change[] {
  let count = 0;
  const library = `LIB${lane}`;
  const token: Change = async () => {
    const subject = { type: "user", id: AMELIA.subject };
    const { status, headers } = await client.accessToken({ server: here.server, subject });
    if (status !== 200) return undefined;
    return { action: "token.issued", by: ["request", headers.get("x-request-id") ?? ""] };
  };
  return [
    token,
    async () => {
      await client.call("PUT", `/v1/organisations/${here.organisation}/servers/lane${lane}`, {
        kind: "on-premises",
        address: here.simulator.origin,
        settings: { code_life_seconds: 30 + (count++ % 200) },
        registration: { client_id: "token-broker", client_secret: "sim_secret_token-broker" },
      });
      return undefined;
    },
    async () => {
      await client.call("POST", "/v1/syncs", { server: here.server, library });
      return undefined;
    },
    async () => {
      const list = await client.call<{ items: { id: string; library: string }[] }>(
        "GET",
        `/v1/syncs?organisation=${here.organisation}`,
      );
      const sync = list.body.items?.find((one) => one.library === library)?.id;
      if (sync === undefined) return token();
      const { status } = await client.call("DELETE", `/v1/syncs/${sync}`);
      return status === 204 ? { action: "sync.deleted", by: ["sync", sync] } : undefined;
    },
    async () => {
      const person = { subject: `u-lane-${lane}`, username: "e.moreau", password: "moreau" };
      const where = { server: here.server, returnUrl: RETURN_URL };
      const grant = (await connect(client, where, person)).body.grant ?? "";
      const { status } = await client.call("DELETE", `/v1/grants/${grant}`);
      return status === 204 ? { action: "grant.revoked", by: ["grant", grant] } : undefined;
    },
  ];
}

/** One change after the other until the process is gone; answers how many were cut off. */
async function keepChanging(
  changes: readonly Change[],
  victim: BrokerProcess,
  answered: Answered[],
): Promise<number> {
  let cut = 0;
  for (let at = Math.floor(changes.length * Math.random()); victim.running; at = (at + 1) % changes.length) {
    try {
      const done = await changes[at]!();
      if (done !== undefined) answered.push(done);
    } catch {
      cut += 1;
    }
  }
  return cut;
}

/** Dies as soon as Redis has written the so-manieth entry from now on: most answers to it are not out by then. */
async function killAtEntry(here: World, victim: BrokerProcess, count: number): Promise<void> {
  const listener = connectRedis(addressOf(here.environment.REDIS_URL), "durable");
  try {
    let last = `${await here.broker.auditBuffer.newest(here.organisation as OrganisationId)}-0`;
    for (let seen = 0; seen < count; ) {
      const [stream] =
        (await listener.xread(
          "COUNT",
          1,
          "BLOCK",
          30_000,
          "STREAMS",
          auditKey(here.organisation as OrganisationId),
          last,
        )) ?? [];
      const entries = stream?.[1] ?? [];
      seen += entries.length;
      last = entries.at(-1)?.[0] ?? last;
    }
  } finally {
    listener.disconnect();
    await victim.kill();
  }
}

async function allEntries(here: World, organisation: OrganisationId): Promise<AuditEntry[]> {
  const all: AuditEntry[] = [];
  for (;;) {
    const some = await here.broker.auditBuffer.read(organisation, all.at(-1)?.sequence ?? 0, 1_000);
    all.push(...some);
    if (some.length === 0) return all;
  }
}

interface State {
  readonly grants: readonly string[];
  readonly syncs: readonly string[];
  readonly servers: readonly string[];
}

async function storedState(here: World): Promise<State> {
  const { broker } = here;
  const organisation = here.organisation as OrganisationId;
  const syncs = await here.client.call<{ items: { id: string }[] }>(
    "GET",
    `/v1/syncs?organisation=${organisation}`,
  );
  return {
    grants: (await broker.grantStore.listGrants(organisation, undefined, 100_000)).map(({ id }) => id).sort(),
    syncs: syncs.body.items.map(({ id }) => id).sort(),
    servers: (await broker.configuration.listServers(organisation))
      .map(({ id, configurationGeneration }) => `${id} ${configurationGeneration > 0}`)
      .sort(),
  };
}

/** What must be there if nothing happened but what is written. */
function stateByEntries(entries: readonly AuditEntry[]): State {
  const grants = new Set<string>();
  const syncs = new Set<string>();
  const servers = new Set<string>();
  for (const { fields } of entries) {
    const { action, grant = "", sync = "", server = "" } = fields;
    if (action === "grant.authorized") grants.add(grant);
    if (action === "grant.revoked" || action === "grant.reaped") grants.delete(grant);
    if (action === "sync.created") syncs.add(sync);
    if (action === "sync.deleted") syncs.delete(sync);
    if (action === "server.created") servers.add(`${server} true`);
  }
  return { grants: [...grants].sort(), syncs: [...syncs].sort(), servers: [...servers].sort() };
}
