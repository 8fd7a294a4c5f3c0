import type { ApiOutcome } from "../broker/authorization/ports.ts";
import type { Refusal } from "./refusals.ts";

/** Under way at one server for one sync. */
const LOADS_AT_ONCE = 4;
/** Answers that need be about nothing but the object that was asked for. */
const ABOUT_IT = /^status_\d{3}$|^not_imanage$|^not_json$/;
/** What one object may do to a call, and a server that is away as well. */
const MAY_BE_ABOUT_IT =
  /^(?:deadline|headers_timeout|body_too_large|headers_too_large|malformed_answer|connection_closed|connection_reset)$/;

export interface LoadEach<T> {
  /** undefined: it was told of, or there is none. */
  readonly load: (one: T) => Promise<Refusal | undefined>;
  /** true: the first that fails fails them all. */
  readonly patient: boolean;
  /** Whether iManage answers anything at this moment. */
  readonly isAnswering: () => Promise<boolean>;
}

/** Each by itself, some at a time. Answers how many iManage fails to tell of while it tells of others. */
export async function loadEach<T>(
  wanted: Iterable<T>,
  { load, patient, isAnswering }: LoadEach<T>,
): Promise<ApiOutcome<number>> {
  const rest = wanted[Symbol.iterator]();
  let failed: Refusal | undefined;
  let unloadable = 0;
  let silence: Refusal | undefined;
  const worker = async () => {
    for (let next = rest.next(); !next.done; next = rest.next()) {
      if (failed !== undefined) return;
      const refusal = await load(next.value);
      if (refusal === undefined) continue;
      const reason = refusal.kind === "unavailable" ? refusal.reason : "";
      if (!patient && ABOUT_IT.test(reason)) unloadable++;
      else if (!patient && MAY_BE_ABOUT_IT.test(reason)) {
        unloadable++;
        silence ??= refusal;
      } else failed ??= refusal;
    }
  };
  await Promise.all(Array.from({ length: LOADS_AT_ONCE }, worker));
  // Nobody is passed over because all of iManage is away.
  if (failed === undefined && silence !== undefined && !(await isAnswering())) failed = silence;
  return failed ?? { kind: "ok", value: unloadable };
}
