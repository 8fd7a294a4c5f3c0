import { z } from "zod";
import type { ServerId } from "../../domain/id.ts";
import { days, rfc3339, seconds } from "../../domain/instant.ts";
import { CLIENT_ACTIONS, type PolicyRule, type UserName } from "../../domain/policy.ts";
import { type Hours, isTimeZone } from "../../domain/policy-hours.ts";
import { parseNetwork } from "../../domain/policy-network.ts";
import { CLIENT_ISSUER } from "../../domain/subject.ts";
import type { DesiredPolicy, DesiredRule } from "./desired.ts";
import { checked, name, strict, whole } from "./schema-words.ts";

const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const CLOCK = /^([01]\d|2[0-3]):[0-5]\d$/;
const LISTED_MAX = 2_000;

const list = <T extends z.ZodType>(item: T, none: string) => z.array(item).min(1, none).max(LISTED_MAX);
const word = z.string().regex(/^\P{Cc}{1,256}$/u, "must be one line of at most 256 characters");

const network = checked((text) => {
  try {
    parseNetwork(text);
    return { ok: true };
  } catch (error) {
    return { ok: false, fault: (error as RangeError).message };
  }
});

const hours = strict({
  time_zone: z
    .string()
    .refine(isTimeZone, "is no time zone of the IANA list that this machine knows; one is Europe/London"),
  weekdays: list(
    z.enum(WEEKDAYS, `must be one of ${WEEKDAYS.join(", ")}`),
    "must name a weekday, or these hours never come; leave it out for every day",
  ).optional(),
  from: z.string().regex(CLOCK, "must be a time of day like 08:00, in quotes"),
  to: z
    .string()
    .refine(
      (text) => CLOCK.test(text) || text === "24:00",
      "must be a time of day like 18:00 or 24:00, in quotes",
    ),
}).refine(({ from, to }) => from !== to, {
  path: ["to"],
  error: "must not be the same as from: no minute lies between them. A whole day is 00:00 to 24:00",
});

/** A date is the day's end: who says until the 30th means the 30th too. */
const validUntil = z
  .string()
  .refine(
    (text) => !Number.isNaN(endOf(text)),
    "must be a date like 2027-06-30, or a moment like 2027-06-30T17:00:00Z",
  );
const MOMENT = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;
function endOf(text: string): number {
  const [, date, time] = MOMENT.exec(text) ?? [];
  const midnight = Date.parse(`${date}T00:00:00Z`);
  // A day that is none would be taken for one of the next month.
  if (Number.isNaN(midnight) || rfc3339(midnight).slice(0, 10) !== date) return Number.NaN;
  return time === undefined ? midnight + days(1) : Date.parse(text);
}

const ruleFields = {
  servers: list(name, "must name a server; leave it out to allow every server").optional(),
  users: z
    .union([z.literal("all"), z.array(z.union([word, strict({ issuer: word, id: word })])).max(LISTED_MAX)], {
      error: `must be all, or a list of at most ${LISTED_MAX} ids as the client names its users`,
    })
    .optional(),
  libraries: z
    .union([z.literal("all"), z.array(word).max(LISTED_MAX)], {
      error: `must be all, or a list of at most ${LISTED_MAX} library ids`,
    })
    .optional(),
  actions: z.array(z.enum(CLIENT_ACTIONS)),
  networks: list(network, "must name a network; leave it out to allow calls from anywhere").optional(),
  hours: hours.optional(),
  purposes: list(word, "must name a purpose; leave it out to allow any").optional(),
  min_ttl_max_seconds: whole(1, 1_200).optional(),
  told_life_max_seconds: whole(30, 86_400).optional(),
  valid_until: validUntil.optional(),
};

interface ToldRule {
  readonly users?: unknown;
  readonly libraries?: unknown;
  readonly min_ttl_max_seconds?: number | undefined;
  readonly told_life_max_seconds?: number | undefined;
}

const isNone = (told: unknown): boolean => told === undefined || (Array.isArray(told) && told.length === 0);

function checkRule(rule: ToldRule, ctx: z.RefinementCtx): void {
  const { users, libraries, min_ttl_max_seconds: asked, told_life_max_seconds: life } = rule;
  const fault = (field: string, message: string) => ctx.addIssue({ code: "custom", path: [field], message });
  if (isNone(users) && isNone(libraries) && (users !== undefined || libraries !== undefined)) {
    fault(
      users === undefined ? "libraries" : "users",
      "must name somebody, or this allows nothing to anybody",
    );
  }
  if (asked !== undefined && life !== undefined && asked > life) {
    fault(
      "min_ttl_max_seconds",
      "must not be more than told_life_max_seconds: no token is told to live longer",
    );
  }
}

const rule = strict(ruleFields).superRefine(checkRule);

