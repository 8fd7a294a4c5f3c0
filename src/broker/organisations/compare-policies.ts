import { rfc3339 } from "../../domain/instant.ts";
import type { PolicyRule } from "../../domain/policy.ts";
import { hoursText, ruleText, usersText } from "../../domain/policy-texts.en.ts";
import type { DesiredRule } from "./desired.ts";
import type { Compared } from "./plan.ts";

/** What of the rules is another: field by field where there is one, otherwise rule by rule. */
export function comparedRules(
  stored: readonly DesiredRule[] | undefined,
  desired: readonly DesiredRule[],
): readonly Compared[] {
  const [before, ...moreBefore] = stored ?? [];
  const [after, ...moreAfter] = desired;
  const one = moreBefore.length === 0 && moreAfter.length === 0;
  if (one && after !== undefined) return comparedFields(before, after);
  return Array.from({ length: Math.max(stored?.length ?? 0, desired.length) }, (_, i): Compared => {
    const [is, will] = [stored?.[i], desired[i]];
    return [`rule_${i + 1}`, is && ruleText(is), will === undefined ? "gone" : ruleText(will)];
  });
}

const comparedFields = (stored: DesiredRule | undefined, desired: DesiredRule): readonly Compared[] => [
  ["servers", stored && serversText(stored.servers), serversText(desired.servers)],
  ["actions", stored && actionsText(stored.actions), actionsText(desired.actions)],
  ...subjects(stored, desired),
  limit("networks", stored, stored?.networks?.join(" "), desired.networks?.join(" ")),
  limit("hours", stored, stored?.hours && hoursText(stored.hours), desired.hours && hoursText(desired.hours)),
  limit("purposes", stored, stored?.purposes?.join(", "), desired.purposes?.join(", ")),
  limit("min_ttl_max_seconds", stored, seconds(stored?.minTtlMaxMs), seconds(desired.minTtlMaxMs)),
  limit("told_life_max_seconds", stored, seconds(stored?.toldLifeMaxMs), seconds(desired.toldLifeMaxMs)),
  limit("valid_until", stored, moment(stored?.validUntil), moment(desired.validUntil)),
];

/** A new policy that names everybody says nothing of it. */
function subjects(stored: DesiredRule | undefined, desired: DesiredRule): readonly Compared[] {
  if (stored === undefined && desired.users === "all" && desired.libraries === "all") return [];
  return [
    ["users", stored && (usersText(stored.users) || "none"), usersText(desired.users) || "none"],
    ["libraries", stored && librariesText(stored.libraries), librariesText(desired.libraries)],
  ];
}

/** What may be left out: not told of a new policy that has none. */
export const limit = (
  field: string,
  stored: unknown,
  from: string | number | undefined,
  to: string | number | undefined,
): Compared =>
  stored === undefined && to === undefined
    ? [field, undefined, undefined]
    : [field, stored === undefined ? undefined : String(from ?? "none"), String(to ?? "none")];

/**
 * Whether two policies' rules are the same but for the order of what has none. Texts are for people: an id may hold a blank or an
 * @, or be called all, so that what reads alike may be another one, and would be left as it is.
 */
export const sameRules = (one: readonly DesiredRule[], other: readonly DesiredRule[]): boolean =>
  JSON.stringify(one.map(canonical)) === JSON.stringify(other.map(canonical));

function canonical(rule: DesiredRule): readonly unknown[] {
  const set = (list: "all" | readonly string[] | undefined) =>
    Array.isArray(list) ? [...new Set(list as readonly string[])].sort() : list;
  const { users, hours } = rule;
  return [
    set(rule.servers),
    set(users === "all" ? users : users.map(({ issuer, id }) => JSON.stringify([issuer, id]))),
    set(rule.libraries),
    set(rule.actions),
    set(rule.networks),
    hours && [hours.timeZone, [...hours.weekdays].sort(), hours.fromMinute, hours.toMinute],
    set(rule.purposes),
    ...[rule.minTtlMaxMs, rule.toldLifeMaxMs, rule.validUntil],
  ];
}

const seconds = (ms: number | undefined): number | undefined => ms && ms / 1_000;
const moment = (at: number | undefined): string | undefined => (at === undefined ? undefined : rfc3339(at));

const serversText = (names: readonly string[] | undefined): string =>
  names === undefined ? "every server" : [...new Set(names)].sort().join(" ");

const actionsText = (actions: readonly string[]): string =>
  actions.length === 0 ? "none" : [...new Set(actions)].sort().join(" ");

const librariesText = (libraries: PolicyRule["libraries"]): string =>
  libraries === "all" ? "all" : [...libraries].sort().join(" ") || "none";
