import { type Grant, sameUpstreamUser } from "./grant.ts";
import {
  type ClientId,
  type ContainmentId,
  type GrantId,
  type OrganisationId,
  organisationOf,
  type ServerId,
} from "./id.ts";
import { type Instant, rfc3339 } from "./instant.ts";
import { CLIENT_ISSUER, sameUser, type UserSubject } from "./subject.ts";

/**
 * What tokens are stopped for. `consents` and `tokens` are windows of time: authorizations that people gave in it, and those
 * of which tokens were handed out in it, as the audit tells. Whoever authorises again after the window is outside it.
 */
export type ContainmentTarget =
  | { readonly kind: "organisation"; readonly organisation: OrganisationId }
  /** Without an organisation: everywhere. */
  | {
      readonly kind: "client";
      readonly client: ClientId;
      readonly organisation?: OrganisationId;
      readonly server?: ServerId;
    }
  | { readonly kind: "server"; readonly server: ServerId }
  | { readonly kind: "user"; readonly server: ServerId; readonly user: UserName }
  | {
      readonly kind: "subject";
      readonly server: ServerId;
      readonly client: ClientId;
      readonly subject: UserSubject;
    }
  | { readonly kind: "library"; readonly server: ServerId; readonly library: string }
  | { readonly kind: "grant"; readonly grant: GrantId }
  | ({ readonly kind: "consents" } & ContainmentWindow)
  | ({ readonly kind: "tokens" } & ContainmentWindow);

/** iManage's names of a user. */
export interface UserName {
  readonly customerId: string;
  readonly userId: string;
}

export interface ContainmentWindow {
  readonly organisation: OrganisationId;
  readonly from: Instant;
  readonly to: Instant;
  readonly client?: ClientId;
  readonly server?: ServerId;
}

/** `stop`: tokens stop at once, grants stay. `revoke`: that, and iManage is told to revoke every token of each grant. */
export type ContainmentEffect = "stop" | "revoke";

export interface Containment {
  readonly v: 1;
  readonly id: ContainmentId;
  readonly target: ContainmentTarget;
  readonly effect: ContainmentEffect;
  /** In the words of who did it. */
  readonly reason: string;
  /** As the audit names him. */
  readonly by: string;
  readonly since: Instant;
  readonly lifted?: { readonly at: Instant; readonly by: string; readonly reason: string };
}

/** Undefined: of every organisation. */
export function organisationContained(target: ContainmentTarget): OrganisationId | undefined {
  switch (target.kind) {
    case "organisation":
    case "consents":
    case "tokens":
      return target.organisation;
    case "client":
      return target.organisation;
    case "grant":
      return organisationOf(target.grant);
    default:
      return organisationOf(target.server);
  }
}

/** Which server a target is limited to; undefined: not to one. A grant's own server only its record knows. */
export const serverContained = (target: ContainmentTarget): ServerId | undefined =>
  "server" in target ? target.server : undefined;

/** Who uses a grant, as far as a containment asks. */
export interface GrantUses {
  readonly bindings: readonly (
    | { readonly type: "user"; readonly client: ClientId; readonly subject: UserSubject }
    | { readonly type: "library"; readonly library: string }
  )[];
  /** Clients that got tokens for one of its libraries. */
  readonly libraryClients: readonly ClientId[];
}

/**
 * Whether a grant is among those that a target means: whose tokens are counted, and revoked. Of a window of tokens that is for
 * the audit to tell.
 */
export function concerns(
  target: Exclude<ContainmentTarget, { kind: "tokens" }>,
  grant: Pick<Grant, "id" | "server" | "owner" | "consentedAt">,
  uses: GrantUses,
): boolean {
  const at = (server: ServerId | undefined) => server === undefined || server === grant.server;
  switch (target.kind) {
    case "organisation":
      return true;
    case "server":
      return at(target.server);
    case "client":
      return at(target.server) && usedBy(uses, target.client);
    case "user":
      return at(target.server) && sameUpstreamUser(named(target.user), grant.owner);
    case "subject":
      return at(target.server) && uses.bindings.some((one) => isOf(one, target));
    case "library":
      return (
        at(target.server) &&
        uses.bindings.some((one) => one.type === "library" && one.library === target.library)
      );
    case "grant":
      return target.grant === grant.id;
    case "consents":
      return (
        at(target.server) &&
        target.from <= grant.consentedAt &&
        grant.consentedAt <= target.to &&
        (target.client === undefined || usedBy(uses, target.client))
      );
  }
}

