import { type ClosedServerTold, describeClosedServer } from "../../domain/closed-server.ts";
import type { Diagnosis } from "../../domain/diagnosis.ts";
import type { ServerId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import type { Registration } from "../../domain/registration.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server, ServerKind } from "../../domain/server.ts";
import type { ChangeOptions } from "../organisations/apply-configuration.ts";
import { type AuthoritiesChange, changeAuthorities } from "../organisations/change-authorities.ts";
import { changeClientSecret } from "../organisations/change-client-secret.ts";
import {
  type ChangeOutcome,
  changeOrganisation,
  changeServer,
  type ToldOrganisation,
} from "../organisations/change-organisation.ts";
import { listUsableRegistrations } from "../organisations/usable-registrations.ts";
import type { AuditNote } from "../ports.ts";
import type { PortalPorts } from "./ports.ts";
import type { SettingsVisitor } from "./settings-visitor.ts";

/** A server as an organisation admin sees it. */
export interface ServerView {
  readonly server: Server;
  readonly registration: Registration | undefined;
  /** The operator's, for many firms: its fields are in no firm's Control Center, and not to be changed here. */
  readonly shared: boolean;
  /** Why nothing is sent to it now. */
  readonly closed: ClosedServerTold | undefined;
  /** The last time somebody had it looked at, and what was found. */
  readonly diagnosis: Diagnosis | undefined;
}

/** Every server of his firm that the client's policy names. */
export async function listServerViews(
  ports: PortalPorts,
  visitor: SettingsVisitor,
): Promise<readonly ServerView[]> {
  const servers = await ports.organisations.listServers(visitor.firm.id);
  return Promise.all(servers.filter(({ id }) => isNamed(visitor, id)).map((server) => viewOf(ports, server)));
}

export async function findServerView(
  ports: PortalPorts,
  visitor: SettingsVisitor,
  id: ServerId,
): Promise<ServerView | undefined> {
  const server = isNamed(visitor, id) ? await ports.servers.findServer(id) : undefined;
  return server?.organisation === visitor.firm.id ? viewOf(ports, server) : undefined;
}

const isNamed = ({ servers }: SettingsVisitor, id: ServerId): boolean => servers?.includes(id) ?? true;

async function viewOf(ports: PortalPorts, server: Server): Promise<ServerView> {
  const registration = await ports.servers.findRegistration(server.registration);
  const closed = await ports.gates.findClosedGate(server.id);
  const { last } = await ports.diagnoses.findDiagnoses(server.id);
  return {
    server,
    registration,
    shared: registration?.organisation === undefined,
    closed: closed && describeClosedServer(closed, ports.clock.now()),
    diagnosis: last,
  };
}

interface VisitorOptions {
  readonly dryRun: boolean;
  readonly note: Omit<AuditNote, "actor">;
}

/** @throws Problem not_allowed: whoever may only look was shown no form */
function by({ actor, mayChange }: SettingsVisitor, { dryRun, note }: VisitorOptions): ChangeOptions {
  if (!mayChange) throw new Problem("not_allowed");
  return { dryRun, note: { ...note, actor } };
}

/** Whose the integration is, or that it is switched off. Everything else of the organisation stays. */
export async function changeAccess(
  ports: PortalPorts,
  visitor: SettingsVisitor,
  told: Pick<ToldOrganisation, "enabled" | "members">,
  options: VisitorOptions,
): Promise<ChangeOutcome> {
  return changeOrganisation(ports.configuration, visitor.firm.id, told, by(visitor, options));
}

/** A client that may work with some servers only would not see the new one. */
export const mayAddServer = ({ mayChange, servers }: SettingsVisitor): boolean =>
  mayChange && servers === undefined;

/** The default configurations that he may choose from. Whoever runs the broker knows every firm. */
export const listDefaultConfigurations = (
  { configuration }: PortalPorts,
  { firm, client }: SettingsVisitor,
): Promise<readonly Registration[]> =>
  client === undefined
    ? configuration.store.listSharedRegistrations()
    : listUsableRegistrations(configuration, firm.id);

/** A server in the words of a configuration file, as far as a page asks for it. */
export interface ToldServer {
  readonly kind: ServerKind;
  readonly registration: { readonly shared?: string; readonly client_id?: string };
  readonly display_name?: string;
  readonly address?: string;
  readonly customer_id?: string;
}

/**
 * Its client secret comes later: Control Center shows it once the redirect URI is entered, which holds the registration's
 * id. Where a default configuration is chosen, its address is the server's.
 * @throws Problem not_allowed | invalid_request, with the faults by field
 */
export async function addServer(
  ports: PortalPorts,
  visitor: SettingsVisitor,
  name: string,
  told: ToldServer,
  options: VisitorOptions,
): Promise<ChangeOutcome> {
  if (!mayAddServer(visitor)) throw new Problem("not_allowed");
  const { configuration } = ports;
  // Told again, a server that is there would be changed.
  if ((await configuration.store.findServerByName(visitor.firm.id, name)) !== undefined)
    throw faultAt("name", "is the name of another server here");
  const { shared } = told.registration;
  const offered = shared === undefined ? [] : await listDefaultConfigurations(ports, visitor);
  const chosen = offered.find((each) => each.name === shared);
  if (shared !== undefined && chosen === undefined)
    throw faultAt("registration.shared", "is none that this organisation may choose");
  const address = told.address ?? chosen?.tokenOrigin;
  const wanted = { told: { ...told, ...(address !== undefined && { address }) }, clientSecret: undefined };
  return changeServer(configuration, visitor.firm.id, name, wanted, by(visitor, options));
}

const faultAt = (field: string, message: string): Problem =>
  new Problem("invalid_request", { faults: [{ field, message }] });

/** @throws Problem not_allowed | not_found for a shared registration, whose secret is the operator's */
export async function enterClientSecret(
  ports: PortalPorts,
  visitor: SettingsVisitor,
  { server }: ServerView,
  { secret, expiresAt }: { readonly secret: Secret; readonly expiresAt: Instant | undefined },
  note: VisitorOptions["note"],
): Promise<ChangeOutcome> {
  const options = by(visitor, { dryRun: false, note });
  return changeClientSecret(ports.configuration, server, secret, expiresAt, options);
}

/**
 * Only a firm's own server has a certificate of the firm's own; and where others are trusted, they can be taken away. On a
 * shared registration it is for the operator to say, whose client secret goes there.
 */
export const hasOwnAuthorities = ({ server, shared }: ServerView): boolean =>
  !shared && (server.kind === "on-premises" || server.trustedCertificates !== undefined);

/** @throws Problem not_allowed | not_found | invalid_request, with the reader's fault */
export async function changeServerAuthorities(
  ports: PortalPorts,
  visitor: SettingsVisitor,
  view: ServerView,
  change: AuthoritiesChange,
  options: VisitorOptions,
): Promise<ChangeOutcome> {
  if (!hasOwnAuthorities(view)) throw new Problem("not_found");
  return changeAuthorities(ports.configuration, view.server, change, by(visitor, options));
}
