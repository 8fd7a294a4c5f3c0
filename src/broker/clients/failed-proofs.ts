import { Problem } from "../../domain/problem.ts";
import type { Clock, Log } from "../ports.ts";
import type { PresentedCertificate, ProofStore } from "./ports.ts";

/** Who shows a proof, as far as the way here tells. */
export interface ProofOrigin {
  readonly requestId: string;
  /** Of IPv6 the network alone: its owner has all addresses in it. */
  readonly address: string;
  /** Undefined: the connection presented none. */
  readonly certificate?: PresentedCertificate | undefined;
}

/** Pairs of client id and address that one process remembers; the oldest is forgotten first. */
const REMEMBERED_MAX = 10_000;

export interface FailedProofPorts {
  readonly clock: Clock;
  readonly log: Pick<Log, "info">;
  readonly proofs: Pick<ProofStore, "countFailure">;
}

/**
 * Who fails too often is not looked at for a while (T35): by client id and address together, so the true client is not locked
 * out by somebody elsewhere who knows its id. A proof that fits costs nothing for it: failures are counted after they failed,
 * in the store, and what that said is remembered here. A process that has not heard yet looks at one more.
 */
export class FailedProofs {
  readonly #ports: FailedProofPorts;
  /** Until when, by the clock that only goes forward. */
  readonly #stopped = new Map<string, number>();

  constructor(ports: FailedProofPorts) {
    this.#ports = ports;
  }

  /** @throws Problem("proof_refused_for_now") */
  refuseWhileStopped(id: string, { address }: ProofOrigin): void {
    if (this.#stopped.size === 0) return;
    const pair = pairOf(id, address);
    const until = this.#stopped.get(pair);
    if (until === undefined) return;
    const left = until - this.#ports.clock.monotonicMs();
    if (left > 0) throw stopped(left);
    this.#stopped.delete(pair);
  }

  /**
   * Notes which look failed, for the log alone, and counts it.
   * @throws Problem("proof_refused_for_now") for one too many, else `invalid_client`: the same whatever failed, except what
   * is said of the form of what was sent
   */
  async refuse(id: string, origin: ProofOrigin, because: string, says?: string): Promise<never> {
    const { clock, log, proofs } = this.#ports;
    const client = /^cli_[0-9a-z]{26}$/.test(id) ? { client: id } : {};
    log.info({ requestId: origin.requestId, ...client, code: because }, "client not authenticated");
    const { over, waitMs } = await proofs.countFailure(shortened(id), origin.address);
    if (waitMs > 0) this.#stop(pairOf(id, origin.address), clock.monotonicMs() + waitMs);
    if (over) throw stopped(waitMs);
    throw new Problem("invalid_client", says === undefined ? {} : { detail: says });
  }

  #stop(pair: string, until: number): void {
    // Put in anew, so that the order is that of the last failure.
    this.#stopped.delete(pair);
    this.#stopped.set(pair, until);
    const oldest = this.#stopped.size > REMEMBERED_MAX ? this.#stopped.keys().next().value : undefined;
    if (oldest !== undefined) this.#stopped.delete(oldest);
  }
}

/** An id has 30 characters; what somebody sends in its place may fill a whole body, and would be kept for each try. */
const shortened = (id: string): string => id.slice(0, 64);
const pairOf = (id: string, address: string): string => `${shortened(id)} ${address}`;
const stopped = (retryAfterMs: number): Problem => new Problem("proof_refused_for_now", { retryAfterMs });
