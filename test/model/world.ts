import { judgeRefreshFailure, type TokenCallOutcome } from "../../src/domain/refresh-failure.ts";
import type { RotationProfile } from "../../src/domain/server.ts";
import { survivesReuse } from "../../src/domain/server.ts";
import {
  accepts,
  type Family,
  familyOf,
  NEW_FAMILY,
  type RefreshMode,
  redeem,
  type ServerAnswer,
  tokenOf,
} from "./authorization-server.ts";
import type { Step } from "./explore.ts";
import {
  asWritten,
  type BeginArgs,
  type CommitArgs,
  type ConsentArgs,
  type FailArgs,
  type GrantHash,
  type Material,
  type Scripts,
  type Store,
  sealedOf,
} from "./scripts.ts";

/** One world to explore: a server, what its operator has said about it, and what may happen how often. */
export interface Configuration {
  readonly name: string;
  readonly mode: RefreshMode;
  /** What the broker takes the server for. */
  readonly profile: RotationProfile;
  /** How many attempts may get the lease. */
  readonly attempts: number;
  /** Crashes, cut connections, lost replies and 502s, all together. */
  readonly faults: number;
  /** How often a caller reports the token he was given as rejected. */
  readonly rejections?: number;
  readonly leewayEnds?: boolean;
  readonly deletes?: boolean;
  /** What new consent does to the earlier refresh token at iManage, and how many sign-ins there are. */
  readonly consent?: { readonly earlier: "ends" | "keeps"; readonly signIns: number };
  readonly rotatesKeys?: boolean;
  /** Refreshes without a caller too, when they are due. */
  readonly keepsAlive?: boolean;
  readonly extendsLife?: boolean;
  /** The server refuses now and then what it would accept (F04). */
  readonly refusesAtTimes?: boolean;
  /** Some answers are cut so that only their refresh token can be saved. */
  readonly salvages?: boolean;
}

/** What a mutation or a repair changes; all else is the product as it is written. */
export interface Rules {
  readonly scripts: Scripts;
  /** A key is retired only when the store names it no more … */
  readonly retireCountsStore: boolean;
  /** … and no process holds an answer that it has sealed with it. */
  readonly retireCountsHands: boolean;
  readonly asksBeforeSending: boolean;
}

export const PRODUCT: Rules = {
  scripts: asWritten,
  retireCountsStore: true,
  retireCountsHands: true,
  asksBeforeSending: true,
};

type Outcome =
  | Exclude<TokenCallOutcome, { kind: "answered" }>
  | { readonly kind: "answered"; readonly refreshToken: string | undefined; readonly salvaged: boolean };

/** One broker process, inside `fly` of `src/broker/refresh/refresh-grant.ts`. */
export interface Process {
  readonly phase: "idle" | "begin-unanswered" | "begun" | "marked" | "calling" | "keeping" | "releasing";
  readonly attempt: string;
  readonly asked: BeginArgs | undefined;
  readonly material: Material | undefined;
  readonly outcome: Outcome | undefined;
  /** What it is about to store, sealed once: a command asked again is the same command. */
  readonly command: CommitArgs | undefined;
  /** The command ran already, its reply was lost. */
  readonly ran: boolean;
  /** Its lease has lapsed under it: it pauses, or thinks too long. */
  readonly overLease: boolean;
  /** The provider deadline of its call is over too. */
  readonly overDeadline: boolean;
  /** When it marked its request as sent, an earlier attempt was out past its provider deadline. */
  readonly afterPause: boolean;
  /** The key it seals with. */
  readonly sealsWith: Key;
  /** Attempt ids it has used up. */
  readonly used: number;
}

/** A request or an answer under way. */
export interface Call {
  readonly attempt: string;
  /** Undefined: nobody listens any more, but the server may still act. */
  readonly owner: number | undefined;
  readonly token: string;
  readonly answer: ServerAnswer | undefined;
  readonly overDeadline: boolean;
  readonly afterPause: boolean;
}

export type Key = "k1" | "k2";

export interface World {
  readonly now: number;
  readonly store: Store;
  readonly families: readonly Family[];
  readonly processes: readonly Process[];
  readonly calls: readonly Call[];
  /** Sign-ins that iManage has answered and that are not stored yet: family, and when the answer came. */
  readonly signIns: readonly { readonly family: number; readonly receivedAt: number }[];
  /** Family of the consent that the grant holds. */
  readonly consented: number;
  readonly deleted: boolean;
  /** Who wrote `sent` last. */
  readonly journal: string | undefined;
  readonly keys: "k1" | "k2 promoted" | "k1 retired";
  /** What the re-encrypting worker has read. */
  readonly reencrypting: Store | undefined;
  readonly faultsLeft: number;
  readonly rejectionsLeft: number;
}

