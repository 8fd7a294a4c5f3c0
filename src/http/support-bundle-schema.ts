import { z } from "zod";
import { instant } from "./schemas.ts";

/** What support needs to see of a server, member by member: nothing else gets into an answer unseen. */
export const bundle = z.object({
  made_at: instant,
  request_id: z.string(),
  support: z.string(),
  server: z.object({
    id: z.string(),
    organisation: z.string(),
    kind: z.string(),
    authorization_endpoint: z.string(),
    token_endpoint: z.string(),
    revocation_endpoint: z.string(),
    api_base_url: z.string(),
    customer_id: z.string().nullable(),
    configuration_generation: z.int(),
    created_at: instant,
    settings: z.object({
      scope: z.string(),
      client_authentication: z.string(),
      refresh_client_authentication: z.string(),
      code_life_seconds: z.number(),
      refresh_token: z.string(),
      refresh_token_life_days: z.number(),
      refresh_extends_life: z.boolean(),
      rotation: z.string(),
      previous_access_tokens: z.string(),
      issuer: z.string(),
      registered_by: z.string(),
    }),
    outgoing_addresses: z.array(z.string()),
  }),
  registration: z.object({
    id: z.string(),
    shared: z.boolean(),
    client_id: z.string(),
    redirect_url: z.string(),
    token_origin: z.string(),
    generation: z.int(),
    client_secrets: z
      .array(z.object({ added_at: instant, expires_at: instant.nullable() }))
      .meta({ description: "That they are there, not what they are." }),
  }),
  learned: z.object({
    rotation: z.string().nullable(),
    previous_access_tokens: z.string().nullable(),
    code_life_seconds: z.number(),
    closed: z.object({ why: z.string(), since: instant }).nullable(),
  }),
  sign_ins: z.object({
    last_left_at: instant.nullable(),
    last_back_at: instant.nullable(),
    last_good: z.object({ at: instant, refresh_token: z.boolean() }).nullable(),
    last_failed: z.object({ at: instant, code: z.string(), request_id: z.string().nullable() }).nullable(),
  }),
  authorisations: z.object({
    count: z.int(),
    active: z.int(),
    first_to_renew_by: instant.nullable(),
  }),
});
