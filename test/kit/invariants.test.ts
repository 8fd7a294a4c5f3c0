import { describe, expect, it } from "vitest";
import { refreshTokenContext } from "../../src/broker/seal-contexts.ts";
import type { GrantId, OrganisationId } from "../../src/domain/id.ts";
import { Secret } from "../../src/domain/secret.ts";
import { auditKey, dueKey, grantKey, grantsKey, organisationPrefix } from "../../src/store/keys.ts";
import { expireSoon } from "./expire.ts";
import { checkInvariants } from "./invariants.ts";
import { AMELIA, MOREAU, type World, world } from "./world.ts";

/** A world with two grants, one of them refreshed once, and a hand in its Redis. */
async function prepared(rotation: "leeway" | "strict" | "rotating" = "strict") {
  const here = await world({ serverSettings: { rotation } });
  here.simulator.setSwitches({ refresh_mode: rotation === "rotating" ? "rotate" : rotation });
  for (const person of [AMELIA, MOREAU]) await here.connect(person);
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
  const { grant } = (await here.client.accessToken(ask)).body;
  const key = grantKey(grant as GrantId);
  const redis = here.broker.stores.fast.connection;
  const refresh = async () => {
    await expireSoon(here, grant);
    expect((await here.client.accessToken(ask)).status).toBe(200);
  };
  await refresh();
  return { here, ask, grant, key, redis, refresh, organisation: here.organisation as OrganisationId };
}

const verdictOf = async (here: World, grant: string, journal: { grant: string; what: string }[] = []) => {
  const findings = await checkInvariants(here, { journal });
  expect(findings.broken).toEqual([]);
  return findings.grants.find((one) => one.grant === grant);
};

