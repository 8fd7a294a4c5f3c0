import {
  type Diagnosis,
  type DiagnosisStep,
  diagnosisSteps,
  type Finding,
  isGood,
  verdictOf,
} from "../../domain/diagnosis.ts";
import type { Cause } from "../../domain/diagnosis-causes.ts";
import { changesSince, findingOf, type Judged } from "../../domain/diagnosis-finding.ts";
import type { AuthorizeProbes, DiscoverySeen, TokenProbes, TokenSeen } from "../../domain/diagnosis-seen.ts";
import type { ServerId } from "../../domain/id.ts";
import { type Milliseconds, minutes, seconds } from "../../domain/instant.ts";
import {
  judgeApi,
  judgeClock,
  judgeDns,
  judgeEgress,
  judgeOauth,
  judgeReach,
  judgeTls,
  judgeVersion,
} from "../../domain/judge-connection.ts";
import {
  judgeApplication,
  judgeAuthorize,
  judgeClientType,
  judgePkce,
  judgeSecret,
  judgeSecretExpiry,
} from "../../domain/judge-registration.ts";
import {
  judgeAccess,
  judgeCodeLife,
  judgeCustomer,
  judgeRefreshLife,
  judgeRefreshToken,
} from "../../domain/judge-sign-ins.ts";
import { Problem } from "../../domain/problem.ts";
import { type Registration, redirectUriOf } from "../../domain/registration.ts";
import { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { OwnTokenStore } from "../access/own-token.ts";
import { openCredentials } from "../authorization/open-credentials.ts";
import type { ServerDirectory } from "../authorization/ports.ts";
import type { GrantStore } from "../grants/ports.ts";
import type { Clock, Log, Random, Sealer } from "../ports.ts";
import type { ServerProfiles } from "../profile/ports.ts";
import type { GateReader } from "../refresh/ports.ts";
import { accessTokenContext } from "../seal-contexts.ts";
import type { DiagnosisStore, ServerProbes, SignInMemory } from "./ports.ts";
import { seenGrants } from "./seen-grants.ts";

export interface DiagnosisPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly sealer: Sealer;
  readonly servers: ServerDirectory;
  readonly grants: Pick<GrantStore, "listGrants">;
  readonly tokens: OwnTokenStore;
  readonly profiles: Pick<ServerProfiles, "findProfile">;
  readonly gates: GateReader;
  readonly probes: ServerProbes;
  readonly diagnoses: DiagnosisStore;
  readonly signIns: Pick<SignInMemory, "findSignIns">;
  readonly publicBaseUrl: string;
  /** What iManage sees of us, as the operator says; empty where he does not. */
  readonly outgoingAddresses: readonly string[];
}

export interface DiagnosisRequest {
  readonly server: ServerId;
  readonly requestId: string;
  /** Between two beginnings: programs may ask in a loop, an operator at his keyboard does not. */
  readonly minIntervalMs: Milliseconds;
}

/** What a diagnosis says while it goes on. */
export type DiagnosisEvent = { readonly finding: Finding } | { readonly diagnosis: Diagnosis };

/** Asked by an API: at most one a minute per server. */
export const API_INTERVAL_MS: Milliseconds = minutes(1);
/** Longer than all probes together can take; then the next one may begin. */
const MAX_MS = minutes(3);
/** After this nothing more is asked of iManage. */
const PATIENCE_MS = seconds(100);

/**
 * Looks at a server step by step, tells each finding as it comes, then the whole, which is kept. One at a time per
 * server. Observes only: no grant, gate or profile is touched, and no consent given.
 * @throws Problem not_found | diagnosis_running | diagnosed_recently, before the first finding
 */
export async function* diagnoseServer(
  ports: DiagnosisPorts,
  request: DiagnosisRequest,
): AsyncGenerator<DiagnosisEvent, void, undefined> {
  yield* await beginDiagnosis(ports, request);
}

/**
 * The same, for who has something to say between a refusal and the first finding: resolves as soon as it is certain that
 * it begins. What is answered MUST be read, to its end or until it is closed.
 * @throws Problem not_found | diagnosis_running | diagnosed_recently
 */
