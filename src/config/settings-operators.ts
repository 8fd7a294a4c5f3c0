import { z } from "zod";
import { issuer } from "./addresses.ts";
import { list, path, supportRule } from "./kinds.ts";
import type { Relation, Values } from "./relations.ts";
import { type environmentSettings, isProduction } from "./settings-process.ts";

/** How operators and support sign in. */

export const operatorSettings = {
  OPERATORS_ISSUER: z
    .string()
    .transform(issuer)
    .optional()
    .describe(
      "Issuer of the identity provider by which operators and support sign in (OpenID Connect Discovery). Redirect URIs to register there: PUBLIC_BASE_URL and OPS_BASE_URL, each with `/operators/callback`. Not set: nobody signs in there.",
    ),
  OPERATORS_CLIENT_ID: z
    .string()
    .max(200)
    .optional()
    .describe("This broker's client id at OPERATORS_ISSUER."),
  OPERATORS_CLIENT_SECRET_FILE: path().optional().describe("File with its client secret there."),
  OPERATORS_CLAIM: z
    .string()
    .regex(/^[\w:/.-]{1,200}$/, "must be the name of a claim")
    .default("groups")
    .describe("Claim of the ID token that says who may do what: a list or one text."),
  OPERATORS_VALUES: list((text) => text).describe(
    "Values of that claim that make an operator, who sees every organisation; separated by commas.",
  ),
  OPERATORS_QUEUE_VALUES: list((text) => text).describe(
    "Values that let an operator also act on the queues' dashboard (retry, promote, remove); separated by commas. None: it is only looked at.",
  ),
  OPERATORS_SUPPORT: list(supportRule).describe(
    "Values that make somebody support, each with the organisations he may see, `value=name|name`; separated by commas.",
  ),
};

export const operatorRelations: readonly Relation<
  Values<typeof operatorSettings & typeof environmentSettings>
>[] = [
  {
    setting: "OPERATORS_ISSUER",
    dependsOn: ["OPERATORS_CLIENT_ID", "OPERATORS_CLIENT_SECRET_FILE"],
    holds: (c) =>
      c.OPERATORS_ISSUER === undefined ||
      (c.OPERATORS_CLIENT_ID !== undefined && c.OPERATORS_CLIENT_SECRET_FILE !== undefined),
    message: "needs OPERATORS_CLIENT_ID and OPERATORS_CLIENT_SECRET_FILE, as they are registered there",
  },
  {
    setting: "OPERATORS_ISSUER",
    dependsOn: ["NODE_ENV"],
    holds: (c) => !isProduction(c) || c.OPERATORS_ISSUER?.startsWith("http://") !== true,
    message: "must begin with https:// in production",
  },
  {
    setting: "OPERATORS_QUEUE_VALUES",
    dependsOn: ["OPERATORS_VALUES"],
    holds: (c) => c.OPERATORS_QUEUE_VALUES.length === 0 || c.OPERATORS_VALUES.length > 0,
    message: "names who of the operators may do more, and OPERATORS_VALUES names none",
  },
];
