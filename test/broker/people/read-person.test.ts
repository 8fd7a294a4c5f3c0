import { createHmac } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { PublishedKeys } from "../../../src/broker/clients/published-keys.ts";
import { ProviderKeys } from "../../../src/broker/people/provider-keys.ts";
import { type PersonPorts, readPerson, type ToldPerson } from "../../../src/broker/people/read-person.ts";
import type { PublicDocuments } from "../../../src/broker/ports.ts";
import type { ClientId, OrganisationId } from "../../../src/domain/id.ts";
import type { IdentityProvider } from "../../../src/domain/identity-provider.ts";
import { everyone, type Members } from "../../../src/domain/members.ts";
import { Problem } from "../../../src/domain/problem.ts";
import { Secret } from "../../../src/domain/secret.ts";
import { makeAssertionReader } from "../../../src/security/client-assertions.ts";
import { Seeded } from "../../kit/seeded.ts";
import { AUDIENCE, ISSUER, type Issuing, issuing } from "../../kit/user-assertions.ts";

const CLIENT = `cli_${"0".repeat(26)}` as ClientId;
const FIRM = "org_0000000000" as OrganisationId;
const teller = { client: CLIENT, organisation: FIRM, requestId: "req_1" };
let monotonic = 0;
const codes: string[] = [];
const log = {
  info: ({ code }: { code?: string }) => void codes.push(code ?? ""),
  warn: ({ code, outcome }: { code?: string; outcome?: string }) => void codes.push(`${code} ${outcome}`),
};
const clock = { now: () => Date.now(), monotonicMs: () => monotonic };

function portsOf(
  identityProvider: IdentityProvider | undefined,
  more: { members?: Members; documents?: PublicDocuments["read"]; policy?: object | undefined } = {},
): PersonPorts {
  const documents = { read: more.documents ?? (async () => ({ away: "nowhere" })) };
  const publishedKeys = new PublishedKeys({ clock, log, documents });
  const firm = { v: 1, id: FIRM, name: "firm", displayName: "Firm", enabled: true, createdAt: 0 } as const;
  return {
    clock,
    log,
    clients: {
      findPolicy: async () => ({
        policy: ("policy" in more ? more.policy : {}) as never,
        generation: 1,
        mark: "",
      }),
    },
    organisations: {
      findOrganisation: async () => ({
        ...firm,
        members: more.members ?? everyone,
        ...(identityProvider && { identityProvider }),
      }),
    },
    assertions: makeAssertionReader(),
    providerKeys: new ProviderKeys({ clock, log, documents, publishedKeys }),
  };
}

const told = (token: string): ToldPerson => ({ type: "assertion", token: new Secret(token) });
const outcomeOf = (ports: PersonPorts, person: ToldPerson) =>
  readPerson(ports, person, teller).then(
    (subject) => subject,
    (error: unknown) => {
      if (error instanceof Problem) return error.code;
      throw error;
    },
  );

let idp: Issuing;
beforeAll(async () => {
  idp = await issuing();
});
const now = () => Math.floor(Date.now() / 1_000);