export type Kind =
  | "begin"
  | "mark-sent"
  | "renew"
  | "commit"
  | "fail"
  | "release"
  | "leave"
  | "act"
  | "receive"
  | "cut"
  | "crash"
  | "consent"
  | "sign-in"
  | "delete"
  | "time"
  | "leeway-ends"
  | "keys";

/** The script that a step runs, for whoever runs the real one beside it. */
export type Command =
  | { readonly script: "refresh-begin"; readonly args: BeginArgs; readonly answer: unknown }
  | { readonly script: "refresh-mark-sent"; readonly attempt: string; readonly answer: unknown }
  | { readonly script: "refresh-renew"; readonly attempt: string; readonly answer: unknown }
  | { readonly script: "refresh-commit"; readonly args: CommitArgs; readonly answer: unknown }
  | { readonly script: "refresh-fail"; readonly args: FailArgs; readonly answer: unknown }
  | { readonly script: "refresh-release"; readonly attempt: string; readonly answer: unknown }
  | { readonly script: "put-consent"; readonly args: ConsentArgs; readonly answer: unknown }
  | { readonly script: "delete-grant"; readonly answer: unknown }
  | { readonly script: "used"; readonly answer: undefined };

export interface WorldStep extends Step<World, Kind> {
  /** Whose step it is. */
  readonly process?: number;
  readonly call?: Call;
  readonly command?: Command;
}

export const TIMES = {
  leaseMs: 15_000,
  providerDeadlineMs: 60_000,
  atLifeMs: 1_800_000,
  softMs: 300_000,
  minTtlMs: 60_000,
  rtLifeMs: 31_536_000_000,
  keepAliveMs: 604_800_000,
} as const;

const TICK_MS = 1_000;
const START = 1_700_000_000_000;
const NAMES = ["A", "B"] as const;
const FREE = {
  phase: "idle",
  attempt: "",
  asked: undefined,
  material: undefined,
  outcome: undefined,
  command: undefined,
  ran: false,
  overLease: false,
  overDeadline: false,
  afterPause: false,
} as const;

export const seal = (key: Key, token: string): string => `${key}/${token}`;
export const opened = (sealed: string): string => sealed.slice(3);
export const keyOf = (sealed: string): Key => sealed.slice(0, 2) as Key;

/** A first consent, just stored. */
export function firstWorld(configuration: Configuration, now = START): World {
  const empty: Store = { grant: undefined, due: undefined, revocations: [] };
  const args = firstConsent(now);
  return {
    now,
    store: asWritten.putConsent(empty, args, now).store,
    families: [NEW_FAMILY],
    processes: NAMES.map(() => ({ ...FREE, sealsWith: "k1", used: 0 }) satisfies Process),
    calls: [],
    signIns: [],
    consented: 1,
    deleted: false,
    journal: undefined,
    keys: "k1",
    reencrypting: undefined,
    faultsLeft: configuration.faults,
    rejectionsLeft: configuration.rejections ?? 0,
  };
}

/** A second apart where time stands still, so that it shows whose answer came first. */
const receivedAt = (family: number, now: number): number => now - 10_000 + family * 1_000;

export const firstConsent = (now: number): ConsentArgs =>
  consentArgs({ family: 1, receivedAt: receivedAt(1, now) }, undefined, now, "k1");

export function consentArgs(
  signIn: { family: number; receivedAt: number },
  gen: number | undefined,
  now: number,
  key: Key,
): ConsentArgs {
  const token = tokenOf(signIn.family, 0);
  return {
    gen: (gen ?? 0) + 1,
    rt: seal(key, token),
    rt_fp: token,
    rtLifeMs: TIMES.rtLifeMs,
    at: seal(key, `a${signIn.family}.0`),
    at_fp: `a${signIn.family}.0`,
    atLifeMs: TIMES.atLifeMs,
    softMs: TIMES.softMs,
    keepAliveMs: TIMES.keepAliveMs,
    receivedAgoMs: now - signIn.receivedAt,
  };
}

/**
 * Everything that can happen next, but for time. `thenTime` adds how time goes by: for the exhaustive exploration by
 * single deadlines that pass in any order (`deadlinesPass`), since a pause may be of any length.
 */
