import { z } from "zod";
import type { ClientAction } from "../../domain/client.ts";
import type { DesiredClient, DesiredPolicy } from "./desired.ts";
import { checked, name, secretFields, strict, title, toReference, whole } from "./schema-words.ts";
import { type AddressRules, checkReturnUrl } from "./server-address.ts";

const ACTIONS = [
  "token",
  "status",
  "connect",
  "revoke",
  "sync",
  "configure",
] as const satisfies readonly ClientAction[];

/** A client with its policies, as a file tells it. */
export const clientSchema = (rules: AddressRules) =>
  strict({
    name,
    display_name: title.optional(),
    state: z.enum(["active", "stopped"]).default("active"),
    return_urls: z.array(checked((text) => checkReturnUrl(text, rules))).default([]),
    ...secretFields("secret"),
    policies: z.array(policy).default([]),
  });

const policy = strict({
  organisation: name,
  servers: z.array(name).min(1, "must name a server; leave it out to allow every server").optional(),
  actions: z.array(z.enum(ACTIONS)),
  tokens_per_minute: whole(1, 1_000_000).default(600),
});

type ToldClient = z.infer<ReturnType<typeof clientSchema>>;

export const toClient = (client: ToldClient): DesiredClient => ({
  name: client.name,
  displayName: client.display_name ?? client.name,
  state: client.state,
  returnUrls: client.return_urls,
  secret: toReference(client.secret_file, client.secret_env),
  policies: client.policies.map(toPolicy),
});

const toPolicy = (policy: ToldClient["policies"][number]): DesiredPolicy => ({
  organisation: policy.organisation,
  servers: policy.servers,
  actions: policy.actions,
  tokensPerMinute: policy.tokens_per_minute,
});
