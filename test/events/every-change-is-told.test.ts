import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AUDIT_ACTIONS } from "../../src/domain/audit-actions.ts";
import { EVENT_KINDS, type EventKind } from "../../src/domain/event-kinds.ts";
import { ROOT, read, typescriptFiles } from "../architecture/source.ts";

const LUA = "src/store/lua";
const scripts = new Map(
  readdirSync(join(ROOT, LUA))
    .filter((name) => name.endsWith(".lua"))
    .map((name) => [name, read(`${LUA}/${name}`).replaceAll(/--.*$/gm, "")]),
);

/** What each script tells, as often as it stands there. One more, or one less, is to be written down here. */
const EMITS: Readonly<Record<string, readonly (EventKind | "action")[]>> = {
  // Where a whole grant goes, and where one use of it does.
  "prelude.lua": ["grant.revoked", "grant.revoked"],
  "put-consent.lua": ["grant.authorized"],
  "bind-libraries.lua": ["library.lifted", "grant.authorized"],
  "refresh-begin.lua": ["grant.expiring"],
  "sweep-expiry.lua": ["grant.expiring", "grant.reauthorization_required"],
  "refresh-fail.lua": ["grant.reauthorization_required"],
  "restore-mark.lua": ["grant.reauthorization_required"],
  "import-verify.lua": ["grant.reauthorization_required", "grant.authorized"],
  "refresh-commit.lua": ["grant.recovered"],
  "refresh-echo.lua": ["grant.recovered"],
  "revocation.lua": ["grant.revoked"],
  "gate.lua": ["server.recovered", "server.misconfigured"],
  // `action`: library.parked or library.lifted, as its audit entry says.
  "put-standing.lua": ["action"],
  "job-put-aside.lua": ["sync.parked"],
  "sync-commit.lua": ["sync.resumed", "sync.parked", "sync.completed"],
  "sync-end.lua": ["sync.failed", "sync.parked"],
  "containment-begin.lua": ["containment.begun"],
  "containment-lift.lua": ["containment.lifted"],
};
/** Scripts of subscriptions tell these. */
const ELSEWHERE: readonly EventKind[] = [...(["test"] as const)];
const OTHERS = /^(emit-test|events?-)/;

/** What each action of the audit is told as; a sentence: why it is not. */
const OF_AUDIT: Readonly<Record<keyof typeof AUDIT_ACTIONS, readonly EventKind[] | string>> = {
  "token.issued": "who asked has the answer",
  "grant.authorized": ["grant.authorized"],
  "store.restored": "its grants have been told of one by one",
  "grant.rotated": "nobody who uses it sees anything of it",
  "grant.revoked": ["grant.revoked"],
  "grant.imported": "nobody can use it yet",
  "grant.import_opened": "it is told when iManage has said whose it is",
  "grant.import_undone": ["grant.revoked"],
  "grant.verified": ["grant.authorized"],
  "grant.quarantined": ["grant.reauthorization_required"],
  "grant.exported": "who asks is told that it is paused",
  "export.requested": "nothing is handed over yet",
  "export.confirmed": "nothing is handed over yet",
  "grant.reaped": ["grant.revoked"],
  "binding.withdrawn": ["grant.revoked"],
  "binding.moved": "the client did it itself",
  "containment.begun": ["containment.begun"],
  "containment.lifted": ["containment.lifted"],
  "containment.revoked": "its grants have been told of one by one",
  "library.authorized": ["grant.authorized", "grant.revoked", "library.lifted"],
  "library.parked": ["library.parked"],
  "library.lifted": ["library.lifted"],
  "calendar.created": "a person's own",
  "calendar.revoked": "a person's own",
  ...never("the client did it itself", [
    "sync.created",
    "sync.paused",
    "sync.resumed",
    "sync.reset",
    "sync.changed",
    "sync.deleted",
  ]),
  ...never("an operator did it, and the changes that follow are told", [
    "sync.deletions_released",
    "sync.deletions_discarded",
  ]),
  ...never("the client did it itself", [
    ...(["subscription.created", "subscription.changed", "subscription.secret_rotated"] as const),
    ...(["subscription.deleted", "event.replayed"] as const),
  ]),
  ...never("work queues belong to no organisation, and what jobs change is told", [
    ...(["queue.retried", "queue.promoted", "queue.removed"] as const),
  ]),
  ...never("settings: what becomes of them is told where it shows", [
    ...(["organisation.created", "organisation.changed", "server.created", "server.changed"] as const),
    ...(["registration.created", "registration.changed"] as const),
  ]),
  ...never("what a client may do, it is told when it does it", [
    ...(["policy.budget_exceeded", "policy.created", "policy.changed", "policy.deleted"] as const),
    ...(["client.created", "client.changed", "client.secret_added", "client.secret_removed"] as const),
  ]),
  ...never("an operator's own", ["record.sealed", "record.migrated", "data_key.added", "data_key.promoted"]),
  ...never("an operator's own", ["data_key.retired", "data_key.rewrapped"]),
  "organisation.shredded": "its log is gone with it",
};

