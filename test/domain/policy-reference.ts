import type { PolicyRequest, PolicyRule } from "../../src/domain/policy.ts";

/**
 * What a policy means, written a second time and as naively as possible: every rule is a row of a table, every column a
 * question, addresses are strings of bits, hours are read off a clock's face. It shares nothing with the evaluator but types.
 */
export function referenceVerdict(
  rules: readonly PolicyRule[],
  ask: PolicyRequest,
  at: number,
): { readonly allowed: boolean; readonly rule: number; readonly failing: readonly string[][] } {
  const table = rules.map((rule) => {
    const listed = ask.subject?.type === "library" ? rule.libraries : rule.users;
    const columns: Record<string, boolean> = {
      server: !ask.server || !rule.servers || rule.servers.some((one) => one === ask.server),
      action: rule.actions.filter((one) => one === ask.action).length > 0,
      [ask.subject?.type ?? "user"]:
        !ask.subject || listed === "all" || namesOf(listed).has(nameOf(ask.subject)),
      expired: rule.validUntil === undefined || at < rule.validUntil,
      network:
        !rule.networks || ask.address === undefined || rule.networks.some((one) => covers(one, ask.address!)),
      purpose: ask.action !== "token" || !rule.purposes || rule.purposes.some((one) => one === ask.purpose),
      min_ttl:
        ask.action !== "token" || rule.minTtlMaxMs === undefined || !(ask.minTtlMs! > rule.minTtlMaxMs),
      hours: !rule.hours || onTheClock(rule.hours, at),
    };
    return Object.keys(columns).filter((column) => !columns[column]);
  });
  const rule = table.findIndex((row) => row.length === 0);
  return { allowed: rule >= 0, rule, failing: table };
}

const nameOf = (one: { id: string; issuer?: string }) => JSON.stringify([one.issuer ?? "library", one.id]);
const namesOf = (list: readonly (string | { id: string; issuer: string })[]) =>
  new Set(list.map((one) => (typeof one === "string" ? nameOf({ id: one }) : nameOf(one))));

/** An address as 32 or 128 characters, each 0 or 1; IPv4 inside IPv6 is IPv4. */
function bits(address: string): string {
  const v4 = /(?:^|^::ffff:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/i.exec(address);
  const wide = (n: number, width: number) => n.toString(2).padStart(width, "0");
  if (v4)
    return v4
      .slice(1)
      .map((part) => wide(Number(part), 8))
      .join("");
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const end = groups(tail ?? "");
  const begin = groups(head);
  const all = [...begin, ...Array.from({ length: 8 - begin.length - end.length }, () => "0"), ...end];
  return all.map((group) => wide(Number.parseInt(group, 16), 16)).join("");
}

function covers(cidr: string, address: string): boolean {
  const [base = "", prefix] = cidr.split("/");
  const [range, one] = [bits(base), bits(address)];
  const length = prefix === undefined ? range.length : Number(prefix);
  return range.length === one.length && range.slice(0, length) === one.slice(0, length);
}

const FACE = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

function onTheClock(
  { timeZone, weekdays, fromMinute, toMinute }: NonNullable<PolicyRule["hours"]>,
  at: number,
): boolean {
  const told = new Date(at).toLocaleString("en-GB", {
    timeZone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
  });
  const [, name = "", hour, minute] = /^(\w{3}).*?(\d\d):(\d\d)/.exec(told) ?? [];
  const today = FACE.indexOf(name) + 1;
  const yesterday = today === 1 ? 7 : today - 1;
  const now = Number(hour) * 60 + Number(minute);
  if (toMinute > fromMinute) return weekdays.includes(today) && now >= fromMinute && now < toMinute;
  return (weekdays.includes(today) && now >= fromMinute) || (weekdays.includes(yesterday) && now < toMinute);
}
