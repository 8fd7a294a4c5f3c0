import { readFileSync, writeFileSync } from "node:fs";
import { WalkingClient } from "../walk/client.ts";
import { buildApp, returnUrlOf, VISITOR } from "./app.ts";
import { type Applied, apply, cli } from "./cli.ts";
import { Declaration, type DeclaredRegistration, type DemoClient } from "./declaration.ts";
import { choosePorts, type Folder, HOST, type Memory, mustBeFree, portNames } from "./folder.ts";
import type { GrantBody } from "./grants-table.ts";
import { namedRedis, Product } from "./product.ts";
import { listen, type Running } from "./run-simulated-demo.ts";
import { arrival, isThere } from "./secret-arrives.ts";
import { Sentence } from "./sentence.ts";
import { must } from "./teller.ts";

/** The same broker against a firm's real iManage. @returns whether to stay up, or what the process ends with */
export async function runServerDemo(running: Running): Promise<"stay" | "done"> {
  const { args, folder, teller, children, endings } = running;
  const declaration = new Declaration(args.serverFile!);
  const memory = await rememberedOrChosen(running);
  const { ports } = memory;
  const baseUrl = memory.baseUrl ?? `http://${HOST}:${ports.broker1}`;
  await mustBeFree(ports, portNames(false, namedRedis() === undefined), folder.path);
  folder.write(memory);

  const { loopbackOrigins } = declaration;
  const product = await Product.open({ folder, ports, baseUrl, loopbackOrigins, children, endings }, (line) =>
    teller.waits(line),
  );
  await cli(["check", declaration.file], product.env);
  const serverName = declaration.serverNames[0];
  if (serverName === undefined) throw new Sentence(`${declaration.file} declares no server to sign in to.`);

  const appAddress = `http://${HOST}:${ports.app}`;
  const client = await demoClient(declaration, folder, appAddress, product);
  const applied = await register(running, declaration, product, client.own);
  const server = applied.servers[serverName]!.id;

  await teller.step("start", "brokers and worker are ready", async () => {
    await Promise.all([product.startBroker(1), product.startBroker(2), product.startWorker()]);
  });
  teller.saw(`two brokers (:${ports.broker1}, :${ports.broker2}) and a worker are ready`);

  const clientAt = new WalkingClient(
    product.brokerAddress(1),
    applied.clients[client.name]!,
    secretOf(client.secretFile, declaration, client.name),
  );
  const connected = Promise.withResolvers<void>();
  const app = buildApp({
    client: clientAt,
    server,
    serverName: declaration.displayName(serverName),
    address: appAddress,
    brokerUrl: baseUrl,
    hint: "with your own account",
    onConnected: () => connected.resolve(),
  });
  await listen(app, ports.app, running);

  const organisation = applied.organisations[serverName.split("/")[0]!]!;
  if (await isConnected(clientAt, organisation, server)) {
    teller.saw(`somebody connected in an earlier run`);
  } else {
    teller.say(
      `\n  Sign in to ${serverName} here, in a browser on this machine:\n\n    ${appAddress}/connect\n`,
    );
    teller.waits("waiting for the first sign-in");
    await connected.promise;
    teller.saw("the first person is connected");
  }
  await teller.step("the first token", "200, and /api says who it is", async () => {
    const given = await clientAt.accessToken({ server, subject: { type: "user", id: VISITOR } });
    must(given.status === 200, () => `${given.status} ${given.body.code ?? ""}`);
    const { api_base_url, access_token, expires_in, fingerprint } = given.body;
    teller.saw(`POST /v1/access-tokens: token ${fingerprint.slice(0, 6)}…, ${expires_in} s to live`);
    const api = await fetch(`${api_base_url}/api`, { headers: { "X-Auth-Token": access_token } });
    const { data } = (await api.json()) as { data?: { user?: { name?: string; customer_id?: number } } };
    must(api.status === 200 && data?.user !== undefined, () => `iManage's /api answered ${api.status}`);
    teller.saw(`GET /api at iManage: ${data?.user?.name}, customer ${data?.user?.customer_id}`);
  });
  folder.write({ ...memory, runs: memory.runs + 1 });

  teller.say(`
  Demo app            ${appAddress}/
  Library page        ${baseUrl}/servers/${server}/libraries
  API docs            ${baseUrl}/docs
  Queue dashboard     http://${HOST}:${ports.ops1}/queues
  Logs                ${folder.shown("logs")}/
`);
  if (args.once) return "done";
  teller.say("Everything stays up; Ctrl-C ends it, and a second start goes on with the same data.");
  return "stay";
}

