import { z } from "zod";
import {
  addSecret,
  changeClient,
  createClient,
  findClient,
  listClients,
  removeSecret,
  type SecretView,
  secretViews,
} from "../broker/clients/manage-clients.ts";
import { viewerOf } from "../broker/clients/viewer.ts";
import { answerOnce } from "../broker/idempotency/answer-once.ts";
import type { Client } from "../domain/client.ts";
import { type ClientId, parseId } from "../domain/id.ts";
import { rfc3339, rfc3339OrNull } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import type { Cursors } from "./deps.ts";
import { route } from "./route.ts";
import { clientId, instant, line, pageOf, pageQuery } from "./schemas.ts";

const secretAnswer = z
  .object({ id: z.string(), added_at: instant, expires_at: instant.nullable() })
  .meta({ id: "ClientSecret", description: "Which secret, and how long it counts. Never the secret." });

const clientAnswer = z
  .object({
    id: z.string(),
    name: z.string().meta({ description: "Its name in configuration files." }),
    display_name: z.string(),
    role: z
      .enum(["app", "operator"])
      .meta({ description: "`operator` manages clients and policies. Given by file or command line alone." }),
    state: z.enum(["active", "stopped"]),
    return_urls: z.array(z.string()),
    secrets: z.array(secretAnswer),
    created_at: instant,
  })
  .meta({ id: "Client" });

const shownOnce = z.string().optional().meta({
  description: "Shown this once: not told again when an Idempotency-Key is repeated.",
});

const told = {
  display_name: line(100).optional(),
  return_urls: z
    .array(z.string().max(2_048))
    .max(100)
    .optional()
    .meta({ description: "Where a browser may be sent back to, compared letter by letter." }),
};

const secretBody = ({ id, addedAt, expiresAt }: SecretView) => ({
  id,
  added_at: rfc3339(addedAt),
  expires_at: rfc3339OrNull(expiresAt),
});

const clientBody = (client: Client) => ({
  id: client.id,
  name: client.name,
  display_name: client.displayName,
  role: client.role ?? ("app" as const),
  state: client.state,
  return_urls: [...client.returnUrls],
  secrets: secretViews(client).map(secretBody),
  created_at: rfc3339(client.createdAt),
});

const params = z.strictObject({ id: clientId });

export const getClients = route({
  method: "get",
  path: "/v1/clients",
  operationId: "listClients",
  summary: "Clients: all of them to an operator's, to any other itself",
  query: z.strictObject(pageQuery),
  answer: { status: 200, description: "A page of clients, oldest first.", schema: pageOf(clientAnswer) },
  problems: ["not_found"],
  async handle({ deps, query, record }) {
    const after = query.cursor === undefined ? undefined : readPosition(deps.cursors, query.cursor);
    const page = await listClients(deps.configuration, viewerOf(await record()), after, query.limit);
    return {
      items: page.items.map(clientBody),
      next: page.next === undefined ? null : deps.cursors.seal(`clients ${page.next}`),
    };
  },
});

function readPosition(cursors: Cursors, cursor: string): ClientId {
  const [list, id] = cursors.open(cursor)?.split(" ") ?? [];
  const at = list === "clients" ? parseId("cli", id ?? "") : undefined;
  if (at !== undefined) return at;
  throw new Problem("invalid_request", {
    faults: [{ field: "cursor", message: "is none that this list gave" }],
  });
}

export const postClients = route({
  method: "post",
  path: "/v1/clients",
  operationId: "createClient",
  summary: "A new client, with its first secret",
  description: "For operators' clients. It may do nothing until a policy says so.",
  body: z.strictObject({ name: line(63), ...told }),
  answer: {
    status: 201,
    description: "The client, and its secret.",
    schema: clientAnswer.extend({ secret: shownOnce }).meta({ id: "NewClient" }),
  },
  problems: ["not_found", "not_allowed", "configuration_conflict", "idempotency_conflict"],
  idempotent: true,
  async handle({ deps, client, body, note, record, idempotencyKey: key }) {
    const viewer = viewerOf(await record());
    const create = async () => {
      const made = await createClient(deps.configuration, viewer, body, note);
      return { ...clientBody(made.client), secret: made.secret.reveal() };
    };
    if (key === undefined) return create();
    const at = { organisation: undefined, client, key };
    return answerOnce(deps.idempotency, at, { createClient: body }, create, ({ secret: _, ...rest }) => rest);
  },
});

