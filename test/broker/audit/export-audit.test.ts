import { describe, expect, it } from "vitest";
import { exportAudit } from "../../../src/broker/audit/export-audit.ts";
import { keepAudit } from "../../../src/broker/audit/keep-audit.ts";
import type { AuditBatch } from "../../../src/domain/audit-entry.ts";
import type { OrganisationId } from "../../../src/domain/id.ts";
import { auditGateKey, auditHeadKey, auditKey } from "../../../src/store/keys.ts";
import { verifyAuditFile } from "../../kit/audit-file.ts";
import { ownRedisForThisTest } from "../../kit/redis.ts";
import { AMELIA, type World, type WorldOptions, world } from "../../kit/world.ts";

async function firm(options: WorldOptions = {}): Promise<World & { readonly journal: OrganisationId }> {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url, ...options });
  await here.connect();
  return { ...here, journal: here.organisation as OrganisationId };
}
const tokenOf = (here: World) =>
  here.client.accessToken({ server: here.server, subject: { type: "user", id: AMELIA.subject } });
async function tokens(here: World, count: number): Promise<void> {
  const answers = await Promise.all(Array.from({ length: count }, () => tokenOf(here)));
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
}
const redisOf = (here: World) => here.broker.stores.fast;

describe("the audit's export (T38)", () => {
  it("is chained and signed, for every journal, and what is exported can still be read", async () => {
    const here = await firm();
    await tokens(here, 5);
    const count = await here.broker.workerStories.exportAudit();
    await tokens(here, 3);
    const more = await here.broker.workerStories.exportAudit();
    const { journals, otherLines } = await verifyAuditFile(here);
    const newest = await here.broker.auditBuffer.newest(here.journal);
    expect(journals.map(({ journal, fault }) => [journal, fault])).toEqual([
      ["clients", undefined],
      [here.journal, undefined],
    ]);
    expect(journals[1]).toMatchObject({ entries: newest, repeated: 0, proven: { from: 1, to: newest } });
    expect([more, Number(count) + Number(more), otherLines]).toEqual([3, newest + 1, 0]);
    expect(await here.broker.auditBuffer.backlog(here.journal)).toBe(0);
    expect(await here.broker.auditBuffer.read(here.journal, 0, 1_000)).toHaveLength(newest);
    expect(await here.broker.workerStories.exportAudit()).toBe(0);
  });

  it("that dies after writing and before acknowledging writes the same links again, and nothing is lost", async () => {
    const here = await firm();
    const dying = {
      ...here.broker.audit,
      sink: {
        async write(batch: AuditBatch) {
          await here.broker.audit.sink.write(batch);
          if (batch.journal === here.journal) throw new Error("killed");
        },
      },
    };
    await expect(exportAudit(dying)).rejects.toThrow("killed");
    await tokens(here, 4);
    await expect(exportAudit(dying)).rejects.toThrow("killed");
    // A journal that failed has held up no other.
    expect(await here.broker.auditBuffer.backlog("clients")).toBe(0);
    await here.broker.workerStories.exportAudit();
    const newest = await here.broker.auditBuffer.newest(here.journal);
    const { journals } = await verifyAuditFile(here);
    expect(journals[1]).toMatchObject({ last: newest, fault: undefined, proven: { from: 1, to: newest } });
    expect(journals[1]!.repeated).toBeGreaterThan(newest - 4);
  });

  it("by many workers at once is done by one", async () => {
    const here = await firm();
    await tokens(here, 20);
    const others = await Promise.all([here.replica(), here.replica()]);
    const counts = await Promise.all(
      [here.broker, ...others.map(({ broker }) => broker)].map((one) => one.workerStories.exportAudit()),
    );
    const newest = await here.broker.auditBuffer.newest(here.journal);
    expect(counts.map(Number).reduce((sum, one) => sum + one)).toBe(newest + 1);
    expect((await verifyAuditFile(here)).journals[1]).toMatchObject({
      repeated: 0,
      last: newest,
      fault: undefined,
    });
  });

  it("a chainer that slept over its lease acknowledges nothing, and forks nothing (T38)", async () => {
    const here = await firm();
    const { buffer } = here.broker.audit;
    let woken = 0;
    const sleeper = {
      ...here.broker.audit,
      timers: { every: () => () => {} },
      sink: {
        async write(batch: AuditBatch) {
          if (batch.journal === here.journal) {
            here.advance(5_001);
            await tokens(here, 3);
            // Meanwhile another goes on, and further.
            woken = Number(await here.broker.workerStories.exportAudit());
          }
          await here.broker.audit.sink.write(batch);
        },
      },
    };
    const newestBefore = await here.broker.auditBuffer.newest(here.journal);
    await exportAudit(sleeper);
    expect(woken).toBe(newestBefore + 3);
    expect(await buffer.backlog(here.journal)).toBe(0);
    await tokens(here, 2);
    await here.broker.workerStories.exportAudit();
    const { journals } = await verifyAuditFile(here);
    expect(journals[1]).toMatchObject({ last: newestBefore + 5, repeated: newestBefore, fault: undefined });
  });

  it("takes a journal over whose holder died, once its lease has ended", async () => {
    const here = await firm();
    expect(await here.broker.audit.buffer.take(here.journal, "the dead", 5_000)).toMatchObject({
      kind: "taken",
    });
    await here.broker.workerStories.exportAudit();
    expect(await here.broker.auditBuffer.backlog(here.journal)).toBeGreaterThan(0);
    here.advance(5_001);
    await here.broker.workerStories.exportAudit();
    expect(await here.broker.auditBuffer.backlog(here.journal)).toBe(0);
  });

  it("tells operators of entries that somebody took out of Redis, and exports what is there", async () => {
    const here = await firm();
    await tokens(here, 3);
    const newest = await here.broker.auditBuffer.newest(here.journal);
    await redisOf(here).call((redis) => redis.xdel(auditKey(here.journal), `${newest - 1}-0`));
    await here.broker.workerStories.exportAudit();
    expect(here.lines.join("")).toContain("audit_gap");
    expect((await verifyAuditFile(here)).journals[1]!.fault).toMatchObject({
      kind: "missing",
      sequence: newest - 1,
    });
  });
});

