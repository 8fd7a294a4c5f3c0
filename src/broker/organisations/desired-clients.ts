import { z } from "zod";
import type { DesiredClient } from "./desired.ts";
import { certificateSchema } from "./desired-certificate.ts";
import { type DocumentReader, encryptionField, keysField } from "./desired-client-keys.ts";
import { policySchema, toPolicy } from "./desired-policies.ts";
import { checked, expiryField, name, secretFields, strict, title, toReference } from "./schema-words.ts";
import { type AddressRules, checkReturnUrl } from "./server-address.ts";

/** A client with its policies, as a file tells it. */
export const clientSchema = (rules: AddressRules, read: DocumentReader | undefined) =>
  strict({
    name,
    display_name: title.optional(),
    state: z.enum(["active", "stopped"]).default("active"),
    role: z.enum(["app", "operator"]).optional(),
    return_urls: z.array(checked((text) => checkReturnUrl(text, rules))).default([]),
    ...secretFields("secret"),
    secret_expires: expiryField.optional(),
    keys: keysField(rules, read).optional(),
    token_encryption: encryptionField(read).optional(),
    certificate: certificateSchema.optional(),
    policies: z.array(policySchema).default([]),
  });

type ToldClient = z.infer<ReturnType<typeof clientSchema>>;

export const toClient = (client: ToldClient): DesiredClient => ({
  name: client.name,
  displayName: client.display_name ?? client.name,
  state: client.state,
  role: client.role,
  returnUrls: client.return_urls,
  secret: toReference(client.secret_file, client.secret_env),
  secretExpires: client.secret_expires,
  keys: client.keys,
  tokenEncryption: client.token_encryption,
  ...(client.certificate && { certificate: client.certificate }),
  policies: client.policies.map(toPolicy),
});
