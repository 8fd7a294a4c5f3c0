import type { ServerProfiles } from "../broker/profile/ports.ts";
import type { GateReader } from "../broker/refresh/ports.ts";
import type { ClosedGate } from "../domain/closed-server.ts";
import type { ServerId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { LEARNED_FOR_MS, type Learned, type LearnedProfile } from "../domain/server-profile.ts";
import { serverGateKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

/** What was learned lies beside the server's gate, where the scripts find it. */
export class RedisProfileStore implements ServerProfiles, GateReader {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async findProfile(server: ServerId): Promise<LearnedProfile> {
    const [still, rotating, previous, previousAt, late, lateAt] = await this.#store.call((redis) =>
      redis.hmget(
        serverGateKey(server),
        "seen_static",
        "seen_rotating",
        "previous",
        "previous_at",
        "code_late",
        "code_late_at",
      ),
    );
    return {
      rotation: rotating ? "rotating" : Number(still) >= 3 ? "static" : undefined,
      previousAccessTokens: learned(previous as "survive" | "end" | null, previousAt, (value) => value),
      codeLifeMs: learned(late, lateAt, Number),
    };
  }

  async findClosedGate(server: ServerId): Promise<ClosedGate | undefined> {
    const [why, since] = await this.#store.call((redis) =>
      redis.hmget(serverGateKey(server), "open", "opened_at"),
    );
    return why && since ? { why: why as ClosedGate["why"], since: Number(since) } : undefined;
  }

  async learnPreviousAccessTokens(server: ServerId, observed: "survive" | "end"): Promise<void> {
    const now = await this.#store.now();
    await this.#store.call((redis) =>
      redis.hset(serverGateKey(server), "previous", observed, "previous_at", now),
    );
  }

  async learnLateCode(server: ServerId, ageMs: Milliseconds): Promise<void> {
    await this.#store.run("learn-late-code", [serverGateKey(server)], [Math.round(ageMs), LEARNED_FOR_MS]);
  }
}

const learned = <S extends string, T>(
  text: S | null | undefined,
  at: string | null | undefined,
  read: (text: S) => T,
): Learned<T> | undefined => (text && at ? { value: read(text), at: Number(at) } : undefined);
