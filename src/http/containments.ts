import { z } from "zod";
import type { Caller } from "../broker/clients/ports.ts";
import { contain, liftContainment, previewOf, progressOf } from "../broker/containment/contain.ts";
import {
  findManaged,
  listManaged,
  type Manager,
  mustMayContain,
  mustMayLift,
  type Reauthorization,
  reauthorizations,
  receiptsOf,
} from "../broker/containment/managed.ts";
import { csvOfReauthorizations } from "../broker/containment/reauthorizations-csv.ts";
import { refusalsOf } from "../broker/containment/refusals.ts";
import { type Client, mayOperate } from "../domain/client.ts";
import { HANDED_OUT_LIVES } from "../domain/containment.ts";
import type { ClientId, ContainmentId } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { containment, containmentBody, progressBody, readTarget, target } from "./containment-schemas.ts";
import type { Cursors } from "./deps.ts";
import { Content, route } from "./route.ts";
import { containmentId, instant, line, organisationId, pageOf, pageQuery } from "./schemas.ts";

const reason = line(500).meta({ description: "Why, in your words: for the record and the audit." });

const impact = z
  .object({
    grants: z.int(),
    shared_grants: z.int().meta({
      description:
        "Of these, with other applications too: to revoke them ends what those were handed as well.",
    }),
    clients: z.int(),
    users: z.int(),
    libraries: z.int(),
    tokens_handed_out: z
      .int()
      .meta({ description: "In the last 60 minutes, each once: these may still live at iManage." }),
    tokens_known_since: instant.nullable().meta({
      description: "Not null: the audit here begins only then, and its export tells of what was before.",
    }),
    note: z.string(),
  })
  .meta({ id: "ContainmentImpact" });

export const postContainments = route({
  method: "post",
  path: "/v1/containments",
  operationId: "contain",
  summary: "Stop tokens at once, and revoke at iManage if you say so",
  description:
    "Once this has answered, no replica hands out a token that is stopped. `stop` leaves grants as they are; `revoke` ends their tokens at iManage too, and their people authorise again. With `dry_run` nothing changes, and what it would concern is counted. What was handed out before lives at iManage until it is idle for long enough, unless it is revoked.",
  body: z.strictObject({
    target,
    effect: z.enum(["stop", "revoke"]).default("stop"),
    reason,
    dry_run: z.boolean().default(false),
  }),
  answer: {
    status: 200,
    description: "Stopped; or, of a dry run, what it would concern.",
    schema: z.object({
      dry_run: z.boolean(),
      containment: containment.nullable(),
      impact: impact
        .nullable()
        .meta({ description: "Of a dry run. Otherwise read the containment's `progress`." }),
    }),
  },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, record, body, note }) {
    const ports = deps.containment;
    const wanted = readTarget(body.target, ports.clock.now());
    await mustMayContain(ports, await managerOf(caller, record), wanted);
    if (body.dry_run) {
      const counted = await previewOf(ports, wanted);
      return {
        dry_run: true,
        containment: null,
        impact: {
          grants: counted.grants,
          shared_grants: counted.shared,
          clients: counted.clients,
          users: counted.users,
          libraries: counted.libraries,
          tokens_handed_out: counted.handedOut,
          tokens_known_since:
            counted.handedOutKnownSince === undefined ? null : rfc3339(counted.handedOutKnownSince),
          note: HANDED_OUT_LIVES,
        },
      };
    }
    const { effect, reason: why } = body;
    const begun = await contain(ports, { target: wanted, effect, reason: why }, note);
    return { dry_run: false, containment: containmentBody(begun), impact: null };
  },
});

export const getContainments = route({
  method: "get",
  path: "/v1/containments",
  operationId: "listContainments",
  summary: "Containments, newest first",
  query: z.strictObject({
    organisation: organisationId
      .optional()
      .meta({ description: "Left out: those of clients everywhere, for clients of role `operator`." }),
    ...pageQuery,
  }),
  answer: { status: 200, description: "A page of containments.", schema: pageOf(containment) },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, record, query }) {
    const [at, id] = openCursor(deps.cursors, "containments", query.cursor)?.split(" ") ?? [];
    const after = at === undefined ? undefined : { at: Number(at), id: id as ContainmentId };
    const page = await listManaged(
      deps.containment,
      await managerOf(caller, record),
      query.organisation,
      after,
      query.limit,
    );
    const next = page.next && `containments ${page.next.at} ${page.next.id}`;
    return { items: page.items.map(containmentBody), next: next ? deps.cursors.seal(next) : null };
  },
});

const params = z.strictObject({ id: containmentId });

export const getContainment = route({
  method: "get",
  path: "/v1/containments/{id}",
  operationId: "getContainment",
  summary: "One containment, and how far its work has come",
  params,
  answer: { status: 200, description: "The containment.", schema: containment },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, record, params: { id } }) {
    const found = await findManaged(deps.containment, await managerOf(caller, record), id);
    const progress = await progressOf(deps.containment, found);
    return {
      ...containmentBody(found),
      progress: progressBody(progress, await refusalsOf(deps.containment, found)),
    };
  },
});

