import type { Readable } from "node:stream";
import type { Command } from "commander";
import { lookUpInLines, lookUpToken, type TokenTrace } from "../broker/audit/look-up-token.ts";
import { AuditVerifier, type JournalReport } from "../broker/audit/verify-audit.ts";
import { type AuditJournal, parseJournal } from "../domain/audit-entry.ts";
import type { OrganisationId } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import { Secret } from "../domain/secret.ts";
import { linesInOrder, linesOfAll } from "./audit-files.ts";
import type { CliBroker, CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { readNamedFile } from "./files.ts";
import { guarded } from "./guarded.ts";

export function addAuditCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);

  const audit = program.command("audit").description("check exported audit, look up a token");
  audit
    .command("keys")
    .description("print the public keys that exported audit is checked with; keep them with the export")
    .action(run(() => printKeys(deps)));
  audit
    .command("verify")
    .description("check exported audit, offline: numbers, links, signatures; names the first bad entry")
    .argument("<files...>", "exported files, in any order")
    .requiredOption("--keys <file>", "public keys, as `audit keys` printed them")
    .option("--expect <journal=sequence...>", "how far a journal is known to go", collect, [])
    .option("--json", "print the result for programs")
    .action(run((files: string[], options: VerifyOptions) => verify(deps, files, options)));
  audit
    .command("lookup")
    .description("who was handed an access token that somebody has found; it is read from standard input")
    .option("--token-file <file>", "read the token from a file instead")
    .option("--organisation <name>", "only this organisation")
    .option("--file <file...>", "search exported files instead of Redis", collect, [])
    .option("--json", "print the result for programs")
    .action(run((options: LookupOptions) => lookup(deps, options)));
}

interface VerifyOptions extends JsonOption {
  readonly keys: string;
  readonly expect: readonly string[];
}
interface LookupOptions extends JsonOption {
  readonly tokenFile?: string;
  readonly organisation?: string;
  readonly file: readonly string[];
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

async function printKeys(deps: CliDeps): Promise<void> {
  deps.write(`${JSON.stringify(await deps.auditKeys(), undefined, 2)}\n`);
}

async function verify(deps: CliDeps, files: readonly string[], options: VerifyOptions): Promise<void> {
  const verifier = new AuditVerifier({
    chain: deps.auditChain,
    readCheckpoint: deps.checkpointReader(readKeys(options.keys, await readNamedFile(options.keys))),
  });
  for await (const line of linesInOrder(files)) {
    // A promise only where there is something to wait for: a file has millions of lines.
    const checked = verifier.line(line);
    if (checked !== undefined) await checked;
  }
  const { journals, otherLines } = verifier.report(new Map(options.expect.map(readExpectation)));
  const bad = journals.filter(({ fault }) => fault !== undefined);
  if (options.json) deps.write(`${JSON.stringify({ journals, other_lines: otherLines }, undefined, 2)}\n`);
  else {
    deps.write(journals.map(tellJournal).join(""));
    if (otherLines > 0) {
      deps.write(
        `${otherLines} lines are none of the audit's: torn by a crash, or altered so far that they cannot be read.\n`,
      );
    }
    if (journals.length === 0) deps.write("No entry of the audit is in these files.\n");
    if (bad.length === 0 && journals.length > 0) {
      deps.write(
        "Every number, link and signature is right. What lies after the last checkpoint, and what may have been cut off behind it, no signature protects: compare with `--expect`.\n",
      );
    }
  }
  if (bad.length > 0 || journals.length === 0) deps.setExitCode(1);
}

function tellJournal({ journal, first, last, entries, repeated, proven, fault }: JournalReport): string {
  const range = first === undefined ? "no entries" : `${first} to ${last}`;
  const twice = repeated === 0 ? "" : `, ${repeated} of them twice`;
  const told = proven === undefined ? "nothing is proven" : `proven from ${proven.from} to ${proven.to}`;
  const open =
    proven === undefined || last <= proven.to ? "" : `, ${last - proven.to} after the last checkpoint`;
  const head = `${journal}: ${range} (${entries} lines${twice}); ${told}${open}.\n`;
  if (fault === undefined) return head;
  return `${head}  BAD: ${journal} ${fault.sequence} ${fault.kind.replaceAll("_", " ")}. ${fault.told}\n`;
}

function readKeys(file: string, text: string): Parameters<CliDeps["checkpointReader"]>[0] {
  try {
    const read = JSON.parse(text) as ReturnType<typeof readKeys>;
    if (Array.isArray(read.keys) && read.keys.length > 0) return read;
  } catch {
    // Said below.
  }
  throw new ExpectedFault(`${file} holds no JWK set: make one with \`cli audit keys > ${file}\`.`);
}

function readExpectation(text: string): [AuditJournal, number] {
  const [name = "", number = ""] = text.split("=");
  const journal = parseJournal(name);
  if (journal === undefined || !/^\d{1,15}$/.test(number))
    throw new ExpectedFault("--expect must look like org_…=1234, clients=12 or registrations=3.");
  return [journal, Number(number)];
}

async function lookup(deps: CliDeps, options: LookupOptions): Promise<void> {
  const text =
    options.tokenFile === undefined ? await readAll(deps.stdin()) : await readNamedFile(options.tokenFile);
  const token = new Secret(text.trim());
  if (text.trim() === "") throw new ExpectedFault("There is no token: write it to standard input.");
  const traces = await deps.withBroker(async (broker) => {
    const organisations = await organisationsOf(broker, options.organisation);
    if (options.file.length > 0) return lookUpInLines(broker, token, organisations, linesOfAll(options.file));
    return Promise.all(organisations.map((id) => lookUpToken(broker, token, id)));
  });
  const found = traces.filter(({ count }) => count > 0);
  if (options.json) deps.write(`${JSON.stringify(found, undefined, 2)}\n`);
  else if (found.length > 0) deps.write(found.map(tellTrace).join(""));
  else {
    const since = traces.flatMap((trace) => trace.since ?? []);
    const reach = since.length === 0 ? "" : ` since ${rfc3339(Math.min(...since))}`;
    const hint =
      options.file.length === 0 ? " Older entries are in the export: name its files with --file." : "";
    deps.write(`Nobody was handed this token${reach}, in ${traces.length} organisations.${hint}\n`);
  }
  if (found.length === 0) deps.setExitCode(1);
}

async function organisationsOf(
  { store }: Pick<CliBroker, "store">,
  name: string | undefined,
): Promise<readonly OrganisationId[]> {
  if (name === undefined) return (await store.listOrganisations()).map(({ id }) => id);
  const organisation = await store.findOrganisationByName(name);
  if (organisation === undefined) throw new ExpectedFault(`There is no organisation named ${name}.`);
  return [organisation.id];
}

function tellTrace({ organisation, fingerprint, count, handedOut }: TokenTrace): string {
  const rows = handedOut.map(({ sequence, fields }) => {
    const subject = fields.library ? `library ${fields.library}, lent by ${fields.lent_by}` : "a user";
    const why = fields.purpose ? `, “${fields.purpose}”` : "";
    const from = fields.address ? ` from ${fields.address}` : "";
    return `  ${rfc3339(Number(fields.at))} ${sequence}: ${fields.client}${from}, for ${subject} at ${fields.server}, grant ${fields.grant}, ${fields.request}${why}\n`;
  });
  const more = count > handedOut.length ? `  and ${count - handedOut.length} times more\n` : "";
  return `${organisation}: fingerprint ${fingerprint}, handed out ${count} times.\n${rows.join("")}${more}`;
}

async function readAll(stream: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}
