import { z } from "zod";
import type { Instant } from "../../domain/instant.ts";
import type { SecretReference } from "./desired.ts";

// What the parts of a file's schema have in common.

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Records are found again by it. */
export const name = z
  .string()
  .regex(
    NAME,
    "must be of lower-case letters, digits and hyphens, at most 63: records are found again by it",
  );

/** What people read. */
export const title = z
  .string()
  .regex(/^\P{Cc}{1,100}$/u, "must be one line of at most 100 characters")
  .regex(/\S/, "must not be blank");

/** An object that knows all its fields: a misspelt one would be ignored in silence otherwise. */
export function strict<T extends z.ZodRawShape>(shape: T) {
  const known = Object.keys(shape).filter((field) => field !== "client_secret" && field !== "secret");
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? `is not a field here; fields are ${known.join(", ")}` : undefined,
  });
}

export function secretFields<F extends "secret" | "client_secret">(field: F) {
  const refused = z.never({
    error: `must not stand in this file: put it into a file of its own and name that in ${field}_file, or name an environment variable in ${field}_env`,
  });
  return {
    [field]: refused.optional(),
    [`${field}_file`]: z.string().min(1, "must name a file").optional(),
    [`${field}_env`]: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of an environment variable, not a value")
      .optional(),
  } as Record<F, z.ZodOptional<z.ZodNever>> & Record<`${F}_file` | `${F}_env`, z.ZodOptional<z.ZodString>>;
}

export function checked(
  judge: (text: string) => { readonly ok: true } | { readonly ok: false; readonly fault: string },
) {
  return z.string().superRefine((text, ctx) => {
    const verdict = judge(text);
    if (!verdict.ok) ctx.addIssue({ code: "custom", message: verdict.fault });
  });
}

export function whole(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int(error).min(min, error).max(max, error);
}

/** A date, or `never`. */
export const expiryField = z.string().transform((text, ctx): Instant | "never" => {
  const at = text === "never" ? text : dateOf(text);
  if (!Number.isNaN(at)) return at;
  ctx.addIssue({ code: "custom", message: "must be never or a date like 2027-06-30" });
  return z.NEVER;
});

/** Start of the day, UTC: whoever warns of an expiry had better warn a few hours early. NaN where it is no day. */
export function dateOf(text: string): Instant {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text) ? at : Number.NaN;
}

export function toReference(file: string | undefined, env: string | undefined): SecretReference | undefined {
  if (file !== undefined) return { file };
  return env === undefined ? undefined : { env };
}