export function stepsOf(
  world: World,
  configuration: Configuration,
  rules: Rules,
  thenTime: (world: World, configuration: Configuration) => WorldStep[],
): WorldStep[] {
  const steps: WorldStep[] = [];
  for (let i = 0; i < world.processes.length; i++) processSteps(steps, world, i, configuration, rules);
  for (const call of world.calls) callSteps(steps, world, call, configuration);
  personSteps(steps, world, configuration, rules);
  if (configuration.rotatesKeys) keySteps(steps, world, rules);
  steps.push(...thenTime(world, configuration));
  return steps;
}

function processSteps(
  steps: WorldStep[],
  world: World,
  i: number,
  configuration: Configuration,
  { scripts, asksBeforeSending }: Rules,
): void {
  const p = world.processes[i]!;
  const name = NAMES[i]!;
  const { now } = world;
  // The record knows whether a refresh was stored before or after a request left, so those two are never at one instant.
  const later = now + TICK_MS;
  const g = world.store.grant;
  const fault = world.faultsLeft > 0;
  const set = (change: Partial<Process>, more: Partial<World> = {}): World => ({
    ...world,
    ...more,
    processes: world.processes.with(i, { ...p, ...change }),
  });
  const push = (kind: Kind, says: string, to: World, command?: Command) => {
    steps.push({ kind, says: `${name} ${says}`, to, process: i, ...(command && { command }) });
  };
  const faulty = { faultsLeft: world.faultsLeft - 1 };
  const free = (more: Partial<World> = {}): World => set(FREE, more);
  /** A call that nobody waits for any more. */
  const orphaned = world.calls
    .filter((call) => call.owner !== i || call.answer === undefined)
    .map((call) => (call.owner === i ? { ...call, owner: undefined } : call));
  const withoutOwn = world.calls.filter((call) => call.owner !== i);

  const beginWith = (asked: BeginArgs, again: boolean) => {
    const { store, answer } = scripts.refreshBegin(world.store, asked, now);
    const command: Command = { script: "refresh-begin", args: asked, answer };
    const text = `${again ? "asks again to begin" : `begins (${asked.why})`}: ${answer.kind}`;
    if (answer.kind === "begun") {
      if (!again && g!.att >= configuration.attempts && store !== world.store) return;
      const used = again ? p.used : p.used + 1;
      const { attempt } = asked;
      push(
        "begin",
        text,
        set({ phase: "begun", attempt, asked: undefined, material: answer.material, used }, { store }),
        command,
      );
      if (fault)
        push(
          "begin",
          `${text}, but the reply is lost`,
          again
            ? free({ store, ...faulty })
            : set({ phase: "begin-unanswered", attempt, asked, used }, { store, ...faulty }),
          command,
        );
    } else push("begin", text, free(), command);
  };

  switch (p.phase) {
    case "idle": {
      // The processes are alike: whichever comes first is called A, which halves the states and hides nothing.
      if (i > 0 && world.processes[0]!.used === 0) return;
      const base = {
        attempt: `${name}${p.used + 1}`,
        leaseMs: TIMES.leaseMs,
        providerDeadlineMs: TIMES.providerDeadlineMs,
        survivesReuse: survivesReuse(configuration.profile),
      };
      beginWith({ ...base, why: "expired", detail: TIMES.minTtlMs }, false);
      if (configuration.keepsAlive) beginWith({ ...base, why: "due", detail: "" }, false);
      if (world.rejectionsLeft > 0 && g?.at_fp !== undefined) {
        const before = steps.length;
        beginWith({ ...base, why: "rejected", detail: g.at_fp }, false);
        for (let s = before; s < steps.length; s++) {
          const step = steps[s]!;
          steps[s] = { ...step, to: { ...step.to, rejectionsLeft: world.rejectionsLeft - 1 } };
        }
      }
      return;
    }
    case "begin-unanswered":
      beginWith(p.asked!, true);
      if (fault) push("begin", "gets no answer again and gives up", free(faulty));
      break;

    case "begun": {
      const { store, answer } = asksBeforeSending
        ? scripts.refreshMarkSent(world.store, p.attempt, TIMES.leaseMs, later)
        : ({ store: world.store, answer: 1 } as const);
      const command: Command = { script: "refresh-mark-sent", attempt: p.attempt, answer };
      const journal = answer === 1 ? { journal: p.attempt } : {};
      const late =
        world.calls.some((call) => call.overDeadline) || world.processes.some((q) => q.overDeadline);
      const over = answer === 1 ? { overLease: false, afterPause: late } : {};
      push(
        "mark-sent",
        `asks whether it may send: ${answer === 1 ? "yes" : "no"}`,
        answer === 1
          ? set({ phase: "marked", ...over }, { store, now: later, ...journal })
          : free({ store, now: later }),
        command,
      );
      if (fault && answer === 1)
        push(
          "mark-sent",
          "asks whether it may send: yes, but the reply is lost",
          set({ phase: "releasing", ...over }, { store, now: later, ...journal, ...faulty }),
          command,
        );
      if (fault) push("cut", "cannot open what it was given", set({ phase: "releasing" }, faulty));
      break;
    }
    case "marked":
      push(
        "leave",
        `sends ${opened(p.material!.rt)}`,
        set(
          { phase: "calling" },
          {
            calls: [
              ...world.calls,
              {
                attempt: p.attempt,
                owner: i,
                token: opened(p.material!.rt),
                answer: undefined,
                overDeadline: p.overDeadline,
                afterPause: p.afterPause,
              },
            ],
          },
        ),
      );
      if (fault)
        push(
          "cut",
          "finds its connection refused",
          set({ phase: "keeping", outcome: { kind: "not_sent", reason: "" } }, faulty),
        );
      break;

    case "calling": {
      const call = world.calls.find(({ owner }) => owner === i)!;
      const unknown = (elapsedMs: number): Outcome => ({ kind: "unknown", reason: "", elapsedMs });
      if (call.answer !== undefined) {
        const { answer } = call;
        const receive = (outcome: Outcome, says: string) =>
          push(
            "receive",
            says,
            set(
              { phase: "keeping", outcome, command: commitArgsOf(p, outcome, configuration) },
              { calls: withoutOwn },
            ),
          );
        if (answer.kind === "invalid_grant")
          receive(
            { kind: "refused", refusal: "invalid_grant", status: 400, retryAfterMs: undefined },
            "receives invalid_grant",
          );
        else {
          const { refreshToken } = answer;
          receive(
            { kind: "answered", refreshToken, salvaged: false },
            `receives ${refreshToken ?? "no refresh token"}`,
          );
          if (configuration.salvages && refreshToken !== undefined)
            receive(
              { kind: "answered", refreshToken, salvaged: true },
              `can save only ${refreshToken} of the answer`,
            );
        }
        if (fault) {
          const gateway: Outcome = {
            kind: "refused",
            refusal: "upstream",
            status: 502,
            retryAfterMs: undefined,
          };
          push(
            "cut",
            "is cut off after the server acted",
            set({ phase: "keeping", outcome: unknown(0) }, { calls: withoutOwn, ...faulty }),
          );
          push(
            "cut",
            "gets a 502 although the server acted",
            set({ phase: "keeping", outcome: gateway }, { calls: withoutOwn, ...faulty }),
          );
        }
      } else {
        if (fault) {
          push(
            "cut",
            "is cut off before the server acts",
            set({ phase: "keeping", outcome: unknown(0) }, { calls: withoutOwn, ...faulty }),
          );
          push(
            "cut",
            "is cut off while its request is on its way",
            set({ phase: "keeping", outcome: unknown(0) }, { calls: orphaned, ...faulty }),
          );
        }
        if (p.overDeadline)
          push(
            "cut",
            "gives up at the provider deadline",
            set({ phase: "keeping", outcome: unknown(TIMES.providerDeadlineMs) }, { calls: orphaned }),
          );
      }
      if (fault)
        push(
          "cut",
          "throws by a defect of ours while the request is out",
          set({ phase: "releasing" }, { calls: orphaned, ...faulty }),
        );
      break;
    }
    case "keeping": {
      const outcome = p.outcome!;
      if (outcome.kind === "answered") {
        const args = p.command!;
        const { store, answer } = scripts.refreshCommit(world.store, args, later);
        const command: Command = { script: "refresh-commit", args, answer };
        const text = `${p.ran ? "asks again to store" : "stores"} ${args.rt_fp ?? "no refresh token"}: ${answer}`;
        push("commit", text, free({ store, now: later }), command);
        if (fault && !p.ran)
          push(
            "commit",
            `${text}, but the reply is lost`,
            set({ ran: true }, { store, now: later, ...faulty }),
            command,
          );
      } else {
        const { material } = p;
        const verdict = judgeRefreshFailure(
          outcome,
          { count: material!.refusals, firstAt: material!.refused_at },
          now,
          configuration.profile,
          TIMES.providerDeadlineMs,
        );
        const args: FailArgs = {
          attempt: p.attempt,
          state: verdict.state,
          coolMs: verdict.coolDownMs,
          problem: verdict.problem,
          unknown: verdict.outcomeUnknown,
        };
        const { store, answer } = scripts.refreshFail(world.store, args, now);
        const command: Command = { script: "refresh-fail", args, answer };
        const what = outcome.kind === "refused" ? outcome.refusal : outcome.kind;
        const text = `${p.ran ? "asks again to note" : "notes"} its failure (${what}${verdict.state === "unchanged" ? "" : `, ${verdict.state}`}): ${answer === 1 ? "noted" : "nothing changed"}`;
        push("fail", text, free({ store }), command);
        if (fault && !p.ran)
          push("fail", `${text}, but the reply is lost`, set({ ran: true }, { store, ...faulty }), command);
      }
      break;
    }
    case "releasing": {
      const { store, answer } = scripts.refreshRelease(world.store, p.attempt, now);
      const command: Command = { script: "refresh-release", attempt: p.attempt, answer };
      const text = `releases its lease: ${answer === 1 ? "released" : "nothing changed"}`;
      push("release", text, free({ store }), command);
      if (fault && !p.ran)
        push("release", `${text}, but the reply is lost`, set({ ran: true }, { store, ...faulty }), command);
      break;
    }
  }

  if ((p.phase === "marked" || p.phase === "calling") && p.overLease) {
    const { store, answer } = scripts.refreshRenew(world.store, p.attempt, TIMES.leaseMs, now);
    const command: Command = { script: "refresh-renew", attempt: p.attempt, answer };
    if (answer === 1) push("renew", "renews its lapsed lease", set({ overLease: false }, { store }), command);
  }
  if (fault) push("crash", "crashes and starts anew", free({ calls: orphaned, ...faulty }));
}

