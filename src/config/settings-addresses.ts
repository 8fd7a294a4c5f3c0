import { z } from "zod";
import { opsBaseUrl, otherBaseUrl, proxyCidr, publicBaseUrl } from "./addresses.ts";
import { host, list, path, port } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";
import { type environmentSettings, isProduction } from "./settings-process.ts";

/** Where the broker is, and where it listens. */

export const publicAddressSettings = {
  PUBLIC_BASE_URL: z
    .string("is required: the address under which browsers and clients reach the broker")
    .transform(publicBaseUrl)
    .describe(
      "The broker's own address, the start of every redirect URI that a firm registers. https in production; no path, no trailing slash. Never derived from a request.",
    ),
  OTHER_PUBLIC_BASE_URLS: list(otherBaseUrl).describe(
    "Further addresses of the same broker, as PUBLIC_BASE_URL, separated by commas. Pages, links and redirect URIs follow the one by which somebody came, and each has its own redirect URL to register; PUBLIC_BASE_URL stays the issuer. With any set, a request whose Host is none of them is refused, so a proxy in front hands Host on as it came.",
  ),
};

export const publicAddressRelations: readonly Relation<
  Values<typeof publicAddressSettings & typeof environmentSettings>
>[] = [
  {
    setting: "PUBLIC_BASE_URL",
    dependsOn: ["NODE_ENV"],
    holds: (c) => !isProduction(c) || c.PUBLIC_BASE_URL.startsWith("https://"),
    message: "must begin with https:// in production: codes and cookies travel through it",
  },
  {
    setting: "OTHER_PUBLIC_BASE_URLS",
    dependsOn: ["NODE_ENV"],
    holds: (c) => !isProduction(c) || c.OTHER_PUBLIC_BASE_URLS.every((url) => url.startsWith("https://")),
    message: "must begin with https:// in production",
  },
  {
    setting: "OTHER_PUBLIC_BASE_URLS",
    dependsOn: ["PUBLIC_BASE_URL"],
    holds: (c) =>
      new Set([c.PUBLIC_BASE_URL, ...c.OTHER_PUBLIC_BASE_URLS]).size === 1 + c.OTHER_PUBLIC_BASE_URLS.length,
    message: "names one address twice, or PUBLIC_BASE_URL again",
  },
];

export const listenerSettings = {
  HTTP_HOST: host().default("0.0.0.0").describe("Address on which the public listener listens."),
  HTTP_PORT: port().default(8080).describe("Port of the public listener."),
  OPS_HOST: host()
    .default("127.0.0.1")
    .describe("Address on which the ops listener (health, metrics, queues) listens. Not for the internet."),
  OPS_PORT: port().default(9090).describe("Port of the ops listener."),
  OPS_BASE_URL: z
    .string()
    .transform(opsBaseUrl)
    .optional()
    .describe(
      "Address under which operators' browsers reach the ops listener of this process, behind whatever ends TLS for it; their sign-in comes back to it. http on loopback alone, as through a tunnel. Not set: `http://127.0.0.1:` with OPS_PORT.",
    ),
  OPS_METRICS_TOKEN_FILE: path()
    .optional()
    .describe(
      "File with the bearer token that a Prometheus on another machine sends for `/metrics`, at least 32 characters. Not set: loopback and signed-in operators alone.",
    ),
};

export const listenerRelations: readonly Relation<Values<typeof listenerSettings>>[] = [
  {
    setting: "OPS_PORT",
    dependsOn: ["HTTP_PORT"],
    holds: (c) => c.HTTP_PORT !== c.OPS_PORT,
    message: "must differ from HTTP_PORT: the ops listener is never the public one",
  },
];

export const trustedProxySettings = {
  TRUSTED_PROXY_CIDRS: list(proxyCidr).describe(
    "Address ranges of the proxies in front, separated by commas: only from there is X-Forwarded-For believed.",
  ),
};