/** What one rule says may stand in the policy itself: most have one. */
export const policyFields = {
  tokens_per_minute: whole(1, 1_000_000).default(600),
  grants_per_hour: whole(1, 100_000).optional(),
  rules: list(rule, "must hold a rule, or this policy allows nothing").optional(),
  ...ruleFields,
  actions: ruleFields.actions.optional(),
};

export const policySchema = strict({ organisation: name, ...policyFields }).superRefine((policy, ctx) => {
  const { rules, actions } = policy;
  if (rules === undefined && actions === undefined) {
    ctx.addIssue({
      code: "custom",
      path: ["actions"],
      message: "is required, here or in rules",
    });
  }
  const beside = Object.keys(ruleFields).filter(
    (field) => policy[field as keyof typeof policy] !== undefined,
  );
  if (rules !== undefined && beside.length > 0) {
    const message = `must not stand beside rules: put it into the rules that it is about`;
    for (const field of beside) ctx.addIssue({ code: "custom", path: [field], message });
  }
  if (rules === undefined) checkRule(policy, ctx);
});

type ToldPolicy = z.infer<typeof policySchema>;
type ToldRuleFields = z.infer<typeof rule>;

export const toPolicy = (policy: ToldPolicy): DesiredPolicy => ({
  organisation: policy.organisation,
  rules: (policy.rules ?? [{ ...policy, actions: policy.actions ?? [] }]).map(toRule),
  tokensPerMinute: policy.tokens_per_minute,
  ...(policy.grants_per_hour !== undefined && { grantsPerHour: policy.grants_per_hour }),
});

function toRule(told: ToldRuleFields): DesiredRule {
  const everybody = told.users === undefined && told.libraries === undefined;
  // Nobody is promised a life that he is not told of.
  const asked = told.min_ttl_max_seconds ?? told.told_life_max_seconds;
  return {
    servers: told.servers,
    users: everybody ? "all" : toUsers(told.users ?? []),
    libraries: everybody ? "all" : distinct(told.libraries ?? []),
    actions: [...new Set(told.actions)],
    ...(told.networks !== undefined && { networks: told.networks }),
    ...(told.hours !== undefined && { hours: toHours(told.hours) }),
    ...(told.purposes !== undefined && { purposes: told.purposes }),
    ...(asked !== undefined && { minTtlMaxMs: seconds(asked) }),
    ...(told.told_life_max_seconds !== undefined && { toldLifeMaxMs: seconds(told.told_life_max_seconds) }),
    ...(told.valid_until !== undefined && { validUntil: endOf(told.valid_until) }),
  };
}

const distinct = (ids: "all" | readonly string[]): PolicyRule["libraries"] =>
  ids === "all" ? ids : [...new Set(ids)];

const toUsers = (told: "all" | readonly (string | UserName)[]): PolicyRule["users"] =>
  told === "all"
    ? told
    : told.map((one) => (typeof one === "string" ? { issuer: CLIENT_ISSUER, id: one } : one));

const toHours = (told: z.infer<typeof hours>): Hours => ({
  timeZone: told.time_zone,
  weekdays: (told.weekdays ?? WEEKDAYS).map((day) => WEEKDAYS.indexOf(day) + 1).sort(),
  fromMinute: minuteOf(told.from),
  toMinute: minuteOf(told.to),
});

/** A rule in the words of a file: read again, it is the same one. */
export const ruleWords = (rule: PolicyRule, nameOf: (server: ServerId) => string) => ({
  ...(rule.servers !== undefined && { servers: rule.servers.map(nameOf) }),
  users: rule.users === "all" ? rule.users : rule.users.map(userWords),
  libraries: rule.libraries === "all" ? rule.libraries : [...rule.libraries],
  actions: [...rule.actions],
  ...(rule.networks !== undefined && { networks: [...rule.networks] }),
  ...(rule.hours !== undefined && { hours: hoursWords(rule.hours) }),
  ...(rule.purposes !== undefined && { purposes: [...rule.purposes] }),
  ...(rule.minTtlMaxMs !== undefined && { min_ttl_max_seconds: rule.minTtlMaxMs / 1_000 }),
  ...(rule.toldLifeMaxMs !== undefined && { told_life_max_seconds: rule.toldLifeMaxMs / 1_000 }),
  ...(rule.validUntil !== undefined && { valid_until: rfc3339(rule.validUntil) }),
});

const userWords = ({ issuer, id }: UserName) => (issuer === CLIENT_ISSUER ? id : { issuer, id });

const hoursWords = ({ timeZone, weekdays, fromMinute, toMinute }: Hours) => ({
  time_zone: timeZone,
  weekdays: weekdays.map((day) => WEEKDAYS[day - 1]!),
  from: clockOf(fromMinute),
  to: clockOf(toMinute),
});

const clockOf = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

const minuteOf = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
