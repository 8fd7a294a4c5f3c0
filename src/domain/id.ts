import type { Instant } from "./instant.ts";

/**
 * Ids are `<type>_<route><UUIDv7>`, both parts in lower-case Crockford base 32. The route (10 characters, 50 random
 * bits) names the organisation, so that any id says in which shard its record lives without a look-up. What belongs to
 * no organisation (clients, shared registrations, a client's containment everywhere) has no route. An id is a name, never a permission: secret handles are
 * made by `security/`.
 */
export type OrganisationId = `org_${string}`;
export type ServerId = `srv_${string}`;
export type RegistrationId = `reg_${string}`;
export type GrantId = `grt_${string}`;
export type ClientId = `cli_${string}`;
export type ConnectSessionId = `cns_${string}`;
export type SyncId = `syn_${string}`;
export type PortalSessionId = `pts_${string}`;
export type ContainmentId = `ctn_${string}`;
export type EventId = `evt_${string}`;
export type SubscriptionId = `sub_${string}`;

type IdByType = {
  org: OrganisationId;
  srv: ServerId;
  reg: RegistrationId;
  grt: GrantId;
  cli: ClientId;
  cns: ConnectSessionId;
  syn: SyncId;
  pts: PortalSessionId;
  ctn: ContainmentId;
  evt: EventId;
  sub: SubscriptionId;
};
export type IdType = keyof IdByType;

/** The part of an id that names its organisation, and its shard: `{o:<route>}`. */
export type Route = string & { readonly route: unique symbol };

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const ROUTE_LENGTH = 10;
const UUID_LENGTH = 26;
const SHAPE = /^([a-z]{3})_([0-9a-hjkmnp-tv-z]+)$/;

/** A fresh route from at least 7 random bytes (50 bits are used). */
export function makeRoute(random: Uint8Array): Route {
  return base32(random).slice(0, ROUTE_LENGTH) as Route;
}

export function organisationId(route: Route): OrganisationId {
  return `org_${route}`;
}

/**
 * An id of `type` for the organisation at `route` (undefined: of no organisation).
 * @param random 16 random bytes; 74 of their bits are kept, as RFC 9562 §5.7 lays a UUIDv7 out.
 */
export function makeId<T extends Exclude<IdType, "org">>(
  type: T,
  route: Route | undefined,
  now: Instant,
  random: Uint8Array,
): IdByType[T] {
  return `${type}_${route ?? ""}${base32(uuidV7(now, random))}` as IdByType[T];
}

/** `text` as an id of `type`, or undefined where it has another shape. */
export function parseId<T extends IdType>(type: T, text: string): IdByType[T] | undefined {
  const match = SHAPE.exec(text);
  if (match?.[1] !== type) return undefined;
  const length = match[2]!.length;
  const fits =
    type === "org"
      ? length === ROUTE_LENGTH
      : type === "cli"
        ? length === UUID_LENGTH
        : length === ROUTE_LENGTH + UUID_LENGTH ||
          ((type === "reg" || type === "ctn") && length === UUID_LENGTH);
  return fits ? (text as IdByType[T]) : undefined;
}

/** The part of a containment of every organisation that is at work in one of them: found without a look-up. */
export const containmentIn = (id: ContainmentId, route: Route): ContainmentId =>
  `ctn_${route}${id.slice(-UUID_LENGTH)}`;

/** The route inside an id of an organisation, or undefined where it belongs to none. */
export function findRoute(id: string): Route | undefined {
  const body = id.slice(id.indexOf("_") + 1);
  return body.length === UUID_LENGTH ? undefined : (body.slice(0, ROUTE_LENGTH) as Route);
}

/** The route inside an id that is known to belong to an organisation. */
export function routeOf(
  id:
    | OrganisationId
    | ServerId
    | GrantId
    | ConnectSessionId
    | SyncId
    | PortalSessionId
    | EventId
    | SubscriptionId,
): Route {
  return findRoute(id) as Route;
}

export const isRoute = (text: string): text is Route =>
  text.length === ROUTE_LENGTH && /^[0-9a-hjkmnp-tv-z]+$/.test(text);

export const organisationOf = (
  id: ServerId | GrantId | ConnectSessionId | SyncId | EventId | SubscriptionId,
): OrganisationId => organisationId(routeOf(id));

/** Which event of its organisation's log it is: its number there, and when it happened. */
export interface EventPosition {
  readonly number: number;
  readonly at: Instant;
}

/**
 * Made of what the log has, and so the same whenever it is read, without being stored. Where a log lost its end and has other
 * events under the same numbers, their times differ, and so do their ids.
 */
export function eventId(organisation: OrganisationId, { number, at }: EventPosition): EventId {
  const bytes = new Uint8Array(16);
  for (let i = 15, rest = number; i > 8; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  return makeId("evt", routeOf(organisation), at, bytes);
}

/** Undefined: no id that {@link eventId} would make. */
export function eventPosition(id: EventId): EventPosition | undefined {
  const bytes = fromBase32(id.slice(-UUID_LENGTH));
  const whole = (from: number, to: number) =>
    bytes.slice(from, to).reduce((sum, byte) => sum * 256 + byte, 0);
  const position = { number: whole(9, 16), at: whole(0, 6) };
  const organisation = organisationId(routeOf(id));
  return Number.isSafeInteger(position.number) && eventId(organisation, position) === id
    ? position
    : undefined;
}

function uuidV7(now: Instant, random: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(random.subarray(0, 16));
  if (bytes.length < 16) throw new RangeError("16 random bytes are needed");
  for (let i = 5, rest = now; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return bytes;
}

function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >>> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + ALPHABET[(held << (5 - bits)) & 31] : text;
}

function fromBase32(text: string): readonly number[] {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of text) {
    held = ((held << 5) | ALPHABET.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >>> bits) & 255);
    }
  }
  return bytes;
}
