import { z } from "zod";
import {
  ASSERTION_ALGORITHMS,
  algorithmsOf,
  type ClientKeys,
  type PublicJwk,
  readKeys,
} from "../../domain/client-keys.ts";
import {
  ENCRYPTION_ALGORITHMS,
  readEncryptionKey,
  type TokenEncryption,
} from "../../domain/token-encryption.ts";
import { checked, strict } from "./schema-words.ts";
import { type AddressRules, checkKeysAddress } from "./server-address.ts";

/** Reads a JSON document that a file names. Undefined where a file may name none: a request names no file of ours. */
export type DocumentReader = (path: string) => { readonly document: unknown } | { readonly fault: string };

const NONE = z.literal("none");
const algorithms = z
  .array(z.enum(ASSERTION_ALGORITHMS))
  .min(1, "must name one; leave it out to allow what the keys can do");

/** By what a client signs its assertions (RFC 7523), as a file tells it. `none` takes away what is stored. */
export const keysField = (rules: AddressRules, read: DocumentReader | undefined) =>
  z.union(
    [
      NONE,
      strict({
        jwks: z.unknown().optional(),
        jwks_file: z.string().min(1, "must name a file").optional(),
        jwks_uri: checked((text) => checkKeysAddress(text, rules)).optional(),
        algorithms: algorithms.optional(),
      }).transform((told, ctx): ClientKeys => {
        const { jwks, jwks_file: file, jwks_uri: uri } = told;
        const refuse = (path: string, message: string): never => {
          ctx.addIssue({ code: "custom", path: [path], message });
          return z.NEVER;
        };
        if ([jwks, file, uri].filter((one) => one !== undefined).length !== 1) {
          return refuse("jwks_file", "must stand alone: give one of jwks_file, jwks_uri and jwks");
        }
        if (uri !== undefined) {
          return { source: { jwksUri: uri }, algorithms: told.algorithms ?? ASSERTION_ALGORITHMS };
        }
        const field = file === undefined ? "jwks" : "jwks_file";
        const found = documentOf(jwks, file, read);
        const keys = "fault" in found ? found : readKeys(found.document);
        if ("fault" in keys) return refuse(field, keys.fault);
        const taken = told.algorithms ?? unique(keys.keys.flatMap(algorithmsOf));
        const idle = keys.keys.findIndex((key) => !algorithmsOf(key).some((one) => taken.includes(one)));
        if (idle >= 0) return refuse(field, `(key ${idle + 1}) signs with none of ${taken.join(", ")}`);
        return { source: { jwks: keys.keys }, algorithms: taken };
      }),
    ],
    "must be none, or hold jwks_file or jwks_uri",
  );

/** To which key a client's tokens are encrypted. `none` takes away what is stored. */
export const encryptionField = (read: DocumentReader | undefined) =>
  z.union(
    [
      NONE,
      strict({
        jwk: z.unknown().optional(),
        jwk_file: z.string().min(1, "must name a file").optional(),
        alg: z.enum(ENCRYPTION_ALGORITHMS),
        enc: z.literal("A256GCM").default("A256GCM"),
      }).transform(({ jwk, jwk_file: file, alg, enc }, ctx): TokenEncryption => {
        const field = file === undefined ? "jwk" : "jwk_file";
        const found =
          (jwk === undefined) === (file === undefined)
            ? { fault: "must stand alone: give jwk_file or jwk" }
            : documentOf(jwk, file, read);
        const key = "fault" in found ? found : readEncryptionKey(found.document, alg);
        if ("key" in key) return { ...key, alg, enc };
        ctx.addIssue({ code: "custom", path: [field], message: key.fault });
        return z.NEVER;
      }),
    ],
    "must be none, or hold jwk_file and alg",
  );

const documentOf = (told: unknown, file: string | undefined, read: DocumentReader | undefined) =>
  file === undefined ? { document: told } : (read?.(file) ?? { fault: "cannot be given here" });

const unique = <T>(list: readonly T[]): readonly T[] => [...new Set(list)];

/** For people, in a plan and in a list. */
export function keysText(keys: ClientKeys | undefined): string {
  if (keys === undefined) return "none";
  const { source, algorithms: taken } = keys;
  const from = "jwksUri" in source ? source.jwksUri : source.jwks.map(keyText).join(", ");
  return `${from} for ${taken.length === ASSERTION_ALGORITHMS.length ? "every algorithm" : taken.join(" ")}`;
}

export const encryptionText = (encryption: TokenEncryption | undefined): string =>
  encryption === undefined ? "none" : `${encryption.alg} ${encryption.enc} to ${keyText(encryption.key)}`;

/** A key has no name of its own that is sure to be there; the end of its public half tells it from another. */
const keyText = ({ kid, kty, crv, x, n }: PublicJwk): string =>
  `${kid ?? "key"} (${crv ?? kty} …${(x ?? n ?? "").slice(-8)})`;
