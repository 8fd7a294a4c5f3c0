import type { CallAnswer, CallBudget, CallId, CallWish, RateLimitSaid } from "../broker/ports.ts";
import type { ServerId } from "../domain/id.ts";
import { type CallWait, callLimits } from "../domain/server-gate.ts";
import { serverGateKey } from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

export type CallLimits = { readonly [Name in keyof typeof callLimits]: number };

/** The budget lies in the server's gate, where refreshes look as well (`lua/calls.lua`). */
export class RedisCallBudget implements CallBudget {
  readonly #store: RedisStore;
  readonly #limits: CallLimits;

  constructor(store: RedisStore, limits: Partial<CallLimits> = {}) {
    this.#store = store;
    this.#limits = { ...callLimits, ...limits };
  }

  async ask(server: ServerId, { call, asker, priority, patienceMs, follows }: CallWish): Promise<CallAnswer> {
    const limits = this.#limits;
    const answer = (await this.#store.run(
      "call-ask",
      [serverGateKey(server)],
      [
        call,
        asker,
        priority,
        patienceMs,
        limits.lifeMs,
        limits.backgroundCalls,
        limits.scanCalls,
        limits.callsPerSecond,
        limits.quickBurst,
        limits.reserve,
        limits.scanReserve,
        follows ?? "",
      ],
    )) as ["go", number] | ["wait", number, CallWait];
    return answer[0] === "go"
      ? { kind: "go", afterMs: answer[1] }
      : { kind: "wait", waitMs: answer[1], why: answer[2] };
  }

  async tell(server: ServerId, call: CallId, { waitMs, window }: RateLimitSaid): Promise<void> {
    await this.#store.run(
      "call-tell",
      [serverGateKey(server)],
      [
        call,
        waitMs === undefined ? "" : Math.ceil(waitMs),
        window?.remaining ?? "",
        window === undefined ? "" : Math.ceil(window.resetMs),
      ],
    );
  }

  async giveBack(server: ServerId, call: CallId): Promise<void> {
    await this.#store.run("call-give-back", [serverGateKey(server)], [call]);
  }
}