/** What `keep` of refresh-grant.ts hands to the store: sealed at once with the key the process knows then. */
function commitArgsOf(
  p: Process,
  outcome: Outcome,
  { extendsLife = false }: Configuration,
): CommitArgs | undefined {
  if (outcome.kind !== "answered") return undefined;
  const material = p.material!;
  const { refreshToken } = outcome;
  // An access token bears the family and the attempt it came from.
  const accessToken = `a${familyOf(material.parent)}.${material.att}`;
  return {
    attempt: p.attempt,
    att: material.att,
    gen: material.gen,
    parent: material.parent,
    rt: refreshToken && seal(p.sealsWith, refreshToken),
    rt_fp: refreshToken,
    rtLifeMs: TIMES.rtLifeMs,
    extendsLife,
    at: outcome.salvaged ? undefined : seal(p.sealsWith, accessToken),
    at_fp: outcome.salvaged ? undefined : accessToken,
    atLifeMs: TIMES.atLifeMs,
    softMs: TIMES.softMs,
    keepAliveMs: TIMES.keepAliveMs,
    jitter: 0.5,
  };
}

function callSteps(
  steps: WorldStep[],
  world: World,
  call: Call,
  { mode, refusesAtTimes }: Configuration,
): void {
  if (call.answer !== undefined) return;
  const { families, answer } = redeem(world.families, mode, call.token);
  const calls =
    call.owner === undefined
      ? world.calls.filter((other) => other !== call)
      : world.calls.map((other) => (other === call ? { ...call, answer } : other));
  const heard = call.owner === undefined ? ", and nobody listens" : "";
  const what =
    answer.kind === "tokens"
      ? `gives ${answer.refreshToken ?? "no refresh token"}`
      : "refuses (invalid_grant)";
  steps.push({
    kind: "act",
    says: `the server takes ${call.token} of attempt ${call.attempt} and ${what}${heard}`,
    to: { ...world, families, calls },
    call,
  });
  if (refusesAtTimes && call.owner !== undefined)
    steps.push({
      kind: "act",
      says: `the server refuses ${call.token} of attempt ${call.attempt} for a reason of its own`,
      to: {
        ...world,
        calls: world.calls.map((other) =>
          other === call ? { ...call, answer: { kind: "invalid_grant" } } : other,
        ),
      },
      call,
    });
}

