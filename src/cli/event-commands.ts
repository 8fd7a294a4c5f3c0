import type { Command } from "commander";
import { ALL_EVENT_KINDS, isEventKind } from "../domain/event-kinds.ts";
import { type EventId, type EventPosition, eventPosition, parseId } from "../domain/id.ts";
import { rfc3339 } from "../domain/instant.ts";
import type { StoredEvent } from "../events/ports.ts";
import type { CliDeps, JsonOption } from "./build-cli.ts";
import { ExpectedFault } from "./expected-fault.ts";
import { guarded } from "./guarded.ts";
import { type Row, renderRows } from "./render-records.ts";

export function addEventCommands(program: Command, deps: CliDeps): void {
  const run = guarded(deps);

  program
    .command("events")
    .description("look at what clients are told of")
    .command("list")
    .description("list the events of an organisation that are kept, oldest first, whomever they are for")
    .requiredOption("--organisation <name>", "name of the organisation")
    .option("--kind <kind...>", ALL_EVENT_KINDS.join(", "), collect, [])
    .option("--after <event>", "only those behind this one, by its id")
    .option("--json", "print one JSON object per line")
    .action(run((options: EventsOptions) => listEvents(deps, options)));
}

interface EventsOptions extends JsonOption {
  readonly organisation: string;
  readonly kind: readonly string[];
  readonly after?: string;
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

const EVENTS_PER_PAGE = 500;

async function listEvents(deps: CliDeps, options: EventsOptions): Promise<void> {
  const { organisation: name, kind: kinds, json = false } = options;
  const unknown = kinds.find((kind) => !isEventKind(kind));
  if (unknown !== undefined)
    throw new ExpectedFault(`There is no event ${unknown}: ${ALL_EVENT_KINDS.join(", ")}.`);
  let after = options.after === undefined ? undefined : positionOf(options.after);
  await deps.withBroker(async ({ store, events }) => {
    const organisation = await store.findOrganisationByName(name);
    if (organisation === undefined) throw new ExpectedFault(`There is no organisation named ${name}.`);
    let count = 0;
    for (;;) {
      const page = await events.read(organisation.id, after, EVENTS_PER_PAGE);
      if (page.kind === "expired")
        throw new ExpectedFault(
          `What follows ${options.after} is no longer kept; list them without --after.`,
        );
      const found = page.events.filter(({ kind }) => kinds.length === 0 || kinds.includes(kind));
      count += found.length;
      if (json) for (const event of found) deps.write(`${JSON.stringify(eventRow(event))}\n`);
      else if (found.length > 0) deps.write(`${renderRows(found.map(eventRow))}\n`);
      if (page.ended) break;
      after = page.next;
    }
    if (!json) deps.write(`${count} events.\n`);
  });
}

function positionOf(text: string): EventPosition {
  const id = parseId("evt", text);
  const position = id && eventPosition(id as EventId);
  if (position === undefined) throw new ExpectedFault(`${text} is not the id of an event.`);
  return position;
}

/** As the log has it: ids and codes, and how many use the authorization, not who. */
function eventRow({ id, position, kind, fields, bindings }: StoredEvent): Row {
  const { bindings: _, ...told } = fields;
  return {
    id,
    number: position.number,
    at: rfc3339(position.at),
    kind,
    ...told,
    ...(fields.bindings !== undefined && { users_and_libraries: bindings.length }),
  };
}
