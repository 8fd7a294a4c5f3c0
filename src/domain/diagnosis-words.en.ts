import type { DiagnosisStep } from "./diagnosis.ts";
import type { CAUSES } from "./diagnosis-causes.ts";
import type { Facts } from "./diagnosis-finding.ts";
import type { Instant } from "./instant.ts";

/** What a finding says. */
export interface Text {
  readonly seen: string;
  readonly means: string;
  readonly remedy?: string;
}

export const APPLICATION = "Control Center › Settings › Applications › the application";

/** `12 May 2026`, UTC. */
export const day = (at: Instant | string | undefined): string =>
  new Date(Number(at)).toLocaleDateString("en-GB", {
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  });
/** `12 May 2026 09:30 UTC`. */
export const moment = (at: Instant | string | undefined): string =>
  `${day(at)} ${new Date(Number(at)).toISOString().slice(11, 16)} UTC`;

export const quoted = ({ said = "" }: Facts): string => (said === "" ? "" : ` iManage said: “${said}”`);
export const answered = (facts: Facts): string => `HTTP ${facts.status}.${quoted(facts)}`;
export const request = ({ request_id = "" }: Facts): string =>
  request_id === "" ? "" : ` (request ${request_id})`;
export const noAnswer = ({ reason, ...rest }: Facts): string =>
  reason === "" || reason === undefined ? answered(rest) : `No answer: ${reason}.`;

/** The sentences of every cause of these steps. */
export type CauseTexts<Step extends DiagnosisStep> = {
  readonly [C in Extract<keyof typeof CAUSES, `${Step}.${string}`>]: (facts: Facts) => Text;
};
