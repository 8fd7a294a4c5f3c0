import { z } from "zod";
import { path } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";
import { type environmentSettings, isProduction } from "./settings-process.ts";

export const keySettings = {
  ROOT_KEYSET_FILE: path()
    .optional()
    .describe(
      "File with the root keyset that wraps every data key (`cli keys create FILE`). Required in production. Lost with it: every authorization.",
    ),
};

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const NAMES = /^[A-Za-z0-9][A-Za-z0-9_.-]*(\/[A-Za-z0-9][A-Za-z0-9_.-]*)*$/;

/** Names as Vault's own tools have them, where they have one. */
export const wrapperSettings = {
  VAULT_ADDR: z
    .string()
    .transform((text, ctx) => {
      const url = URL.parse(text);
      if (
        url !== null &&
        /^https?:$/.test(url.protocol) &&
        /^\/?$/.test(url.pathname + url.search) &&
        url.username === ""
      )
        return url.origin;
      ctx.addIssue({ code: "custom", message: "must be an origin, such as https://vault.example.com:8200" });
      return z.NEVER;
    })
    .optional()
    .describe(
      "Where HashiCorp Vault or OpenBao is, whose transit engine wraps the root keys: an origin. Needed where the root keyset was made by `cli keys create --wrapped`, or `cli keys wrap`; asked at the start alone.",
    ),
  VAULT_TOKEN_FILE: path()
    .optional()
    .describe(
      "File with the token for VAULT_ADDR. Read anew when it is refused, so it may be replaced at any time.",
    ),
  VAULT_NAMESPACE: z
    .string()
    .regex(NAMES, "must be a namespace, such as firm/token-broker")
    .optional()
    .describe("Namespace in VAULT_ADDR, where it has some."),
  VAULT_TRANSIT_MOUNT: z
    .string()
    .regex(NAMES, "must be the path of a secrets engine, without slashes around it")
    .default("transit")
    .describe("Where in VAULT_ADDR the transit engine is mounted."),
  VAULT_TRANSIT_KEY: z
    .string()
    .regex(NAME, "must be the name of a transit key")
    .optional()
    .describe("Name of the transit key that wraps the root keys. Destroy it, and nothing opens again."),
  VAULT_CACERT: path()
    .optional()
    .describe("File with the PEM certificates of the authority of VAULT_ADDR. Not set: the public ones."),
};

export const wrapperRelations: readonly Relation<
  Values<typeof wrapperSettings & typeof environmentSettings>
>[] = [
  {
    setting: "VAULT_ADDR",
    dependsOn: ["NODE_ENV"],
    holds: (c) => !isProduction(c) || !c.VAULT_ADDR?.startsWith("http:") || isLoopback(c.VAULT_ADDR),
    message:
      "must begin with https in production, unless it is a Vault Agent on this machine: root keys pass there",
  },
  {
    setting: "VAULT_TOKEN_FILE",
    dependsOn: ["VAULT_ADDR"],
    holds: (c) => (c.VAULT_ADDR === undefined) === (c.VAULT_TOKEN_FILE === undefined),
    message: "and VAULT_ADDR are needed together",
  },
  {
    setting: "VAULT_TRANSIT_KEY",
    dependsOn: ["VAULT_ADDR"],
    holds: (c) => (c.VAULT_ADDR === undefined) === (c.VAULT_TRANSIT_KEY === undefined),
    message: "and VAULT_ADDR are needed together",
  },
];

const isLoopback = (origin: string): boolean =>
  ["localhost", "127.0.0.1", "[::1]"].includes(new URL(origin).hostname);

export const keyRelations: readonly Relation<Values<typeof keySettings & typeof environmentSettings>>[] = [
  {
    setting: "ROOT_KEYSET_FILE",
    dependsOn: ["NODE_ENV"],
    holds: (c) => !isProduction(c) || c.ROOT_KEYSET_FILE !== undefined,
    message:
      "is required in production: make one with `cli keys create FILE`, keep a copy off this machine, and name it here",
  },
];