function personSteps(
  steps: WorldStep[],
  world: World,
  { deletes, consent }: Configuration,
  { scripts }: Rules,
): void {
  const { now } = world;
  if (deletes && !world.deleted && world.store.grant !== undefined) {
    const { store, answer } = scripts.deleteGrant(world.store, now);
    steps.push({
      kind: "delete",
      says: "the grant is deleted",
      to: { ...leasesEnd(world), store, deleted: true },
      command: { script: "delete-grant", answer },
    });
  }
  if (consent === undefined) return;
  if (world.families.length <= consent.signIns && !world.deleted) {
    const family = world.families.length + 1;
    const earlier = world.families.map((f) => (consent.earlier === "ends" ? { ...f, ended: true } : f));
    steps.push({
      kind: "sign-in",
      says: `a person signs in again: iManage gives ${tokenOf(family, 0)}${consent.earlier === "ends" ? " and ends what it gave before" : ""}`,
      to: {
        ...world,
        families: [...earlier, NEW_FAMILY],
        signIns: [...world.signIns, { family, receivedAt: receivedAt(family, now) }],
      },
    });
  }
  for (const signIn of world.signIns) {
    const rest = world.signIns.filter((other) => other !== signIn);
    if (world.store.grant === undefined) {
      steps.push({
        kind: "consent",
        says: `the consent with ${tokenOf(signIn.family, 0)} finds the grant deleted and opens another`,
        to: { ...world, signIns: rest },
      });
      continue;
    }
    const args = consentArgs(signIn, world.store.grant.gen, now, world.keys === "k1" ? "k1" : "k2");
    const { store, answer } = scripts.putConsent(world.store, args, now);
    const taken = store !== world.store;
    steps.push({
      kind: "consent",
      says: `the consent with ${tokenOf(signIn.family, 0)} is stored${taken ? "" : ", but a later one's tokens stay"}`,
      to: {
        ...(taken ? leasesEnd(world) : world),
        store,
        signIns: rest,
        consented: taken ? signIn.family : world.consented,
        journal: taken ? undefined : world.journal,
      },
      command: { script: "put-consent", args, answer },
    });
  }
}

