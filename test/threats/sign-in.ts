import type { ProvenPromise } from "../kit/promise.ts";

/** What may be tried on the way of a sign-in through iManage: T01 to T13. */
export const signInThreats: readonly ProvenPromise[] = [
  {
    id: "T01",
    promise: "A code is redeemed only at the server, the issuer and the address that were asked for it.",
    proofs: [
      {
        file: "test/stories/connect-mix-up.test.ts",
        title: "T01 an answer is redeemed only at the server that was asked",
        without: {
          guard: "a redirect URI of its own for each registration, and its comparison",
          file: "src/store/lua/take-authorization-request.lua",
          replace: "if request.registration ~= ARGV[1] then return { 'other_registration' } end",
          by: "",
        },
      },
      {
        file: "test/stories/connect-mix-up.test.ts",
        title: "T01 an answer is redeemed only at the server that was asked",
        without: {
          guard: "`iss` is wanted of a server that is known to send it (RFC 9207)",
          file: "src/domain/issuer.ts",
          replace: 'return server.settings.issuer === "required" ? "issuer_missing" : "ok";',
          by: 'return "ok";',
        },
      },
      {
        file: "test/stories/connect-mix-up.test.ts",
        title: "T01 an answer is redeemed only at the server that was asked",
        without: {
          guard: "`iss` is compared wherever it is there",
          file: "src/domain/issuer.ts",
          replace: 'return iss === issuerOf(server) ? "ok" : "issuer_mismatch";',
          by: 'return "ok";',
        },
      },
      {
        file: "test/stories/base-urls.test.ts",
        title: "T01 what began under one address is refused under the other",
        without: {
          guard: "what began under one of our addresses ends under it",
          file: "src/broker/authorization/receive-callback.ts",
          replace: "if (request.redirectUri !== redirectUriOf(ports.publicBaseUrl, request.registration))",
          by: "if (false)",
        },
      },
    ],
    differs:
      "That a server sends `iss` is entered by its firm (`issuer: required`); it is not learned from an answer.",
  },
  {
    id: "T02",
    promise: "Who finishes a sign-in is who began it, or the code is thrown away unredeemed.",
    proofs: [
      {
        file: "test/stories/connect-who-finishes.test.ts",
        title: "T02 the one who finishes is the one who started",
        without: {
          guard: "the comparison of who finishes with who began",
          file: "src/broker/authorization/complete-connect.ts",
          replace: "if (!sameUser(session.subject, asked.subject))",
          by: "if (false)",
        },
      },
      {
        file: "test/stories/connect-who-finishes.test.ts",
        title: "T02 the one who finishes is the one who started",
        without: {
          guard: "the window in which a code waits for its completion",
          file: "src/broker/authorization/receive-callback.ts",
          replace: "      receivedAt: now,\n    },\n    windowMs,",
          by: "      receivedAt: now,\n    },\n    windowMs + 3_600_000,",
        },
      },
      {
        file: "test/stories/portal.test.ts",
        title: "T02 whoever signs in at iManage as another than the named one gets nothing",
        without: {
          guard: "on our own page: the iManage user that the client named",
          file: "src/broker/portal/finish-portal.ts",
          replace: "if (!isAssertedUser(upstreamUser, redeemed.identity.user)) {",
          by: "if (false) {",
        },
      },
    ],
  },
  {
    id: "T03",
    promise: "A callback belongs to one browser and works once, and no form of ours acts for another site.",
    proofs: [
      {
        file: "test/stories/connect-callback.test.ts",
        title: "T03 a callback belongs to one browser and works once",
        without: {
          guard: "a state is gone once it was used",
          file: "src/store/lua/take-authorization-request.lua",
          replace: "    redis.call('DEL', KEYS[1])\n",
          by: "",
        },
      },
      {
        file: "test/stories/connect-callback.test.ts",
        title: "T03 a callback belongs to one browser and works once",
        without: {
          guard: "the cookie of the browser that began",
          file: "src/store/lua/take-authorization-request.lua",
          replace: "if request.cookieDigest == ARGV[2 + i] then",
          by: "if true then",
        },
      },
      {
        file: "test/pages/libraries.test.ts",
        title: "T03 a form without the session's own token, or from another site, changes nothing",
        without: {
          guard: "the token of the form",
          file: "src/pages/page-session.ts",
          replace: "data !== undefined && same(data.csrf, session.formToken);",
          by: "data !== undefined;",
        },
      },
    ],
  },
  {
    id: "T04",
    promise:
      "A code is worth nothing without the verifier of its own sign-in, and we know which servers look.",
    proofs: [
      {
        file: "test/stories/connect-callback.test.ts",
        title: "T04 a code is worth nothing without the verifier of its own sign-in",
        without: {
          guard: "a verifier of its own for each sign-in",
          file: "src/broker/authorization/start-authorization.ts",
          replace: "Buffer.from(ports.random.bytes(32))",
          by: "Buffer.alloc(32, 7)",
        },
      },
      {
        file: "test/stories/pkce-check.test.ts",
        title: "T04 a server that redeems a code with a wrong verifier is known to ignore PKCE",
        without: {
          guard: "the sign-in that is spent to ask the server",
          file: "src/broker/authorization/complete-connect.ts",
          replace: "session.checksPkce === true ? redeemWrongly(ports, code)",
          by: "session.checksPkce === true ? redeem(ports, code)",
        },
      },
    ],
    differs:
      "Whether a server honours PKCE is asked when an admin spends a sign-in on it, not at each start: a wrong verifier costs somebody's sign-in.",
  },
  {
    id: "T05",
    promise:
      "No state, verifier, link or completion is ever used twice, and all are 256 bits of the system's source.",
    proofs: [
      {
        file: "test/security/handles.test.ts",
        title: "T05: of 100,000 no two are alike",
        without: {
          guard: "the randomness of a handle",
          file: "src/security/handles.ts",
          replace: "encodeBase64url(random.bytes(32))",
          by: "encodeBase64url(Buffer.concat([Buffer.alloc(29), random.bytes(3)]))",
        },
      },
      {
        file: "test/security/handles.test.ts",
        title: "T05: ask the source for 32 bytes each time",
        without: {
          guard: "256 bits, not fewer",
          file: "src/security/handles.ts",
          replace: "encodeBase64url(random.bytes(32))",
          by: "encodeBase64url(Buffer.concat([Buffer.alloc(16), random.bytes(16)]))",
        },
      },
      {
        file: "test/stories/connect-who-finishes.test.ts",
        title: "T05 state, PKCE challenge, start link and completion of",
        full: { THREAT_SIGN_INS: "5000" },
        without: {
          guard: "a verifier of its own for each sign-in",
          file: "src/broker/authorization/start-authorization.ts",
          replace: "Buffer.from(ports.random.bytes(32))",
          by: "Buffer.alloc(32, 7)",
        },
      },
      {
        file: "test/architecture/randomness.test.ts",
        title: "T05 secrets come from the operating system's source alone",
        without: {
          guard: "the one source of randomness",
          file: "src/security/random.ts",
          replace: "bytes: (count) => randomBytes(count)",
          by: "bytes: (count) => new Uint8Array(count).map(() => Math.random() * 256)",
        },
      },
    ],
    differs:
      "100,000 flows are 100,000 handles of the one function that makes them all, and 5,000 whole sign-ins through the product.",
  },
  {
    id: "T06",
    promise:
      "A browser is sent back to a registered address, letter by letter, and to nothing that resembles one.",
    proofs: [
      {
        file: "test/stories/connect-return-url.test.ts",
        title: "T06 of ten thousand addresses that look like a registered one none is accepted",
        without: {
          guard: "comparison letter by letter",
          file: "src/broker/authorization/begin-connect.ts",
          replace: "client.returnUrls.find((registered) => registered === asked.returnUrl)",
          by: "client.returnUrls.find((registered) => asked.returnUrl.startsWith(registered)) && asked.returnUrl",
        },
      },
      {
        file: "test/stories/connect-return-url.test.ts",
        title: "T06 the address that the browser is sent to is the registered one",
        without: {
          guard: "the registered text stays as it is",
          file: "src/broker/authorization/receive-callback.ts",
          replace: "return `${registered}${separator}${new URLSearchParams(members)}`;",
          by: "const url = new URL(registered); for (const [k, v] of Object.entries(members)) url.searchParams.append(k, v); return url.href;",
        },
      },
    ],
  },
  {
    id: "T07",
    promise:
      "No header says who we are, who asks or from where, unless the operator named the proxy that sets it.",
    proofs: [
      {
        file: "test/stories/spoofed-headers.test.ts",
        title: "T07 two hundred spoofed requests",
        without: {
          guard: "trusted proxies are those that the operator names",
          file: "src/http/build-app.ts",
          replace: 'app.set("trust proxy", [...deps.settings.trustedProxyCidrs]);',
          by: 'app.set("trust proxy", true);',
        },
      },
      {
        file: "test/stories/spoofed-headers.test.ts",
        title: "T07 a header name with an underscore, and a doubled one",
        without: {
          guard: "the refusal of underscores in header names",
          file: "src/http/request-hygiene.ts",
          replace: 'if (name.includes("_"))',
          by: "if (false)",
        },
      },
      {
        file: "test/stories/spoofed-headers.test.ts",
        title: "T07 a header name with an underscore, and a doubled one",
        without: {
          guard: "the refusal of doubled headers",
          file: "src/http/request-hygiene.ts",
          replace: "if (seen.has(name)) return",
          by: "if (false) return",
        },
      },
      {
        file: "test/stories/base-urls.test.ts",
        title: "T07 a Host that is none of them is refused",
        without: {
          guard: "where there are several addresses, a Host that is none of them is nobody",
          file: "src/main/start-http.ts",
          replace: "(apps.get(hostOf(request)) ?? stranger)(request, response)",
          by: "(apps.get(hostOf(request)) ?? publicApp(broker, `http://${request.headers.host}`))(request, response)",
        },
      },
    ],
  },
  {
    id: "T08",
    promise:
      "No code and no state stays in an address, a history or a referrer, and no page loads from elsewhere.",
    proofs: [
      {
        file: "test/pages/headers.test.ts",
        title: "T08 every browser route answers with the headers, whatever it answers",
        without: {
          guard: "no referrer",
          file: "src/pages/page-headers.ts",
          replace: '    referrerPolicy: { policy: "no-referrer" },\n',
          by: '    referrerPolicy: { policy: "unsafe-url" },\n',
        },
      },
      {
        file: "test/pages/headers.test.ts",
        title: "T08 every browser route answers with the headers, whatever it answers",
        without: {
          guard: "no page is kept by a cache",
          file: "src/pages/page-headers.ts",
          replace: '"Cache-Control": "no-store", ',
          by: "",
        },
      },
      {
        file: "test/pages/headers.test.ts",
        title: "T08 code and state never stay in an address",
        without: {
          guard: "every end of a callback leads to an address of its own",
          file: "src/pages/get-oauth2-callback.ts",
          replace:
            "        errorAddress(problem.code, server, deps.requestIdOf(response), problem.details.members),",
          by: "        `/connect/error/${problem.code}${request.originalUrl.slice(request.originalUrl.indexOf('?'))}`,",
        },
      },
    ],
  },
  {
    id: "T09",
    promise:
      "What iManage or a name says is text, wherever it is shown, and one line, wherever it is logged.",
    proofs: [
      {
        file: "test/pages/hostile.test.ts",
        title: "T09 names of people, libraries, servers and applications stay text on every page",
        without: {
          guard: "the escaping of text",
          file: "src/pages/html.ts",
          replace: ".replaceAll(/[&<>\"'`]/g, (character) => ENTITIES[character]!)",
          by: "",
        },
      },
      {
        file: "test/pages/hostile.test.ts",
        title: "T09 what iManage sends as error, description and code is neither shown nor logged",
        without: {
          guard: "only known codes are told of an answer",
          file: "src/broker/authorization/receive-callback.ts",
          replace: '    default:\n      return "authorization_refused";',
          by: "    default:\n      console.log(JSON.stringify(response.error)); return response.error as never;",
        },
      },
      {
        file: "test/ops/log.test.ts",
        title: "T09 stays one line, whatever it is told (log injection)",
        without: {
          guard: "a line of the log stays one line",
          file: "src/ops/printable.ts",
          replace: '.replace(UNPRINTABLE, " ")',
          by: "",
        },
      },
    ],
    differs: "Nothing is sent to webhooks: there are none yet.",
  },
  {
    id: "T10",
    promise:
      "Who signs in as another customer of iManage connects nothing, and his tokens are revoked at once.",
    proofs: [
      {
        file: "test/stories/connect-whose-grant.test.ts",
        title: "T10 someone of another iManage customer signs in",
        without: {
          guard: "the customer that the organisation registered",
          file: "src/broker/authorization/redeem.ts",
          replace: "if (known !== identity.user.customerId) {",
          by: "if (false) {",
        },
      },
      {
        file: "test/stories/connect-whose-grant.test.ts",
        title: "T10 someone of another iManage customer signs in",
        without: {
          guard: "the revocation of what is not kept",
          file: "src/broker/authorization/redeem.ts",
          replace: '    await discard();\n    throw new Problem("customer_mismatch");',
          by: '    throw new Problem("customer_mismatch");',
        },
      },
      {
        file: "test/imanage/imanage-api.test.ts",
        title: "T10 the client secret does not go to a revocation endpoint on another origin",
        without: {
          guard: "the secret of a registration goes to its own origin alone",
          file: "src/imanage/revoke-token.ts",
          replace:
            "const authentications = sameOrigin ? clientAuthentications(server, credentials) : [None()];",
          by: "const authentications = clientAuthentications(server, credentials);",
        },
      },
    ],
  },
  {
    id: "T11",
    promise: "Nobody takes another's place by signing in again: the authorization that was there stays.",
    proofs: [
      {
        file: "test/stories/connect-whose-grant.test.ts",
        title: "T11 someone else signs in again",
        without: {
          guard: "a binding stays with its iManage user",
          file: "src/store/lua/put-consent.lua",
          replace: "  return 'bound_to_another'\n",
          by: "  redis.call('DEL', KEYS[6])\n",
        },
      },
      {
        file: "test/stories/libraries.test.ts",
        title: "T11 another admin's authorisation",
        without: {
          guard: "a library stays with who lent it, unless the other was told whose place he takes",
          file: "src/store/lua/bind-libraries.lua",
          replace: "if another and name_of(lent.lent_by) ~= string.lower(replaces) then",
          by: "if false then",
        },
      },
    ],
  },
  {
    id: "T12",
    promise:
      "Metadata that lies moves nothing: none is ever asked for, and every endpoint is the configured one.",
    proofs: [
      {
        file: "test/imanage/lies.test.ts",
        title: "T12 metadata that lies is never asked for, and moves nothing",
        without: {
          guard: "that nothing is discovered (here a look for metadata is put in)",
          file: "src/imanage/token-call.ts",
          replace: "  let leftMs = ports.providerDeadlineMs;\n",
          by: '  let leftMs = ports.providerDeadlineMs;\n  await ports.outbound.exchange({ method: "GET", url: `${issuerOf(server)}/.well-known/oauth-authorization-server`, headers: {} });\n',
        },
      },
      {
        file: "test/imanage/lies.test.ts",
        title: "T12 metadata that lies is never asked for, and moves nothing",
        without: {
          guard: "an API root elsewhere is not believed",
          file: "src/imanage/api-root.ts",
          replace: "if (plain && url.origin === new URL(apiBaseUrl).origin)",
          by: "if (plain)",
        },
      },
    ],
  },
  {
    id: "T13",
    promise:
      "A proof that was made for somebody else's audience is no proof here, and ours names one server each.",
    proofs: [
      {
        file: "test/conformance/private-key-jwt.test.ts",
        title: "is refused, and told why (T13)",
        without: {
          guard: "aud is one string, our issuer",
          file: "src/domain/client-assertion.ts",
          replace: "if (aud !== issuer) {",
          by: "if (aud === undefined) {",
        },
      },
    ],
    differs:
      "iManage offers no private_key_jwt, so this product shows it none and has no key pairs for servers.",
  },
];
