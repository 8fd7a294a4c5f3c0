import type { Command } from "commander";
import { type EventId, eventPosition, parseId, type SubscriptionId } from "../domain/id.ts";
import { type Instant, rfc3339 } from "../domain/instant.ts";
import { isDown } from "../events/delivery-plan.ts";
import type { ReplayWish, SubscriptionView } from "../events/subscriptions.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";
import { type Row, renderRows } from "./render-records.ts";

/** Where clients are called when something happens, and what became of it. */
export function addSubscriptionCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);
  const subscriptions = program
    .command("subscriptions")
    .description("look after clients' subscriptions to events");

  subscriptions
    .command("list")
    .description("list those of an organisation, oldest first, with how their receivers do")
    .requiredOption("--organisation <name>", "name of the organisation")
    .option("--json", "print for programs")
    .action(run((options: JsonOption & { readonly organisation: string }) => list(deps, options)));
  subscriptions
    .command("show")
    .description("show one")
    .argument("<id>", "sub_…")
    .option("--json", "print for programs")
    .action(run((id: string, options: JsonOption) => show(deps, id, options)));
  subscriptions
    .command("replay")
    .description("send events again: one, those of a time, or every dead letter")
    .argument("<id>", "sub_…")
    .option("--event <id>", "evt_…")
    .option("--from <time>", "2026-11-22T14:00:00Z")
    .option("--to <time>", "until when; now, unless said otherwise")
    .option("--dead", "what was not taken for three days")
    .option("--json", "print for programs")
    .action(run((id: string, options: ReplayOptions) => replay(deps, id, options)));
  for (const act of ["enable", "disable"] as const) {
    subscriptions
      .command(act)
      .description(
        act === "enable"
          ? "send again what waits and what comes"
          : "send nothing more; what comes waits for as long as events are kept",
      )
      .argument("<id>", "sub_…")
      .option("--json", "print for programs")
      .action(run((id: string, options: JsonOption) => setEnabled(deps, id, act === "enable", options)));
  }
}

interface ReplayOptions extends JsonOption {
  readonly event?: string;
  readonly from?: string;
  readonly to?: string;
  readonly dead?: true;
}

async function list(
  deps: CliDeps,
  { organisation: name, json = false }: JsonOption & { readonly organisation: string },
): Promise<void> {
  await deps.withBroker(async ({ store, subscriptions }) => {
    const organisation = await store.findOrganisationByName(name);
    if (organisation === undefined) throw new ExpectedFault(`There is no organisation named ${name}.`);
    const rows = (await subscriptions.list(organisation.id)).map(rowOf);
    deps.write(json ? `${JSON.stringify(rows)}\n` : `${renderRows(rows)}\n`);
  });
}

async function show(deps: CliDeps, id: string, { json = false }: JsonOption): Promise<void> {
  await deps.withBroker(async ({ subscriptions }) => {
    const row = rowOf(await subscriptions.find(subscriptionNamed(id)));
    const lines = Object.entries(row).map(([name, value]) => `  ${name}: ${value}`);
    deps.write(json ? `${JSON.stringify(row)}\n` : `${lines.join("\n")}\n`);
  });
}

async function replay(deps: CliDeps, id: string, options: ReplayOptions): Promise<void> {
  const wish = wishOf(options);
  await deps.withBroker(async ({ subscriptions, note }) => {
    const count = await subscriptions.replay(subscriptionNamed(id), wish, note);
    deps.write(options.json ? `${JSON.stringify({ events: count })}\n` : `${count} events are sent again.\n`);
  });
}

async function setEnabled(
  deps: CliDeps,
  id: string,
  enabled: boolean,
  { json = false }: JsonOption,
): Promise<void> {
  await deps.withBroker(async ({ subscriptions, note }) => {
    const { subscription } = await subscriptions.change(subscriptionNamed(id), { enabled }, note);
    if (json)
      return deps.write(`${JSON.stringify({ id: subscription.id, enabled: subscription.enabled })}\n`);
    deps.write(`${subscription.id} is ${subscription.enabled ? "enabled" : "disabled"}.\n`);
  });
}

function wishOf({ event, from, to, dead }: ReplayOptions): ReplayWish {
  const named = [event, from, dead].filter((part) => part !== undefined);
  if (named.length !== 1 || (to !== undefined && from === undefined))
    throw new ExpectedFault("Say --event, or --from and perhaps --to, or --dead.");
  if (dead) return { dead };
  if (from !== undefined)
    return { from: momentOf(from), to: to === undefined ? Number.MAX_SAFE_INTEGER : momentOf(to) };
  const known = parseId("evt", event!);
  if (known === undefined || eventPosition(known as EventId) === undefined)
    throw new ExpectedFault(`${event} is not the id of an event.`);
  return { event: known as EventId };
}

function momentOf(text: string): Instant {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new ExpectedFault(`${text} is no moment: 2026-11-22T14:00:00Z.`);
  return at;
}

function subscriptionNamed(id: string): SubscriptionId {
  const known = parseId("sub", id);
  if (known === undefined) throw new ExpectedFault(`${id} is not the id of a subscription.`);
  return known as SubscriptionId;
}

function rowOf({ subscription: of, delivery }: SubscriptionView): Row {
  const { receiver } = delivery;
  const state = isDown(receiver) ? "down" : receiver.pausedUntil === undefined ? "ok" : "paused";
  return {
    id: of.id,
    client: of.client,
    url: of.url,
    kinds: of.kinds === "all" ? "all" : of.kinds.join(" "),
    enabled: of.enabled,
    because: of.disabledBecause ?? "",
    receiver: state,
    waiting: delivery.waiting,
    delivered: delivery.delivered,
    dead: delivery.dead,
    last_taken_at: delivery.lastTakenAt === undefined ? "" : rfc3339(delivery.lastTakenAt),
    last_failure: delivery.lastFailure?.reason ?? "",
  };
}
