import type { Command } from "commander";
import { contain, liftContainment, previewOf, progressOf } from "../broker/containment/contain.ts";
import { reauthorizations, receiptsOf } from "../broker/containment/managed.ts";
import {
  type NamedTarget,
  organisationNamed,
  readNamedTarget,
  TARGET_KINDS,
  TargetFault,
} from "../broker/containment/named-target.ts";
import { csvOfReauthorizations } from "../broker/containment/reauthorizations-csv.ts";
import { refusalsOf } from "../broker/containment/refusals.ts";
import {
  type Containment,
  type ContainmentProgress,
  type ContainmentTarget,
  HANDED_OUT_LIVES,
  isFinished,
  targetInWords,
  tokensToDo,
} from "../domain/containment.ts";
import { type ContainmentId, parseId } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import type { CliBroker, CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";
import { type Row, renderRows } from "./render-records.ts";

/** `contain` stops tokens; `containments` looks after what was stopped. */
export function addContainmentCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);

  program
    .command("contain")
    .description("stop tokens at once; with --revoke end them at iManage too")
    .argument("<kind>", `${TARGET_KINDS.join(", ")}; the last two are windows of time`)
    .argument("[what]", "its name, or its id")
    .requiredOption("--reason <text>", "why, for the record and the audit")
    .option("--revoke", "also revoke every token of each authorization at iManage")
    .option("--dry-run", "only count what it would concern")
    .option("--yes", "do not count and ask first")
    .option("--organisation <name>", "of a client or a window: in which organisation")
    .option("--server <organisation/server>", "at which server")
    .option("--client <name>", "of a subject or a window: of which application")
    .option("--customer <id>", "of a user: iManage's customer id, where it is another than the server's")
    .option("--issuer <issuer>", "of a subject: who vouches for it, where it is not the application itself")
    .option("--from <time>", "of a window: from when, 2026-11-22T14:00:00Z")
    .option("--to <time>", "of a window: until when; now, unless said otherwise")
    .option("--json", "print for programs")
    .action(
      run((kind: string, what: string | undefined, options: ContainOptions) =>
        stop(deps, kind, what, options),
      ),
    );

  const containments = program.command("containments").description("look after what was stopped");
  containments
    .command("list")
    .description("list containments, newest first")
    .option("--organisation <name>", "of one organisation; otherwise of all, and those of clients everywhere")
    .option("--json", "print for programs")
    .action(run((options: ListOptions) => list(deps, options)));
  containments
    .command("show")
    .description("show one, and how far its work has come")
    .argument("<id>", "ctn_…")
    .option("--json", "print for programs")
    .action(run((id: string, options: JsonOption) => show(deps, id, options)));
  containments
    .command("receipts")
    .description("print what iManage said of each token, one JSON object per line")
    .argument("<id>", "ctn_…")
    .action(run((id: string) => receipts(deps, id)));
  containments
    .command("reauthorizations")
    .description("print who has to authorise again, and who has, as CSV")
    .argument("<id>", "ctn_…")
    .action(run((id: string) => printReauthorizations(deps, id)));
  containments
    .command("lift")
    .description("let tokens flow again")
    .argument("<id>", "ctn_…")
    .requiredOption("--reason <text>", "why, for the record and the audit")
    .option("--json", "print for programs")
    .action(run((id: string, options: LiftOptions) => lift(deps, id, options)));
}

