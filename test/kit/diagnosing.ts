import type { FindingState } from "../../src/domain/diagnosis.ts";
import type { World } from "./world.ts";

/** A diagnosis as a client reads it. */
export interface DiagnosisAnswer {
  readonly verdict: string;
  readonly request_id: string;
  readonly findings: readonly FindingAnswer[];
  readonly compared_with: string | null;
  readonly changes: readonly {
    readonly step: string;
    readonly was: string;
    readonly is: string;
    readonly sentence: string;
  }[];
  readonly code?: string;
}

export interface FindingAnswer {
  readonly step: string;
  readonly title: string;
  readonly cause: string;
  readonly state: FindingState;
  readonly seen: string;
  readonly means: string;
  readonly who: string;
  readonly remedy: string | null;
}

export const diagnose = (here: Pick<World, "client" | "server">) =>
  here.client.call<DiagnosisAnswer>("POST", `/v1/servers/${here.server}/diagnose`);

/** What was found, by step: `<state> <cause>`. */
export const found = ({ findings }: Pick<DiagnosisAnswer, "findings">): Record<string, string> =>
  Object.fromEntries(findings.map(({ step, state, cause }) => [step, `${state} ${cause}`]));

/** Of a server that is set up well, before anybody signed in. */
export const WELL_BEFORE_SIGN_IN = {
  dns: "ok dns.literal",
  egress: "ok egress.allowed",
  reach: "ok reach.connected",
  tls: "ok tls.plain",
  clock: "ok clock.agrees",
  api: "ok api.imanage",
  version: "ok version.new_enough",
  oauth: "ok oauth.listed",
  authorize: "ok authorize.known",
  secret: "ok secret.right",
  secret_expiry: "ok secret_expiry.never",
  application: "ok application.enabled",
  client_type: "ok client_type.confidential",
  pkce: "ok pkce.read",
  access: "not_known access.no_sign_in",
  code_life: "not_known code_life.no_sign_in",
  refresh_token: "not_known refresh_token.no_sign_in",
  refresh_life: "not_known refresh_life.not_told",
  customer: "not_known customer.no_sign_in",
};

/** And after somebody did. */
export const WELL = {
  ...WELL_BEFORE_SIGN_IN,
  access: "ok access.good",
  code_life: "ok code_life.long_enough",
  refresh_token: "ok refresh_token.present",
  refresh_life: "ok refresh_life.long",
  customer: "ok customer.expected",
};
