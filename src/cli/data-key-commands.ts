import type { Command } from "commander";
import { keyOwners, type NamedOwner, rootKeyUses } from "../broker/keys/root-keys.ts";
import { startRotation } from "../broker/keys/rotate-data-keys.ts";
import { type DataKeyRotation, metIn } from "../domain/data-key-rotation.ts";
import { rfc3339 } from "../domain/instant.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { readNamedFile } from "./files.ts";
import { guarded } from "./guarded.ts";
import { tellUse } from "./root-key-commands.ts";

interface RotateOptions extends JsonOption {
  readonly organisation?: string;
  readonly registration?: string;
  readonly all?: boolean;
}

/** Data keys: begun here, done by the workers. */
export function addDataKeyCommands(keys: Command, deps: CliDeps): void {
  const run = guarded(deps);

  keys
    .command("rotate")
    .description(
      "give owners a new data key; the workers seal everything anew, under load, and retire the old one",
    )
    .option("--organisation <name>", "of this organisation")
    .option("--registration <name>", "of this shared registration")
    .option("--all", "of all of them")
    .option("--json", "print one JSON object per line: whose, to which key, and whether it began now")
    .action(run((options: RotateOptions) => rotate(deps, options)));
  keys
    .command("status")
    .description("how far rotations are, and what needs each root key")
    .option("--json", "print for programs")
    .action(run((options: JsonOption) => status(deps, options)));
  keys
    .command("public")
    .description(
      "print the keys by which signatures of this broker are checked, as a JWK set: keep it beside certificates",
    )
    .action(
      run(async () =>
        deps.write(
          `${JSON.stringify(await deps.withBroker(({ shredding }) => shredding.signer.publicKeys()), undefined, 2)}\n`,
        ),
      ),
    );
  keys
    .command("verify-certificate")
    .description(
      "check offline who signed a certificate, and print what it says; ends with 1 where it is not to be believed",
    )
    .argument("<file>", "the certificate")
    .requiredOption("--keys <file>", "JWK set, as `cli keys public` printed it")
    .action(run((file: string, options: { keys: string }) => verify(deps, file, options.keys)));
}

async function rotate(
  deps: CliDeps,
  { organisation, registration, all = false, json = false }: RotateOptions,
): Promise<void> {
  if ([organisation, registration, all || undefined].filter((it) => it !== undefined).length !== 1)
    throw new ExpectedFault("Name one: --organisation NAME, --registration NAME, or --all.");
  const wanted = organisation !== undefined ? `organisation ${organisation}` : `registration ${registration}`;
  await deps.withBroker(async ({ rootKeys, rotations, note }) => {
    const owners = (await keyOwners(rootKeys)).filter(({ name }) => all || name === wanted);
    if (owners.length === 0) throw new ExpectedFault(all ? "There is nobody yet." : `There is no ${wanted}.`);
    for (const { owner, name } of owners) {
      if ((await rotations.keys.read(owner)).keys === undefined) {
        deps.write(
          json
            ? `${JSON.stringify({ owner: name, to: null, started: false })}\n`
            : `${name}: has no data key yet.\n`,
        );
        continue;
      }
      const { started, rotation } = await startRotation(rotations, owner, note);
      if (json) deps.write(`${JSON.stringify({ owner: name, to: rotation.to, started })}\n`);
      else
        deps.write(
          `${name}: ${started ? `${rotation.to} was added` : `is being rotated already, to ${rotation.to}`}.\n`,
        );
    }
    if (!json)
      deps.write(
        "The workers go on with it; it takes about an hour. See how far they are: `cli keys status`.\n",
      );
  });
}

async function status(deps: CliDeps, { json = false }: JsonOption): Promise<void> {
  const { uses, rotations } = await deps.withBroker(async (broker) => {
    const owners = await keyOwners(broker.rootKeys);
    const all = await Promise.all(
      owners.map(async (one) => ({
        ...one,
        rotation: (await broker.rotations.keys.read(one.owner)).rotation,
      })),
    );
    return { uses: await rootKeyUses(broker.rootKeys), rotations: all.filter(hasRotation) };
  });
  if (json) {
    const data_keys = rotations.map(({ name, rotation }) => ({ owner: name, ...row(rotation) }));
    const root_keys = uses.map(({ rootKey, dataKeys, clientSecrets, records }) => ({
      id: rootKey,
      owners_of_data_keys: dataKeys,
      clients: clientSecrets,
      records,
    }));
    deps.write(`${JSON.stringify({ data_keys, root_keys }, undefined, 2)}\n`);
    return;
  }
  if (rotations.length === 0) deps.write("No data key has been rotated.\n");
  for (const { name, rotation } of rotations) deps.write(`${name}: ${tell(rotation)}\n`);
  for (const use of uses) deps.write(`root key ${use.rootKey}: ${tellUse(use)}.\n`);
}

const hasRotation = (
  of: NamedOwner & { readonly rotation: DataKeyRotation | undefined },
): of is NamedOwner & {
  readonly rotation: DataKeyRotation;
} => of.rotation !== undefined;

function tell({ phase, to, from, resealed, passes, last, startedAt, endedAt }: DataKeyRotation): string {
  if (phase === "done")
    return `${to} took the place of ${from.join(", ")} at ${rfc3339(endedAt!)}; ${resealed} secrets were sealed anew.`;
  if (phase === "spreading")
    return `${to} was added at ${rfc3339(startedAt)}; it seals once every process knows it.`;
  const left =
    last === undefined
      ? "the first pass is under way"
      : metIn(last) === 0
        ? "nothing names the old key; it goes when no process can hold on to it"
        : leftOf(last);
  return `${to} seals; ${resealed} secrets were sealed anew in ${passes} passes; ${left}.`;
}

function leftOf({
  resealed,
  fleeting,
  later,
  unreadable,
  unknown,
  example,
}: NonNullable<DataKeyRotation["last"]>): string {
  const held =
    unreadable + unknown === 0
      ? ""
      : `; ${unreadable + unknown} do not open where they are and hold the old key back (first: ${example}): revoke that authorization, or put back what its server's endpoints were`;
  return `the last pass met ${resealed + later} to seal anew and ${fleeting} that end by themselves${held}`;
}

const row = ({
  phase,
  to,
  from,
  startedAt,
  startedBy,
  promotedAt,
  endedAt,
  resealed,
  passes,
  pass,
  last,
}: DataKeyRotation) => ({
  phase,
  to,
  from,
  started_at: rfc3339(startedAt),
  started_by: startedBy,
  promoted_at: promotedAt === undefined ? null : rfc3339(promotedAt),
  ended_at: endedAt === undefined ? null : rfc3339(endedAt),
  resealed,
  passes,
  pass_under_way: pass !== undefined,
  last_pass_met: last === undefined ? null : metIn(last),
  held_back_by: last === undefined ? 0 : last.unreadable + last.unknown,
  example: last?.example ?? null,
});

async function verify(deps: CliDeps, file: string, keysFile: string): Promise<void> {
  const certificate = (await readNamedFile(file)).trim();
  const said = await deps.verifyCertificate(certificate, await readNamedFile(keysFile));
  if (said === undefined)
    throw new ExpectedFault(
      `${file} is not to be believed: none of the keys in ${keysFile} signed it as it is.`,
    );
  deps.write(`${JSON.stringify(said, undefined, 2)}\n`);
}