async function rememberedOrChosen({ args, folder, teller }: Running): Promise<Memory> {
  const remembered = folder.read();
  const known = { v: 1 as const, runs: 0, ...remembered, ports: await choosePorts(remembered?.ports) };
  const memory: Memory = {
    ...known,
    ports: args.port === undefined ? known.ports : { ...known.ports, broker1: args.port },
    baseUrl: args.baseUrl ?? known.baseUrl,
  };
  const moved =
    remembered !== undefined &&
    (memory.ports.broker1 !== known.ports.broker1 || memory.baseUrl !== known.baseUrl);
  teller.say(`\nToken broker for iManage Work, with the servers of ${args.serverFile}`);
  if (moved) teller.say("The callback URL is another than before: register the one below, too.");
  return memory;
}

/** The demo's client: the one in the file that returns to the demo's app, or one of its own. */
async function demoClient(declaration: Declaration, folder: Folder, appAddress: string, product: Product) {
  const returnUrl = returnUrlOf(appAddress);
  const declared = declaration.clientThatReturnsTo(returnUrl);
  if (declared !== undefined) {
    const secretFile = declared.secretFile ?? folder.file("secrets", declared.name);
    return { name: declared.name, secretFile, own: undefined };
  }
  const name = declaration.hasClient("demo-app") ? "demo-app-of-scripts" : "demo-app";
  const secretFile = folder.secretPath(name);
  if (!isThere(secretFile)) await cli(["keys", "client-secret", secretFile], product.env);
  return { name, secretFile, own: { name, returnUrl, secretFile } };
}

/** The registration sheets first, because an admin has to do something with them; then all of the file. */
async function register(
  { folder, teller }: Running,
  declaration: Declaration,
  product: Product,
  client: DemoClient | undefined,
): Promise<Applied> {
  const unnamed = (name: string) => folder.secretPath(name);
  const registrations = declaration.registrations(unnamed);
  const missing = registrations.filter(hasNoSecret);
  const whole = folder.file("config.yaml");
  writeFileSync(whole, HEAD + declaration.whole(unnamed, client));
  const first = missing.length === 0 ? whole : folder.file("as-far-as-registered.yaml");
  if (first !== whole) writeFileSync(first, HEAD + declaration.asFarAsRegistered(isThere));

  let applied = await apply(first, product.env);
  for (const { server } of registrations) {
    teller.say(`\n${(await cli(["registration-sheet", server], product.env)).trimEnd()}\n`);
  }
  for (const { server, secretFile, secretEnv } of missing) {
    if (secretFile === undefined) {
      throw new Sentence(
        `The client secret of ${server} is expected in the environment variable ${secretEnv}: set it and start again.`,
      );
    }
    teller.say(
      `  The client secret of ${server} is not here yet. Put the one that Control Center\n  generates, and nothing else, into this file:\n\n    ${secretFile}\n`,
    );
    teller.waits("waiting for the file");
    await arrival(secretFile);
    teller.saw(`the client secret of ${server} is there`);
  }
  if (first !== whole) applied = await apply(whole, product.env);
  keepNewSecrets(applied, folder, teller.saw.bind(teller));
  teller.saw(`applied ${declaration.file}`);
  return applied;
}

const HEAD = "# Written by scripts/demo from the file it was given, at every start.\n";

const hasNoSecret = ({ secretFile, secretEnv }: DeclaredRegistration): boolean =>
  secretFile === undefined ? process.env[secretEnv ?? ""] === undefined : !isThere(secretFile);

/** Secrets that the broker made are shown once: here they are kept, for whoever declared the clients. */
function keepNewSecrets(applied: Applied, folder: Folder, saw: (text: string) => void): void {
  for (const { client, client_secret } of applied.new_client_secrets) {
    saw(`the new secret of client ${client} is in ${folder.writeSecret(client, client_secret)}`);
  }
}

function secretOf(file: string, declaration: Declaration, client: string): string {
  if (isThere(file)) return readFileSync(file, "utf8").trim();
  throw new Sentence(
    `The demo's app is client ${client} of ${declaration.file}, whose secret is not in ${file}. Name its secret_file there, or leave that client out: the demo then brings its own.`,
  );
}

async function isConnected(client: WalkingClient, organisation: string, server: string): Promise<boolean> {
  const list = await client.call<{ items?: readonly (GrantBody & { server: string })[] }>(
    "GET",
    `/v1/grants?organisation=${organisation}&limit=500`,
  );
  return (list.body.items ?? []).some(
    (grant) =>
      grant.server === server &&
      grant.state !== "reauthorization_required" &&
      grant.used_by.some(({ subject }) => subject === VISITOR),
  );
}
