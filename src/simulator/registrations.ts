import { z } from "zod";

/** An application as Control Center › Settings › Applications knows it, tab by tab (C). */
export const registrationSchema = z.strictObject({
  // Configuration
  name: z.string().default("Application"),
  description: z.string().default(""),
  client_id: z.string().min(1),
  /** Two may be live at once, so that a secret can be replaced without an outage. */
  client_secrets: z
    .array(
      z.strictObject({
        value: z.string().min(1),
        expires_at: z.union([z.literal("never"), z.iso.datetime()]).default("never"),
      }),
    )
    .max(2)
    .default([]),
  publisher: z.string().default(""),
  website: z.string().default(""),
  contact_email: z.string().default(""),

  // Authentication
  work_authentication_required: z.boolean().default(true),
  application_type: z.enum(["web", "native", "service"]).default("web"),
  client_type: z.enum(["confidential", "public"]).default("confidential"),
  redirect_urls: z.array(z.string()).default([]),
  /** Off unless somebody thought of it (C): the commonest fault of a new integration. */
  allow_refresh_token: z.boolean().default(false),
  refresh_token_expiry_days: z.number().positive().default(365),
  access_token_expiry_minutes: z.number().positive().default(30),
  scopes: z.array(z.string()).default(["user", "admin"]),

  // Access: everybody, or user ids.
  access: z.union([z.literal("all_users"), z.array(z.string())]).default("all_users"),
  /** On the cloud a vendor has one application and each customer enables it (C). */
  customers: z.union([z.literal("all"), z.array(z.int())]).default("all"),

  // Review
  enable_application: z.boolean().default(true),
});

export type Registration = z.output<typeof registrationSchema>;
export type RegistrationInput = z.input<typeof registrationSchema>;

export const registration = (input: RegistrationInput): Registration => registrationSchema.parse(input);

export function secretIsLive(of: Registration, secret: string, now: number): boolean {
  return of.client_secrets.some(
    ({ value, expires_at }) => value === secret && (expires_at === "never" || now < Date.parse(expires_at)),
  );
}
