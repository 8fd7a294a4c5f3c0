import { nothingMet, type PassCount } from "../../domain/data-key-rotation.ts";
import type { ServerId } from "../../domain/id.ts";
import { organisationOf } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import { dataKeyOf, type SealContext, type Sealed } from "../../domain/sealed.ts";
import type { Server } from "../../domain/server.ts";
import type { ConfigurationStore } from "../organisations/ports.ts";
import type { AuditNote, Sealer } from "../ports.ts";
import {
  accessTokenContext,
  changeContext,
  clientSecretContext,
  refreshTokenContext,
  webhookSecretContext,
} from "../seal-contexts.ts";
import type { SealedPlace, SealedStore, SealedSubscriptions } from "./ports.ts";

export interface ResealPorts {
  readonly sealer: Pick<Sealer, "seal" | "open">;
  readonly sealed: SealedStore;
  readonly subscriptions: SealedSubscriptions;
  readonly servers: Pick<ConfigurationStore, "findServer" | "findRegistration" | "putRegistration">;
}

const CHANGES_AT_ONCE = 250;
/** How often a sync may have told more while its changes were copied; the next pass goes on. */
const COPY_TRIES = 3;

/** Seals anew, with the data key `to`, what lies in these places, side by side. */
export async function resealPlaces(
  ports: ResealPorts,
  places: readonly SealedPlace[],
  to: string,
): Promise<PassCount> {
  const servers = new Map<ServerId, Promise<Server | undefined>>();
  const one = new Resealer(ports, to, (id) => {
    const known = servers.get(id) ?? ports.servers.findServer(id);
    servers.set(id, known);
    return known;
  });
  return (await Promise.all(places.map((place) => one.reseal(place)))).reduce(addCounts, nothingMet);
}

export const addCounts = (a: PassCount, b: PassCount): PassCount => ({
  resealed: a.resealed + b.resealed,
  fleeting: a.fleeting + b.fleeting,
  later: a.later + b.later,
  unreadable: a.unreadable + b.unreadable,
  unknown: a.unknown + b.unknown,
  example: a.example ?? b.example,
});

const count = (of: Partial<PassCount>): PassCount => ({ ...nothingMet, ...of });

class Resealer {
  readonly #ports: ResealPorts;
  readonly #to: string;
  readonly #server: (id: ServerId) => Promise<Server | undefined>;

  constructor(ports: ResealPorts, to: string, server: (id: ServerId) => Promise<Server | undefined>) {
    this.#ports = ports;
    this.#to = to;
    this.#server = server;
  }

  async reseal(place: SealedPlace): Promise<PassCount> {
    switch (place.kind) {
      case "grant":
        return this.#grant(place);
      case "revocation":
        return this.#revocation(place);
      case "registration":
        return this.#registration(place.registration);
      case "subscription":
        return this.#subscription(place.subscription);
      case "changes":
        return this.#changes(place);
      case "fleeting":
        return count({ fleeting: 1 });
      case "unknown":
        return count({ unknown: 1, example: place.key });
    }
  }

  async #grant(place: SealedPlace & { kind: "grant" }): Promise<PassCount> {
    const server = await this.#server(place.server);
    const texts: (readonly [before: Sealed, after: Sealed])[] = [];
    for (const { kind, attempt, sealed } of place.texts) {
      const of = server && {
        grant: place.grant,
        server,
        consentGeneration: place.consentGeneration,
        attempt,
      };
      const context = of && (kind === "refresh-token" ? refreshTokenContext(of) : accessTokenContext(of));
      const after = context && (await this.#anew(sealed, context));
      if (after !== undefined) texts.push([sealed, after]);
    }
    const unreadable = place.texts.length - texts.length;
    const replaced = texts.length === 0 ? 0 : await this.#ports.sealed.replaceInGrant(place.grant, texts);
    return count({
      ...(replaced === "fresh" ? { later: texts.length } : { resealed: texts.length }),
      ...(unreadable > 0 && { unreadable, example: place.grant }),
    });
  }

