import { randomBytes } from "node:crypto";
import type { NewConsent } from "../../src/broker/authorization/ports.ts";
import type { RefreshReason } from "../../src/broker/refresh/ports.ts";
import type { RegistrationId, ServerId } from "../../src/domain/id.ts";
import { type GrantId, makeId, makeRoute, organisationId } from "../../src/domain/id.ts";
import type { FailureVerdict } from "../../src/domain/refresh-failure.ts";
import type { Sealed } from "../../src/domain/sealed.ts";
import { defaultServerSettings, endpointsOf, type Server } from "../../src/domain/server.ts";
import { serverLimits } from "../../src/domain/server-gate.ts";
import { connectRedis, disconnect, whenReady } from "../../src/store/connect-redis.ts";
import { dueKey, grantKey, revocationsKey } from "../../src/store/keys.ts";
import { OutcomeListener } from "../../src/store/outcome-listener.ts";
import { RedisGrantStore } from "../../src/store/redis-grant-store.ts";
import { RedisRefreshStore } from "../../src/store/redis-refresh-store.ts";
import { RedisStore } from "../../src/store/redis-store.ts";
import { addressOf } from "../kit/redis.ts";
import type { ConsentArgs, GrantHash, Store } from "./scripts.ts";
import { CLOCK_SLACK_MS, type Command, TIMES, type World, type WorldStep } from "./world.ts";

/** The real scripts on a real Redis, one connection for many grants. */
export interface RealStore {
  newGrant(now: number, first: ConsentArgs): Promise<RealGrant>;
  close(): void;
}

/** A grant in Redis beside the model's: does what the model did, and says where the two differ. */
export interface RealGrant {
  /** Runs the step's script, if it has one. What differs, in words; empty when both agree in answer and record. */
  follow(step: WorldStep): Promise<readonly string[]>;
}

/** What the model leaves out: it does not change in the course of refreshing. */
const NOT_MODELLED = [
  "v",
  "server",
  "registration",
  "owner",
  "consent",
  "consented_at",
  "created_at",
  "refused_cfg",
  // What the timeline tells of a break.
  "refreshes",
  "failing_since",
  // The audit's number of the last rotation: what a restore is held against.
  "rt_seq",
  // Of grants that another system kept before: test/stories/import.test.ts.
  ...["imported", "import_exp", "import_due", "exported"],
];
const INSTANTS: ReadonlySet<string> = new Set<keyof GrantHash>([
  "received_at",
  "rt_exp",
  "at_exp",
  "lease_until",
  "sent_at",
  "retry_at",
  "problem_at",
  "refused_at",
  "used_at",
  "refreshed_at",
  "due_at",
  "forced_at",
]);
/** The server's gate is another test's business: here it stands open. */
const WIDE_OPEN = {
  ...serverLimits,
  concurrency: 1e6,
  backgroundConcurrency: 1e6,
  callsPerSecond: 1e6,
  burst: 1e6,
  retryTokens: 1e6,
  lapseMs: 1e15,
} as unknown as typeof serverLimits;
const NOTE = { actor: "test", requestId: "req_test" };

