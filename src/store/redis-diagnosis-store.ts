import type { DiagnosisStore, SignInMemory } from "../broker/diagnosis/ports.ts";
import type { Diagnosis } from "../domain/diagnosis.ts";
import type { FailedSignIn, GoodSignIn, PkceSeen, SignInsSeen } from "../domain/diagnosis-seen.ts";
import type { ServerId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { ProblemCode } from "../domain/problem-catalogue.ts";
import { diagnosisKey, signInsKey } from "./keys.ts";
import { optional, readDiagnosis } from "./records.ts";
import type { RedisStore } from "./redis-store.ts";

/** A server's last diagnosis, its last good one, and how its last sign-ins ended. */
export class RedisDiagnosisStore implements DiagnosisStore, SignInMemory {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async beginDiagnosis(
    server: ServerId,
    holder: string,
    { maxMs, minIntervalMs }: { readonly maxMs: Milliseconds; readonly minIntervalMs: Milliseconds },
  ): ReturnType<DiagnosisStore["beginDiagnosis"]> {
    const [kind, retryAfterMs] = (await this.#store.run(
      "diagnosis-begin",
      [diagnosisKey(server)],
      [holder, maxMs, minIntervalMs],
    )) as ["begun" | "running" | "too_soon", number];
    return kind === "begun" ? { kind } : { kind, retryAfterMs };
  }

  async endDiagnosis(server: ServerId, holder: string, result: Diagnosis, good: boolean): Promise<void> {
    const record = JSON.stringify(result);
    await this.#store.run("diagnosis-end", [diagnosisKey(server)], [holder, record, good ? 1 : 0]);
  }

  async abandonDiagnosis(server: ServerId, holder: string): Promise<void> {
    await this.#store.run("diagnosis-end", [diagnosisKey(server)], [holder, "", 0]);
  }

  async findDiagnoses(server: ServerId): ReturnType<DiagnosisStore["findDiagnoses"]> {
    const [last, lastGood] = await this.#store.call((redis) =>
      redis.hmget(diagnosisKey(server), "last", "last_good"),
    );
    const read = (text: string | null | undefined) =>
      optional(readDiagnosis)(text ? JSON.parse(text) : undefined);
    return { last: read(last), lastGood: read(lastGood) };
  }

  async noteLeft(server: ServerId): Promise<void> {
    await this.#note(server, { left_at: "" });
  }

  async noteBack(server: ServerId): Promise<void> {
    await this.#note(server, { back_at: "" });
  }

  async noteGood(server: ServerId, signIn: Omit<GoodSignIn, "at">): Promise<void> {
    await this.#note(server, {
      good_at: "",
      good_refresh: signIn.refreshToken ? "1" : "0",
      good_customer: signIn.customerId,
    });
  }

  async noteFailed(server: ServerId, signIn: Omit<FailedSignIn, "at">): Promise<void> {
    await this.#note(server, {
      failed_at: "",
      failed_code: signIn.code,
      failed_request: signIn.requestId ?? "",
    });
  }

  async notePkce(server: ServerId, wrongVerifier: PkceSeen["wrongVerifier"]): Promise<void> {
    await this.#note(server, { pkce_at: "", pkce_wrong_verifier: wrongVerifier });
  }

  async findSignIns(server: ServerId): Promise<SignInsSeen> {
    const fields = await this.#store.call((redis) => redis.hgetall(signInsKey(server)));
    const at = (name: string) => (fields[name] ? Number(fields[name]) : undefined);
    const [goodAt, failedAt, pkceAt] = [at("good_at"), at("failed_at"), at("pkce_at")];
    return {
      leftAt: at("left_at"),
      backAt: at("back_at"),
      good:
        goodAt === undefined
          ? undefined
          : {
              at: goodAt,
              refreshToken: fields.good_refresh === "1",
              customerId: fields.good_customer ?? "",
            },
      failed:
        failedAt === undefined
          ? undefined
          : {
              at: failedAt,
              code: fields.failed_code as ProblemCode,
              requestId: fields.failed_request || undefined,
            },
      pkce:
        pkceAt === undefined
          ? undefined
          : { at: pkceAt, wrongVerifier: fields.pkce_wrong_verifier as PkceSeen["wrongVerifier"] },
    };
  }

  /** Times are the store's own. */
  async #note(server: ServerId, fields: Readonly<Record<string, string>>): Promise<void> {
    const now = String(await this.#store.now());
    const stamped = Object.entries(fields).map(([name, value]) => [name, name.endsWith("_at") ? now : value]);
    await this.#store.call((redis) => redis.hset(signInsKey(server), Object.fromEntries(stamped)));
  }
}
