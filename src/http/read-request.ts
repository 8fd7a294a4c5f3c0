import type { z } from "zod";
import { Problem } from "../domain/problem.ts";

/** What was sent, as the schema reads it. @throws Problem("invalid_request") with every fault, by field */
export function readBody<S extends z.ZodType>(schema: S, sent: unknown): z.infer<S> {
  const read = schema.safeParse(sent ?? {});
  if (read.success) return read.data;
  // An id that can be nobody's is answered as one that is nobody's, and as another organisation's (T29).
  if (read.error.issues.every(namesNothing)) throw new Problem("not_found");
  // The messages are the schema's own words; what was sent is never quoted, it may be a secret.
  const faults = read.error.issues.slice(0, 20).map((issue) => ({
    field:
      issue.path.map(String).join(".").slice(0, 100) ||
      (issue.code === "unrecognized_keys" ? unknownKeys(issue.keys) : "body"),
    message:
      issue.code === "unrecognized_keys" ? "is not a member of this request" : issue.message.slice(0, 200),
  }));
  throw new Problem("invalid_request", { faults });
}

const namesNothing = (issue: z.core.$ZodIssue): boolean =>
  issue.code === "custom" && issue.params?.namesNothing === true;

/** Only what looks like a name is repeated: a token can stand where a name should, after a `?` for example (T36). */
const unknownKeys = (keys: readonly string[]): string =>
  keys
    .map((key) => (/^[a-z]{1,20}(_[a-z]{1,20}){0,3}$/.test(key) ? key : "?"))
    .slice(0, 5)
    .join(", ");