export async function openRealStore(url: string): Promise<RealStore> {
  const connection = connectRedis(addressOf(url), "durable");
  await whenReady(connection);
  let offsetMs = 0;
  const store = new RedisStore(connection, () => offsetMs);
  const refreshes = new RedisRefreshStore({
    fast: store,
    durable: store,
    outcomes: new OutcomeListener(connection),
  });
  const grants = new RedisGrantStore(store);
  /** Redis' time now reads as the model's. */
  const setClock = async (now: number) => {
    offsetMs = 0;
    offsetMs = now - (await store.now());
  };

  return {
    close: () => disconnect(connection),
    async newGrant(now, first) {
      const { grant, server } = newIds();
      const organisation = server.organisation;
      const consent = (args: ConsentArgs) =>
        grants.putConsent(consentOf(grant, server, args), undefined, NOTE);

      const run = async (command: Command, step: WorldStep): Promise<unknown> => {
        switch (command.script) {
          case "refresh-begin": {
            const { attempt, leaseMs, providerDeadlineMs, survivesReuse, why, detail } = command.args;
            const reason: RefreshReason =
              why === "expired"
                ? { why, minTtlMs: Number(detail) }
                : why === "rejected"
                  ? { why, fingerprint: String(detail) }
                  : { why };
            const terms = {
              leaseMs,
              providerDeadlineMs,
              rotation: survivesReuse ? "static" : "strict",
              configurationGeneration: 1,
              limits: WIDE_OPEN,
            } as const;
            const answer = await refreshes.begin(grant, attempt, reason, terms);
            if (answer.kind === "begun") {
              const { material: m } = answer;
              return {
                kind: "begun",
                material: {
                  gen: m.consentGeneration,
                  att: m.attempt,
                  rt: m.refreshToken,
                  rt_att: m.refreshTokenAttempt,
                  parent: m.parent,
                  refusals: m.refusals.count,
                  refused_at: m.refusals.firstAt,
                },
              };
            }
            if (answer.kind === "held") return { kind: "held", ms: answer.remainingMs };
            if (answer.kind === "cooling")
              return { kind: "cooling", ms: answer.remainingMs, problem: answer.problem };
            return answer;
          }
          case "refresh-mark-sent":
            return (await refreshes.markSent(grant, command.attempt, TIMES.leaseMs)) ? 1 : 0;
          case "refresh-renew":
            return (await refreshes.renew(grant, command.attempt, TIMES.leaseMs)) ? 1 : 0;
          case "refresh-commit": {
            const a = command.args;
            return refreshes.commit(grant, a.attempt, {
              consentGeneration: a.gen,
              attempt: a.att,
              server: server.id,
              registration: server.registration,
              parent: a.parent,
              refreshToken: a.rt as Sealed | undefined,
              refreshTokenFingerprint: a.rt_fp,
              refreshTokenLifeMs: a.rtLifeMs,
              refreshExtendsLife: a.extendsLife,
              accessToken: a.at as Sealed | undefined,
              accessTokenFingerprint: a.at_fp,
              accessTokenLifeMs: a.atLifeMs,
              softMarginMs: a.softMs,
              keepAliveMs: a.keepAliveMs,
              jitter: a.jitter,
              receivedAt: 0,
            });
          }
          case "refresh-fail": {
            const a = command.args;
            const became = await refreshes.fail(
              grant,
              a.attempt,
              {
                class: a.state === "unchanged" ? "configuration" : "invalid_grant",
                state: a.state,
                coolDownMs: a.coolMs,
                problem: a.problem as FailureVerdict["problem"],
                outcomeUnknown: a.unknown,
              },
              { rotation: "strict", configurationGeneration: 1 },
            );
            return became === "disbelieved" ? 0 : 1;
          }
          case "refresh-release":
            await refreshes.release(grant, command.attempt);
            // The port does not tell; the record does.
            return command.answer;
          case "put-consent":
            return consent(command.args);
          case "delete-grant":
            return (await grants.deleteGrant(grant, NOTE)) === "deleted" ? 1 : 0;
          case "used":
            // As vend.lua notes it.
            await connection.hset(grantKey(grant), "used_at", step.to.now);
            return undefined;
        }
      };

      /** A deadline that passes alone: the record's own instant is moved, as the model does. */
      const moveInstants = async (to: World) => {
        const g = to.store.grant;
        if (g === undefined) return;
        const moved = [...INSTANTS].flatMap((field) => {
          const at = g[field as keyof GrantHash];
          return at === undefined ? [] : [field, String(at)];
        });
        if (moved.length > 0) await connection.hset(grantKey(grant), ...(moved as [string, string]));
      };

      await setClock(now);
      await consent(first);

      return {
        async follow(step) {
          const { command } = step;
          if (command === undefined) {
            if (step.kind === "time") await moveInstants(step.to);
            return [];
          }
          await setClock(step.to.now);
          const answer = await run(command, step);
          const [hash, score, entries] = await Promise.all([
            connection.hgetall(grantKey(grant)),
            connection.zscore(dueKey(organisation), grant),
            connection.xrange(revocationsKey(organisation), "-", "+"),
          ]);
          const revocations = entries.map(([, flat]) =>
            Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]!]] : []))),
          );
          return [
            ...differencesOf("answer", command.answer, answer),
            ...recordDifferences(step.to.store, hash, score, revocations),
          ];
        },
      };
    },
  };
}

