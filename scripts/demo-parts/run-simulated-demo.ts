import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import { startTracker } from "../sample/tracker.ts";
import { buildApp } from "./app.ts";
import type { DemoArguments } from "./arguments.ts";
import type { Children } from "./children.ts";
import { choosePorts, type Folder, HOST, type Memory, mustBeFree, portNames } from "./folder.ts";
import { LIBRARY, VIEWERS } from "./people.ts";
import { namedRedis } from "./product.ts";
import { type SimulatedFirm, startSimulatedFirm } from "./simulated.ts";
import { tellStory } from "./story.ts";
import type { Teller } from "./teller.ts";

export interface Running {
  readonly args: DemoArguments;
  readonly folder: Folder;
  readonly teller: Teller;
  readonly children: Children;
  /** How to end what is no child of `children`, in the order in which it was started. */
  readonly endings: (() => Promise<unknown>)[];
}

/** @returns whether to stay up, or what the process ends with */
export async function runSimulatedDemo(running: Running): Promise<"stay" | "done"> {
  const { args, folder, teller } = running;
  const remembered = folder.read();
  let memory: Memory = { v: 1, runs: 0, ...remembered, ports: await choosePorts(remembered?.ports) };
  const { ports } = memory;
  teller.say(
    remembered === undefined
      ? "\nToken broker for iManage Work, with a simulated iManage\n"
      : `\nToken broker for iManage Work, going on with ${folder.shown()}\n`,
  );
  await mustBeFree(ports, portNames(true, namedRedis() === undefined), folder.path);
  folder.write(memory);

  const firm = await teller.step("start", "Redis, simulator, brokers and worker are ready", () =>
    startSimulatedFirm({ ...running, ports }, teller),
  );
  const appAddress = `http://${HOST}:${ports.app}`;
  const trackerAddress = `http://${HOST}:${ports.tracker}`;
  const app = buildApp({
    client: firm.clients[0],
    server: firm.server,
    serverName: "Meridian DMS",
    address: appAddress,
    brokerUrl: firm.product.brokerAddress(1),
    hint: "(simulated: amelia.hart / hart)",
    checklist: `${trackerAddress}/`,
    newFirm: firm.newFirm,
  });
  await listen(app, ports.app, running);

  if (args.newFirm) {
    teller.say(`
${firm.newFirm.displayName} has nothing yet. From there to its first token:

  New firm            ${appAddress}/new-firm
`);
    return "stay";
  }

  const remember = (learned: Partial<Memory>) => {
    memory = { ...memory, ...learned };
    folder.write(memory);
  };
  await startSample(firm, trackerAddress, running);
  await tellStory({ firm, teller, appAddress, trackerAddress, memory, remember });
  remember({ runs: memory.runs + 1 });
  teller.saw("done");
  if (args.once) return "done";

  const { control, product, server } = firm;
  teller.say(`
Everything stays up; Ctrl-C ends it, and a second start goes on with the same data.

  Demo app            ${appAddress}/
  Matter checklist    ${trackerAddress}/   (the sample app: scripts/sample)
  New firm            ${appAddress}/new-firm
  Library page        ${product.brokerAddress(1)}/servers/${server}/libraries
  API docs            ${product.brokerAddress(1)}/docs
  Queue dashboard     http://${HOST}:${ports.ops1}/queues
  Simulated iManage   ${control.origin}/_simulator/   (sign in: amelia.hart / hart, e.moreau / moreau)
  Logs                ${folder.shown("logs")}/
`);
  return "stay";
}

/** The sample app, as the same client: who connected for one of them has connected for both. */
async function startSample(
  { clients: [client], clientSecretFile, organisation, server }: SimulatedFirm,
  address: string,
  { endings }: Pick<Running, "endings">,
): Promise<void> {
  const sample = await startTracker({
    brokerUrl: client.base,
    clientId: client.id,
    clientSecret: readFileSync(clientSecretFile, "utf8").trim(),
    organisation,
    server,
    library: LIBRARY,
    viewers: VIEWERS,
    address,
    // Least that a broker outside production takes.
    interval: 1,
  });
  endings.push(() => sample.close());
}

export async function listen(
  app: Server,
  port: number,
  { endings }: Pick<Running, "endings">,
): Promise<void> {
  app.listen(port, HOST);
  await once(app, "listening");
  endings.push(async () => {
    app.closeAllConnections();
    app.close();
  });
}
