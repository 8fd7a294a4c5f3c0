import { z } from "zod";
import { allow } from "../broker/clients/policies.ts";
import type { Caller } from "../broker/clients/ports.ts";
import {
  packageFor,
  type RegistrationHelpPorts,
  sheetFor,
} from "../broker/organisations/registration-help.ts";
import { PACKAGE_KINDS } from "../broker/organisations/registration-package.ts";
import { renderRegistrationSheet, sheetAsJson } from "../broker/organisations/render-registration-sheet.ts";
import { organisationOf, type ServerId } from "../domain/id.ts";
import { Problem } from "../domain/problem.ts";
import type { Server } from "../domain/server.ts";
import type { HttpDeps } from "./deps.ts";
import { Content, route } from "./route.ts";
import { serverId } from "./schemas.ts";

/** Both need what changes a server needs: they are for the one who sets it up. */
async function findForSetUp(deps: HttpDeps, caller: Caller, id: ServerId): Promise<Server> {
  await allow(deps.grants, caller, organisationOf(id), { action: "configure", server: id });
  const server = await deps.configuration.store.findServer(id);
  if (server === undefined) throw new Problem("not_found");
  return server;
}

const portsOf = ({ configuration, packages, settings }: HttpDeps): RegistrationHelpPorts => ({
  store: configuration.store,
  packages,
  names: settings,
});

const field = z.object({
  field: z.string(),
  value: z.string().meta({ description: "Letter by letter." }),
  note: z.string().optional(),
});

const MARKDOWN = "text/markdown";

export const getServerRegistration = route({
  method: "get",
  path: "/v1/servers/{id}/registration",
  operationId: "getServerRegistration",
  summary: "The values for every field of Control Center › Applications",
  description: "With `Accept: text/markdown` the same as a page for the firm's admin. Needs `configure`.",
  params: z.strictObject({ id: serverId }),
  answer: {
    status: 200,
    description: "The sheet. It holds no secret: Control Center makes the client's.",
    schema: z
      .object({
        title: z.string(),
        where: z.string(),
        tabs: z
          .array(z.object({ tab: z.string(), fields: z.array(field) }))
          .meta({ description: "Control Center's four tabs, in their order, with every field." }),
        extensions: z.array(field).meta({
          description: "The link that is listed under Extensions, and the packages that do it.",
        }),
        older_servers: z
          .object({ when: z.string(), fields: z.array(field) })
          .nullable()
          .meta({ description: "The call that stands for a switch older servers do not have." }),
        notes: z.array(z.string()),
      })
      .meta({ id: "RegistrationSheet" }),
    others: [MARKDOWN],
  },
  problems: ["not_found", "not_allowed"],
  async handle({ deps, caller, params: { id }, prefers }) {
    const sheet = await sheetFor(portsOf(deps), await findForSetUp(deps, caller, id));
    if (prefers("application/json", MARKDOWN) === MARKDOWN) {
      return new Content(`${MARKDOWN}; charset=utf-8`, renderRegistrationSheet(sheet, "markdown"));
    }
    return sheetAsJson(sheet);
  },
});

export const getServerPackage = route({
  method: "get",
  path: "/v1/servers/{id}/package",
  operationId: "getServerPackage",
  summary: "An upload package for Control Center",
  description:
    "A zip with `manifest.yaml` at its root, from the operator's template: the Control Center extension lists *Background service authorization* under Extensions, the Work extension makes the application known to iManage Work. The same server gives the same bytes until something about it changes. Needs `configure`.",
  params: z.strictObject({ id: serverId }),
  query: z.strictObject({ kind: z.enum(PACKAGE_KINDS) }),
  answer: { status: 200, description: "The package.", others: ["application/zip"] },
  problems: ["not_found", "not_allowed", "package_template_faulty"],
  async handle({ deps, caller, params: { id }, query: { kind } }) {
    const server = await findForSetUp(deps, caller, id);
    const { fileName, bytes } = await packageFor(portsOf(deps), server, kind);
    return new Content("application/zip", bytes, {
      "Content-Disposition": `attachment; filename="${fileName}"`,
    });
  },
});
