import type { ApplyResult } from "../broker/organisations/apply-configuration.ts";
import type { Change, Plan, Step } from "../broker/organisations/plan.ts";
import { changesNothing } from "../broker/organisations/plan.ts";
import { redirectUriOf } from "../domain/registration.ts";
import type { LocatedRemark } from "./configuration-file.ts";

const SIGNS = { create: "+", change: "~", keep: "=" } as const;

/** A plan as people read it: what comes, what changes, what stays, what is not in the file. */
export function renderPlan(plan: Plan): string {
  const kept = plan.steps.filter(({ act }) => act === "keep").length;
  const lines = [
    ...plan.steps.filter(({ act }) => act !== "keep").flatMap(renderStep),
    ...(kept === 0 ? [] : [`= ${kept} unchanged`]),
    ...plan.warnings.map(({ name, message }) => `! ${name} ${message}`),
    ...plan.notInFile.map(({ kind, name }) => `  not in this file, left alone: ${kind} ${name}`),
  ];
  return `${lines.join("\n")}\n`;
}

function renderStep(step: Step): string[] {
  return [
    `${SIGNS[step.act]} ${step.kind} ${step.name}`,
    ...step.changes.map((change) => `    ${change.field}: ${renderChange(change)}`),
  ];
}

const renderChange = ({ from, to }: Change): string => (from === undefined ? to : `${from} → ${to}`);

/** What an operator takes along after applying: ids, redirect URIs and, once, the secrets of new clients. */
export function renderResult(result: ApplyResult, publicBaseUrl: string): string {
  const { plan, applied, records, newClientSecrets } = result;
  const nothing = changesNothing(plan);
  const outcome = nothing ? "Nothing to change." : applied ? "Applied." : "Dry run: nothing was changed.";
  if (nothing || !applied) return `${outcome}\n`;
  const named = namesOf(plan);
  return `${[
    outcome,
    ...Object.entries(records.organisations)
      .filter(([name]) => named.has(`organisation ${name}`))
      .map(([name, id]) => `  organisation ${name}: ${id}`),
    ...Object.entries(records.servers)
      .filter(([name]) => named.has(`server ${name}`))
      .flatMap(([name, { id, registration }]) => [
        `  server ${name}: ${id}`,
        `    redirect URL to register: ${redirectUriOf(publicBaseUrl, registration)}`,
      ]),
    ...Object.entries(records.clients).map(([name, id]) => `  client ${name}: ${id}`),
    ...newClientSecrets.flatMap(({ client, secret }) => [
      "",
      `  Secret of client ${client}, shown this once:`,
      `  ${secret.reveal()}`,
    ]),
  ].join("\n")}\n`;
}

const namesOf = (plan: Plan): ReadonlySet<string> =>
  new Set(plan.steps.map(({ kind, name }) => `${kind} ${name}`));

/** The same for programs. New clients' secrets are in it, once. */
export function resultAsJson(
  result: ApplyResult,
  warnings: readonly LocatedRemark[],
  publicBaseUrl: string,
): string {
  const { plan, applied, records, newClientSecrets } = result;
  const json = {
    applied,
    changes: plan.steps
      .filter(({ act }) => act !== "keep")
      .map(({ act, kind, name, changes }) => ({ act, kind, name, changes })),
    unchanged: plan.steps.filter(({ act }) => act === "keep").map(({ kind, name }) => ({ kind, name })),
    refusals: plan.refusals,
    warnings: [...warnings, ...plan.warnings],
    not_in_file: plan.notInFile,
    organisations: records.organisations,
    servers: Object.fromEntries(
      Object.entries(records.servers).map(([name, { id, registration }]) => [
        name,
        { id, registration, redirect_uri: redirectUriOf(publicBaseUrl, registration) },
      ]),
    ),
    clients: records.clients,
    new_client_secrets: newClientSecrets.map(({ client, id, secret }) => ({
      client,
      client_id: id,
      client_secret: secret.reveal(),
    })),
  };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}

/** Remarks of a file, as editors understand them: `file:line: place sentence`. */
export const renderRemarks = (file: string, remarks: readonly LocatedRemark[], mark = ""): string =>
  remarks
    .map(
      ({ line, place, message }) => `${file}:${line}: ${mark}${place === "" ? "" : `${place} `}${message}.\n`,
    )
    .join("");