/** The same for what stands on a grant's timeline. */
const OF_TIMELINE: Readonly<Record<string, EventKind | string>> = {
  "grant.gone": "grant.revoked",
  "grant.recovered": "grant.recovered",
  "grant.expiring": "grant.expiring",
  "grant.lapsing": "grant.expiring",
  "grant.": "grant.reauthorization_required",
  "grant.ended": "grant.reauthorization_required",
  "grant.lapsed": "it lives, and whoever uses it again revives it; that it would come was told",
  "refresh.recovered": "nothing changed for who uses it",
  "refresh.late": "nothing changed for who uses it",
  "refresh.restored": "nothing changed for who uses it",
  "refresh.spare_tried": "nothing changed for who uses it",
  "refresh.answer_lost": "nothing changed for who uses it",
  "refresh.put_aside": "it is refreshed when it is used",
};

function never<A extends keyof typeof AUDIT_ACTIONS>(why: string, actions: readonly A[]) {
  return Object.fromEntries(actions.map((action) => [action, why])) as Record<A, string>;
}

const all = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, found]) => found!);

/** Kinds that a text tells, in its order. */
const emittedIn = (text: string) =>
  all(
    text.replaceAll(/local function emit\w*\([\s\S]*?\nend/g, ""),
    /\bemit(?:_grant|_sync)?\([^,]+, now, ('[\w.]+'|\w+)/g,
  ).map((kind) => kind.replaceAll("'", ""));

/** The same with what the functions tell that it calls, and those that they call. */
function toldBy(
  text: string,
  functions: ReadonlyMap<string, string>,
  known = new Set<string>(),
): Set<string> {
  const told = new Set(emittedIn(text));
  for (const [name, body] of functions) {
    if (known.has(name) || !new RegExp(`\\b${name}\\(`).test(text)) continue;
    known.add(name);
    for (const kind of toldBy(body, functions, known)) told.add(kind);
  }
  return told;
}

function faultsOf(texts: ReadonlyMap<string, string>): string[] {
  const faults: string[] = [];
  const functions = new Map<string, string>();
  for (const name of ["prelude.lua", "gate.lua", "revocation.lua"])
    for (const [, called, body] of texts.get(name)!.matchAll(/local function (\w+)\(([\s\S]*?)\nend/g))
      functions.set(called!, body!);
  for (const [name, text] of texts) {
    const emitted = emittedIn(text);
    const expected = EMITS[name] ?? [];
    if (!OTHERS.test(name) && emitted.join() !== expected.join())
      faults.push(`${name} tells ${emitted.join(", ") || "nothing"}`);
    const told = toldBy(text, functions);
    const must = [
      ...all(text, /'action', '([\w.]+)'/g).flatMap((action) => OF_AUDIT[action as never] ?? [`${action}?`]),
      ...all(text, /timeline\([^'\n]*'([\w.]+)'/g).flatMap((kind) => OF_TIMELINE[kind] ?? `${kind}?`),
    ].filter((kind) => kind.endsWith("?") || Object.hasOwn(EVENT_KINDS, kind));
    for (const kind of must) if (!told.has(kind)) faults.push(`${name} does not tell ${kind}`);
  }
  return faults;
}

describe("every change that concerns clients is told by the script that makes it", () => {
  it("by each script exactly what is written down, and for each audit entry and timeline kind its event, or why there is none", () => {
    expect(faultsOf(scripts)).toEqual([]);
    expect(Object.keys(OF_AUDIT).sort()).toEqual(Object.keys(AUDIT_ACTIONS).sort());
    const told = new Set([...Object.values(EMITS).flat(), "library.parked", ...ELSEWHERE]);
    expect(Object.keys(EVENT_KINDS).filter((kind) => !told.has(kind as EventKind))).toEqual([]);
  });

  it("and the loss of any of them is noticed", () => {
    let lost = 0;
    for (const name of Object.keys(EMITS)) {
      const text = scripts.get(name)!;
      for (const call of text.matchAll(/\bemit(?:_grant|_sync)?\([^,]+, now, (?!kind)/g)) {
        const without = `${text.slice(0, call.index)}other${text.slice(call.index)}`;
        expect(faultsOf(new Map(scripts).set(name, without)), `${name} at ${call.index}`).not.toEqual([]);
        lost += 1;
      }
    }
    expect(lost).toBe(Object.values(EMITS).flat().length);
  });

  it("in one way: only `emit` writes the log, and scripts that work when Redis is full are those that must", () => {
    const writers = [...scripts].filter(([, text]) => /XADD', prefix \.\. 'events'/.test(text));
    expect(writers.map(([name]) => name)).toEqual(["prelude.lua"]);
    expect(typescriptFiles("src").filter((file) => /\.xadd\(/i.test(read(file)))).toEqual([]);
    const full = [...scripts.keys()].filter((name) =>
      read(`${LUA}/${name}`).startsWith("#!lua flags=allow-oom"),
    );
    for (const name of ["refresh-commit", "refresh-fail", "delete-grant", "unbind", "reap-unbound"])
      expect(full).toContain(`${name}.lua`);
    for (const name of ["containment-begin", "containment-lift", "containment-mark"])
      expect(full).toContain(`${name}.lua`);
  });
});