export async function beginDiagnosis(
  ports: DiagnosisPorts,
  request: DiagnosisRequest,
): Promise<AsyncGenerator<DiagnosisEvent, void, undefined>> {
  const { server: id, minIntervalMs } = request;
  const server = await ports.servers.findServer(id);
  const registration = server && (await ports.servers.findRegistration(server.registration));
  if (server === undefined || registration === undefined) throw new Problem("not_found");

  const holder = Buffer.from(ports.random.bytes(12)).toString("base64url");
  const begun = await ports.diagnoses.beginDiagnosis(id, holder, { maxMs: MAX_MS, minIntervalMs });
  if (begun.kind !== "begun") {
    throw new Problem(begun.kind === "running" ? "diagnosis_running" : "diagnosed_recently", {
      retryAfterMs: begun.kind === "running" ? Math.min(begun.retryAfterMs, seconds(10)) : begun.retryAfterMs,
    });
  }
  return run(ports, { server, registration, holder, requestId: request.requestId });
}

async function* run(
  ports: DiagnosisPorts,
  begun: {
    readonly server: Server;
    readonly registration: Registration;
    readonly holder: string;
    readonly requestId: string;
  },
): AsyncGenerator<DiagnosisEvent, void, undefined> {
  const { server, registration, holder, requestId } = begun;
  const { id } = server;
  let kept = false;
  try {
    const startedAt = ports.clock.now();
    const findings: Finding[] = [];
    for await (const judged of look(ports, server, registration)) {
      const finding = findingOf(judged);
      findings.push(finding);
      yield { finding };
    }
    const { lastGood } = await ports.diagnoses.findDiagnoses(id);
    const diagnosis: Diagnosis = {
      v: 1,
      server: id,
      startedAt,
      endedAt: ports.clock.now(),
      requestId,
      configurationGeneration: server.configurationGeneration,
      findings,
      verdict: verdictOf(findings),
      comparedWith: lastGood?.startedAt,
      changes: changesSince(findings, lastGood),
    };
    await ports.diagnoses.endDiagnosis(id, holder, diagnosis, isGood(diagnosis));
    kept = true;
    // Codes alone: what was seen may hold text that is not ours.
    ports.log.info(
      {
        server: id,
        organisation: server.organisation,
        requestId,
        outcome: diagnosis.verdict,
        detail: findings
          .filter(({ state }) => state === "failed" || state === "warning")
          .map(({ cause }) => cause)
          .join(" "),
      },
      "diagnosis",
    );
    yield { diagnosis };
  } finally {
    if (!kept) await ports.diagnoses.abandonDiagnosis(id, holder);
  }
}

/** The steps in their order. What cannot be asked is said to be skipped, so that every diagnosis has every step. */
async function* look(
  ports: DiagnosisPorts,
  server: Server,
  registration: Registration,
): AsyncGenerator<Judged, void, undefined> {
  const { clock, probes } = ports;
  const startedAt = clock.monotonicMs();
  const told = new Set<DiagnosisStep>();
  const tell = (judged: Judged): Judged => {
    told.add(judged.cause.split(".", 1)[0] as DiagnosisStep);
    return judged;
  };

  const connection = await probes.connection(server);
  yield tell(judgeDns(connection));
  yield tell(judgeEgress(connection));
  yield tell(judgeReach(connection, ports.outgoingAddresses));
  yield tell(judgeTls(connection, clock.now()));

  if (connection.ended === "open") {
    const discovery = await discover(ports, server);
    yield tell(judgeClock(discovery));
    yield tell(judgeApi(discovery));
    yield tell(judgeVersion(discovery));
    yield tell(judgeOauth(discovery));

    if (clock.monotonicMs() - startedAt < PATIENCE_MS) {
      const redirectUri = redirectUriOf(ports.publicBaseUrl, registration.id);
      const authorize = await askAuthorize(ports, server, registration.clientId, redirectUri);
      const { live, token } = await askToken(ports, server, registration, redirectUri);
      const seen = { authorize, token };
      yield tell(judgeAuthorize(seen, server));
      yield tell(judgeSecret(seen, live));
      yield tell(judgeSecretExpiry(registration.secrets, clock.now()));
      yield tell(judgeApplication(seen));
      yield tell(judgeClientType(seen));
      yield tell(judgePkce(seen, await ports.signIns.findSignIns(server.id)));
    }
  }
  if (!told.has("secret_expiry")) {
    for (const step of diagnosisSteps.slice(0, diagnosisSteps.indexOf("secret_expiry")))
      if (!told.has(step)) yield tell({ cause: skipped(step) });
    yield tell(judgeSecretExpiry(registration.secrets, clock.now()));
    for (const step of ["application", "client_type", "pkce"] as const) yield { cause: skipped(step) };
  }

  const past = {
    signIns: await ports.signIns.findSignIns(server.id),
    grants: await seenGrants(ports.grants, server),
    profile: await ports.profiles.findProfile(server.id),
  };
  yield judgeAccess(past, clock.now());
  yield judgeCodeLife(past, server);
  yield judgeRefreshToken(past, server, registration.clientId, server.customerId ?? "1");
  yield judgeRefreshLife(past, server, clock.now());
  yield judgeCustomer(past, server);
}