const isOf = (
  one: GrantUses["bindings"][number],
  { client, subject }: { readonly client: ClientId; readonly subject: UserSubject },
): boolean => one.type === "user" && one.client === client && sameUser(one.subject, subject);

const named = (user: UserName) => ({ ...user, name: undefined, email: undefined });

export const usedBy = ({ bindings, libraryClients }: GrantUses, client: ClientId): boolean =>
  libraryClients.includes(client) || bindings.some((one) => one.type === "user" && one.client === client);

/** What a target is, in a sentence for who looks; `name` turns an id into what people call it. */
export function targetInWords(
  target: ContainmentTarget,
  name: (id: string) => string = (id) => id,
  person: (name: string) => string = (text) => text,
): string {
  const of = (server: ServerId | undefined) => (server === undefined ? "" : ` at ${name(server)}`);
  switch (target.kind) {
    case "organisation":
      return `everything of ${name(target.organisation)}`;
    case "client": {
      const where = target.organisation === undefined ? " everywhere" : ` in ${name(target.organisation)}`;
      return `the application ${name(target.client)}${target.server === undefined ? where : of(target.server)}`;
    }
    case "server":
      return `the server ${name(target.server)}`;
    case "user":
      return `the iManage user ${person(target.user.userId)}${of(target.server)}`;
    case "subject": {
      const { issuer, id } = target.subject;
      const by = issuer === CLIENT_ISSUER ? "" : ` (${issuer})`;
      return `the user ${person(id)}${by} of ${name(target.client)}${of(target.server)}`;
    }
    case "library":
      return `the library ${target.library}${of(target.server)}`;
    case "grant":
      return `the authorization ${target.grant}`;
    case "consents":
    case "tokens": {
      const what =
        target.kind === "consents"
          ? `authorizations given from ${rfc3339(target.from)} to ${rfc3339(target.to)}${target.client === undefined ? "" : ` and used by ${name(target.client)}`}`
          : `authorizations of which tokens were handed out${target.client === undefined ? "" : ` to ${name(target.client)}`} from ${rfc3339(target.from)} to ${rfc3339(target.to)}`;
      return `${what}, in ${name(target.organisation)}${of(target.server)}`;
    }
  }
}

/** Only its person's sign-in brings it back. */
export const needsItsPerson = ({ state }: Pick<Grant, "state">): boolean =>
  state === "revoked" || state === "reauthorization_required";

/** What stopping tokens does not reach, for whoever decides. */
export const HANDED_OUT_LIVES =
  "Tokens that were handed out before live at iManage until they have been idle for as long as it allows, whatever is stopped here. Only revoking ends them.";

/** How far a containment's work has come. */
export interface ContainmentProgress {
  /** All grants it concerns have been found. */
  readonly counted: boolean;
  readonly grants: number;
  readonly clients: number;
  readonly users: number;
  readonly libraries: number;
  /** Tokens to revoke at iManage, altogether. */
  readonly tokens: number;
  readonly revoked: number;
  /** iManage knew the token no more. */
  readonly alreadyDead: number;
  /** Refused at least once and tried again. */
  readonly refused: number;
  readonly givenUp: number;
}

export const tokensToDo = ({ tokens, revoked, alreadyDead, givenUp }: ContainmentProgress): number =>
  Math.max(0, tokens - revoked - alreadyDead - givenUp);

export const isFinished = (progress: ContainmentProgress): boolean =>
  progress.counted && tokensToDo(progress) === 0;

/** Of several organisations together. Whoever is at two firms is two users. */
export function addProgress(parts: readonly ContainmentProgress[]): ContainmentProgress {
  const sum = (field: Exclude<keyof ContainmentProgress, "counted">) =>
    parts.reduce((total, part) => total + part[field], 0);
  return {
    counted: parts.every(({ counted }) => counted),
    grants: sum("grants"),
    clients: parts.reduce((most, { clients }) => Math.max(most, clients), 0),
    users: sum("users"),
    libraries: sum("libraries"),
    tokens: sum("tokens"),
    revoked: sum("revoked"),
    alreadyDead: sum("alreadyDead"),
    refused: sum("refused"),
    givenUp: sum("givenUp"),
  };
}
