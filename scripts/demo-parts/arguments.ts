import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../checks.ts";
import { Sentence } from "./sentence.ts";

export interface DemoArguments {
  readonly help: boolean;
  /** Ends after the story instead of staying up. */
  readonly once: boolean;
  /** Stays up at once, with a firm that has nothing yet. */
  readonly newFirm: boolean;
  /** Moves the data of earlier runs aside first. */
  readonly fresh: boolean;
  readonly folder: string;
  /** Declares a firm's real iManage; undefined: the simulator. */
  readonly serverFile: string | undefined;
  readonly port: number | undefined;
  readonly baseUrl: string | undefined;
}

export const USAGE = `scripts/demo                   the product with a simulated iManage: tells its story, then stays up to look at
scripts/demo --once            tells its story and ends; exit code 0 if everything went as told
scripts/demo --new-firm        without the story: a firm that has nothing yet, to set up by hand to its first token
scripts/demo --server FILE     the same with a firm's real iManage, as FILE declares it (see config/example.*.yaml)

  --fresh          begin anew: the data of earlier runs is moved aside, not deleted
  --data DIR       keep the data in DIR (otherwise .data/demo, or .data/server-<name of FILE>)
  --port N         with --server: port of the broker, and so of the callback URL; remembered
  --base-url URL   with --server: how browsers reach the broker, if not http://127.0.0.1:<port>; remembered
  --help

A second start goes on with the data of the first. REDIS_URL, if set, is used instead of a Redis of its own.
Ctrl-C ends everything that was started.
`;

/** @throws Sentence */
export function readArguments(args: readonly string[]): DemoArguments {
  const values = parse(args);
  const serverFile = values.server === undefined ? undefined : resolve(values.server);
  for (const name of ["port", "base-url"] as const) {
    if (values[name] !== undefined && serverFile === undefined)
      throw new Sentence(`--${name} goes with --server: the simulated demo chooses its own.`);
  }
  if (values["new-firm"] && (serverFile !== undefined || values.once))
    throw new Sentence("--new-firm goes with neither --server nor --once: somebody clicks through it.");
  const name = basename(serverFile ?? "").replace(/\.ya?ml$/, "");
  const folder = serverFile === undefined ? "demo" : `server-${name.replaceAll(/[^\w.-]/g, "-")}`;
  return {
    help: values.help,
    once: values.once,
    newFirm: values["new-firm"],
    fresh: values.fresh,
    folder: values.data === undefined ? join(ROOT, ".data", folder) : resolve(values.data),
    serverFile,
    port: portOf(values.port),
    baseUrl: baseUrlOf(values["base-url"]),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", default: false, short: "h" },
        "new-firm": { type: "boolean", default: false },
        once: { type: "boolean", default: false },
        fresh: { type: "boolean", default: false },
        data: { type: "string" },
        server: { type: "string" },
        port: { type: "string" },
        "base-url": { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new Sentence(
      `${(error as Error).message.replace(/\. To specify[\s\S]*$/, ".")}\nSee scripts/demo --help.`,
    );
  }
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535)
    throw new Sentence("--port is a whole number from 1 to 65535.");
  return port;
}

function baseUrlOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (URL.parse(text)?.origin !== text)
    throw new Sentence("--base-url is an address like https://broker.example.com, with nothing behind it.");
  return text;
}
