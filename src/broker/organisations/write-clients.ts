import type { Client, ClientRole, ClientSecret } from "../../domain/client.ts";
import { withNewSecret } from "../../domain/client-secrets.ts";
import { type ClientId, makeId } from "../../domain/id.ts";
import type { Policy } from "../../domain/policy.ts";
import type { Secret } from "../../domain/secret.ts";
import type { ClientConfigurationStore, ClientSecrets } from "../clients/ports.ts";
import type { AuditNote, Clock, Random } from "../ports.ts";
import type { ClientStep, PolicyStep, SecretStanding } from "./plan.ts";
import { makesSecret, toldOr } from "./plan-clients.ts";
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
    const made =
      stored === undefined && given === undefined && makesSecret(desired) ? clientSecrets.make() : undefined;
    const keys = toldOr(desired.keys, stored?.keys);
    const tokenEncryption = toldOr(desired.tokenEncryption, stored?.tokenEncryption);
    const certificate = toldOr(desired.certificate, stored?.certificate);
    const {
      keys: _,
      tokenEncryption: __,
      certificate: ___,
      role: ____,
      ...kept
    } = stored ?? ({} as Partial<Client>);
    const client: Client = {
      // What a file does not tell of a client stays.
      ...kept,
      v: 1,
      id: stored?.id ?? makeId("cli", undefined, clock.now(), random.bytes(16)),
      name: desired.name,
      displayName: desired.displayName,
      secrets: this.#secretsOf(step, made ?? given?.secret, given?.standing ?? "new"),
      ...(certificate !== undefined && { certificate }),
      ...(keys !== undefined && { keys }),
      ...(tokenEncryption !== undefined && { tokenEncryption }),
      ...roleOf(desired.role ?? stored?.role),
      returnUrls: desired.returnUrls,
      state: desired.state,
      generation: (stored?.generation ?? 0) + (step.raises || stored === undefined ? 1 : 0),
      createdAt: stored?.createdAt ?? clock.now(),
    };
    await store.putClient(client, follows(step, this.#note));
    this.#ids.clients.set(client.name, client.id);
    if (made !== undefined) this.newSecrets.push({ client: client.name, id: client.id, secret: made });
  }

  #secretsOf(
    { stored, desired: { secretExpires } }: ClientStep,
    secret: Secret | undefined,
    standing: SecretStanding,
  ): readonly ClientSecret[] {
    const kept = stored?.secrets ?? [];
    const { clientSecrets, clock } = this.#ports;
    const told = secretExpires === "never" ? undefined : secretExpires;
    if (secret !== undefined && standing === "new") {
      return withNewSecret(kept, { hmac: clientSecrets.hmac(secret), expiresAt: told }, clock.now());
    }
    const at = secret !== undefined && standing === "earlier" ? this.#placeOf(secret, kept) : 0;
    const newest = kept[at];
    if (newest === undefined) return kept;
    return [
      secretExpires === undefined ? newest : { ...newest, expiresAt: told },
      ...kept.filter((_, place) => place !== at),
    ];
  }

  #placeOf(secret: Secret, kept: readonly ClientSecret[]): number {
    const { clientSecrets, clock } = this.#ports;
    return kept.findIndex((one) => clientSecrets.matches(secret, [one], clock.now()));
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

/** An application's record stays as it was before there were roles. */
const roleOf = (role: ClientRole | undefined) => (role === "operator" ? { role } : {});
