import { rfc3339 } from "./instant.ts";
import type { Denial, PolicyRule } from "./policy.ts";
import type { Hours } from "./policy-hours.ts";
import type { Remedy } from "./problem.ts";
import { CLIENT_ISSUER } from "./subject.ts";

/** Why a policy says no: what is so, who can change it, and how. Nothing of what is behind it. */
export const DENIAL_TEXTS: Readonly<
  Record<Denial, { readonly sentence: string; readonly remedy: Remedy; readonly action: string }>
> = {
  no_policy: {
    sentence: "No policy names this client for the organisation.",
    remedy: "operator",
    action: "The operator adds a policy for this client and organisation.",
  },
  server: {
    sentence: "The policy does not name this server.",
    remedy: "operator",
    action: "The operator adds the server to the client's policy.",
  },
  action: {
    sentence: "The policy does not name this action.",
    // As `not_allowed` itself says it.
    remedy: "client",
    action: "Ask the operator to add the action to the client's policy.",
  },
  user: {
    sentence: "The policy does not name this user for the action.",
    remedy: "operator",
    action: "The operator adds the user to the client's policy.",
  },
  library: {
    sentence: "The policy does not name this library for the action.",
    remedy: "operator",
    action: "The operator adds the library to the client's policy.",
  },
  expired: {
    sentence: "The policy has ended.",
    remedy: "operator",
    action: "The operator gives the policy a later valid_until, if the client is to go on.",
  },
  network: {
    sentence: "The policy does not name the network from which the client calls.",
    remedy: "operator",
    action:
      "Call from a network that the policy names, or have the operator add this one. Behind a proxy, TRUSTED_PROXY_CIDRS has to name it.",
  },
  purpose: {
    sentence: "The policy allows this for named purposes alone, and the request gives none of them.",
    remedy: "client",
    action: "Send one of the policy's purposes as `purpose`, letter by letter.",
  },
  min_ttl: {
    sentence: "The request asks for a longer life than the policy allows.",
    remedy: "client",
    action: "Ask for a smaller `min_ttl`, or leave it out.",
  },
  hours: {
    sentence: "The policy allows this at other hours.",
    remedy: "time",
    action: "Ask again after Retry-After, or have the operator change the policy's hours.",
  },
};

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

export const clockText = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

export const hoursText = ({ weekdays, fromMinute, toMinute, timeZone }: Hours): string =>
  `${weekdays.length === 7 ? "daily" : weekdays.map((day) => WEEKDAYS[day - 1]).join(" ")} ${clockText(fromMinute)}–${clockText(toMinute)} ${timeZone}`;

/** `all`, or their ids; one for whom somebody else vouches than the client stands with him. Empty: nobody. */
export const usersText = (users: PolicyRule["users"]): string =>
  users === "all"
    ? users
    : users
        .map(({ issuer, id }) => (issuer === CLIENT_ISSUER ? id : `${id}@${issuer}`))
        .sort()
        .join(" ");

/** A rule in one line, as differences, lists and `explain` show it. @param nameOf what a server is called there */
export function ruleText(
  rule: Omit<PolicyRule, "servers"> & { readonly servers: readonly string[] | undefined },
  nameOf: (server: string) => string = (server) => server,
): string {
  const listed = (names: readonly string[]) => [...new Set(names)].sort().join(" ");
  const users = usersText(rule.users);
  const who = [
    ...(users === "all" ? ["all users"] : users === "" ? [] : [`users ${users}`]),
    ...(rule.libraries === "all"
      ? ["all libraries"]
      : rule.libraries.length > 0
        ? [`libraries ${listed(rule.libraries)}`]
        : []),
  ];
  return [
    rule.actions.length === 0 ? "nothing" : listed(rule.actions),
    `at ${rule.servers === undefined ? "every server" : listed(rule.servers.map(nameOf)) || "no server"}`,
    `for ${who.join(" and ") || "nobody"}`,
    ...(rule.networks === undefined ? [] : [`from ${listed(rule.networks)}`]),
    ...(rule.hours === undefined ? [] : [hoursText(rule.hours)]),
    ...(rule.purposes === undefined ? [] : [`purpose ${[...rule.purposes].sort().join(" or ")}`]),
    ...(rule.minTtlMaxMs === undefined ? [] : [`min_ttl at most ${rule.minTtlMaxMs / 1_000} s`]),
    ...(rule.toldLifeMaxMs === undefined ? [] : [`told to live at most ${rule.toldLifeMaxMs / 1_000} s`]),
    ...(rule.validUntil === undefined ? [] : [`until ${rfc3339(rule.validUntil)}`]),
  ].join(", ");
}
