import type { ProvenPromise } from "../kit/promise.ts";

const AUDIT_VERIFIED = "test/broker/audit/verify-audit.test.ts";

const OPS_SIGN_IN = "test/stories/ops-sign-in.test.ts";

/** What may leak, be tampered with or come in by the packages: T36 to T40. */
export const operationThreats: readonly ProvenPromise[] = [
  {
    id: "T36",
    promise:
      "No token, code or secret is in a log line, an error, a job, a page, a dashboard or an answer it does not belong in.",
    proofs: [
      {
        file: "test/stories/canary.test.ts",
        title: "T20 T36 no token, code, verifier or secret lies in Redis, its files, the logs, the audit",
        without: {
          guard: "a refusal repeats names alone of what was sent",
          file: "src/http/read-request.ts",
          replace: '(/^[a-z]{1,20}(_[a-z]{1,20}){0,3}$/.test(key) ? key : "?")',
          by: "key",
        },
      },
      {
        file: "test/security/secret.test.ts",
        title: "T36: a secret",
        without: {
          guard: "what a secret prints when it is inspected",
          file: "src/domain/secret.ts",
          replace: '  [Symbol.for("nodejs.util.inspect.custom")](): string {\n    return PRINTED;',
          by: '  [Symbol.for("nodejs.util.inspect.custom")](): string {\n    return this.#value;',
        },
      },
      {
        file: "test/ops/printable.test.ts",
        title: "the last line of redaction (T36)",
        without: {
          guard: "what looks like a token is taken out of a line",
          file: "src/ops/printable.ts",
          replace: ".replace(LONG_WORD, (word) => (isHarmless(word) ? word : REDACTED))",
          by: "",
        },
      },
      {
        file: "test/workers/start-workers.test.ts",
        title: "T36 a job that fails leaves its problem code and nothing else of the error",
        without: {
          guard: "an error of ours with a code alone, in place of the one that was thrown",
          file: "src/workers/job-failure.ts",
          replace: "  const failure = new UnrecoverableError(code);\n  failure.stack = code;\n",
          by: "  const failure = new UnrecoverableError(String(error));\n",
        },
      },
    ],
  },
  {
    id: "T37",
    promise:
      "What operators look at shows ids alone and opens to nobody without their sign-in; who acts is named for it, sent it from his own dashboard, and stands in the audit.",
    proofs: [
      {
        file: "test/ops/ops-listener.test.ts",
        title: "T37: the board",
        without: {
          guard: "a job on the board is made anew from what is harmless",
          file: "src/ops/queue-board.ts",
          replace: "data: { ids: idsIn(this.#job.data) },",
          by: "data: this.#job.data,",
        },
      },
      {
        file: "test/ops/ops-listener.test.ts",
        title: "T37: the board",
        without: {
          guard: "the reason of a failure is a code of the catalogue",
          file: "src/ops/queue-board.ts",
          replace: "failedReason: reasonOf(this.#job.failedReason),",
          by: "failedReason: this.#job.failedReason,",
        },
      },
      {
        file: "test/ops/ops-listener.test.ts",
        title: "T37: the board",
        without: {
          guard: "only routes that look are served",
          file: "src/ops/queue-board.ts",
          replace: 'const looking = routes.filter(({ method }) => method === "get");',
          by: "const looking = routes;",
        },
      },
      {
        file: OPS_SIGN_IN,
        title: "T37 without a sign-in nothing at the ops listener but health answers 200",
        without: {
          guard: "who has not signed in is nobody",
          file: "src/ops/queue-door.ts",
          replace: "const operator = await visitors.find(request);",
          by: 'const operator = (await visitors.find(request)) ?? ({ session: { role: "operator", organisations: "all" }, formToken: "" } as never);',
        },
      },
      {
        file: OPS_SIGN_IN,
        title: "T37 without a sign-in nothing at the ops listener but health answers 200",
        without: {
          guard: "metrics are for who may know",
          file: "src/ops/ops-listener.ts",
          replace: "if (!(await mayKnow(req)))",
          by: "if (false)",
        },
      },
      {
        file: OPS_SIGN_IN,
        title: "T37 readiness tells a probe no more than which check fails",
        without: {
          guard: "reasons are for who may know",
          file: "src/ops/ops-listener.ts",
          replace: "checks: whole ? checks : ",
          by: "checks: whole || true ? checks : ",
        },
      },
      {
        file: OPS_SIGN_IN,
        title: "T37 an operator looks at queues and metrics, and acts only where his role allows it",
        without: {
          guard: "to act is a right of its own",
          file: "src/ops/queue-door.ts",
          replace: "if (!mayActOnQueues(session)) {",
          by: "if (false) {",
        },
      },
      {
        file: OPS_SIGN_IN,
        title: "T37 support sees no queue and no metrics",
        without: {
          guard: "who may not see every organisation sees no queue",
          file: "src/ops/queue-door.ts",
          replace: "    if (!maySeeQueues(session)) return refuse(response, 403, ALL_ORGANISATIONS);\n",
          by: "",
        },
      },
      {
        file: OPS_SIGN_IN,
        title: "T37 each act of an operator is in the audit",
        without: {
          guard: "an act is written before it is done",
          file: "src/ops/queue-board.ts",
          replace: "    await noteAct({ kind, queue: queueName, job });\n",
          by: "",
        },
      },
      {
        file: OPS_SIGN_IN,
        title: "T37 each act of an operator is in the audit",
        without: {
          guard: "a request that changes something comes from the dashboard of this session",
          file: "src/ops/queue-door.ts",
          replace:
            "    if (changes && !visitors.sentByHim(request, operator)) return refuse(response, 403, NOT_FROM_HERE);\n",
          by: "",
        },
      },
      {
        file: OPS_SIGN_IN,
        title: "T37 each act of an operator is in the audit",
        without: {
          guard: "it comes from this origin",
          file: "src/pages/page-session.ts",
          replace:
            'sentFromHere(request, publicBaseUrl) && same(request.get("X-XSRF-TOKEN") ?? "", session.formToken);',
          by: 'same(request.get("X-XSRF-TOKEN") ?? "", session.formToken);',
        },
      },
      {
        file: OPS_SIGN_IN,
        title: "T37 each act of an operator is in the audit",
        without: {
          guard: "it shows this session's token",
          file: "src/pages/page-session.ts",
          replace:
            'sentFromHere(request, publicBaseUrl) && same(request.get("X-XSRF-TOKEN") ?? "", session.formToken);',
          by: "sentFromHere(request, publicBaseUrl);",
        },
      },
      {
        file: OPS_SIGN_IN,
        title: "T37 a session of the public listener is none at the ops listener",
        without: {
          guard: "a session is found by what is derived for its listener",
          file: "src/main/ops.ts",
          replace: 'digest: (cookie) => handles.derive(cookie, "ops session")',
          by: "digest: (cookie) => handles.digest(cookie)",
        },
      },
      {
        file: "test/ops/ops-listener.test.ts",
        title: "T37: where no sign-in of operators is set up",
        without: {
          guard: "without a sign-in this machine alone looks",
          file: "src/ops/queue-door.ts",
          replace: "    if (!isLocal(request)) return refuse(response, 403, NO_SIGN_IN);\n",
          by: "",
        },
      },
      {
        file: "test/ops/ops-listener.test.ts",
        title: "T37: where no sign-in of operators is set up",
        without: {
          guard: "what comes through a proxy on this machine is not of this machine",
          file: "src/ops/queue-door.ts",
          replace:
            '  if (["forwarded", "via", "x-forwarded-for", "x-real-ip"].some((name) => name in request.headers))\n    return false;\n',
          by: "",
        },
      },
      {
        file: "test/stories/without-credentials.test.ts",
        title: "T37 without credentials no route of the public listener answers 200",
        without: {
          guard: "a request without any proof is nobody's",
          file: "src/http/authenticate.ts",
          replace: 'if (basic === undefined) throw new Problem("invalid_client");',
          by: 'if (basic === undefined) return { id: "cli_nobody" as never };',
        },
      },
    ],
  },
  {
    id: "T38",
    promise: "No change is without its entry, and no entry is altered, dropped or moved unseen.",
    proofs: [
      {
        file: AUDIT_VERIFIED,
        title: "modified (T38)",
        without: {
          guard: "each entry is held against the link before it",
          file: "src/broker/audit/verify-audit.ts",
          replace: "else if (this.#linkOf(entry) === entry.hash) this.#links.push(entry.hash);",
          by: "else if (entry.hash !== undefined) this.#links.push(entry.hash);",
        },
      },
      {
        file: AUDIT_VERIFIED,
        title: "deleted (T38)",
        without: {
          guard: "numbers follow one another",
          file: "src/broker/audit/verify-audit.ts",
          replace: "else if (entry.sequence > this.#last + 1) {",
          by: "else if (false) {",
        },
      },
      {
        file: AUDIT_VERIFIED,
        title: "truncated, against a later checkpoint and against a number that is known (T38)",
        without: {
          guard: "a checkpoint says how far entries go",
          file: "src/broker/audit/verify-audit.ts",
          replace: "} else if (sequence > this.#last) {",
          by: "} else if (false) {",
        },
      },
      {
        file: AUDIT_VERIFIED,
        title: "is not deceived by links that were computed anew (T38)",
        without: {
          guard: "what was signed is held against the links",
          file: "src/broker/audit/verify-audit.ts",
          replace: "if (!fits || !firstFits) {",
          by: "if (false) {",
        },
      },
      {
        file: "test/security/signer.test.ts",
        title:
          "is not believed once a letter is changed, as another thing, under another keyset, or unsigned (T38)",
        without: {
          guard: "what was signed is of the type that is asked for",
          file: "src/security/signer.ts",
          replace: "return protectedHeader.typ === type",
          by: "return protectedHeader.typ !== undefined",
        },
      },
      {
        file: "test/broker/audit/export-audit.test.ts",
        title: "a chainer that slept over its lease acknowledges nothing, and forks nothing (T38)",
        without: {
          guard: "who has taken a journal since is asked before its head moves",
          file: "src/store/lua/audit-advance.lua",
          replace: "if head[1] ~= ARGV[1] or head[2] ~= ARGV[2] then return 'lost' end",
          by: "",
        },
      },
      {
        file: "test/race/audit-kills.test.ts",
        title: "no change without its entry, no entry without its change, no hole (T38)",
        full: { TEST_AUDIT_KILLS: "1000" },
        without: {
          guard: "entry and change are one step",
          file: "src/store/lua/delete-grant.lua",
          replace:
            "audit(prefix, now, { 'action', 'grant.revoked', 'actor', ARGV[2], 'server', server, 'grant', ARGV[1], 'request', ARGV[3] })\n",
          by: "",
        },
      },
    ],
  },
  {
    id: "T39",
    promise:
      "Whatever a request holds, it is answered or refused: no fault of ours, and no prototype is touched.",
    proofs: [
      {
        file: "test/stories/openapi-fuzz.test.ts",
        title: "T39 requests made from the OpenAPI document",
        full: { THREAT_REQUESTS: "100000" },
        without: {
          guard: "an id of no shape names nothing",
          file: "src/http/build-app.ts",
          replace: 'if (!read.success) throw new Problem("not_found");',
          by: "if (!read.success) throw read.error;",
        },
      },
      {
        file: "test/stories/openapi-fuzz.test.ts",
        title: "T39 requests made from the OpenAPI document",
        without: {
          guard: "a body that cannot be read is its sender's fault",
          file: "src/http/error-response.ts",
          replace: "if (status !== undefined && status >= 400 && status < 500) {",
          by: "if (false) {",
        },
      },
      {
        file: "test/stories/connect-fuzzed.test.ts",
        title: "T39 %s with half a character is refused",
        without: {
          guard: "text that is well-formed Unicode",
          file: "src/http/schemas.ts",
          replace: '.refine((text) => text.isWellFormed(), "must not hold half a character")',
          by: "",
        },
      },
    ],
  },
  {
    id: "T40",
    promise: "What npm brings is what was looked at: pinned, without install scripts, few.",
    proofs: [
      {
        file: "test/scripts/packages.test.ts",
        title: "T40 the lock file is that of package.json",
        without: {
          guard: "one version, and the one that is locked",
          file: "package.json",
          replace: '"ioredis": "6.0.0"',
          by: '"ioredis": "^6.0.0"',
        },
      },
      {
        file: "test/scripts/packages.test.ts",
        title: "T40 no package runs a script when it is installed",
        without: {
          guard: "no install scripts",
          file: ".npmrc",
          replace: "ignore-scripts=true",
          by: "ignore-scripts=false",
        },
      },
      {
        file: "test/scripts/packages.test.ts",
        title: "T40 no package runs a script when it is installed",
        without: {
          guard: "a package that wants an install script is looked at first (here one more wants to)",
          file: "package-lock.json",
          replace: '    "node_modules/ioredis": {\n',
          by: '    "node_modules/ioredis": {\n      "hasInstallScript": true,\n',
        },
      },
      {
        file: "test/scripts/packages.test.ts",
        title: "T40 no release that is known to have been taken over",
        without: {
          guard: "a look at releases that were taken over (here one of them is put in)",
          file: "package-lock.json",
          replace: '    "node_modules/ioredis": {\n',
          by: '    "node_modules/x/node_modules/event-stream": {\n      "version": "3.3.6"\n    },\n    "node_modules/ioredis": {\n',
        },
      },
    ],
    differs:
      "Advisories and provenance live at the registry: `npm audit` and `npm audit signatures` need the network, and belong into the pipeline of whoever builds the image. Here an offline list of taken-over releases is compared. Which addresses a container may reach is the operator's: docker-compose.yml gives Redis no way out, the broker needs one.",
  },
];
