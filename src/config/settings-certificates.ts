import { z } from "zod";
import { otherBaseUrl, proxyCidr } from "./addresses.ts";
import { list, path, port } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";
import type { listenerSettings } from "./settings-addresses.ts";
import { type environmentSettings, isProduction } from "./settings-process.ts";

/** Where clients with certificates are served (RFC 8705), with TLS of our own or behind a proxy that speaks it. */

export const certificateSettings = {
  MTLS_BASE_URL: z
    .string()
    .transform(
      (text, ctx) => otherBaseUrl(text, (message) => ctx.addIssue({ code: "custom", message })) ?? text,
    )
    .optional()
    .describe(
      "Address by which clients with certificates reach MTLS_PORT or CLIENT_CERT_PORT: `mtls_endpoint_aliases` of our metadata. https; no path, no trailing slash.",
    ),
  MTLS_PORT: port()
    .optional()
    .describe(
      "Port of a listener of our own TLS (1.2 and newer) on HTTP_HOST that asks for a client certificate: token endpoint and `/v1`, no pages. Nothing that ends TLS may stand in front.",
    ),
  MTLS_CERT_FILE: path()
    .optional()
    .describe(
      "File with the certificate of MTLS_PORT and its intermediates, PEM. Read again when it changes.",
    ),
  MTLS_KEY_FILE: path().optional().describe("File with its private key, PEM. Read again when it changes."),
  MTLS_CLIENT_CA_FILE: path()
    .optional()
    .describe(
      "File with the authorities that issue clients' certificates, PEM; behind a proxy those that sign them themselves. Read again when it changes. Not set: only certificates that are registered by thumbprint count.",
    ),
  CLIENT_CERT_PORT: port()
    .optional()
    .describe(
      "Port of a plain listener on HTTP_HOST for a proxy that ends TLS and sends `Client-Cert` (RFC 9440): token endpoint and `/v1`, no pages. That header counts nowhere else.",
    ),
  CLIENT_CERT_PROXY_CIDRS: list(proxyCidr).describe(
    "Address ranges of the proxies that may connect to CLIENT_CERT_PORT, separated by commas; all others are hung up on. The proxy must take Client-Cert off what clients send.",
  ),
};

type Told = Values<typeof certificateSettings & typeof listenerSettings & typeof environmentSettings>;

export const certificateRelations: readonly Relation<Told>[] = [
  {
    setting: "MTLS_PORT",
    dependsOn: ["MTLS_CERT_FILE", "MTLS_KEY_FILE"],
    holds: (c) =>
      c.MTLS_PORT === undefined || (c.MTLS_CERT_FILE !== undefined && c.MTLS_KEY_FILE !== undefined),
    message: "needs MTLS_CERT_FILE and MTLS_KEY_FILE",
  },
  {
    setting: "CLIENT_CERT_PORT",
    dependsOn: ["CLIENT_CERT_PROXY_CIDRS"],
    holds: (c) => c.CLIENT_CERT_PORT === undefined || c.CLIENT_CERT_PROXY_CIDRS.length > 0,
    message:
      "needs CLIENT_CERT_PROXY_CIDRS: whoever reaches it can be any client whose certificate he has seen",
  },
  {
    setting: "MTLS_BASE_URL",
    dependsOn: ["MTLS_PORT", "CLIENT_CERT_PORT"],
    holds: (c) =>
      (c.MTLS_PORT === undefined && c.CLIENT_CERT_PORT === undefined) === (c.MTLS_BASE_URL === undefined),
    message: "goes with MTLS_PORT or CLIENT_CERT_PORT: it is the address by which clients reach them",
  },
  {
    setting: "MTLS_BASE_URL",
    dependsOn: ["NODE_ENV"],
    holds: (c) => !isProduction(c) || c.MTLS_BASE_URL?.startsWith("http://") !== true,
    message: "must begin with https:// in production",
  },
  {
    setting: "CLIENT_CERT_PORT",
    dependsOn: ["MTLS_PORT", "HTTP_PORT", "OPS_PORT"],
    holds: (c) => {
      const taken: readonly (number | undefined)[] = [c.HTTP_PORT, c.OPS_PORT];
      const own = [c.MTLS_PORT, c.CLIENT_CERT_PORT].filter((one) => one !== undefined);
      return new Set(own).size === own.length && !own.some((one) => taken.includes(one));
    },
    message: "and MTLS_PORT must be ports of their own",
  },
];