describe("a user assertion (RFC 8693)", () => {
  it("is its issuer's and its subject's, whatever else it says of him", async () => {
    const token = await idp.sign({ email: "amelia@firm.example", groups: ["g"] });
    expect(await outcomeOf(portsOf(idp.provider), told(token))).toEqual({
      type: "user",
      issuer: ISSUER,
      id: "s-amelia",
    });
  });

  it("names its person by oid where that is registered, and never falls back to sub", async () => {
    const ports = portsOf({ ...idp.provider, subjectClaim: "oid" });
    const token = await idp.sign({ oid: "o-1" });
    expect(await outcomeOf(ports, told(token))).toMatchObject({ id: "o-1" });
    expect(await outcomeOf(ports, told(await idp.sign()))).toBe("user_assertion_refused");
  });

  it("says by its claims whether he is a member, and says nothing else of him", async () => {
    const members: Members = {
      everyone: false,
      subjects: [],
      claims: [
        { name: "groups", value: "dms" },
        { name: "dept", value: "law" },
      ],
    };
    const ports = portsOf(idp.provider, { members });
    for (const [claims, said] of [
      [{ groups: ["hr", "dms"] }, [{ name: "groups", value: "dms" }]],
      [{ groups: "dms", dept: "law" }, members.claims],
      [{ groups: ["hr"], dept: ["Law"] }, undefined],
      [{ groups: { dms: true } }, undefined],
    ] as const)
      expect(await outcomeOf(ports, told(await idp.sign(claims)))).toEqual({
        type: "user",
        issuer: ISSUER,
        id: "s-amelia",
        ...(said && { claims: said }),
      });
  });

  const stranger = issuing();
  const wrong: readonly [string, Record<string, unknown>, Record<string, unknown>?][] = [
    ["issuer", { iss: `${ISSUER}/` }],
    ["issuer", { iss: ISSUER.toUpperCase() }],
    ["issuer", { iss: [ISSUER] }],
    ["audience", { aud: "another-app" }],
    ["audience", { aud: [AUDIENCE, "another-app"] }],
    ["audience", { aud: [] }],
    ["audience", { aud: undefined }],
    ["authorized_party", { azp: "another-app" }],
    ["no_expiry", { exp: undefined }],
    ["no_expiry", { exp: "9999999999" }],
    ["expired", { exp: Math.floor(Date.now() / 1_000) - 31 }],
    ["issued_at", { iat: undefined }],
    ["issued_at", { iat: Math.floor(Date.now() / 1_000) + 120 }],
    ["too_old", { iat: Math.floor(Date.now() / 1_000) - 700 }],
    ["not_before", { nbf: Math.floor(Date.now() / 1_000) + 120 }],
    ["subject", { sub: undefined }],
    ["subject", { sub: "" }],
    ["subject", { sub: 7 }],
    ["subject", { sub: "a\u0000b" }],
    ["subject", { sub: "a".repeat(257) }],
    ["type", {}, { typ: "at+jwt" }],
    ["type", {}, { typ: "logout+jwt" }],
    ["key_in_header", {}, { jku: "https://evil.example/jwks" }],
    ["key_in_header", {}, { jwk: { kty: "EC" } }],
    ["no_key", {}, { kid: "k2" }],
  ];
  it.each(wrong)("is refused for its %s: %j %j", async (fault, claims, header) => {
    codes.length = 0;
    const ports = portsOf(idp.provider);
    expect(await outcomeOf(ports, told(await idp.sign(claims, header)))).toBe("user_assertion_refused");
    expect(codes).toEqual([`user_assertion_${fault}`]);
  });

  it("that another key signed under the same name is refused", async () => {
    codes.length = 0;
    expect(await outcomeOf(portsOf(idp.provider), told(await (await stranger).sign()))).toBe(
      "user_assertion_refused",
    );
    expect(codes).toEqual(["user_assertion_signature"]);
  });

  it("is asked for in words where the organisation has no provider, and where there is no policy nothing is said", async () => {
    const token = told(await idp.sign());
    await expect(readPerson(portsOf(undefined), token, teller)).rejects.toThrow(/no identity provider here/);
    expect(await outcomeOf(portsOf(undefined, { policy: undefined }), token)).toBe("not_found");
    expect(await outcomeOf(portsOf(idp.provider, { policy: undefined }), token)).toBe("not_found");
  });

  it("cannot be replaced by the client's own word for its issuer", async () => {
    const own = (issuer: string) => ({ type: "user", issuer, id: "s-amelia" }) as const;
    expect(await outcomeOf(portsOf(idp.provider), own(ISSUER))).toBe("invalid_request");
    expect(await outcomeOf(portsOf(idp.provider, { policy: undefined }), own(ISSUER))).toBe("not_found");
    for (const issuer of ["client", "https://elsewhere.example"])
      expect(await outcomeOf(portsOf(idp.provider), own(issuer))).toEqual(own(issuer));
  });

  it("is never accepted mutated, spliced or forged (T31)", async () => {
    const random = new Seeded();
    const ports = portsOf(idp.provider);
    const good = await Promise.all([
      idp.sign(),
      idp.sign({ sub: "s-other" }),
      idp.sign({ sub: "s-third" }, { typ: undefined }),
    ]);
    for (const token of good) expect(await outcomeOf(ports, told(token))).toMatchObject({ issuer: ISSUER });
    const other = await stranger;
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const headerOf = (token: string) =>
      JSON.parse(Buffer.from(token.split(".")[0]!, "base64url").toString()) as object;
    const claimsOf = (token: string) =>
      JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()) as object;
    const forgers: readonly ((token: string) => string | Promise<string>)[] = [
      (token) => {
        const at = random.below(token.length);
        const letter = random.pick([
          ..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n",
        ]);
        return letter === token[at] ? `${token}A` : `${token.slice(0, at)}${letter}${token.slice(at + 1)}`;
      },
      (token) => token.slice(0, random.below(token.length)),
      (token) => `${token}${random.pick([".", "A", "=", " ", ".e30"])}`,
      (token) => {
        const [a, b] = [token, random.pick(good.filter((one) => one !== token))];
        const [head, , signature] = a.split(".");
        return `${head}.${b.split(".")[1]}.${signature}`;
      },
      (token) =>
        `${encode({ ...headerOf(token), alg: random.pick(["none", "None", "NONE", ""]) })}.${token.split(".")[1]}.`,
      (token) => {
        const signed = `${encode({ ...headerOf(token), alg: "HS256" })}.${token.split(".")[1]}`;
        const key = random.pick([
          JSON.stringify(idp.jwks[0]),
          idp.jwks[0]!.x!,
          Buffer.from(idp.jwks[0]!.x!, "base64url"),
        ]);
        return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
      },
      (token) => {
        const [head, , signature] = token.split(".");
        const change = random.pick([{ sub: "s-admin" }, { exp: now() + 9_999 }, { aud: "x" }, { oid: "o" }]);
        return `${head}.${encode({ ...claimsOf(token), ...change })}.${signature}`;
      },
      (token) =>
        other.sign(claimsOf(token) as Record<string, unknown>, headerOf(token) as Record<string, unknown>),
      (token) =>
        other.sign({ ...claimsOf(token) }, { jwk: other.jwks[0], kid: random.pick(["k1", undefined]) }),
      () => {
        const [, claims, header] = random.pick(wrong);
        return idp.sign({ ...claims }, header);
      },
      (token) => {
        const [head, body] = token.split(".");
        return `${head}.${body}.${Buffer.alloc(64, random.below(2) * 255).toString("base64url")}`;
      },
    ];
    const count = Number(process.env.TEST_ASSERTIONS ?? 500);
    let accepted = 0;
    for (let i = 0; i < count; i++) {
      const forged = await random.pick(forgers)(random.pick(good));
      if (typeof (await outcomeOf(ports, told(forged))) !== "string") accepted++;
    }
    expect(accepted, `TEST_SEED=${random.seed}`).toBe(0);
  });
});