describe("the audit's buffer", () => {
  const SMALL = { settings: { AUDIT_BUFFER_MAX_ENTRIES: "1000" } };
  /** As if so many entries had been written since: the numbers alone count. */
  const pretend = (here: World & { readonly journal: OrganisationId }, entries: number) =>
    redisOf(here).call((redis) => redis.hincrby(auditGateKey(here.journal), "audit", entries));

  it("no audit, no token: at the cap of what is not exported; whatever else is done is still done and written", async () => {
    const here = await firm(SMALL);
    await here.broker.workerStories.exportAudit();
    await pretend(here, 999);
    const { grant } = (await tokenOf(here)).body;
    const refused = await tokenOf(here);
    expect([refused.status, refused.body.code]).toEqual([503, "audit_backlog"]);
    expect((await here.client.call("DELETE", `/v1/grants/${grant}`)).status).toBe(204);
    expect((await here.connect()).status).toBe(200);
    const last = await here.broker.audit.buffer.readBack(here.journal, undefined, 2);
    expect(last.map(({ fields }) => fields.action)).toEqual(["grant.authorized", "grant.revoked"]);
    await here.broker.workerStories.exportAudit();
    expect((await tokenOf(here)).status).toBe(200);
  });

  it("of before there was a chain counts what lies in the stream, and is chained from where it stands", async () => {
    const here = await firm(SMALL);
    const keys = [auditGateKey(here.journal), auditHeadKey(here.journal)] as const;
    await redisOf(here).call((redis) => redis.xtrim(auditKey(here.journal), "MINID", "4-0"));
    const newest = await here.broker.auditBuffer.newest(here.journal);
    expect(await redisOf(here).call((redis) => redis.hexists(keys[0], "acked"))).toBe(0);
    expect(await here.broker.auditBuffer.backlog(here.journal)).toBe(newest - 3);
    await tokens(here, 1);
    await here.broker.workerStories.exportAudit();
    expect((await verifyAuditFile(here)).journals[1]).toMatchObject({
      first: 4,
      proven: { from: 4, to: newest + 1 },
      fault: undefined,
    });
  });

  it("warns operators at three quarters, and says at the cap that it has stopped tokens", async () => {
    const here = await firm(SMALL);
    await here.broker.workerStories.exportAudit();
    const told = async () => {
      const before = here.lines.length;
      await keepAudit(here.broker.audit);
      return here.lines.slice(before).join("");
    };
    await pretend(here, 749);
    expect(await told()).toBe("");
    await pretend(here, 1);
    expect(await told()).toMatch(/"level":"warn".*"code":"audit_backlog".*"count":750/);
    await pretend(here, 250);
    expect(await told()).toMatch(/"level":"error".*no audit, no token/);
  });

  it("lets go of what is exported and old, or too many; of nothing else", async () => {
    const here = await firm();
    const { buffer } = here.broker.audit;
    await tokens(here, 10);
    await here.broker.workerStories.exportAudit();
    here.advance(600_000);
    await tokens(here, 5);
    const newest = await buffer.newest(here.journal);
    const left = async () => (await buffer.read(here.journal, 0, 1_000)).map(({ sequence }) => sequence);
    const from = (first: number) => Array.from({ length: newest - first + 1 }, (_, i) => first + i);

    expect(await buffer.trim(here.journal, 900_000, 1_000)).toBe(0);
    expect(await buffer.firstSince(here.journal, 0)).toBe(1);
    const young = await buffer.firstSince(here.journal, (await redisOf(here).now()) - 300_000);
    expect(young).toBe(newest - 4);
    expect(await buffer.firstSince(here.journal, (await redisOf(here).now()) + 60_000)).toBeUndefined();

    await buffer.trim(here.journal, 10_000_000, 12);
    expect(await left()).toEqual(from(newest - 11));
    await buffer.trim(here.journal, 300_000, 1_000);
    expect(await left()).toEqual(from(newest - 4));
    // Old or many as they may be: these have not been exported.
    expect(await buffer.trim(here.journal, 0, 0)).toBe(0);
    await here.broker.workerStories.exportAudit();
    here.advance(1);
    await keepAudit({ ...here.broker.audit, limits: { backlogMax: 1_000, keptMs: 0, keptMax: 1_000 } });
    expect(await left()).toEqual([]);
    await tokens(here, 1);
    await here.broker.workerStories.exportAudit();
    expect((await verifyAuditFile(here)).journals[1]).toMatchObject({ last: newest + 1, fault: undefined });
  });
});