export const postContainmentLift = route({
  method: "post",
  path: "/v1/containments/{id}/lift",
  operationId: "liftContainment",
  summary: "Let tokens flow again",
  description:
    "At once, as far as no other containment stops them. What is on its way to be revoked at iManage stays so.",
  params,
  body: z.strictObject({ reason }),
  answer: { status: 200, description: "Lifted.", schema: containment },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, record, params: { id }, body, note }) {
    const who = await managerOf(caller, record);
    const found = await findManaged(deps.containment, who, id);
    mustMayLift(who, found);
    return containmentBody(await liftContainment(deps.containment, found, body.reason, note));
  },
});

export const getContainmentReceipts = route({
  method: "get",
  path: "/v1/containments/{id}/receipts",
  operationId: "listContainmentReceipts",
  summary: "What iManage said of each token that was to be revoked",
  params,
  query: z.strictObject(pageQuery),
  answer: {
    status: 200,
    description:
      "A page of receipts, oldest first. It may be shorter than `limit` where there is a next one.",
    schema: pageOf(
      z
        .object({
          grant: z.string(),
          server: z.string(),
          kind: z.enum(["access-token", "refresh-token"]),
          outcome: z.enum(["revoked", "already_dead", "given_up"]),
          why: z.string().meta({ description: "Why it was given up; empty otherwise." }),
          attempts: z.int(),
          ordered_at: instant,
          at: instant,
        })
        .meta({ id: "RevocationReceipt" }),
    ),
  },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, record, params: { id }, query }) {
    const found = await findManaged(deps.containment, await managerOf(caller, record), id);
    const cursor = openCursor(deps.cursors, `receipts:${id}`, query.cursor);
    const page = await receiptsOf(deps.containment, found, cursor, query.limit);
    return {
      items: page.items.map(({ grant, server, kind, outcome, why, attempts, since, at }) => ({
        grant,
        server,
        kind,
        outcome,
        why,
        attempts,
        ordered_at: rfc3339(since),
        at: rfc3339(at),
      })),
      next: page.next === undefined ? null : deps.cursors.seal(`receipts:${id} ${page.next}`),
    };
  },
});

const reauthorization = z
  .object({
    grant: z.string(),
    server: z.string(),
    state: z.enum(["needed", "authorized_again"]),
    owner: z.object({ customer_id: z.string(), user_id: z.string() }),
    used_by: z.array(
      z.object({
        type: z.enum(["user", "library"]),
        client: z.string().nullable(),
        subject: z.string().nullable().meta({ description: "Null: another client's user." }),
        library: z.string().nullable(),
        start: z.string().meta({
          description:
            "Where it begins: for a user `POST /v1/connect-sessions` with this server and subject, for a library the page of its admins.",
        }),
      }),
    ),
  })
  .meta({ id: "Reauthorization" });

export const getContainmentReauthorizations = route({
  method: "get",
  path: "/v1/containments/{id}/reauthorizations",
  operationId: "listContainmentReauthorizations",
  summary: "Who has to authorise again, and who has",
  params,
  query: z.strictObject(pageQuery),
  answer: {
    status: 200,
    description:
      "A page, in the order in which they were found; as `text/csv` the same in rows. It may be shorter than `limit` where there is a next one.",
    schema: pageOf(reauthorization),
    others: ["text/csv"],
  },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, record, params: { id }, query, prefers }) {
    const who = await managerOf(caller, record);
    const found = await findManaged(deps.containment, who, id);
    const cursor = openCursor(deps.cursors, `reauthorizations:${id}`, query.cursor);
    const page = await reauthorizations(deps.containment, found, cursor, query.limit);
    const base = deps.settings.publicBaseUrl;
    const next = page.next === undefined ? null : deps.cursors.seal(`reauthorizations:${id} ${page.next}`);
    const seenBy = mayOperate(who.record) ? undefined : who.record.id;
    if (prefers("application/json", "text/csv") === "text/csv") {
      const csv = csvOfReauthorizations(page.items, { base, seenBy, masked: false });
      return new Content("text/csv; charset=utf-8", csv, next === null ? {} : { "X-Next-Cursor": next });
    }
    return { items: page.items.map((item) => reauthorizationBody(item, base, seenBy)), next };
  },
});

function reauthorizationBody(
  { grant, bindings, state }: Reauthorization,
  base: string,
  seenBy: ClientId | undefined,
) {
  return {
    grant: grant.id,
    server: grant.server,
    state,
    owner: { customer_id: grant.owner.customerId, user_id: grant.owner.userId },
    used_by: bindings.map((one) =>
      one.type === "library"
        ? {
            type: one.type,
            client: null,
            subject: null,
            library: one.library,
            start: `${base}/servers/${grant.server}/libraries`,
          }
        : {
            type: one.type,
            client: one.client,
            subject: seenBy === undefined || seenBy === one.client ? one.subject.id : null,
            library: null,
            start: "/v1/connect-sessions",
          },
    ),
  };
}

const managerOf = async ({ address }: Caller, record: () => Promise<Client>): Promise<Manager> => ({
  record: await record(),
  address,
});

function openCursor(cursors: Cursors, list: string, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const opened = cursors.open(cursor);
  if (opened === undefined || !opened.startsWith(`${list} `)) {
    throw new Problem("invalid_request", {
      faults: [{ field: "cursor", message: "is none that this list gave" }],
    });
  }
  return opened.slice(list.length + 1);
}