describe("an identity provider's keys", () => {
  const METADATA = `${ISSUER}/.well-known/openid-configuration`;
  const KEYS = "https://login.meridian.example/keys";
  const asked: string[] = [];
  const published =
    (documents: Readonly<Record<string, unknown>>): PublicDocuments["read"] =>
    async (url) => {
      asked.push(url);
      return url in documents ? { document: documents[url] } : { away: "status_404" };
    };

  it("are found by its own metadata, once for many", async () => {
    asked.length = 0;
    const documents = published({
      [METADATA]: { issuer: ISSUER, jwks_uri: KEYS },
      [KEYS]: { keys: idp.jwks },
    });
    const ports = portsOf({ ...idp.provider, source: "discovery" }, { documents });
    const token = told(await idp.sign());
    const found = await Promise.all(Array.from({ length: 20 }, () => outcomeOf(ports, token)));
    expect(found.every((one) => typeof one === "object")).toBe(true);
    expect(asked).toEqual([METADATA, KEYS]);
  });

  it.each([
    ["another issuer", { issuer: `${ISSUER}x`, jwks_uri: KEYS }],
    ["another origin", { issuer: ISSUER, jwks_uri: "https://evil.example/keys" }],
    ["another port", { issuer: ISSUER, jwks_uri: "https://login.meridian.example:8443/keys" }],
    ["no TLS", { issuer: ISSUER, jwks_uri: "http://login.meridian.example/keys" }],
    ["nothing", {}],
    ["no object", null],
  ])("are not looked for where its metadata names %s", async (_, document) => {
    asked.length = 0;
    const documents = published({ [METADATA]: document, "https://evil.example/keys": { keys: idp.jwks } });
    const ports = portsOf({ ...idp.provider, source: "discovery" }, { documents });
    expect(await outcomeOf(ports, told(await idp.sign()))).toBe("identity_provider_unavailable");
    expect(await outcomeOf(ports, told(await idp.sign()))).toBe("identity_provider_unavailable");
    // Once a minute, however many ask.
    expect(asked).toEqual([METADATA]);
  });

  it("are the ones at the address that the operator names, whatever an assertion says", async () => {
    asked.length = 0;
    const documents = published({ [KEYS]: { keys: idp.jwks } });
    const ports = portsOf({ ...idp.provider, source: { jwksUri: KEYS } }, { documents });
    expect(await outcomeOf(ports, told(await idp.sign()))).toMatchObject({ id: "s-amelia" });
    expect(await outcomeOf(ports, told(await idp.sign({}, { jku: "https://evil.example" })))).toBe(
      "user_assertion_refused",
    );
    expect(asked).toEqual([KEYS]);
    monotonic += 3_600_000;
  });
});
