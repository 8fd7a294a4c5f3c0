import type { Command } from "commander";
import { parseId, type SyncId } from "../domain/id.ts";
import { rfc3339OrNull } from "../domain/instant.ts";
import { syncWait } from "../domain/sync-wait.ts";
import type { SyncView } from "../sync/sync-view.ts";
import { agreed, YES } from "./agreed.ts";
import type { CliBroker, CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";
import { type Row, renderRows } from "./render-records.ts";

/** What is done to one sync, and what is said of it. */
const ACTS: Readonly<
  Record<
    string,
    {
      readonly does: string;
      /** Before what cannot be taken back. */
      readonly asks?: string;
      readonly act: (broker: CliBroker, id: SyncId) => Promise<string>;
    }
  >
> = {
  run: {
    does: "look for changes now",
    act: async ({ syncs }, id) => {
      await syncs.runNow(id);
      return "It is due now.";
    },
  },
  pause: {
    does: "look no more until it is resumed",
    act: async ({ syncs, note }, id) => {
      await syncs.pause(id, note);
      return "It is paused.";
    },
  },
  resume: {
    does: "go on with one that is paused, or was put aside",
    act: async ({ syncs, note }, id) => {
      await syncs.resume(id, note);
      return "It goes on.";
    },
  },
  reset: {
    does: "look at everything again, and tell what is otherwise than it was told",
    act: async ({ syncs, note }, id) => {
      await syncs.reset(id, note);
      return "It looks at everything again.";
    },
  },
  release: {
    does: "tell the deletions that are held",
    asks: "Tell its client that these documents are deleted? What it deletes of its own does not come back by itself.",
    act: async ({ syncs, note }, id) => `${await syncs.release(id, note)} deletions are told.`,
  },
  discard: {
    does: "tell none of the deletions that are held; the next full scan looks again",
    act: async ({ syncs, note }, id) => `${await syncs.discard(id, note)} deletions are not told.`,
  },
};

export function addSyncCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);
  const syncs = program.command("syncs").description("look at syncs of libraries, and steer them");

  syncs
    .command("list")
    .description("list the syncs of an organisation, oldest first")
    .requiredOption("--organisation <name>", "name of the organisation")
    .option("--json", "print one JSON object per line")
    .action(
      run(({ organisation: name, json = false }: JsonOption & { readonly organisation: string }) =>
        deps.withBroker(async (broker) => {
          const organisation = await broker.store.findOrganisationByName(name);
          if (organisation === undefined) throw new ExpectedFault(`There is no organisation named ${name}.`);
          const views = await broker.syncs.list(organisation.id);
          print(deps, views, json);
          if (!json) deps.write(`${views.length} syncs.\n`);
        }),
      ),
    );
  syncs
    .command("show <sync>")
    .description("how one sync stands, and who must act")
    .option("--json", "print a JSON object")
    .action(
      run((id: string, { json = false }: JsonOption) =>
        deps.withBroker(async (broker) => print(deps, [await broker.syncs.find(idOf(id))], json)),
      ),
    );
  for (const [name, { does, asks, act }] of Object.entries(ACTS)) {
    const command = syncs.command(`${name} <sync>`).description(does);
    if (asks !== undefined) command.option(...YES);
    command.option("--json", "print for programs").action(
      run(async (id: string, { json = false, yes }: JsonOption & { readonly yes?: boolean }) => {
        if (asks !== undefined) await agreed(deps, yes, asks);
        await deps.withBroker(async (broker) => {
          const told = await act(broker, idOf(id));
          deps.write(json ? `${JSON.stringify({ id, told })}\n` : `${told}\n`);
        });
      }),
    );
  }
}

function idOf(text: string): SyncId {
  if (parseId("syn", text) === undefined)
    throw new ExpectedFault(
      `${text.slice(0, 80)} is not the id of a sync (syn_…), as \`cli syncs list\` lists them.`,
    );
  return text as SyncId;
}

function print(deps: CliDeps, views: readonly SyncView[], json: boolean): void {
  const rows = views.map(syncRow);
  if (json) for (const row of rows) deps.write(`${JSON.stringify(row)}\n`);
  else if (rows.length > 0) deps.write(`${renderRows(rows)}\n`);
}

const seconds = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms / 1_000));

function syncRow({ sync, phase, waitsFor, lagMs, cursorAgeMs, heldDeletions, space }: SyncView): Row {
  const wait = waitsFor === undefined ? undefined : syncWait(waitsFor);
  return {
    id: sync.id,
    client: sync.client,
    server: sync.server,
    library: sync.library,
    wants: sync.wish.wants,
    workspaces: sync.wish.workspaces ?? null,
    state: sync.state,
    phase,
    waits_for: waitsFor ?? null,
    who_acts: wait?.remedy ?? null,
    action: wait?.action ?? null,
    interval_s: sync.intervalMs / 1_000,
    last_complete_at: rfc3339OrNull(sync.lastCompleteAt),
    cursor_age_s: seconds(cursorAgeMs),
    lag_s: seconds(lagMs),
    next_run_at: rfc3339OrNull(sync.dueAt),
    held_deletions: heldDeletions,
    objects: sync.counts.objects,
    changes: sync.counts.changes,
    unreadable: sync.counts.unreadable,
    failures: sync.counts.failures,
    bytes: space.own,
    organisation_bytes: space.organisation,
    quota_bytes: Number.isFinite(space.quota) ? space.quota : null,
  };
}