/** Consent and deletion end every lease there is: whoever had it has it no more. */
const leasesEnd = (world: World): World => ({
  ...world,
  processes: world.processes.map((p) => (p.phase === "idle" ? p : { ...p, overLease: true })),
});

function keySteps(
  steps: WorldStep[],
  world: World,
  { scripts, retireCountsStore, retireCountsHands }: Rules,
): void {
  const push = (says: string, to: World) => steps.push({ kind: "keys", says, to });
  if (world.keys === "k1") {
    push("k2, which all know, is promoted", { ...world, keys: "k2 promoted" });
    return;
  }
  world.processes.forEach((p, i) => {
    if (p.sealsWith === "k1")
      push(`${NAMES[i]} learns that k2 is promoted`, {
        ...world,
        processes: world.processes.with(i, { ...p, sealsWith: "k2" }),
      });
  });
  if (world.keys !== "k2 promoted") return;
  if (world.reencrypting === undefined) {
    if (sealedOf(world.store).some((sealed) => keyOf(sealed) === "k1"))
      push("the re-encrypting worker reads", { ...world, reencrypting: world.store });
  } else {
    const reseal = (sealed: string) => seal("k2", opened(sealed));
    const { store, answer } = scripts.reencrypt(world.store, world.reencrypting, reseal);
    push(`the re-encrypting worker writes: ${answer === 1 ? "written" : "changed meanwhile"}`, {
      ...world,
      store,
      reencrypting: undefined,
    });
  }
  const inStore = sealedOf(world.store).some((sealed) => keyOf(sealed) === "k1");
  const inHands = world.processes.some(
    (p) =>
      p.sealsWith === "k1" ||
      [p.command?.rt, p.command?.at].some((sealed) => sealed !== undefined && keyOf(sealed) === "k1"),
  );
  if ((!inStore || !retireCountsStore) && (!inHands || !retireCountsHands))
    push("k1 is retired", { ...world, keys: "k1 retired", reencrypting: undefined });
}

