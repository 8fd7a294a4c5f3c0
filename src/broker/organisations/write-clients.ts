import type { Client, ClientSecret } from "../../domain/client.ts";
import { type ClientId, makeId } from "../../domain/id.ts";
import type { Instant } from "../../domain/instant.ts";
import type { Policy } from "../../domain/policy.ts";
import type { Secret } from "../../domain/secret.ts";
import type { ClientConfigurationStore, ClientSecrets } from "../clients/ports.ts";
import type { AuditNote, Clock, Random } from "../ports.ts";
import type { ClientStep, PolicyStep, SecretStanding } from "./plan.ts";
import type { ReadSecrets } from "./read-secrets.ts";
import { follows, known, type WrittenIds } from "./written-ids.ts";

export interface ClientWriterPorts {
  readonly store: Pick<ClientConfigurationStore, "putClient" | "putPolicy">;
  readonly clientSecrets: ClientSecrets;
  readonly clock: Clock;
  readonly random: Random;
}

/** Carries out what a plan says of clients and policies. What policies refer to is written by then. */
export class ClientWriter {
  readonly newSecrets: { client: string; id: ClientId; secret: Secret }[] = [];
  readonly #ports: ClientWriterPorts;
  readonly #given: ReadSecrets["clients"];
  readonly #ids: WrittenIds;
  readonly #note: AuditNote;

  constructor(ports: ClientWriterPorts, given: ReadSecrets["clients"], ids: WrittenIds, note: AuditNote) {
    this.#ports = ports;
    this.#given = given;
    this.#ids = ids;
    this.#note = note;
  }

  async putClient(step: ClientStep): Promise<void> {
    const { store, clock, random, clientSecrets } = this.#ports;
    const { desired, stored } = step;
    const given = this.#given.get(desired.name);
    const made = stored === undefined && given === undefined ? clientSecrets.make() : undefined;
    const client: Client = {
      v: 1,
      id: stored?.id ?? makeId("cli", undefined, clock.now(), random.bytes(16)),
      name: desired.name,
      displayName: desired.displayName,
      secrets: this.#clientSecretsOf(stored?.secrets ?? [], made ?? given?.secret, given?.standing ?? "new"),
      returnUrls: desired.returnUrls,
      state: desired.state,
      generation: (stored?.generation ?? 0) + (step.raises || stored === undefined ? 1 : 0),
      createdAt: stored?.createdAt ?? clock.now(),
    };
    await store.putClient(client, follows(step, this.#note));
    this.#ids.clients.set(client.name, client.id);
    if (made !== undefined) this.newSecrets.push({ client: client.name, id: client.id, secret: made });
  }

  #clientSecretsOf(
    kept: readonly ClientSecret[],
    secret: Secret | undefined,
    standing: SecretStanding,
  ): readonly ClientSecret[] {
    if (secret === undefined) return kept;
    return standing === "new"
      ? withNewSecret(kept, this.#ports.clientSecrets.hmac(secret), this.#ports.clock.now())
      : standing === "earlier"
        ? [...kept].reverse()
        : kept;
  }

  async putPolicy(step: PolicyStep): Promise<void> {
    const { client, desired } = step;
    const policy: Policy = {
      v: 1,
      client: known(this.#ids.clients, client),
      organisation: known(this.#ids.organisations, desired.organisation),
      rules: desired.rules.map((rule) => ({
        ...rule,
        servers: rule.servers?.map((name) => known(this.#ids.servers, `${desired.organisation}/${name}`).id),
        actions: [...new Set(rule.actions)],
      })),
      tokensPerMinute: desired.tokensPerMinute,
      ...(desired.grantsPerHour !== undefined && { grantsPerHour: desired.grantsPerHour }),
    };
    await this.#ports.store.putPolicy(policy, follows(step, this.#note));
  }
}

/** A client's secrets with a new one: up to two live ones, newest first. */
export const withNewSecret = (
  kept: readonly ClientSecret[],
  hmac: string,
  now: Instant,
): readonly ClientSecret[] => [{ hmac, addedAt: now, expiresAt: undefined }, ...kept].slice(0, 2);
