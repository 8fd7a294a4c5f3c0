import type { Command } from "commander";
import { renewClientSecret } from "../broker/organisations/renew-client-secret.ts";
import { dateOf } from "../broker/organisations/schema-words.ts";
import { days, type Instant, rfc3339 } from "../domain/instant.ts";
import type { CliDeps } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";

export function addClientCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);

  program
    .command("clients")
    .description("change clients")
    .command("new-secret")
    .description("make a client's next secret; the one before stays valid beside it")
    .argument("<name>", "name of the client")
    .option("--expires <when>", "90d, or a date like 2027-06-30; never unless given")
    .option("--only", "the others are void at once: somebody has seen them")
    .action(run((name: string, options: SecretOptions) => newSecret(deps, name, options)));
}

interface SecretOptions {
  readonly expires?: string;
  readonly only?: boolean;
}

async function newSecret(
  deps: CliDeps,
  name: string,
  { expires, only = false }: SecretOptions,
): Promise<void> {
  const made = await deps.withBroker((broker) => {
    const expiresAt = expires === undefined ? undefined : momentOf(expires, broker.clock.now());
    return renewClientSecret(broker, name, broker.note, { expiresAt, alone: only });
  });
  const { id, secret, expiresAt, others, oldestEndsAt } = made;
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
