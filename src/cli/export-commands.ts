import { open } from "node:fs/promises";
import type { Command } from "commander";
import { type ExportLine, requestExport, writeExport } from "../broker/export/export-tokens.ts";
import { readKeys } from "../domain/client-keys.ts";
import { Secret } from "../domain/secret.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { createSecretFile, readNamedFile, reasonOf } from "./files.ts";
import { findServer } from "./find-server.ts";
import { guarded } from "./guarded.ts";

/** `export`: refresh tokens leave, sealed to a key that is kept elsewhere, when two operators want it. */
export function addExportCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);
  const group = program.command("export").description("hand authorizations over to another system, sealed");
  group
    .command("create-key")
    .description(
      "make the key pair on a machine that is no broker's; prints the public key, writes the private one",
    )
    .argument("<file>", "a new file for the private key")
    .action(run((file: string) => createKey(deps, file)));
  group
    .command("request")
    .description("the first operator: what is to leave, to whose key, and why")
    .requiredOption("--server <organisation/server>", "the server, as `show servers` lists it")
    .requiredOption("--key <file>", "the public key that `export create-key` printed")
    .requiredOption("--reason <text>", "why, for the audit")
    .option("--json", "print for programs")
    .action(run((options: RequestOptions) => request(deps, options)));
  group
    .command("confirm")
    .description("the second operator, under another account: confirms within the hour")
    .argument("<id>", "what `export request` printed")
    .requiredOption("--server <organisation/server>", "the server")
    .requiredOption("--thumbprint <digest>", "of the key, as its owner reads it to you")
    .option("--json", "print for programs")
    .action(run((id: string, options: ConfirmOptions) => confirm(deps, id, options)));
  group
    .command("write")
    .description(
      "take the server's authorizations out of use here and write their sealed tokens; may be run again",
    )
    .argument("<id>", "what was confirmed")
    .requiredOption("--server <organisation/server>", "the server")
    .requiredOption("--out <file>", "a new file")
    .option("--json", "print for programs")
    .action(run((id: string, options: WriteOptions) => write(deps, id, options)));
  group
    .command("open")
    .description("open an export with the private key, offline; writes what `import` reads")
    .argument("<file>", "the export")
    .requiredOption("--key <file>", "the private key")
    .requiredOption("--out <file>", "a new file, readable by its owner alone")
    .action(run((file: string, options: OpenOptions) => openOffline(deps, file, options)));
}

interface RequestOptions extends JsonOption {
  readonly server: string;
  readonly key: string;
  readonly reason: string;
}
interface ConfirmOptions extends JsonOption {
  readonly server: string;
  readonly thumbprint: string;
}
interface WriteOptions extends JsonOption {
  readonly server: string;
  readonly out: string;
}
interface OpenOptions {
  readonly key: string;
  readonly out: string;
}

async function createKey(deps: CliDeps, file: string): Promise<void> {
  const { publicKeys, privateKey } = await deps.offlineKeys.create();
  await createSecretFile(file, privateKey);
  deps.write(`${publicKeys}\n`);
}

async function request(deps: CliDeps, options: RequestOptions): Promise<void> {
  const read = readKeys(parse(await readNamedFile(options.key)), "enc");
  if ("fault" in read) throw new ExpectedFault(`${options.key} ${read.fault}.`);
  const [key, another] = read.keys;
  if (key === undefined || another !== undefined || key.kty !== "EC")
    throw new ExpectedFault(`${options.key} holds no single EC key. \`cli export create-key\` makes one.`);
  await deps.withBroker(async ({ store, exports, note }) => {
    const server = await findServer(store, options.server);
    const { id, thumbprint } = await requestExport(exports, server, key, {
      ...note,
      purpose: options.reason,
    });
    deps.write(
      options.json
        ? `${JSON.stringify({ id, thumbprint })}\n`
        : `${id}\nAnother operator confirms it within the hour, under an account of his own:\n  cli export confirm ${id} --server ${options.server} --thumbprint ${thumbprint}\n`,
    );
  });
}

async function confirm(
  deps: CliDeps,
  id: string,
  { server, thumbprint, json }: ConfirmOptions,
): Promise<void> {
  await deps.withBroker(async ({ store, exports, note }) => {
    const of = await findServer(store, server);
    const found = await exports.exports.find(of.id, id);
    if (found === undefined) throw new ExpectedFault(unknown(id));
    if (found.thumbprint !== thumbprint)
      throw new ExpectedFault(
        `The key of ${id} is ${found.thumbprint}, and not ${thumbprint}: somebody else's. Nothing is confirmed.`,
      );
    const said = await exports.exports.confirm(of.id, id, note);
    if (said === "gone") throw new ExpectedFault(unknown(id));
    if (said === "same_operator")
      throw new ExpectedFault(`${note.actor} asked for ${id}. Another operator confirms it.`);
    deps.write(
      json
        ? `${JSON.stringify({ id, confirmed: true })}\n`
        : `Confirmed: cli export write ${id} --server ${server} --out FILE\n`,
    );
  });
}

async function write(deps: CliDeps, id: string, { server, out, json }: WriteOptions): Promise<void> {
  await deps.withBroker(async ({ store, exports, note }) => {
    const of = await findServer(store, server);
    const found = await exports.exports.find(of.id, id);
    if (found === undefined) throw new ExpectedFault(unknown(id));
    if (found.confirmedBy === undefined) throw new ExpectedFault(`Nobody has confirmed ${id} yet.`);
    const file = await open(out, "wx", 0o600).catch((error: unknown) => {
      const there = (error as NodeJS.ErrnoException).code === "EEXIST";
      throw new ExpectedFault(
        `${out} ${there ? "is there already, and is not overwritten" : `cannot be written: ${reasonOf(error)}`}.`,
      );
    });
    let [written, left] = [0, 0];
    try {
      for await (const line of writeExport(exports, of, id, note)) {
        if ("left" in line) left += 1;
        else {
          await file.writeFile(`${JSON.stringify(line)}\n`);
          written += 1;
        }
      }
      await file.sync();
    } finally {
      await file.close();
    }
    deps.write(
      json
        ? `${JSON.stringify({ written, left })}\n`
        : `${written} authorizations are written, and used here no more. ${left} were being refreshed: run it again, into another file, within the hour.\n`,
    );
  });
}

async function openOffline(deps: CliDeps, file: string, options: OpenOptions): Promise<void> {
  const privateKey = new Secret((await readNamedFile(options.key)).trim());
  const tokens: string[] = [];
  for (const [i, text] of (await readNamedFile(file)).trim().split("\n").entries()) {
    const line = parse(text) as ExportLine | undefined;
    const token = line && (await deps.offlineKeys.open(line.refresh_token_jwe, privateKey));
    if (line === undefined || token === undefined)
      throw new ExpectedFault(`Line ${i + 1} of ${file} was not sealed to this key, or was altered.`);
    const { subject, issuer, imanage_user, libraries } = line;
    tokens.push(JSON.stringify({ subject, issuer, imanage_user, libraries, refresh_token: token.reveal() }));
  }
  await createSecretFile(options.out, new Secret(tokens.join("\n")));
  deps.write(`${tokens.length} refresh tokens are in ${options.out}, in the clear.\n`);
}

const unknown = (id: string): string =>
  `There is no export ${id} of this server: it is forgotten after an hour. \`cli export request\` begins anew.`;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
