import { z } from "zod";
import { ASSERTION_ALGORITHMS, algorithmsOf, readKeys } from "../../domain/client-keys.ts";
import { type IdentityProvider, MOVING_CLAIMS, SUBJECT_CLAIMS } from "../../domain/identity-provider.ts";
import type { DocumentReader } from "./desired-client-keys.ts";
import { checked, strict } from "./schema-words.ts";
import { type AddressRules, checkKeysAddress } from "./server-address.ts";

const AUDIENCES_MAX = 20;

const subjectClaim = z.string().superRefine((claim, ctx) => {
  if ((SUBJECT_CLAIMS as readonly string[]).includes(claim)) return;
  const moving = (MOVING_CLAIMS as readonly string[]).includes(claim);
  ctx.addIssue({
    code: "custom",
    message: moving
      ? `must not be ${claim}: it is given to somebody else one day, changed by its owner at some providers, and whoever has it then would get the authorizations of whoever had it before. Use sub, or oid for Entra ID`
      : "must be sub, or oid for Entra ID: what never changes and is never given to another person",
  });
});

/** An organisation's identity provider, as a file tells it. `none` takes away what is stored. */
export const identityProviderField = (rules: AddressRules, read: DocumentReader | undefined) =>
  z.union(
    [
      z.literal("none"),
      strict({
        issuer: z
          .string()
          .max(500)
          .superRefine((text, ctx) => {
            // Compared letter by letter, so a slash at its end is part of it.
            const verdict = checkKeysAddress(text.replace(/([^/])\/?$/, "$1/"), rules);
            if (!verdict.ok && !checkKeysAddress(text, rules).ok)
              ctx.addIssue({ code: "custom", message: verdict.fault });
            else if (text.includes("?")) ctx.addIssue({ code: "custom", message: "must have no query" });
          }),
        audiences: z
          .array(z.string().regex(/^[\x21-\x7e]{1,500}$/, "must be a client id of the identity provider"))
          .min(1, "must name the client ids, there, of the applications whose users this is about")
          .max(AUDIENCES_MAX, `must name at most ${AUDIENCES_MAX}`),
        subject_claim: subjectClaim.default("sub"),
        algorithms: z.array(z.enum(ASSERTION_ALGORITHMS)).min(1, "must name one").optional(),
        jwks_file: z.string().min(1, "must name a file").optional(),
        jwks_uri: checked((text) => checkKeysAddress(text, rules)).optional(),
      }).transform((told, ctx): IdentityProvider => {
        const refuse = (path: string, message: string): never => {
          ctx.addIssue({ code: "custom", path: [path], message });
          return z.NEVER;
        };
        const { jwks_file: file, jwks_uri: uri } = told;
        if (file !== undefined && uri !== undefined)
          return refuse(
            "jwks_file",
            "must not stand beside jwks_uri; with neither, the issuer's metadata says where its keys are",
          );
        const rest = {
          issuer: told.issuer,
          audiences: [...new Set(told.audiences)],
          subjectClaim: told.subject_claim as IdentityProvider["subjectClaim"],
        };
        if (file === undefined)
          return {
            ...rest,
            source: uri === undefined ? "discovery" : { jwksUri: uri },
            algorithms: told.algorithms ?? ["RS256", "PS256", "ES256"],
          };
        const found = read?.(file) ?? { fault: "cannot be given here" };
        const keys = "fault" in found ? found : readKeys(found.document);
        if ("fault" in keys) return refuse("jwks_file", keys.fault);
        const algorithms = told.algorithms ?? [...new Set(keys.keys.flatMap(algorithmsOf))];
        return { ...rest, source: { jwks: keys.keys }, algorithms };
      }),
    ],
    "must be none, or hold issuer and audiences",
  );

/** For a plan: nothing of it is secret. */
export function identityProviderText(provider: IdentityProvider | undefined): string {
  if (provider === undefined) return "none";
  const { issuer, source, audiences, subjectClaim, algorithms } = provider;
  const keys =
    source === "discovery"
      ? "keys by discovery"
      : "jwksUri" in source
        ? `keys at ${source.jwksUri}`
        : `${source.jwks.length} keys ${source.jwks.map(({ x, n }) => `…${(x ?? n ?? "").slice(-8)}`).join(" ")}`;
  return `${issuer} for ${audiences.join(" ")}, by ${subjectClaim}, ${algorithms.join(" ")}, ${keys}`;
}
