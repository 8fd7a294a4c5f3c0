import { z } from "zod";
import { lookUpToken } from "../broker/audit/look-up-token.ts";
import { type AuditPosition, type AuditSight, readAudit, sightOf } from "../broker/audit/read-audit.ts";
import { allow } from "../broker/clients/policies.ts";
import type { Caller } from "../broker/clients/ports.ts";
import { AUDIT_ACTIONS, type AuditAction } from "../domain/audit-actions.ts";
import type { AuditEntry } from "../domain/audit-entry.ts";
import { type ClientId, type OrganisationId, parseId } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { Secret } from "../domain/secret.ts";
import type { Cursors, HttpDeps } from "./deps.ts";
import { route } from "./route.ts";
import { grantId, instant, line, organisationId, pageOf, pageQuery } from "./schemas.ts";

const actions = Object.keys(AUDIT_ACTIONS) as [AuditAction, ...AuditAction[]];

const auditEntry = z
  .object({
    organisation: z.string(),
    sequence: z.int().meta({ description: "Contiguous in the organisation, from 1." }),
    at: instant,
    action: z.string().meta({
      description: "What has happened. New ones may be added.",
      examples: ["token.issued", "grant.revoked"],
    }),
    means: z.string().nullable().meta({ description: "The action in a sentence." }),
    actor: z.string().nullable().meta({
      description:
        "Who did it: `client:<id>`, `user:<customer>/<user>` at iManage, `person:<client>/<id>`, `operator:…`, `support:…`, `cli:…`, `worker`.",
    }),
    request_id: z.string().nullable(),
    address: z.string().nullable(),
    details: z.record(z.string(), z.string()).meta({
      description:
        "What else the entry tells: `client`, `server`, `grant`, `library`, `purpose`, `token` (a fingerprint) and so on. Never a secret; of what was changed the names alone.",
    }),
  })
  .meta({ id: "AuditEntry" });

function entryBody(
  organisation: OrganisationId,
  { sequence, fields }: AuditEntry,
): z.input<typeof auditEntry> {
  const { at, action = "", actor, request, address, ...details } = fields;
  return {
    organisation,
    sequence,
    at: rfc3339(Number(at)),
    action,
    means: Object.hasOwn(AUDIT_ACTIONS, action) ? AUDIT_ACTIONS[action as AuditAction].means : null,
    actor: actor || null,
    request_id: request || null,
    address: address || null,
    details: Object.fromEntries(Object.entries(details).filter(([, value]) => value !== "")),
  };
}

const moment = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  .meta({ type: "string", format: "date-time" });

const clientId = z
  .string()
  .max(64)
  .refine((text) => parseId("cli", text) !== undefined, "must be the id of a client: cli_…")
  .transform((text) => text as ClientId)
  .meta({ type: "string", description: "Id of a client.", examples: ["cli_…"] });

const problems = ["not_found", "not_allowed"] as const;

export const getAudit = route({
  method: "get",
  path: "/v1/audit",
  operationId: "readAudit",
  summary: "What was handed out and changed in an organisation, and by whom",
  description:
    "Newest first; with `after`, oldest first from there, so that a program can follow: its last `sequence` is the next `after`. A page may be shorter than `limit`, or empty, and have a `next`. Entries that are older than the operator keeps them here are in the export. Needs `audit`.",
  query: z.strictObject({
    organisation: organisationId,
    after: z.coerce.number().int().min(0).optional().meta({
      description: "Entries after this number, oldest first.",
    }),
    action: z.enum(actions).optional(),
    client: clientId.optional(),
    grant: grantId.optional(),
    person: line(200).optional().meta({
      description: "Part of how a person is named, whether he did it, lent a library or was replaced.",
    }),
    from: moment.optional().meta({ description: "At or after." }),
    to: moment.optional().meta({ description: "Before." }),
    ...pageQuery,
  }),
  answer: { status: 200, description: "A page of entries.", schema: pageOf(auditEntry) },
  problems,
  async handle({ deps, caller, query }) {
    const { organisation, after, cursor, limit, ...filter } = query;
    const sees = await sightIn(deps, caller, organisation);
    const position =
      cursor === undefined
        ? after === undefined
          ? { before: undefined }
          : { after }
        : readPosition(deps.cursors, organisation, cursor);
    const { items, next } = await readAudit(deps.audit, organisation, { ...filter, sees }, position, limit);
    return {
      items: items.map((entry) => entryBody(organisation, entry)),
      next: next === undefined ? null : deps.cursors.seal(spell(organisation, next)),
    };
  },
});

