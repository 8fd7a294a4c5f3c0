import { expect, test } from "vitest";
import {
  accessTokenContext,
  clientSecretContext,
  codeContext,
  codeVerifierContext,
  refreshTokenContext,
  registrationOwner,
} from "../../src/broker/seal-contexts.ts";
import { makeId, makeRoute } from "../../src/domain/id.ts";
import { endpointsOf } from "../../src/domain/server.ts";

const bytes = new Uint8Array(16).fill(7);
const route = makeRoute(bytes);
const server = { id: makeId("srv", route, 1, bytes), endpoints: endpointsOf("https://dms.example") };
const grant = makeId("grt", route, 1, bytes);
const own = { id: makeId("reg", route, 1, bytes), tokenOrigin: "https://dms.example" };
const shared = { id: makeId("reg", undefined, 1, bytes), tokenOrigin: "https://cloudimanage.com" };
const session = makeId("cns", route, 1, bytes);

const all = {
  refresh: refreshTokenContext({ grant, server, consentGeneration: 2, attempt: 5 }),
  access: accessTokenContext({ grant, server, consentGeneration: 2, attempt: 5 }),
  code: codeContext(server, session),
  verifier: codeVerifierContext(server, session),
  pageCode: codeContext(server, own.id),
  own: clientSecretContext(own),
  shared: clientSecretContext(shared),
};

test("no two secrets have the same context", () => {
  const texts = Object.values(all).map((context) => JSON.stringify(context));
  expect(new Set(texts).size).toBe(texts.length);
});

test("tokens are the organisation's and name grant, server, origin, consent and attempt", () => {
  expect(all.refresh).toEqual({
    kind: "refresh-token",
    owner: `o:${route}`,
    record: grant,
    server: server.id,
    tokenOrigin: "https://dms.example",
    consentGeneration: 2,
    attempt: 5,
  });
});

test("a shared registration has a data key of its own, and a page's code is still the organisation's", () => {
  expect([registrationOwner(own.id), registrationOwner(shared.id)]).toEqual([`o:${route}`, `s:${shared.id}`]);
  expect(codeContext(server, shared.id).owner).toBe(`o:${route}`);
});

test("a server whose token endpoint was altered has another context everywhere", () => {
  const altered = {
    ...server,
    endpoints: { ...server.endpoints, tokenEndpoint: "https://evil.example/auth/oauth2/token" },
  };
  expect(refreshTokenContext({ grant, server: altered, consentGeneration: 2, attempt: 5 })).not.toEqual(
    all.refresh,
  );
  expect(codeContext(altered, session)).not.toEqual(all.code);
  expect(clientSecretContext(own, server)).toEqual(all.own);
  expect(clientSecretContext(own, altered)).not.toEqual(all.own);
});
