import type { Client } from "../../domain/client.ts";
import type { Registration } from "../../domain/registration.ts";
import type { Sealed } from "../../domain/sealed.ts";
import { Secret } from "../../domain/secret.ts";
import type { ClientSecrets } from "../clients/ports.ts";
import type { Clock, Sealer } from "../ports.ts";
import { clientSecretContext } from "../seal-contexts.ts";
import type { DesiredConfiguration, SecretReference } from "./desired.ts";
import { type Plan, placeName, type SecretStanding, type StoredConfiguration } from "./plan.ts";
import { registrationsOf } from "./plan-configuration.ts";

/** Reads what a file points at. */
export interface SecretSource {
  /** A fault continues to a sentence and never repeats what was read. */
  read(reference: SecretReference): Promise<Secret | { readonly fault: string }>;
}

export interface SecretPorts {
  readonly sealer: Sealer;
  readonly clientSecrets: ClientSecrets;
  readonly secretSource: SecretSource;
  readonly clock: Clock;
}

interface ReadSecret {
  readonly secret: Secret;
  readonly standing: SecretStanding;
}

export interface ReadSecrets {
  readonly registrations: ReadonlyMap<string, ReadSecret>;
  readonly clients: ReadonlyMap<string, ReadSecret>;
  readonly refusals: Plan["refusals"];
}

/** Reads every secret the file points at and compares it with what is stored, before anything is written. */
export async function readSecrets(
  ports: SecretPorts,
  desired: DesiredConfiguration,
  stored: StoredConfiguration,
): Promise<ReadSecrets> {
  const registrations = new Map<string, ReadSecret>();
  const clients = new Map<string, ReadSecret>();
  const refusals: { name: string; message: string }[] = [];

  for (const { place, wanted } of registrationsOf(desired)) {
    if (wanted.secret === undefined) continue;
    const name = placeName(place);
    const secret = await ports.secretSource.read(wanted.secret);
    if (!(secret instanceof Secret)) {
      refusals.push({ name: `registration ${name}`, message: secret.fault });
      continue;
    }
    const kept =
      place.organisation === undefined
        ? stored.sharedRegistrations
        : (stored.organisations.find(({ record }) => record.name === place.organisation)?.registrations ??
          []);
    const found = kept.find((registration) => registration.name === place.name);
    registrations.set(name, { secret, standing: await compareSealed(ports.sealer, secret, found) });
  }

  for (const client of desired.clients) {
    if (client.secret === undefined) continue;
    const secret = await ports.secretSource.read(client.secret);
    if (!(secret instanceof Secret)) {
      refusals.push({ name: `client ${client.name}`, message: secret.fault });
      continue;
    }
    const record = stored.clients.find((entry) => entry.record.name === client.name)?.record;
    const standing = compareHmac(ports, secret, record);
    if (standing === "malformed") {
      refusals.push({
        name: `client ${client.name}`,
        message:
          "points at something that is not a client secret of this broker. Make one with `cli keys client-secret FILE`",
      });
    } else clients.set(client.name, { secret, standing });
  }
  return { registrations, clients, refusals };
}

async function compareSealed(
  sealer: Sealer,
  secret: Secret,
  registration: Registration | undefined,
): Promise<SecretStanding> {
  if (registration === undefined) return "new";
  const context = clientSecretContext(registration);
  for (const [at, { sealed }] of registration.secrets.entries()) {
    const known = await sealer.open(sealed as Sealed, context);
    if (known.reveal() === secret.reveal()) return at === 0 ? "newest" : "earlier";
  }
  return "new";
}

function compareHmac(
  { clientSecrets, clock }: SecretPorts,
  secret: Secret,
  client: Client | undefined,
): SecretStanding | "malformed" {
  if (!clientSecrets.isWellFormed(secret)) return "malformed";
  const now = clock.now();
  const at = client?.secrets.findIndex((entry) => clientSecrets.matches(secret, [entry], now)) ?? -1;
  return at < 0 ? "new" : at === 0 ? "newest" : "earlier";
}
