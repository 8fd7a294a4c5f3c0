import { z } from "zod";

/** Kinds of values. None of their sentences repeats what was given: it may be a secret in the wrong place. */

export function supportRule(text: string, fail: (message: string) => void) {
  const [value, names, ...more] = text.split("=");
  const organisations = (names ?? "").split("|").filter((name) => name !== "");
  if (!value || organisations.length === 0 || more.length > 0)
    return void fail("must look like group=organisation or group=organisation|another");
  return { value, organisations };
}

export function path() {
  return z.string().max(4_096, "is too long for a path");
}

export function host() {
  return z.string().regex(/^[A-Za-z0-9.:-]+$/, "must be an address or a host name, without scheme or port");
}

export function port() {
  return integer(1, 65_535);
}

export function integer(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, error)
    .transform(Number)
    .pipe(z.number().int().min(min, error).max(max, error));
}

/** A list separated by commas. Each wrong entry is a fault of its own, named by its place. */
export function list<T>(read: (text: string, fail: (message: string) => void) => T | undefined) {
  return z
    .string()
    .default("")
    .transform((text, ctx): T[] => {
      const entries = text.split(",").map((entry) => entry.trim());
      return entries
        .filter((entry) => entry !== "")
        .flatMap((entry, at) => {
          const which = entries.length === 1 ? "" : `entry ${at + 1} `;
          const value = read(entry, (message) => ctx.addIssue({ code: "custom", message: which + message }));
          return value === undefined ? [] : [value];
        });
    });
}
