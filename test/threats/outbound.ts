import type { ProvenPromise } from "../kit/promise.ts";

/** What may be tried on what this product asks of others: T14 to T19. */
export const outboundThreats: readonly ProvenPromise[] = [
  {
    id: "T14",
    promise:
      "Nothing is sent to an address that an organisation may not name, however it is written or comes to be.",
    proofs: [
      {
        file: "test/outbound/egress-corpus.test.ts",
        title: "T14 no spelling of a denied address makes a connection, whichever way it comes",
        without: {
          guard: "only what is routed on the Internet is an address to connect to",
          file: "src/outbound/egress-guard.ts",
          replace:
            'return range === "unicast" && (address.kind() === "ipv4" || isWithin(address, "2000::/3"));',
          by: "return true;",
        },
      },
      {
        file: "test/outbound/rebinding.test.ts",
        title: "T14 in a hundred runs of DNS rebinding, TTL 0, not one request reaches loopback",
        without: {
          guard: "a look at what a name resolves to, and at what the socket reached",
          file: "src/outbound/egress-guard.ts",
          replace:
            'return range === "unicast" && (address.kind() === "ipv4" || isWithin(address, "2000::/3"));',
          by: "return true;",
        },
      },
      {
        file: "test/outbound/outbound.test.ts",
        title: "T14 a %i with the secret in the body is not followed: not one byte of it",
        without: {
          guard: "a redirect is an answer (here an agent that follows is put in)",
          file: "src/outbound/outbound.ts",
          replace: "this.#agentTrusting(request.trusted).dispatch(",
          by: 'this.#agentTrusting(request.trusted).compose(process.getBuiltinModule("module").createRequire(import.meta.url)("undici").interceptors.redirect({ maxRedirections: 3 })).dispatch(',
        },
      },
    ],
  },
  {
    id: "T15",
    promise:
      "A token or secret that was sealed for one origin is sent to no other, whoever rewrote the record.",
    proofs: [
      {
        file: "test/stories/store-faults.test.ts",
        title: "T15 opens no token for that address: each is sealed for the one it was made at",
        without: {
          guard: "the origin among what is authenticated beside each secret",
          file: "src/security/associated-data.ts",
          replace: '    hash("sha256", wellFormed(context.tokenOrigin), "buffer"),\n',
          by: "",
        },
      },
      {
        file: "test/security/sealer.test.ts",
        title: "T15 T21: a sealed secret in another place",
        without: {
          guard: "the origin among what is authenticated beside each secret",
          file: "src/security/associated-data.ts",
          replace: '    hash("sha256", wellFormed(context.tokenOrigin), "buffer"),\n',
          by: "",
        },
      },
      {
        file: "test/imanage/imanage-api.test.ts",
        title: "T15 a token is sent to the server's own origin alone",
        without: {
          guard: "an API root on another origin is not believed",
          file: "src/imanage/api-root.ts",
          replace: "if (plain && url.origin === new URL(apiBaseUrl).origin)",
          by: "if (plain)",
        },
      },
    ],
  },
  {
    id: "T16",
    promise: "A hostile answer costs neither memory nor time, and others' answers not at all.",
    proofs: [
      {
        file: "test/imanage/hostile-answers.test.ts",
        title: "T16 hostile answers cost neither memory nor anybody else's answers",
        without: {
          guard: "the limit of a body",
          file: "src/outbound/outbound.ts",
          replace: "export const TOKEN_BODY_LIMIT_BYTES = 256 * 1024;",
          by: "export const TOKEN_BODY_LIMIT_BYTES = 256 * 1024 * 1024;",
        },
      },
      {
        file: "test/imanage/read-token-answer.test.ts",
        title: "T16 a hostile body is bounded",
        without: {
          guard: "the limit of what a compressed body may become",
          file: "src/outbound/decode-body.ts",
          replace: "const bound = { maxOutputLength: limitBytes };",
          by: "const bound = {};",
        },
      },
      {
        file: "test/outbound/bounded-json.test.ts",
        title: "T16 what is deeper or wider than its bounds is not parsed",
        without: {
          guard: "the depth of JSON",
          file: "src/outbound/bounded-json.ts",
          replace: "if (++depth > bounds.depth) return false;",
          by: "depth++;",
        },
      },
    ],
    differs:
      "What the event loop's delay was asked for, that others go on, is seen by another server's answers meanwhile: the hostile servers live in the test's own process and would be measured along.",
  },
  {
    id: "T17",
    promise: "Every certificate is checked, and a firm's own authority counts for its own server alone.",
    proofs: [
      {
        file: "test/outbound/tls.test.ts",
        title: "T17 a certificate %s is refused before a byte of the request leaves",
        without: {
          guard: "the check of the certificate",
          file: "src/outbound/guarded-connect.ts",
          replace: "rejectUnauthorized: true,",
          by: "rejectUnauthorized: false,",
        },
      },
      {
        file: "test/outbound/tls.test.ts",
        title: "T17 NODE_TLS_REJECT_UNAUTHORIZED=0 opens nothing",
        without: {
          guard: "saying so aloud, rather than leaving it to the environment",
          file: "src/outbound/guarded-connect.ts",
          replace: "    rejectUnauthorized: true,\n",
          by: "",
        },
      },
      {
        file: "test/outbound/tls.test.ts",
        title: "T17 TLS 1.1 is refused",
        without: {
          guard: "TLS 1.2 at least",
          file: "src/outbound/guarded-connect.ts",
          replace: 'minVersion: "TLSv1.2",',
          by: 'minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0",',
        },
      },
      {
        file: "test/outbound/tls.test.ts",
        title: "T17 two firms at one address share no connection",
        without: {
          guard: "connections are kept apart by what they trust",
          file: "src/outbound/outbound.ts",
          replace: 'const key = trusted ?? "";',
          by: 'const key = "";',
        },
      },
      {
        file: "test/config/starting.test.ts",
        title: "T17 %s does not start while NODE_TLS_REJECT_UNAUTHORIZED is set",
        without: {
          guard: "the refusal to start with it",
          file: "src/config/forbidden.ts",
          replace: "NODE_TLS_REJECT_UNAUTHORIZED:",
          by: "NOBODY_SETS_THIS:",
        },
      },
    ],
    differs:
      "An incomplete chain takes the place of the revoked intermediate: Node looks at no revocation list that nobody gave it, and iManage's own are not reachable from an on-premises network.",
  },
  {
    id: "T18",
    promise: "No webhook tells secrets, or is sent where an organisation may not send.",
    proofs: [
      {
        file: "test/outbound/egress-corpus.test.ts",
        title:
          "T18 a receiver of events at such an address is not taken, and not called if it is named all the same",
        without: {
          guard: "only what is routed on the Internet is an address to connect to",
          file: "src/outbound/egress-guard.ts",
          replace:
            'return range === "unicast" && (address.kind() === "ipv4" || isWithin(address, "2000::/3"));',
          by: "return true;",
        },
      },
      {
        file: "test/events/deliver.test.ts",
        title:
          "T18 an address that nothing may be sent to is refused when it is named, and when it is changed to",
        without: {
          guard: "the look at an address before it is stored",
          file: "src/events/subscriptions.ts",
          replace: "this.#ports.sender.refusal(url);",
          by: "undefined;",
        },
      },
      {
        file: "test/events/deliver.test.ts",
        title: "T18 is not followed to another address",
        without: {
          guard: "a redirect is an answer (here an agent that follows is put in)",
          file: "src/outbound/outbound.ts",
          replace: "this.#agentTrusting(request.trusted).dispatch(",
          by: 'this.#agentTrusting(request.trusted).compose(process.getBuiltinModule("module").createRequire(import.meta.url)("undici").interceptors.redirect({ maxRedirections: 3 })).dispatch(',
        },
      },
      {
        file: "test/events/deliver.test.ts",
        title: "T18 whoever writes another address into the record",
        without: {
          guard: "the receiver's origin among what is authenticated beside the secret that signs",
          file: "src/broker/seal-contexts.ts",
          replace: "tokenOrigin: new URL(of.url).origin,",
          by: 'tokenOrigin: "",',
        },
      },
      {
        file: "test/events/payloads.test.ts",
        title: "T18 what events tell",
        without: {
          guard: "an event tells the fields that its kind names, whatever the log has",
          file: "src/events/tell-event.ts",
          replace: '["organisation", ...EVENT_KINDS[kind].tells].flatMap',
          by: "Object.keys(values).flatMap",
        },
      },
    ],
  },
  {
    id: "T19",
    promise: "No token, code or secret of ours stands in an address.",
    proofs: [
      {
        file: "test/stories/connect-refused.test.ts",
        title: "T19 no token, code or secret of ours travels in an address, whatever goes wrong",
        without: {
          guard: "a token that is revoked goes in the body",
          file: "src/imanage/revoke-token.ts",
          replace: "url: revocationEndpoint,",
          by: "url: `${revocationEndpoint}?access_token=${token.reveal()}`,",
        },
      },
      {
        file: "test/imanage/imanage-api.test.ts",
        title: "T19 the token goes in X-Auth-Token and nowhere else",
        without: {
          guard: "the token goes in a header",
          file: "src/imanage/api-call.ts",
          replace: "url: url.href,",
          by: "url: `${url.href}?x-auth-token=${accessToken.reveal()}`,",
        },
      },
    ],
  },
];
