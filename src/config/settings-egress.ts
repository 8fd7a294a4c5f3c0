import { z } from "zod";
import { egressCidr, egressProxyUrl, loopbackOrigin, outgoingAddress } from "./addresses.ts";
import { list, path } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";
import { type environmentSettings, isProduction } from "./settings-process.ts";

/** The way to the iManage servers. */

export const egressSettings = {
  EGRESS_PRIVATE_CIDRS: list(egressCidr).describe(
    "Private ranges in which on-premises iManage servers may be reached, separated by commas. Everything private is refused otherwise.",
  ),
  EGRESS_WEBHOOK_PRIVATE_CIDRS: list(egressCidr).describe(
    "Private ranges in which receivers of events may be called, separated by commas: every client with the action `events` names addresses there. EGRESS_PRIVATE_CIDRS opens none of them.",
  ),
  EGRESS_LOOPBACK_ORIGINS: list(loopbackOrigin).describe(
    "Exact origins on this machine that may be used as iManage servers: the simulator. Refused in production.",
  ),
};

export const egressRelations: readonly Relation<
  Values<typeof egressSettings & typeof environmentSettings>
>[] = [
  {
    setting: "EGRESS_LOOPBACK_ORIGINS",
    dependsOn: ["NODE_ENV"],
    holds: (c) => !isProduction(c) || c.EGRESS_LOOPBACK_ORIGINS.length === 0,
    message: "is refused in production: it is for the simulator. Remove it",
  },
];

export const egressProxySettings = {
  EGRESS_PROXY_URL: z
    .string()
    .transform(egressProxyUrl)
    .optional()
    .describe(
      "Proxy through which every iManage server is reached, by CONNECT alone: `http://host:port`, or `https://` for TLS to the proxy. May name a user. It then is the proxy that must refuse names that resolve to private addresses. Proxies of other variables (`HTTPS_PROXY`) are never used.",
    ),
  EGRESS_PROXY_PASSWORD_FILE: path()
    .optional()
    .describe("File with the password of the user that EGRESS_PROXY_URL names (Basic, RFC 7617)."),
};

export const egressProxyRelations: readonly Relation<Values<typeof egressProxySettings>>[] = [
  {
    setting: "EGRESS_PROXY_PASSWORD_FILE",
    dependsOn: ["EGRESS_PROXY_URL"],
    holds: (c) =>
      c.EGRESS_PROXY_PASSWORD_FILE === undefined ||
      (URL.parse(c.EGRESS_PROXY_URL ?? "")?.username ?? "") !== "",
    message:
      "is of no use without a user: EGRESS_PROXY_URL must look like http://user@proxy.example.com:3128",
  },
];

export const outgoingAddressSettings = {
  OUTGOING_ADDRESSES: list(outgoingAddress).describe(
    "Addresses or ranges under which iManage servers see the broker, separated by commas. Shown in a diagnosis to whoever keeps a firm's allow list; behind NAT the broker cannot know them.",
  ),
};