const spell = (organisation: OrganisationId, position: AuditPosition): string =>
  `audit ${organisation} ${"after" in position ? `after ${position.after}` : `before ${position.before}`}`;

function readPosition(cursors: Cursors, organisation: OrganisationId, cursor: string): AuditPosition {
  const match = /^audit (\S+) (after|before) (\d+)$/.exec(cursors.open(cursor) ?? "");
  if (match?.[1] !== organisation)
    throw new Problem("invalid_request", {
      faults: [{ field: "cursor", message: "is none that this list gave" }],
    });
  const sequence = Number(match[3]);
  return match[2] === "after" ? { after: sequence } : { before: sequence };
}

const trace = z
  .object({
    organisation: z.string(),
    fingerprint: z.string().nullable(),
    count: z.int().meta({ description: "How many times it was handed out, as far as the audit goes back." }),
    searched_since: instant.nullable().meta({
      description:
        "The oldest entry that was searched; null: there was none. What is older is in the export.",
    }),
    handed_out: z.array(auditEntry).meta({ description: "Each time, oldest first; five hundred at most." }),
  })
  .meta({ id: "TokenTrace" });

export const postAuditLookup = route({
  method: "post",
  path: "/v1/audit/lookup",
  operationId: "lookUpToken",
  summary: "Who was handed a token that somebody has found",
  description:
    "For a leaked access token: to which client, for whom, when and why it was handed out, and of which grant. Only its fingerprint is looked for; the token is kept nowhere. Searches the organisation that is named, or every one in which this client may read the audit. Needs `audit`.",
  body: z.strictObject({
    token: z.string().min(1).max(16_384).meta({ description: "The access token." }),
    organisation: organisationId.optional(),
  }),
  answer: {
    status: 200,
    description: "What was found, for each organisation that was searched.",
    schema: z.object({ items: z.array(trace) }),
  },
  problems,
  async handle({ deps, caller, body }) {
    const token = new Secret(body.token);
    const organisations =
      body.organisation === undefined ? await readable(deps, caller) : [body.organisation];
    const items: z.input<typeof trace>[] = [];
    for (const organisation of organisations) {
      const sees = await sightIn(deps, caller, organisation);
      const found = await lookUpToken(
        { sealer: deps.authorization.sealer, audit: deps.audit },
        token,
        organisation,
        sees,
      );
      items.push({
        organisation,
        fingerprint: found.fingerprint || null,
        count: found.count,
        searched_since: found.since === undefined ? null : rfc3339(found.since),
        handed_out: found.handedOut.map((entry) => entryBody(organisation, entry)),
      });
    }
    return { items };
  },
});

/** What of an organisation's audit this caller may read. */
async function sightIn(deps: HttpDeps, caller: Caller, organisation: OrganisationId): Promise<AuditSight> {
  const policy = await allow(deps.grants, caller, organisation, { action: "audit" });
  return sightOf(policy, caller.address, deps.grants.clock.now());
}

async function readable(deps: HttpDeps, caller: Caller): Promise<readonly OrganisationId[]> {
  const { clients, clock } = deps.grants;
  const all = await clients.organisationsOf(caller.client);
  const policies = await Promise.all(
    all.map((organisation) => clients.findPolicy(caller.client, organisation)),
  );
  const readables = all.filter((_, at) => sightOf(policies[at]?.policy, caller.address, clock.now())({}));
  if (readables.length === 0) throw new Problem("not_allowed");
  return readables;
}
