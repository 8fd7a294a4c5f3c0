import { onTestFinished } from "vitest";
import { WalkingClient } from "../../scripts/walk/client.ts";
import { applyConfiguration } from "../../src/broker/organisations/apply-configuration.ts";
import type { ClientId, RegistrationId, ServerId } from "../../src/domain/id.ts";
import { everyone } from "../../src/domain/members.ts";
import { CLIENT_ACTIONS, type ClientAction } from "../../src/domain/policy.ts";
import { Secret } from "../../src/domain/secret.ts";
import { endpointsOf, type ServerSettings } from "../../src/domain/server.ts";
import { systemRandom } from "../../src/security/random.ts";
import { type Simulator, startSimulator } from "../../src/simulator/start-simulator.ts";
import { BY_TEST, put } from "./put-records.ts";
import { RETURN_URL, type World } from "./world.ts";

/** Another firm in a world that runs already. Names are those of the caller; what is stored has random ones. */
export interface Addition<S extends string, C extends string> {
  /** One of its own unless said otherwise. */
  readonly name?: string;
  readonly servers: Readonly<Record<S, ServerAddition>>;
  readonly clients?: Readonly<Record<C, ClientAddition>>;
}

export interface ServerAddition {
  readonly simulator: Simulator;
  readonly settings?: Partial<ServerSettings>;
  /** At iManage: `token-broker` unless said otherwise. */
  readonly clientId?: string;
  readonly customerId?: string;
}

export interface ClientAddition {
  /** Names of servers that its policy names; all unless said otherwise. */
  readonly servers?: readonly string[];
  readonly returnUrls?: readonly string[];
  readonly actions?: readonly ClientAction[];
}

export interface Added<S extends string, C extends string> {
  readonly organisation: string;
  readonly servers: Readonly<Record<S, AddedServer>>;
  readonly clients: Readonly<Record<C, WalkingClient>>;
  /** The same client, talking to another replica. */
  clientAt(name: C, base: string): WalkingClient;
}

export interface AddedServer {
  readonly id: ServerId;
  readonly registration: RegistrationId;
  readonly redirectUri: string;
  readonly simulator: Simulator;
}

export async function addOrganisation<S extends string, C extends string>(
  { broker, base }: Pick<World, "broker" | "base">,
  addition: Addition<S, C>,
): Promise<Added<S, C>> {
  const tag = Buffer.from(systemRandom.bytes(6)).toString("hex");
  const organisation = addition.name ?? `also-${tag}`;
  const servers = Object.entries<ServerAddition>(addition.servers);
  const clients = Object.entries<ClientAddition>(addition.clients ?? {});
  const applied = await applyConfiguration(
    {
      store: broker.configuration,
      sealer: broker.sealer,
      clientSecrets: broker.clientSecrets,
      secretSource: {
        read: async (from) => new Secret("env" in from ? `sim_secret_${from.env}` : "unknown"),
      },
      clock: broker.clock,
      random: broker.random,
    },
    {
      sharedRegistrations: [],
      organisations: [
        {
          name: organisation,
          displayName: "Castor & Pell",
          enabled: true,
          members: everyone,
          servers: servers.map(([name, { simulator, settings, clientId = "token-broker", customerId }]) => ({
            name,
            displayName: `iManage ${name}`,
            kind: "on-premises" as const,
            endpoints: endpointsOf(simulator.origin),
            registration: {
              own: {
                name,
                clientId,
                tokenOrigin: simulator.origin,
                secret: { env: clientId },
                secretExpiresAt: undefined,
              },
            },
            customerId: customerId ?? "5948",
            settings: settings ?? {},
          })),
        },
      ],
      clients: clients.map(([name, client]) => ({
        name: `${name}-${tag}`,
        displayName: `Application ${name}`,
        state: "active" as const,
        returnUrls: client.returnUrls ?? [RETURN_URL],
        secret: undefined,
        policies: [
          {
            organisation,
            rules: [
              {
                servers: client.servers,
                users: "all" as const,
                libraries: "all" as const,
                actions: client.actions ?? CLIENT_ACTIONS,
              },
            ],
            tokensPerMinute: 600_000,
          },
        ],
      })),
    },
    { dryRun: false, note: BY_TEST },
  );
  if (!applied.applied) throw new Error(`not applied: ${JSON.stringify(applied.plan.refusals)}`);

  const added = servers.map(([name, { simulator, clientId = "token-broker" }]) => {
    const { id, registration } = applied.records.servers[`${organisation}/${name}`]!;
    const redirectUri = `${base}/oauth2/callback/${registration}`;
    const { redirect_urls = [] } = simulator.registrations.find(clientId)!;
    simulator.registrations.patch(clientId, { redirect_urls: [...redirect_urls, redirectUri] });
    return [name, { id, registration, redirectUri, simulator }] as const;
  });
  const clientAt = (name: C, at: string): WalkingClient => {
    const made = applied.newClientSecrets.find(({ client }) => client === `${name}-${tag}`)!;
    return new WalkingClient(at, made.id, made.secret.reveal());
  };
  return {
    organisation: applied.records.organisations[organisation]!,
    servers: Object.fromEntries(added) as Record<S, AddedServer>,
    clients: Object.fromEntries(clients.map(([name]) => [name, clientAt(name as C, base)])) as Record<
      C,
      WalkingClient
    >,
    clientAt,
  };
}

/** The world's client is an operator's from now on, as a file or the command line would make it. */
export async function makeOperator({ broker, client }: Pick<World, "broker" | "client">): Promise<void> {
  const record = (await broker.configuration.findClient(client.id as ClientId))!;
  await put.client(broker.configuration, { ...record, role: "operator" });
}

/** Simulators besides the world's own, ended with the running test. The world must be let speak to them: `egressTo`. */
export async function startSimulators(count: number): Promise<readonly Simulator[]> {
  const started = await Promise.all(Array.from({ length: count }, () => startSimulator()));
  onTestFinished(async () => void (await Promise.all(started.map((simulator) => simulator.close()))));
  return started;
}

/** A world's setting that lets it speak to these and to no others: not to its own simulator either. */
export const egressTo = (simulators: readonly Simulator[]): Readonly<Record<string, string>> => ({
  EGRESS_LOOPBACK_ORIGINS: simulators.map(({ origin }) => origin).join(","),
});
