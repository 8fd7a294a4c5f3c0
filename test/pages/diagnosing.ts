import type { DiagnosisPorts } from "../../src/broker/diagnosis/diagnose-server.ts";
import type { DiagnosisStore, ServerProbes } from "../../src/broker/diagnosis/ports.ts";
import type { Diagnosis } from "../../src/domain/diagnosis.ts";
import type { AuthorizeSeen, TokenSeen } from "../../src/domain/diagnosis-seen.ts";
import type { Instant } from "../../src/domain/instant.ts";

/** What a server that is set up well shows whoever looks at it. */
export class Probes implements ServerProbes {
  /** What iManage says of itself where something is wrong. */
  said = "";
  looked = 0;
  /** Everything behind the connection waits for it. */
  held: Promise<void> = Promise.resolve();
  fault: Error | undefined;

  async connection() {
    this.looked += 1;
    return {
      host: "firm.cloudimanage.com",
      port: 443,
      ended: "open" as const,
      failure: undefined,
      addresses: ["203.0.113.7"],
      denied: [],
      proxied: false,
      localAddress: "10.0.0.5",
      connectMs: 12,
      tls: undefined,
    };
  }

  async discovery() {
    await this.held;
    if (this.fault !== undefined) throw this.fault;
    return {
      kind: "answer" as const,
      status: 200,
      shape: "imanage" as const,
      authenticated: false,
      version: "10.5.0",
      capabilities: ["oauth"],
      ownRoot: true,
      location: undefined,
      clockAheadMs: 0,
      said: "",
    };
  }

  async authorize(
    _server: unknown,
    asked: { readonly clientId: string; readonly redirectUri: string; readonly challengeMethod: string },
  ): Promise<AuthorizeSeen> {
    const known = asked.clientId === "client-at-imanage" && !asked.redirectUri.includes("diagnosis-");
    if (known && asked.challengeMethod === "invented")
      return {
        kind: "answer",
        status: 400,
        looks: "refused",
        error: "invalid_request",
        said: "",
        likeness: "m",
      };
    return {
      kind: "answer",
      status: known && this.said === "" ? 200 : 400,
      looks: known && this.said === "" ? "sign_in" : "refused",
      error: undefined,
      said: known ? this.said : "invalid redirect_uri",
      likeness: known ? `known${this.said}` : `${asked.clientId}${asked.redirectUri}`,
    };
  }

  async token(): Promise<TokenSeen> {
    return { kind: "answer", status: 400, refusal: "invalid_grant", said: this.said, likeness: "bad code" };
  }
}

/** Holds what the store's contract says: one at a time, and none too soon. */
export class Diagnoses implements DiagnosisStore {
  last: Diagnosis | undefined;
  lastGood: Diagnosis | undefined;
  holder: string | undefined;
  readonly #now: () => Instant;
  #begunAt = Number.NEGATIVE_INFINITY;

  constructor(now: () => Instant) {
    this.#now = now;
  }

  async beginDiagnosis(_server: unknown, holder: string, { minIntervalMs }: { minIntervalMs: number }) {
    if (this.holder !== undefined) return { kind: "running" as const, retryAfterMs: 10_000 };
    const waitMs = this.#begunAt + minIntervalMs - this.#now();
    if (waitMs > 0) return { kind: "too_soon" as const, retryAfterMs: waitMs };
    this.holder = holder;
    this.#begunAt = this.#now();
    return { kind: "begun" as const };
  }
  async endDiagnosis(_server: unknown, holder: string, result: Diagnosis, good: boolean) {
    if (this.holder !== holder) return;
    this.holder = undefined;
    this.last = result;
    if (good) this.lastGood = result;
  }
  async abandonDiagnosis() {
    this.holder = undefined;
  }
  async findDiagnoses() {
    return { last: this.last, lastGood: this.lastGood };
  }
}

type Rest = Pick<DiagnosisPorts, "clock" | "random" | "log" | "sealer" | "servers" | "profiles">;

export const diagnosisPorts = (rest: Rest, probes: Probes, diagnoses: Diagnoses): DiagnosisPorts => ({
  ...rest,
  probes,
  diagnoses,
  publicBaseUrl: "https://broker.example",
  outgoingAddresses: ["198.51.100.4"],
  grants: { listGrants: async () => [] },
  tokens: { readAccessToken: async () => undefined },
  gates: { findClosedGate: async () => undefined },
  signIns: {
    findSignIns: async () => ({
      leftAt: undefined,
      backAt: undefined,
      good: undefined,
      failed: undefined,
      pkce: undefined,
    }),
  },
});