const skipped = (step: DiagnosisStep): Cause => `${step}.skipped`;

/** Without a token; where that tells too little, with one that lives anyway. None is refreshed for it. */
async function discover(ports: DiagnosisPorts, server: Server): Promise<DiscoverySeen> {
  const { probes } = ports;
  const seen = await probes.discovery(server);
  const enough = seen.kind !== "answer" || (seen.version !== undefined && seen.capabilities !== undefined);
  if (enough || (seen.shape !== "imanage" && seen.status !== 401)) return seen;
  const accessToken = await livingToken(ports, server);
  if (accessToken === undefined) return seen;
  const more = await probes.discovery(server, accessToken);
  return more.kind === "answer" && more.shape === "imanage" ? more : seen;
}

const LOOKED_THROUGH = 50;

async function livingToken(ports: DiagnosisPorts, server: Server): Promise<Secret | undefined> {
  const grants = await ports.grants.listGrants(server.organisation, undefined, LOOKED_THROUGH);
  const now = ports.clock.now();
  for (const grant of grants) {
    if (grant.server !== server.id || (grant.accessTokenExpiresAt ?? 0) - now < minutes(1)) continue;
    const stored = await ports.tokens.readAccessToken(grant.id, minutes(1));
    if (stored === undefined || stored === "contained") continue;
    return ports.sealer.open(stored.accessToken, accessTokenContext({ ...stored, grant: grant.id, server }));
  }
  return undefined;
}

async function askAuthorize(
  { probes, random }: DiagnosisPorts,
  server: Server,
  clientId: string,
  redirectUri: string,
): Promise<AuthorizeProbes> {
  const ask = (
    change: { readonly clientId?: string; readonly redirectUri?: string },
    challengeMethod: "S256" | "invented" | "none" = "S256",
  ) =>
    probes.authorize(server, { clientId, redirectUri, state: invented(random), ...change, challengeMethod });
  const real = await ask({});
  // One that hangs would hang five times.
  if (real.kind === "unanswered") {
    return {
      real,
      inventedRedirect: real,
      inventedClient: real,
      inventedChallengeMethod: real,
      withoutChallenge: real,
    };
  }
  return {
    real,
    inventedRedirect: await ask({ redirectUri: `${redirectUri}/${invented(random)}` }),
    inventedClient: await ask({ clientId: invented(random) }),
    inventedChallengeMethod: await ask({}, "invented"),
    withoutChallenge: await ask({}, "none"),
  };
}

async function askToken(
  ports: DiagnosisPorts,
  server: Server,
  registration: Registration,
  redirectUri: string,
): Promise<{
  readonly live: "some" | "none" | "expired" | "unreadable";
  readonly token: TokenProbes | undefined;
}> {
  const { probes, random, clock } = ports;
  if (registration.secrets.length === 0) return { live: "none", token: undefined };
  const now = clock.now();
  if (registration.secrets.every(({ expiresAt }) => expiresAt !== undefined && expiresAt <= now))
    return { live: "expired", token: undefined };
  const credentials = await openCredentials(ports, registration, server).catch((error: unknown) => {
    if (error instanceof Problem && error.code === "integrity_failure") return undefined;
    throw error;
  });
  if (credentials === undefined) return { live: "unreadable", token: undefined };

  const ask = (clientId: string, clientSecret: Secret) =>
    probes.token(server, {
      clientId,
      clientSecret,
      redirectUri,
      code: new Secret(invented(random)),
      codeVerifier: new Secret(`${invented(random)}${invented(random)}`),
    });
  const real: TokenSeen[] = [];
  for (const secret of credentials.secrets) real.push(await ask(registration.clientId, secret));
  if (real.every(({ kind }) => kind === "unanswered")) {
    const silent = real[0]!;
    return { live: "some", token: { real, inventedSecret: silent, inventedClient: silent } };
  }
  return {
    live: "some",
    token: {
      real,
      inventedSecret: await ask(registration.clientId, new Secret(invented(random))),
      inventedClient: await ask(invented(random), new Secret(invented(random))),
    },
  };
}

/** Says what it is to whoever reads iManage's own log. */
const invented = (random: Random): string => `diagnosis-${Buffer.from(random.bytes(16)).toString("hex")}`;
