/** What a client signs its assertions with (RFC 7518 §3.1, RFC 8037, RFC 9864). Signatures alone: what both sides know is no proof. */
export const ASSERTION_ALGORITHMS = ["ES256", "ES384", "PS256", "RS256", "EdDSA", "Ed25519"] as const;
export type AssertionAlgorithm = (typeof ASSERTION_ALGORITHMS)[number];

/** Public members alone (RFC 7518 §6), as they are stored: what else a document says of a key is left behind. */
export interface PublicJwk {
  readonly kty: "EC" | "RSA" | "OKP";
  readonly kid?: string;
  readonly alg?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
}

/** By what a client proves that it is the one: its own keys, told once, or published where it can change them itself. */
export interface ClientKeys {
  readonly source: { readonly jwks: readonly PublicJwk[] } | { readonly jwksUri: string };
  /** Nothing else is looked at, whatever the header of an assertion says (T31). */
  readonly algorithms: readonly AssertionAlgorithm[];
}

export const KEYS_MAX = 20;
const RSA_BITS_MIN = 2_048;
const RSA_BITS_MAX = 8_192;

/** Members that only the owner may have (RFC 7518 §6.2.2, §6.3.2, §6.4.1). */
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

export type KeysReading = { readonly keys: readonly PublicJwk[] } | { readonly fault: string };

/**
 * A JWK set (RFC 7517 §5) that an operator has told, or one key alone. Everything in it must be of use: who tells a key that
 * cannot be used believes that it is. A fault continues to a sentence.
 */
export function readKeys(document: unknown, use: "sig" | "enc" = "sig"): KeysReading {
  const list = listOf(document);
  if (list === undefined) return { fault: "holds no JWK set: an object whose `keys` are public keys" };
  if (list.length === 0) return { fault: "holds no key" };
  if (list.length > KEYS_MAX) return { fault: `holds more than ${KEYS_MAX} keys` };
  const keys: PublicJwk[] = [];
  for (const [at, one] of list.entries()) {
    const read = readKey(one, use);
    if (typeof read === "string") return { fault: `${list.length === 1 ? "" : `(key ${at + 1}) `}${read}` };
    keys.push(read);
  }
  const kids = keys.flatMap(({ kid }) => (kid === undefined ? [] : [kid]));
  if (new Set(kids).size < kids.length) return { fault: "holds two keys of one `kid`" };
  return { keys };
}

/**
 * The same where the client publishes it: what is of no use to us may be for others, so it is passed over. A key whose private
 * half stands beside it is everybody's, and is passed over too. Undefined: no JWK set.
 */
export function readPublishedKeys(document: unknown): readonly PublicJwk[] | undefined {
  const list = listOf(document);
  return list
    ?.slice(0, KEYS_MAX)
    .map((one) => readKey(one, "sig"))
    .filter((read) => typeof read !== "string");
}

/** What a key can sign with. */
export function algorithmsOf({ kty, crv, alg }: PublicJwk): readonly AssertionAlgorithm[] {
  const fitting: readonly AssertionAlgorithm[] =
    kty === "RSA"
      ? ["PS256", "RS256"]
      : kty === "OKP"
        ? ["EdDSA", "Ed25519"]
        : crv === "P-256"
          ? ["ES256"]
          : ["ES384"];
  return alg === undefined ? fitting : fitting.filter((one) => one === alg);
}

function listOf(document: unknown): readonly unknown[] | undefined {
  if (!isObject(document)) return undefined;
  if (Array.isArray(document.keys)) return document.keys;
  return "kty" in document ? [document] : undefined;
}

function readKey(one: unknown, use: "sig" | "enc"): PublicJwk | string {
  if (!isObject(one)) return "is no key";
  if (one.kty === "oct" || PRIVATE_MEMBERS.some((name) => name in one)) {
    return "holds a private key, which nobody but its owner may have. Tell the public half alone, and make a new pair: this one has been seen";
  }
  const { kid, alg, use: meant, key_ops: operations } = one;
  if (kid !== undefined && !(isText(kid) && kid.length <= 200)) return "has a `kid` that is no short text";
  if (alg !== undefined && !isText(alg)) return "has an `alg` that is no text";
  if (meant !== undefined && meant !== use) return `is meant for something else: its \`use\` is not ${use}`;
  const operation = use === "sig" ? ["verify"] : ["encrypt", "wrapKey", "deriveKey", "deriveBits"];
  if (
    operations !== undefined &&
    !(Array.isArray(operations) && operations.some((o) => operation.includes(o)))
  ) {
    return "is meant for something else: its `key_ops` do not say so";
  }
  const named = { ...(kid !== undefined && { kid }), ...(alg !== undefined && { alg }) };
  const key = readMaterial(one, use);
  if (typeof key === "string") return key;
  const read = { ...key, ...named };
  if (use === "sig" && algorithmsOf(read).length === 0) {
    return `has an \`alg\` that it cannot sign with, or that is not taken: ${ASSERTION_ALGORITHMS.join(", ")}`;
  }
  return read;
}

/** Characters of base64url that a coordinate has; whether the point lies on its curve is seen where the key is imported. */
const COORDINATE: Readonly<Record<string, number>> = { "P-256": 43, "P-384": 64, Ed25519: 43, X25519: 43 };
const CURVES = {
  sig: { EC: ["P-256", "P-384"], OKP: ["Ed25519"] },
  enc: { EC: ["P-256", "P-384"], OKP: ["X25519"] },
};

function readMaterial(one: Record<string, unknown>, use: "sig" | "enc"): PublicJwk | string {
  const { kty, crv, x, y, n, e } = one;
  if (kty === "RSA") {
    if (!isBase64url(n) || !isBase64url(e)) return "is an RSA key without `n` and `e`";
    const bits = bitsOf(n);
    if (bits < RSA_BITS_MIN) return `is an RSA key of ${bits} bits; it needs ${RSA_BITS_MIN}`;
    if (bits > RSA_BITS_MAX) return `is an RSA key of ${bits} bits; ${RSA_BITS_MAX} are the most`;
    return { kty, n, e };
  }
  if (kty !== "EC" && kty !== "OKP") return "is of a kind that is not taken: EC, RSA or OKP";
  const curves: readonly string[] = CURVES[use][kty];
  if (!isText(crv) || !curves.includes(crv)) return `is on a curve that is not taken: ${curves.join(", ")}`;
  const fits = (coordinate: unknown): coordinate is string =>
    isBase64url(coordinate) && coordinate.length === COORDINATE[crv];
  if (kty === "OKP") return fits(x) ? { kty, crv, x } : "lacks `x`, or it has not the length of its curve";
  return fits(x) && fits(y)
    ? { kty, crv, x, y }
    : "lacks `x` or `y`, or they have not the length of their curve";
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Of the number that base64url spells, without its leading zeros. */
function bitsOf(text: string): number {
  const bits = Math.floor((text.length * 6) / 8) * 8;
  const first = text.search(/[^A]/);
  if (first < 0) return 0;
  return bits - first * 6 - (Math.clz32(LETTERS.indexOf(text[first]!)) - 26);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
const isBase64url = (value: unknown): value is string =>
  typeof value === "string" && /^[A-Za-z0-9_-]{1,2000}$/.test(value);