export const getClient = route({
  method: "get",
  path: "/v1/clients/{id}",
  operationId: "getClient",
  summary: "One client",
  params,
  answer: { status: 200, description: "The client.", schema: clientAnswer },
  problems: ["not_found"],
  async handle({ deps, params: { id }, record }) {
    return clientBody(await findClient(deps.configuration, viewerOf(await record()), id));
  },
});

const changeProblems = ["not_found", "not_allowed", "configuration_conflict"] as const;

export const putClient = route({
  method: "put",
  path: "/v1/clients/{id}",
  operationId: "changeClient",
  summary: "Change a client's display name or return URLs",
  description: "For operators' clients. What is not told stays. Of two changes that cross one is refused.",
  params,
  body: z.strictObject(told),
  answer: { status: 200, description: "The client as it is now.", schema: clientAnswer },
  problems: changeProblems,
  async handle({ deps, params: { id }, body, note, record }) {
    return clientBody(await changeClient(deps.configuration, viewerOf(await record()), id, body, note));
  },
});

const stateRoute = (act: "stop" | "start", summary: string, description: string) =>
  route({
    method: "post",
    path: `/v1/clients/{id}/${act}`,
    operationId: `${act}Client`,
    summary,
    description,
    params,
    answer: { status: 200, description: "The client as it is now.", schema: clientAnswer },
    problems: changeProblems,
    async handle({ deps, params: { id }, note, record }) {
      const state = act === "stop" ? "stopped" : "active";
      return clientBody(
        await changeClient(deps.configuration, viewerOf(await record()), id, { state }, note),
      );
    },
  });

export const postClientStop = stateRoute(
  "stop",
  "Stop a client",
  "For operators' clients. No token from then on, on any replica, and its broker tokens are void. Authorizations stay.",
);
export const postClientStart = stateRoute("start", "Let a stopped client go on", "For operators' clients.");

export const postClientSecrets = route({
  method: "post",
  path: "/v1/clients/{id}/secrets",
  operationId: "addClientSecret",
  summary: "A client's next secret",
  description:
    "For operators' clients. The one before stays valid beside it, so that every replica of the application gets the new one in its own time. Broker tokens given out so far are void.",
  params,
  body: z.strictObject({
    expires_at: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: "When it ends by itself; never unless given." }),
  }),
  answer: {
    status: 201,
    description: "The secret.",
    schema: secretAnswer.extend({ secret: shownOnce }).meta({ id: "NewClientSecret" }),
  },
  problems: [...changeProblems, "idempotency_conflict"],
  idempotent: true,
  async handle({ deps, client, params: { id }, body, note, record, idempotencyKey: key }) {
    const viewer = viewerOf(await record());
    const expiresAt = body.expires_at === undefined ? undefined : Date.parse(body.expires_at);
    const add = async () => {
      const { view, secret } = await addSecret(deps.configuration, viewer, id, expiresAt, note);
      return { ...secretBody(view), secret: secret.reveal() };
    };
    if (key === undefined) return add();
    const at = { organisation: undefined, client, key };
    return answerOnce(
      deps.idempotency,
      at,
      { addSecret: id, ...body },
      add,
      ({ secret: _, ...rest }) => rest,
    );
  },
});

export const deleteClientSecret = route({
  method: "delete",
  path: "/v1/clients/{id}/secrets/{secret}",
  operationId: "deleteClientSecret",
  summary: "Make a client's secret void at once",
  description: "For operators' clients. Broker tokens given out so far are void.",
  params: z.strictObject({ id: clientId, secret: z.string().regex(/^[A-Za-z0-9_-]{16}$/) }),
  answer: { status: 204, description: "Void." },
  problems: changeProblems,
  async handle({ deps, params: { id, secret }, note, record }) {
    await removeSecret(deps.configuration, viewerOf(await record()), id, secret, { dryRun: false, note });
  },
});
