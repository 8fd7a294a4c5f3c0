import { type Instant, minutes } from "./instant.ts";
import type { GateReason } from "./server-gate.ts";

/** Since when nothing is sent to a server, and why. */
export interface ClosedGate {
  readonly why: Exclude<GateReason, "throttled" | "busy">;
  readonly since: Instant;
}

export interface ClosedServerTold {
  /** Stable: alerts are written against it. */
  readonly code: "server_incident" | "client_secret_refused" | "imanage_unavailable";
  /** What is seen, and who does what about it. */
  readonly sentence: string;
}

const TOLD_EACH_MS = minutes(15);
const TOLD_AFTER_MS = minutes(1);

/**
 * Is it time to tell operators of a closed server? After the first minute, and then each quarter of an hour, whoever of
 * many processes looks. @param lookedMs how long ago somebody looked last
 */
export function worthTelling({ since }: ClosedGate, now: Instant, lookedMs: number): boolean {
  const turn = (at: Instant) => {
    const closedMs = at - since;
    return closedMs < TOLD_AFTER_MS ? -1 : Math.floor(closedMs / TOLD_EACH_MS);
  };
  return turn(now) > turn(now - lookedMs);
}

/** In words. Nobody's grant is marked in any of these. */
export function describeClosedServer({ why, since }: ClosedGate, now: Instant): ClosedServerTold {
  const closedMinutes = Math.max(1, Math.round((now - since) / minutes(1)));
  const lasting = closedMinutes === 1 ? "a minute" : `${closedMinutes} minutes`;
  switch (why) {
    case "incident":
      return {
        code: "server_incident",
        sentence: `For ${lasting} this iManage server has refused many authorizations at once, so none is believed to be over; one is tried each 15 s. The firm's iManage administrator looks whether the application was disabled or iManage restored from a backup. If all were really ended, one person who signs in again proves it.`,
      };
    case "misconfigured":
      return {
        code: "client_secret_refused",
        sentence: `For ${lasting} this iManage server has refused our client secret; one refresh is tried each 15 s. The operator enters the secret that Control Center shows, or a new one.`,
      };
    case "upstream":
      return {
        code: "imanage_unavailable",
        sentence: `For ${lasting} this iManage server has not answered as it should; it is tried again each half minute. The firm's iManage administrator looks whether it is up; tokens that still live are served.`,
      };
  }
}