interface ContainOptions extends Omit<NamedTarget, "kind" | "what">, JsonOption {
  readonly reason: string;
  readonly revoke?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

interface LiftOptions extends JsonOption {
  readonly reason: string;
}

interface ListOptions extends JsonOption {
  readonly organisation?: string;
}

async function stop(
  deps: CliDeps,
  kind: string,
  what: string | undefined,
  options: ContainOptions,
): Promise<void> {
  const { json = false, revoke = false, dryRun = false, yes = false, reason } = options;
  await deps.withBroker(async ({ containment: ports, store, note }) => {
    const target = await named(() => readNamedTarget(store, { ...options, kind, what }, ports.clock.now()));
    const words = await wordsOf(store, target);
    if (dryRun || !yes) {
      const impact = await previewOf(ports, target);
      const { handedOutKnownSince: since, ...counts } = impact;
      if (dryRun && json) {
        return deps.write(
          `${JSON.stringify({ dry_run: true, target, ...counts, known_since: since ?? null })}\n`,
        );
      }
      const shared = impact.shared > 0 ? `, ${impact.shared} of them with other applications too` : "";
      const known =
        since === undefined ? "" : ` (the audit here begins at ${rfc3339(since)}; its export tells of more)`;
      (dryRun ? deps.write : deps.complain)(
        `${words}: ${impact.grants} authorizations${shared}, ${impact.clients} applications, ${impact.users} users, ${impact.libraries} libraries. ` +
          `${impact.handedOut} tokens were handed out in the last hour${known}. ${HANDED_OUT_LIVES}\n`,
      );
      if (dryRun) return;
      const does = revoke ? "Stop tokens and revoke them at iManage" : "Stop tokens";
      if (!(await deps.confirm(`${does} for ${words}?`))) {
        throw new ExpectedFault("Nothing was stopped. With --yes it is not asked.");
      }
    }
    const begun = await contain(ports, { target, effect: revoke ? "revoke" : "stop", reason }, note);
    if (json) deps.write(`${JSON.stringify(rowOf(begun, words))}\n`);
    else {
      const rest = revoke ? " iManage is told now, by the workers if not by this process." : "";
      deps.write(`${begun.id}: tokens are stopped for ${words}.${rest}\n`);
    }
  });
}

async function list(deps: CliDeps, { organisation: name, json = false }: ListOptions): Promise<void> {
  await deps.withBroker(async ({ containment: ports, store }) => {
    const places =
      name === undefined
        ? [undefined, ...(await store.listOrganisations()).map(({ id }) => id)]
        : [await named(() => organisationNamed(store, name))];
    const rows: Row[] = [];
    for (const place of places) {
      for (const one of await ports.containments.listContainments(place, undefined, 500))
        rows.push(rowOf(one, await wordsOf(store, one.target)));
    }
    if (json) for (const row of rows) deps.write(`${JSON.stringify(row)}\n`);
    else deps.write(rows.length === 0 ? "Nothing is or was contained.\n" : renderRows(rows));
  });
}

async function show(deps: CliDeps, id: string, { json = false }: JsonOption): Promise<void> {
  await deps.withBroker(async ({ containment: ports, store }) => {
    const containment = await find(ports, id);
    const progress = await progressOf(ports, containment);
    const refusals = (await refusalsOf(ports, containment)).map(({ why, tokens }) => `${tokens} × ${why}`);
    const row = {
      ...rowOf(containment, await wordsOf(store, containment.target)),
      ...progressRow(progress),
      iManage_refuses: refusals,
    };
    deps.write(json ? `${JSON.stringify(row)}\n` : renderRows([row]));
  });
}

async function receipts(deps: CliDeps, id: string): Promise<void> {
  await deps.withBroker(async ({ containment: ports }) => {
    const containment = await find(ports, id);
    for (let cursor: string | undefined; ; ) {
      const page = await receiptsOf(ports, containment, cursor, 500);
      for (const { entry: _, at, since, ...receipt } of page.items)
        deps.write(`${JSON.stringify({ ...receipt, ordered_at: rfc3339(since), at: rfc3339(at) })}\n`);
      if (page.next === undefined) return;
      cursor = page.next;
    }
  });
}

async function printReauthorizations(deps: CliDeps, id: string): Promise<void> {
  const { PUBLIC_BASE_URL: base } = deps.names();
  await deps.withBroker(async ({ containment: ports }) => {
    const containment = await find(ports, id);
    let cursor: string | undefined;
    for (let first = true; ; first = false) {
      const page = await reauthorizations(ports, containment, cursor, 500);
      const csv = csvOfReauthorizations(page.items, { base, seenBy: undefined, masked: false });
      deps.write(first ? csv : csv.slice(csv.indexOf("\n") + 1));
      if (page.next === undefined) return;
      cursor = page.next;
    }
  });
}

async function lift(deps: CliDeps, id: string, { reason, json = false }: LiftOptions): Promise<void> {
  await deps.withBroker(async ({ containment: ports, store, note }) => {
    const containment = await find(ports, id);
    await liftContainment(ports, containment, reason, note);
    if (json) return deps.write(`${JSON.stringify({ id: containment.id, lifted: true })}\n`);
    deps.write(
      `${containment.id} is lifted: tokens flow again for ${await wordsOf(store, containment.target)}, as far as nothing else stops them.\n`,
    );
  });
}

/** What names nothing is a sentence, as of any command. */
async function named<T>(read: () => Promise<T>): Promise<T> {
  return read().catch((error: unknown) => {
    throw error instanceof TargetFault ? new ExpectedFault(error.message) : error;
  });
}

async function find(ports: CliBroker["containment"], text: string): Promise<Containment> {
  const id: ContainmentId | undefined = parseId("ctn", text);
  const containment = id && (await ports.containments.findContainment(id));
  if (containment === undefined) {
    throw new ExpectedFault(`There is no containment ${text}: \`cli containments list\` has them.`);
  }
  return containment;
}

/** By the names that people gave, not by ids. */
async function wordsOf(store: CliBroker["store"], target: ContainmentTarget): Promise<string> {
  const names = new Map<string, string>();
  if ("server" in target && target.server !== undefined) {
    names.set(target.server, (await store.findServer(target.server))?.displayName ?? target.server);
  }
  if ("client" in target && target.client !== undefined) {
    names.set(target.client, (await store.findClient(target.client))?.name ?? target.client);
  }
  if ("organisation" in target && target.organisation !== undefined) {
    const { organisation } = target;
    names.set(organisation, (await store.findOrganisation(organisation))?.name ?? organisation);
  }
  return targetInWords(target, (id) => names.get(id) ?? id);
}

const rowOf = ({ id, effect, reason, by, since, lifted }: Containment, what: string): Row => ({
  id,
  what,
  effect,
  reason,
  by,
  since: rfc3339(since),
  lifted: lifted === undefined ? null : `${rfc3339(lifted.at)} by ${lifted.by}: ${lifted.reason}`,
});

const progressRow = (progress: ContainmentProgress): Row => ({
  finished: isFinished(progress),
  authorizations: progress.grants,
  applications: progress.clients,
  users: progress.users,
  libraries: progress.libraries,
  tokens: progress.tokens,
  to_do: tokensToDo(progress),
  revoked: progress.revoked,
  already_dead: progress.alreadyDead,
  refused_and_tried_again: progress.refused,
  given_up: progress.givenUp,
});
