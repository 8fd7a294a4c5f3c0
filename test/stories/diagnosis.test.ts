import { expect, it } from "vitest";
import type { Finding } from "../../src/domain/diagnosis.ts";
import { type World, world } from "../kit/world.ts";

interface DiagnosisAnswer {
  readonly verdict: string;
  readonly findings: readonly (Finding & { readonly title: string })[];
  readonly changes: readonly { readonly step: string; readonly sentence: string }[];
  readonly code?: string;
}

const diagnose = (here: World) =>
  here.client.call<DiagnosisAnswer>("POST", `/v1/servers/${here.server}/diagnose`);

/** What was found, by step: `<state> <cause>`. */
const found = ({ findings }: Pick<DiagnosisAnswer, "findings">): Record<string, string> =>
  Object.fromEntries(findings.map(({ step, state, cause }) => [step, `${state} ${cause}`]));

it("a server that is set up well is found so, step by step", async () => {
  const here = await world();
  await here.connect();
  const { status, body } = await diagnose(here);
  expect(status, JSON.stringify(body)).toBe(200);
  expect(found(body)).toEqual({
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
    access: "ok access.good",
    code_life: "ok code_life.long_enough",
    refresh_token: "ok refresh_token.present",
    refresh_life: "ok refresh_life.long",
    customer: "ok customer.expected",
  });
  expect(body.verdict).toBe("good");
});