/** Time as the exhaustive exploration has it: any one deadline passes, all others are still ahead. */
export function deadlinesPass(world: World, { mode, leewayEnds }: Configuration): WorldStep[] {
  const steps: WorldStep[] = [];
  const { now } = world;
  const g = world.store.grant;
  const past = (change: Partial<GrantHash>): World => ({
    ...world,
    store: { ...world.store, grant: { ...g!, ...change } },
  });
  const push = (says: string, to: World, kind: Kind = "time") => steps.push({ kind, says, to });

  if (g?.at !== undefined && g.at_exp! > now) push("the access token's life ends", past({ at_exp: now }));
  if (g?.lease !== undefined && g.lease_until! > now)
    push(`the lease of ${g.lease} lapses`, {
      ...past({ lease_until: now }),
      processes: world.processes.map((p) => (p.attempt === g.lease ? { ...p, overLease: true } : p)),
    });
  if (g?.intent === "sent" && g.sent_at! + TIMES.providerDeadlineMs > now) {
    // The clock goes on, for what is still ahead as well: what is past keeps its order.
    const ms = TIMES.providerDeadlineMs;
    const move = (at: number | undefined) => (at !== undefined && at > now ? at + ms : at);
    push(`the provider deadline of ${world.journal} passes`, {
      ...past({
        at_exp: move(g.at_exp),
        lease_until: move(g.lease_until),
        retry_at: move(g.retry_at),
        refused_at: g.refused_at && g.refused_at + ms,
      }),
      ...overDeadline(world, world.journal),
      now: now + ms,
    });
  }
  if (g?.retry_at !== undefined && g.retry_at > now)
    push(
      "the cool-down passes",
      past({
        retry_at: now,
        refused_at: g.refused_at === undefined ? undefined : g.refused_at - (g.retry_at - now),
      }),
    );
  if (mode === "leeway" && leewayEnds) {
    const index = world.families.findIndex((f) => !f.ended && f.leewayFrom < f.current);
    if (index >= 0) {
      const f = world.families[index]!;
      const families = world.families.with(index, { ...f, leewayFrom: f.current });
      push("the leeway of superseded tokens ends", { ...world, families }, "leeway-ends");
    }
  }
  return steps;
}

const ADVANCES_MS = [2_000, 5_000, 17_000, 47_000, 62_000, 131_000, 1_900_000, 600_000_000] as const;
/** Between a step here and the same step at Redis so much time may pass, and no more. */
export const CLOCK_SLACK_MS = 900;

/** Time as a clock has it: all deadlines come nearer together. For running beside a real store. */
export function clockRuns(world: World): WorldStep[] {
  const g = world.store.grant;
  const deadlines = deadlinesOf(world);
  const steps = ADVANCES_MS.flatMap((ms): WorldStep[] => {
    const now = world.now + ms;
    // Never onto a deadline: there the real clock, a little later, would decide otherwise.
    if (deadlines.some((at) => Math.abs(at - now) <= CLOCK_SLACK_MS)) return [];
    const lapsed = g?.lease !== undefined && g.lease_until! <= now ? g.lease : undefined;
    const processes = world.processes.map((p) =>
      lapsed !== undefined && p.attempt === lapsed ? { ...p, overLease: true } : p,
    );
    const late = g?.intent === "sent" && g.sent_at! + TIMES.providerDeadlineMs <= now;
    const to = { ...world, now, processes };
    return [
      {
        kind: "time",
        says: `${ms / 1_000} s pass`,
        to: late ? { ...to, ...overDeadline(to, world.journal) } : to,
      },
    ];
  });
  if (g !== undefined)
    steps.push({
      kind: "time",
      says: "a caller is served",
      to: { ...world, store: { ...world.store, grant: { ...g, used_at: world.now } } },
      command: { script: "used", answer: undefined },
    });
  return steps;
}

/** So near a deadline that a real clock might be past it already. */
export const isOnTheEdge = (world: World): boolean =>
  deadlinesOf(world).some((at) => Math.abs(at - world.now) <= CLOCK_SLACK_MS);

function deadlinesOf({ store }: World): number[] {
  const g = store.grant;
  return [
    g?.at_exp !== undefined ? g.at_exp - TIMES.minTtlMs : undefined,
    g?.lease_until,
    g?.sent_at !== undefined ? g.sent_at + TIMES.providerDeadlineMs : undefined,
    g?.retry_at,
    g?.due_at,
    g?.used_at !== undefined ? g.used_at + 2 * TIMES.atLifeMs : undefined,
    g?.refused_at !== undefined ? g.refused_at + 120_000 : undefined,
  ].filter((at) => at !== undefined);
}

