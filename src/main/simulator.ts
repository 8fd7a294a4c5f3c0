import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { overHttp, playEdits, readEdits } from "../simulator/play-edits.ts";
import { type Simulator, startSimulator } from "../simulator/start-simulator.ts";

const USAGE = `usage: simulator [--port 4300] [--host 127.0.0.1] [--state FILE] [--quiet]
       simulator --edits FILE [--speed 1] [--to http://127.0.0.1:4300]`;

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: "string", default: "4300" },
        host: { type: "string", default: "127.0.0.1" },
        state: { type: "string" },
        quiet: { type: "boolean", default: false },
        edits: { type: "string" },
        speed: { type: "string", default: "1" },
        to: { type: "string", default: "http://127.0.0.1:4300" },
      },
    });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw new Error("--port is a number up to 65535");
    const speed = Number(values.speed);
    if (!(speed > 0)) throw new Error("--speed is a number above 0");
    return { ...values, port, speed };
  } catch (error) {
    return stop(`${(error as Error).message}\n${USAGE}`);
  }
}

function stop(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

/** Plays a file of edits into a simulator that runs, and ends. */
async function play(file: string, to: string, speed: number): Promise<never> {
  try {
    const made = await playEdits(readEdits(await readFile(file, "utf8")), overHttp(to), { speed });
    process.stdout.write(`${made} edits made\n`);
    process.exit(0);
  } catch (error) {
    const { message, cause } = error as Error;
    return stop(
      `The edits could not be made: ${message}${cause instanceof Error ? ` (${cause.message})` : ""}`,
    );
  }
}

async function start(): Promise<Simulator> {
  const { port, host, state, quiet, edits, to, speed } = readArguments();
  if (edits !== undefined) await play(edits, to, speed);
  try {
    return await startSimulator({
      port,
      host,
      ...(state !== undefined && { stateFile: state }),
      ...(!quiet && { log: (line) => process.stdout.write(`${line}\n`) }),
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE")
      return stop(
        `Port ${port} on ${host} is taken: choose another with --port, or --port 0 for a free one.`,
      );
    return stop(`The simulator could not start: ${message}`);
  }
}

const simulator = await start();
const application = simulator.registrations.find("token-broker");
process.stdout.write(
  [
    "",
    "  iManage Work simulator",
    `  origin    ${simulator.origin}`,
    `  control   ${simulator.controlUrl}`,
    ...(application
      ? [`  client    ${application.client_id} / ${application.client_secrets[0]?.value}`]
      : []),
    "  sign in   amelia.hart / hart",
    "",
    "",
  ].join("\n"),
);

process.send?.({ ready: true });

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    simulator.close().then(
      () => process.exit(0),
      (error: Error) => stop(error.message),
    );
  });
}
