import { NO_INTENT, NO_LEASE, type Scripts } from "./scripts.ts";

/**
 * What the model proposes to change in the scripts. `findings.test.ts` shows for each what goes wrong without it, in the
 * scripts as they are written and on a real Redis. Where a script has taken a repair over, `scripts.ts` has it too and
 * the repair leaves this file.
 */
export interface Repair {
  readonly name: string;
  readonly script: string;
  /** The lines proposed. */
  readonly lua: string;
  /** The invariants that break without it, and where that is seen soonest. */
  readonly shows: readonly { readonly invariant: string; readonly configuration: string }[];
  apply(scripts: Scripts): Scripts;
}

const FINISHED_KEPT = 8;

export const REPAIRS: readonly Repair[] = [
  {
    name: "mark-sent asks whether the token is still primary",
    script: "refresh-mark-sent.lua",
    lua: `local g = redis.call('HMGET', KEYS[1], 'lease', 'intent_parent', 'rt_fp')
if g[1] ~= ARGV[1] then return 0 end
if g[2] ~= g[3] then
  -- A late answer has replaced the token since begin: it is superseded, whoever asks next begins with the new one.
  redis.call('HDEL', KEYS[1], 'lease', 'lease_until', 'intent', 'intent_parent', 'sent_at')
  return 0
end`,
    shows: [
      { invariant: "supersededIsNeverSent", configuration: "strict, two faults" },
      { invariant: "lossIsExplained", configuration: "strict, two faults" },
    ],
    apply: (scripts) => ({
      ...scripts,
      refreshMarkSent(store, attempt, leaseMs, now) {
        const g = store.grant;
        if (g !== undefined && g.lease === attempt && g.intent_parent !== g.rt_fp)
          return { store: { ...store, grant: { ...g, ...NO_LEASE, ...NO_INTENT } }, answer: 0 };
        return scripts.refreshMarkSent(store, attempt, leaseMs, now);
      },
    }),
  },
  {
    name: "an overtaken failure keeps `sent` where the outcome is not known",
    script: "refresh-fail.lua",
    lua: `if g[3] ~= g[4] or (g[5] and tonumber(g[6] or '0') >= tonumber(g[5])) then
  redis.call('HDEL', key, 'lease', 'lease_until')
  if ARGV[6] == '0' then redis.call('HDEL', key, 'intent', 'intent_parent', 'sent_at') end
  …`,
    shows: [{ invariant: "answerIsWaitedFor", configuration: "rotate" }],
    apply: (scripts) => ({
      ...scripts,
      refreshFail(store, a, now) {
        const ran = scripts.refreshFail(store, a, now);
        const g = store.grant;
        if (ran.answer === 1 || g === undefined || g.lease !== a.attempt || !a.unknown) return ran;
        return { ...ran, store: { ...store, grant: { ...g, ...NO_LEASE } } };
      },
    }),
  },
  {
    name: "commit keeps the access token of a later attempt",
    script: "refresh-commit.lua",
    lua: `-- with 'at_att' in the HMGET, as g[9]:
local newer = tonumber(ARGV[3]) > tonumber(g[9] or '0')
if ARGV[10] ~= '' and newer then … elseif ARGV[10] == '' then … end`,
    shows: [{ invariant: "olderNeverOverNewer", configuration: "same" }],
    apply: (scripts) => ({
      ...scripts,
      refreshCommit(store, a, now) {
        const ran = scripts.refreshCommit(store, a, now);
        const before = store.grant;
        const after = ran.store.grant;
        if (before === undefined || after === undefined || before.gen !== a.gen) return ran;
        if (a.at === undefined || a.att >= (before.at_att ?? 0)) return ran;
        const { at, at_fp, at_att, at_exp, at_life, soft, refreshed_at, due_at } = before;
        const grant = { ...after, at, at_fp, at_att, at_exp, at_life, soft, refreshed_at, due_at };
        return { ...ran, store: { ...ran.store, grant, due: store.due } };
      },
    }),
  },
  {
    name: "commit knows the primary token when it comes back",
    script: "refresh-commit.lua",
    lua: `if g[2] == ARGV[5] or (ARGV[7] ~= '' and g[2] == ARGV[7]) then …
-- and of the spares kept so far, in both branches, those alone with spare.fp ~= ARGV[7]`,
    shows: [{ invariant: "receivedIsInOnePlace", configuration: "leeway" }],
    apply: (scripts) => ({
      ...scripts,
      refreshCommit(store, a, now) {
        const g = store.grant;
        if (g?.gen !== a.gen || g.done === a.attempt || a.rt_fp === undefined)
          return scripts.refreshCommit(store, a, now);
        const others = g.spares?.filter(({ fp }) => fp !== a.rt_fp);
        const spares = others?.length ? others : undefined;
        const parent = g.rt_fp === a.rt_fp ? a.rt_fp : a.parent;
        return scripts.refreshCommit({ ...store, grant: { ...g, spares } }, { ...a, parent }, now);
      },
    }),
  },
  {
    name: "commit remembers more than the last attempt",
    script: "refresh-commit.lua",
    lua: `-- 'done' as a JSON list, newest first, of up to eight [attempt, as]:
for _, done in ipairs(cjson.decode(g[3] or '[]')) do if done[1] == ARGV[2] then return done[2] end end`,
    shows: [{ invariant: "commitIsIdempotent", configuration: "rotate" }],
    apply: (scripts) => ({
      ...scripts,
      refreshCommit(store, a, now) {
        const g = store.grant;
        const known = g?.gen === a.gen ? g.finished?.find(([attempt]) => attempt === a.attempt) : undefined;
        if (known !== undefined) return { store, answer: known[1] };
        const ran = scripts.refreshCommit(store, a, now);
        const after = ran.store.grant;
        if (after === undefined || ran.answer === "orphaned") return ran;
        const finished = [[a.attempt, ran.answer] as const, ...(g?.finished ?? [])].slice(0, FINISHED_KEPT);
        return { ...ran, store: { ...ran.store, grant: { ...after, finished } } };
      },
    }),
  },
];

/** The scripts with all repairs, or all but some. */
export const repaired = (scripts: Scripts, without: readonly Repair[] = []): Scripts =>
  REPAIRS.filter((repair) => !without.includes(repair)).reduce((all, repair) => repair.apply(all), scripts);