function recordDifferences(
  { grant, due, revocations }: Store,
  hash: Readonly<Record<string, string>>,
  score: string | null,
  outbox: readonly Readonly<Record<string, string>>[],
): string[] {
  const found: string[] = [];
  const names = new Set([...Object.keys(grant ?? {}), ...Object.keys(hash)]);
  for (const name of names) {
    if (NOT_MODELLED.includes(name)) continue;
    const model = grant?.[name as keyof GrantHash];
    const real = hash[name];
    if (name === "done") {
      const short = grant?.done?.map(
        ([attempt, as]) => attempt.slice(-11) + (as === "committed" ? "+" : "-"),
      );
      found.push(...differencesOf(name, short, real === undefined ? undefined : JSON.parse(real)));
    } else if (name === "spares") {
      const spares = real === undefined ? undefined : (JSON.parse(real) as Record<string, string>[]);
      const read = spares?.map((s) => ({ sealed: s.sealed, fp: s.fp, att: Number(s.att), at: Number(s.at) }));
      found.push(...differencesOf(name, model, read));
    } else if (model === undefined || real === undefined) {
      if (model !== undefined || real !== undefined) found.push(`${name}: model ${model}, Redis ${real}`);
    } else if (INSTANTS.has(name)) found.push(...differencesOf(name, model, Number(real), CLOCK_SLACK_MS));
    else if (String(model) !== real) found.push(`${name}: model ${model}, Redis ${real}`);
  }
  found.push(...differencesOf("due", due, score === null ? undefined : Number(score), CLOCK_SLACK_MS));
  const read = outbox.map((e) => ({
    kind: e.kind,
    sealed: e.sealed,
    gen: Number(e.gen),
    att: Number(e.att),
  }));
  found.push(...differencesOf("revocations", revocations, read));
  return found;
}

/** Numbers may differ by what passes between the model's moment and Redis'; everything else is the same or is not. */
function differencesOf(name: string, model: unknown, real: unknown, slack = CLOCK_SLACK_MS): string[] {
  if (typeof model === "number" && typeof real === "number")
    return Math.abs(model - real) <= (model > 1_000 || name.endsWith(".ms") ? slack : 0)
      ? []
      : [`${name}: model ${model}, Redis ${real}`];
  if (typeof model === "object" && typeof real === "object" && model !== null && real !== null) {
    const keys = new Set([...Object.keys(model), ...Object.keys(real)]);
    return [...keys].flatMap((key) =>
      differencesOf(
        `${name}.${key}`,
        (model as Record<string, unknown>)[key],
        (real as Record<string, unknown>)[key],
        slack,
      ),
    );
  }
  return model === real ? [] : [`${name}: model ${String(model)}, Redis ${String(real)}`];
}

function newIds(): { grant: GrantId; server: Server } {
  const route = makeRoute(randomBytes(8));
  const id = <T extends "srv" | "reg" | "grt">(type: T) => makeId(type, route, Date.now(), randomBytes(16));
  const server: Server = {
    v: 1,
    id: id("srv") as ServerId,
    organisation: organisationId(route),
    name: "dms",
    displayName: "DMS",
    kind: "on-premises",
    endpoints: endpointsOf("https://dms.example"),
    registration: id("reg") as RegistrationId,
    customerId: "1",
    settings: defaultServerSettings,
    configurationGeneration: 1,
    createdAt: 0,
  };
  return { grant: id("grt") as GrantId, server };
}

const consentOf = (grant: GrantId, server: Server, a: ConsentArgs): NewConsent => ({
  grant,
  server,
  user: { customerId: "1", userId: "amelia", name: "Amelia", email: undefined },
  consentGeneration: a.gen,
  refreshToken: a.rt as Sealed | undefined,
  refreshTokenFingerprint: a.rt_fp,
  refreshTokenLifeMs: a.rtLifeMs,
  accessToken: a.at as Sealed,
  accessTokenFingerprint: a.at_fp,
  accessTokenLifeMs: a.atLifeMs,
  softMarginMs: a.softMs,
  keepAliveMs: a.keepAliveMs,
  receivedAgoMs: a.receivedAgoMs,
});