export const overDeadline = (world: World, attempt: string | undefined): Partial<World> => ({
  processes: world.processes.map((p) =>
    attempt !== undefined && p.attempt === attempt ? { ...p, overDeadline: true } : p,
  ),
  calls: world.calls.map((call) => (call.attempt === attempt ? { ...call, overDeadline: true } : call)),
});

/** What the future depends on, as text. Instants count only as passed or ahead: `now` stands still in the exploration. */
export function canonicalWorld(world: World): string {
  const { now, store } = world;
  const g = store.grant;
  const ahead = (at: number | undefined) => (at === undefined ? "-" : at > now ? "1" : "0");
  /** In minutes: two of them spread refusals enough. */
  const refusedAgo = (at: number | undefined) => (at === undefined ? "-" : Math.floor((now - at) / 60_000));
  const grant =
    g &&
    `${g.state[0]}|${g.gen}|${g.rt}|${g.rt_att}|${g.at}|${ahead(g.at_exp)}|${g.spares?.map((s) => s.sealed)}|${g.att}|${g.lease}|${ahead(g.lease_until)}|${g.intent}|${g.intent_parent}|${g.sent_at === undefined ? "-" : ahead(g.sent_at + TIMES.providerDeadlineMs)}|${g.done}|${ahead(g.retry_at)}|${g.refusals}|${refusedAgo(g.refused_at)}|${g.sent_at !== undefined && (g.refreshed_at ?? 0) >= g.sent_at ? 1 : 0}`;
  const m = (x: Material | undefined) =>
    x && `${x.gen},${x.att},${x.parent},${x.refusals},${refusedAgo(x.refused_at)}`;
  const o = (x: Outcome | undefined) =>
    x && (x.kind === "refused" ? x.refusal : x.kind === "unknown" ? `u${x.elapsedMs}` : x.kind);
  const processes = world.processes
    .map(
      (p) =>
        `${p.phase}|${p.attempt}|${p.asked?.why}|${m(p.material)}|${o(p.outcome)}|${p.command?.rt}|${p.command?.at}|${p.ran ? 1 : 0}${p.overLease ? 1 : 0}${p.overDeadline ? 1 : 0}${p.afterPause ? 1 : 0}|${p.sealsWith}|${p.used}`,
    )
    .join(";");
  const calls = world.calls
    .map(
      (c) =>
        `${c.attempt}|${c.owner}|${c.token}|${c.answer === undefined ? "" : c.answer.kind === "tokens" ? `t${c.answer.refreshToken}` : "x"}|${c.overDeadline ? 1 : 0}${c.afterPause ? 1 : 0}`,
    )
    .sort()
    .join(";");
  const families = world.families.map((f) => `${f.current},${f.leewayFrom},${f.ended ? 1 : 0}`).join(";");
  const signIns = world.signIns.map((s) => s.family).join();
  const reading = world.reencrypting && sealedOf(world.reencrypting).join();
  const outbox = store.revocations.map((r) => r.sealed).join();
  return `${grant}/${outbox}/${processes}/${calls}/${families}/${signIns}/${world.consented}/${world.deleted ? 1 : 0}/${world.journal}/${world.keys}/${reading}/${world.faultsLeft}/${world.rejectionsLeft}`;
}

/** Refresh tokens that are somewhere the broker can still get at: its record, an answer in hand or on its way. */
export function reachableTokens(world: World, where: "anywhere" | "without spares" = "anywhere"): string[] {
  const g = world.store.grant;
  if (g === undefined) return [];
  const tokens: string[] = [];
  if (g.rt_fp !== undefined) tokens.push(g.rt_fp);
  if (where === "anywhere") for (const spare of g.spares ?? []) tokens.push(spare.fp);
  for (const p of world.processes)
    if (p.command?.rt_fp !== undefined && p.command.gen === g.gen) tokens.push(p.command.rt_fp);
  for (const call of world.calls) {
    if (call.owner === undefined || world.processes[call.owner]!.material!.gen !== g.gen) continue;
    if (call.answer === undefined) tokens.push(call.token);
    else if (call.answer.kind === "tokens" && call.answer.refreshToken !== undefined)
      tokens.push(call.answer.refreshToken);
  }
  return tokens;
}

/** The grant is there, and nothing the broker can get at would be accepted: a person has to sign in. */
export function isLost(world: World, { mode }: Configuration): boolean {
  return (
    world.store.grant !== undefined &&
    ![...reachableTokens(world), ...world.signIns.map(({ family }) => tokenOf(family, 0))].some((token) =>
      accepts(world.families, mode, token),
    )
  );
}
