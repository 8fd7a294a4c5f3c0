import { parseArgs } from "node:util";
import { type Simulator, startSimulator } from "../simulator/start-simulator.ts";

const USAGE = "usage: simulator [--port 4300] [--host 127.0.0.1] [--state FILE] [--quiet]";

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: "string", default: "4300" },
        host: { type: "string", default: "127.0.0.1" },
        state: { type: "string" },
        quiet: { type: "boolean", default: false },
      },
    });
    const port = Number(values.port);
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw new Error("--port is a number up to 65535");
    return { ...values, port };
  } catch (error) {
    return stop(`${(error as Error).message}\n${USAGE}`);
  }
}

function stop(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

async function start(): Promise<Simulator> {
  const { port, host, state, quiet } = readArguments();
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