  async #revocation(place: SealedPlace & { kind: "revocation" }): Promise<PassCount> {
    const { grant, consentGeneration, attempt, sealed } = place;
    const server = await this.#server(place.server);
    const of = server && { grant, server, consentGeneration, attempt };
    const context =
      of && (place.token === "refresh-token" ? refreshTokenContext(of) : accessTokenContext(of));
    const after = context && (await this.#anew(sealed, context));
    if (after === undefined) return count({ unreadable: 1, example: grant });
    const replaced = await this.#ports.sealed.replaceRevocation(organisationOf(grant), place, after);
    return count(replaced ? { resealed: 1 } : { later: 1 });
  }

  async #registration(id: (SealedPlace & { kind: "registration" })["registration"]): Promise<PassCount> {
    const registration = await this.#ports.servers.findRegistration(id);
    if (registration === undefined) return count({ later: 1 });
    const { servers } = this.#ports;
    return this.#secrets(id, registration.secrets, clientSecretContext(registration), (secrets) =>
      servers.putRegistration(
        { ...registration, secrets },
        { before: registration, fields: ["data key"], note: BY_WORKER },
      ),
    );
  }

  async #subscription(id: (SealedPlace & { kind: "subscription" })["subscription"]): Promise<PassCount> {
    const { subscriptions } = this.#ports;
    const before = await subscriptions.find(id);
    if (before === undefined) return count({ later: 1 });
    return this.#secrets(id, before.secrets, webhookSecretContext(before), (secrets) =>
      subscriptions.put({ ...before, secrets }, { before, fields: ["data key"], note: BY_WORKER }),
    );
  }

  /** Of a record: all of them, as an operator's change. */
  async #secrets<S extends { readonly sealed: Sealed }>(
    example: string,
    stored: readonly S[],
    context: SealContext,
    put: (secrets: readonly S[]) => Promise<void>,
  ): Promise<PassCount> {
    const secrets: S[] = [];
    let resealed = 0;
    for (const secret of stored) {
      const old = dataKeyOf(secret.sealed) !== this.#to;
      const after = old ? await this.#anew(secret.sealed, context) : undefined;
      if (old && after === undefined) return count({ unreadable: 1, example });
      secrets.push(after === undefined ? secret : { ...secret, sealed: after });
      if (after !== undefined) resealed += 1;
    }
    try {
      await put(secrets);
    } catch (error) {
      // Somebody changes it at this moment: what he stores was read before, so the next pass comes to it.
      if (!(error instanceof Problem) || error.code !== "configuration_conflict") throw error;
      return count({ later: resealed });
    }
    return count({ resealed });
  }

  /** By a copy: what is in the middle of a stream cannot be replaced. */
  async #changes({ sync, server: id }: SealedPlace & { kind: "changes" }): Promise<PassCount> {
    const { sealed } = this.#ports;
    const server = id && (await this.#server(id));
    // The sync is gone: so is what is left of the copy.
    if (server === undefined) {
      const gone = await sealed.takeCopy(sync, this.#to);
      return count(gone ? {} : { unreadable: 1, example: sync });
    }
    let [resealed, unreadable] = [0, 0];
    for (let tries = 0; tries < COPY_TRIES; ) {
      const changes = await sealed.changesToCopy(sync, this.#to, CHANGES_AT_ONCE);
      if (changes.length > 0) {
        const copied = await Promise.all(
          changes.map(async (change) => {
            if (dataKeyOf(change.sealed) === this.#to) return change;
            const page = Number(change.id.slice(0, change.id.indexOf("-")));
            const after = await this.#anew(change.sealed, changeContext(server, sync, page));
            if (after === undefined) unreadable += 1;
            else resealed += 1;
            return { ...change, sealed: after ?? change.sealed };
          }),
        );
        await sealed.copyChanges(sync, this.#to, copied);
      } else if (await sealed.takeCopy(sync, this.#to)) {
        return count({ resealed, ...(unreadable > 0 && { unreadable, example: sync }) });
      } else tries += 1;
    }
    return count({ later: 1 });
  }

  /** Undefined: it does not open where it lies. */
  async #anew(sealed: Sealed, context: SealContext): Promise<Sealed | undefined> {
    try {
      return await this.#ports.sealer.seal(await this.#ports.sealer.open(sealed, context), context);
    } catch (error) {
      if (error instanceof Problem && error.code === "integrity_failure") return undefined;
      throw error;
    }
  }
}

export const BY_WORKER: AuditNote = { actor: "worker", requestId: "data-key-rotation" };