describe("the invariants", () => {
  it("hold in a world where nothing went wrong, and say so of every grant", async () => {
    const { here } = await prepared();
    const findings = await checkInvariants(here);
    expect(findings.broken).toEqual([]);
    expect(findings.with("healthy")).toHaveLength(2);
    expect(findings.sentences).toEqual([
      expect.stringContaining("is healthy: iManage's current token is its primary."),
      expect.stringContaining("is healthy"),
    ]);
  });

  it("see an older token put over a newer one, by the access token beside it, by a spare, and by what was presented", async () => {
    const { here, grant, key, redis, refresh } = await prepared();
    const older = await redis.hmget(key, "rt", "rt_fp", "rt_att");
    await refresh();
    const newer = await redis.hmget(key, "rt", "rt_fp", "rt_att");
    const putOlder = () => redis.hset(key, "rt", older[0]!, "rt_fp", older[1]!, "rt_att", older[2]!);

    await putOlder();
    expect(await verdictOf(here, grant)).toMatchObject({
      verdict: "older-over-newer",
      sentence: expect.stringContaining("attempt 2 brought its access token"),
    });

    await redis.hdel(key, "at");
    expect(await verdictOf(here, grant)).toMatchObject({ verdict: "lost", explained: false });
    await redis.hset(
      key,
      "spares",
      JSON.stringify([{ sealed: newer[0], fp: newer[1], att: newer[2], at: "0" }]),
    );
    expect(await verdictOf(here, grant)).toMatchObject({ verdict: "older-over-newer" });

    await redis.hdel(key, "spares");
    await redis.hset(key, "rt", newer[0]!, "rt_fp", newer[1]!, "rt_att", newer[2]!);
    await refresh();
    await putOlder();
    await redis.hdel(key, "at");
    expect((await verdictOf(here, grant))?.sentence).toContain("was here already");
  });

  it("see a loss, and whether anything explains it", async () => {
    const { here, grant, key, redis } = await prepared();
    // iManage rotates, and nobody hears of it.
    const sealed = await redis.hmget(key, "rt", "rt_att", "gen", "rt_fp");
    const server = (await here.broker.configuration.findServer(here.server))!;
    const context = refreshTokenContext({
      grant: grant as GrantId,
      server,
      consentGeneration: Number(sealed[2]),
      attempt: Number(sealed[1]),
    });
    const token = await here.broker.sealer.open(sealed[0] as never, context);
    await spend(here, token);
    expect(await verdictOf(here, grant)).toMatchObject({ verdict: "lost", explained: false });
    expect(await verdictOf(here, grant, [{ grant, what: "killed at after-seal" }])).toMatchObject({
      verdict: "lost",
      explained: true,
      sentence: expect.stringContaining("killed at after-seal"),
    });
    await redis.hset(key, "intent", "sent", "intent_parent", sealed[3]!, "sent_at", Date.now());
    expect(await verdictOf(here, grant)).toMatchObject({ verdict: "lost", explained: true });
    // A spare of another sign-in that still works would save it.
    const saved = here.simulator.issueTokens({ client_id: "token-broker", user: "b.okafor" }).refresh_token!;
    const spare = await here.broker.sealer.seal(new Secret(saved), context);
    await redis.hset(key, "spares", JSON.stringify([{ sealed: spare, fp: "x", att: sealed[1], at: "0" }]));
    expect(await verdictOf(here, grant)).toMatchObject({ verdict: "recoverable" });
    await redis.hset(key, "rt_att", "77", "att", "77");
    expect(await verdictOf(here, grant)).toMatchObject({ verdict: "unreadable" });
  });

  it("see a grant that works given up, tell it from one that iManage ended, and leeway from loss", async () => {
    const { here, grant, key, redis, organisation } = await prepared();
    await redis.hset(key, "state", "reauthorization_required");
    await redis.zrem(dueKey(organisation), grant);
    expect(await verdictOf(here, grant)).toMatchObject({ verdict: "falsely-ended" });
    here.simulator.endFamilies({ user: "amelia.hart" });
    expect(await verdictOf(here, grant)).toMatchObject({ verdict: "ended" });
    await redis.hdel(key, "rt");
    expect(await verdictOf(here, grant)).toMatchObject({ verdict: "session-only" });

    const leeway = await prepared("leeway");
    const [rt, att, gen] = await leeway.redis.hmget(leeway.key, "rt", "rt_att", "gen");
    const context = refreshTokenContext({
      grant: leeway.grant as GrantId,
      server: (await leeway.here.broker.configuration.findServer(leeway.here.server))!,
      consentGeneration: Number(gen),
      attempt: Number(att),
    });
    await spend(leeway.here, await leeway.here.broker.sealer.open(rt as never, context));
    expect(await verdictOf(leeway.here, leeway.grant)).toMatchObject({ verdict: "recoverable" });
  });

  it.each<[string, (of: Awaited<ReturnType<typeof prepared>>) => Promise<unknown>, string]>([
    [
      "not listed",
      ({ redis, organisation, grant }) => redis.zrem(grantsKey(organisation), grant),
      "is not in the list",
    ],
    [
      "listed, and gone",
      ({ redis, organisation }) => redis.zadd(grantsKey(organisation), 1, "grt_x"),
      "does not exist",
    ],
    [
      "never due",
      ({ redis, organisation, grant }) => redis.zrem(dueKey(organisation), grant),
      "is never due",
    ],
    [
      "due at another time",
      ({ redis, organisation, grant }) => redis.zadd(dueKey(organisation), 1, grant),
      "is due at 1",
    ],
    [
      "due, and gone",
      ({ redis, organisation }) => redis.zadd(dueKey(organisation), 1, "grt_x"),
      "cannot be refreshed",
    ],
    [
      "a binding that leads nowhere",
      ({ redis, organisation }) => redis.set(`${organisationPrefix(organisation)}binding:x`, "grt_x"),
      "which does not know it",
    ],
    [
      "a binding taken away",
      async ({ redis, organisation, grant }) => {
        const digests = await redis.hkeys(`${organisationPrefix(organisation)}grant-bindings:${grant}`);
        return redis.del(`${organisationPrefix(organisation)}binding:${digests[0]}`);
      },
      "which leads to nothing",
    ],
    [
      "nobody's grant",
      async ({ redis, organisation, grant }) => {
        const key = `${organisationPrefix(organisation)}grant-bindings:${grant}`;
        const digests = await redis.hkeys(key);
        await redis.del(key, `${organisationPrefix(organisation)}binding:${digests[0]}`);
      },
      "of no use to anybody",
    ],
    ["no consent", async ({ redis, key }) => redis.hset(key, "consent", "x"), "owner's consent"],
    [
      "one token twice",
      async ({ redis, key, organisation, grant }) => {
        const other = (await redis.zrange(grantsKey(organisation), "0", "-1")).find((id) => id !== grant);
        return redis.hset(key, "at_fp", (await redis.hget(grantKey(other as GrantId), "at_fp"))!);
      },
      "one and the same token",
    ],
    ["an attempt that never began", ({ redis, key }) => redis.hset(key, "att", "0"), "has begun 0 attempts"],
    [
      "an audit entry gone",
      async ({ redis, organisation }) => {
        const entries = await redis.xrange(auditKey(organisation), "-", "+");
        return redis.xdel(auditKey(organisation), entries[1]![0]);
      },
      "After audit entry 1 comes 3",
    ],
    [
      "the newest audit entry gone",
      async ({ redis, organisation }) => {
        const entries = await redis.xrange(auditKey(organisation), "-", "+");
        return redis.xdel(auditKey(organisation), entries.at(-1)![0]);
      },
      "the count says",
    ],
  ])("see %s", async (_, plant, sentence) => {
    const there = await prepared();
    await plant(there);
    const { broken } = await checkInvariants(there.here);
    expect(broken).toContainEqual(expect.stringContaining(sentence));
  });
});

/** A refresh that the broker knows nothing of. */
async function spend(here: World, token: Secret): Promise<void> {
  const answer = await fetch(`${here.simulator.origin}/auth/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: token.reveal(),
      client_id: "token-broker",
      client_secret: "sim_secret_token-broker",
    }),
  });
  expect(answer.status).toBe(200);
}
