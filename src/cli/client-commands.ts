import type { Command } from "commander";
import { changeClient, removeSecret, secretViews } from "../broker/clients/manage-clients.ts";
import { renewClientSecret } from "../broker/organisations/renew-client-secret.ts";
import { dateOf } from "../broker/organisations/schema-words.ts";
import type { Client } from "../domain/client.ts";
import { days, type Instant, rfc3339, rfc3339OrNull } from "../domain/instant.ts";
import { agreed, YES } from "./agreed.ts";
import type { CliBroker, CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { findClientNamed } from "./find-client.ts";
import { guarded } from "./guarded.ts";
import { type Row, renderRows } from "./render-records.ts";

interface ActOptions extends JsonOption {
  readonly yes?: boolean;
}

interface RemoveOptions extends ActOptions {
  readonly dryRun?: boolean;
}

export function addClientCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);
  const clients = program.command("clients").description("show and change clients");
  const named = (command: string, description: string) =>
    clients.command(command).description(description).argument("<name>", "name of the client");

  clients
    .command("list")
    .description("every client, with its secrets by their ids")
    .option("--json", "print for programs")
    .action(run((options: JsonOption) => list(deps, options)));
  named("show", "one client")
    .option("--json", "print for programs")
    .action(run((name: string, options: JsonOption) => show(deps, name, options)));
  named("stop", "no token for it from now on, on any replica; its authorizations stay")
    .option(...YES)
    .option("--json", "print for programs")
    .action(run((name: string, options: ActOptions) => setState(deps, name, "stopped", options)));
  named("start", "let a stopped client go on")
    .option("--json", "print for programs")
    .action(
      run((name: string, options: JsonOption) => setState(deps, name, "active", { ...options, yes: true })),
    );
  named("new-secret", "make a client's next secret; the one before stays valid beside it")
    .option("--expires <when>", "90d, or a date like 2027-06-30; never unless given")
    .option("--only", "the others are void at once: somebody has seen them")
    .option(...YES)
    .option("--json", "print for programs")
    .action(run((name: string, options: SecretOptions) => newSecret(deps, name, options)));
  named("delete-secret", "make a secret void at once")
    .argument("<secret>", "its id, as `clients show` lists it")
    .option("--dry-run", "show what would be left")
    .option(...YES)
    .option("--json", "print for programs")
    .action(
      run((name: string, secret: string, options: RemoveOptions) =>
        deleteSecret(deps, name, secret, options),
      ),
    );
}

async function list(deps: CliDeps, { json = false }: JsonOption): Promise<void> {
  const rows = (await deps.withBroker(({ store }) => store.listClients())).map(clientRow);
  if (json) deps.write(`${JSON.stringify(rows, undefined, 2)}\n`);
  else deps.write(rows.length === 0 ? "There are no clients yet.\n" : renderRows(rows));
}

async function show(deps: CliDeps, name: string, { json = false }: JsonOption): Promise<void> {
  const row = clientRow(await deps.withBroker(({ store }) => findClientNamed(store, name)));
  deps.write(json ? `${JSON.stringify(row, undefined, 2)}\n` : renderRows([row]));
}

async function setState(
  deps: CliDeps,
  name: string,
  state: Client["state"],
  { yes, json = false }: ActOptions,
): Promise<void> {
  await agreed(deps, yes, `Stop client ${name}? It gets no token from then on.`);
  await deps.withBroker(async (broker) => {
    const { id } = await findClientNamed(broker.store, name);
    await changeClient(portsOf(deps, broker), "operator", id, { state }, broker.note);
  });
  if (json) return deps.write(`${JSON.stringify({ client: name, state })}\n`);
  deps.write(
    state === "stopped"
      ? `Client ${name} is stopped: no token from now on, on any replica, and its broker tokens are void.\n`
      : `Client ${name} is active. It gets new broker tokens with its secrets.\n`,
  );
}

interface SecretOptions extends ActOptions {
  readonly expires?: string;
  readonly only?: boolean;
}

async function newSecret(
  deps: CliDeps,
  name: string,
  { expires, only = false, yes, json = false }: SecretOptions,
): Promise<void> {
  if (only) await agreed(deps, yes, `Make every other secret of client ${name} void at once?`);
  const made = await deps.withBroker((broker) => {
    const expiresAt = expires === undefined ? undefined : momentOf(expires, broker.clock.now());
    return renewClientSecret(broker, name, broker.note, { expiresAt, alone: only });
  });
  const { id, secret, expiresAt, others, oldestEndsAt } = made;
  if (json) {
    const expires_at = rfc3339OrNull(expiresAt);
    return deps.write(
      `${JSON.stringify({ client: name, id, secret: secret.reveal(), expires_at, others })}\n`,
    );
  }
  const beside = others === 0 ? "no other counts" : "the one before stays valid beside it";
  const until = expiresAt === undefined ? "" : `, until ${rfc3339(expiresAt)}`;
  deps.write(`Secret of client ${name} (${id}), shown this once${until}; ${beside}:\n${secret.reveal()}\n`);
  if (oldestEndsAt !== undefined) {
    deps.complain(
      `warning: client ${name} had two secrets already; the older of them ends ${rfc3339(oldestEndsAt)}. Find who still uses it.\n`,
    );
  }
}

/** A length of days from now, or the start of a day (UTC). */
function momentOf(text: string, now: Instant): Instant {
  const length = /^(\d{1,4})d$/.exec(text)?.[1];
  const at = length === undefined ? dateOf(text) : now + days(Number(length));
  if (at > now) return at;
  throw new ExpectedFault("--expires must be a number of days like 90d, or a date to come like 2027-06-30.");
}

async function deleteSecret(
  deps: CliDeps,
  name: string,
  secret: string,
  { dryRun = false, yes, json = false }: RemoveOptions,
): Promise<void> {
  if (!dryRun) await agreed(deps, yes, `Make secret ${secret} of client ${name} void at once?`);
  const client = await deps.withBroker(async ({ store, note }) => {
    const { id } = await findClientNamed(store, name);
    return removeSecret({ store }, "operator", id, secret, { dryRun, note });
  });
  const row = clientRow(client);
  if (json) deps.write(`${JSON.stringify({ dry_run: dryRun, client: row }, undefined, 2)}\n`);
  else {
    deps.write(`${dryRun ? "Would be void" : "Void"}: secret ${secret} of client ${name}. Left:\n`);
    deps.write(renderRows([row]));
  }
}

const portsOf = (deps: CliDeps, broker: CliBroker) => ({ ...broker, addressRules: deps.addressRules() });

const clientRow = (client: Client): Row => ({
  name: client.name,
  id: client.id,
  display_name: client.displayName,
  role: client.role ?? "app",
  state: client.state,
  return_urls: client.returnUrls,
  secrets: secretViews(client).map(
    ({ id, addedAt, expiresAt }) =>
      `${id} since ${rfc3339(addedAt)}${expiresAt === undefined ? "" : ` until ${rfc3339(expiresAt)}`}`,
  ),
  created_at: rfc3339(client.createdAt),
});
