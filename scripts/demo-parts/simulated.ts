import { readFileSync, writeFileSync } from "node:fs";
import { returnUrlOf as sampleReturnUrl } from "../sample/tracker.ts";
import { WalkingClient } from "../walk/client.ts";
import { returnUrlOf } from "./app.ts";
import type { Child } from "./children.ts";
import { apply, cli } from "./cli.ts";
import { type Folder, HOST } from "./folder.ts";
import type { NewFirm } from "./new-firm.ts";
import { Product, type Surroundings } from "./product.ts";
import { isThere } from "./secret-arrives.ts";
import { SimulatorControl } from "./simulator-control.ts";
import type { Teller } from "./teller.ts";

const SIMULATED_APPLICATION = { clientId: "token-broker", secret: "sim_secret_token-broker" };
const NEW_FIRM = { name: "harcourt", displayName: "Harcourt Rees" };
export const CLIENT = "matter-tracker";

/** A firm with a simulated iManage, two brokers, a worker and a client. */
export interface SimulatedFirm {
  readonly product: Product;
  readonly control: SimulatorControl;
  readonly organisation: string;
  readonly server: string;
  /** Another organisation, without a server. */
  readonly newFirm: NewFirm;
  /** The same client at either broker. */
  readonly clients: readonly [WalkingClient, WalkingClient];
  readonly clientSecretFile: string;
  /** The second broker's process, to kill. */
  readonly secondBroker: Child;
}

export async function startSimulatedFirm(
  { folder, ports, children, endings }: Pick<Surroundings, "folder" | "ports" | "children" | "endings">,
  teller: Teller,
): Promise<SimulatedFirm> {
  const address = (port: number) => `http://${HOST}:${port}`;
  const control = new SimulatorControl(address(ports.simulator));
  const baseUrl = address(ports.broker1);

  const simulating = children.start({
    name: "simulator",
    entry: "src/main/simulator.ts",
    args: ["--port", String(ports.simulator), "--state", folder.file("simulator.json")],
    env: process.env,
  });
  simulating.catch(() => {});
  const product = await Product.open(
    { folder, ports, baseUrl, loopbackOrigins: [control.origin], children, endings },
    (line) => teller.waits(line),
  );
  teller.saw(
    product.redis === undefined
      ? `Redis: the one that REDIS_URL names`
      : `Redis on ${HOST}:${product.redis.port}, every write synced to disk (${folder.shown("redis")})`,
  );

  // Configuration and processes do not wait for one another: in production they never do.
  const starting = Promise.all([product.startBroker(1), product.startBroker(2), product.startWorker()]);
  starting.catch(() => {});
  const config = writeConfiguration(folder, control.origin, [
    returnUrlOf(address(ports.app)),
    sampleReturnUrl(address(ports.tracker)),
  ]);
  folder.writeSecret("meridian-dms", SIMULATED_APPLICATION.secret);
  const clientSecretFile = folder.secretPath(CLIENT);
  if (!isThere(clientSecretFile)) await cli(["keys", "client-secret", clientSecretFile], product.env);
  const applied = await apply(config, product.env);
  const server = applied.servers["meridian/dms"]!;

  await simulating;
  teller.saw(`a simulated iManage Work answers on ${control.origin}`);
  await control.clearFaults();
  await control.setRedirectUrl(SIMULATED_APPLICATION.clientId, server.redirect_uri);
  // As the configuration says of it. The rest stays at its worst: a refresh kills the access token before it.
  await control.setSwitches({ refresh_mode: "leeway", leeway_seconds: 60, expires_in: "registration" });

  const [, secondBroker] = await starting;
  teller.saw(`two brokers (:${ports.broker1}, :${ports.broker2}) and a worker are ready`);
  teller.saw(`applied ${folder.shown("meridian.yaml")}: Meridian Legal, its server dms, client ${CLIENT}`);

  const secret = readFileSync(clientSecretFile, "utf8").trim();
  const clientAt = (which: 1 | 2) =>
    new WalkingClient(product.brokerAddress(which), applied.clients[CLIENT]!, secret);
  return {
    product,
    control,
    organisation: applied.organisations.meridian!,
    server: server.id,
    newFirm: {
      organisation: applied.organisations[NEW_FIRM.name]!,
      displayName: NEW_FIRM.displayName,
      control,
    },
    clients: [clientAt(1), clientAt(2)],
    clientSecretFile,
    secondBroker,
  };
}

function writeConfiguration(folder: Folder, imanage: string, returnUrls: readonly string[]): string {
  const file = folder.file("meridian.yaml");
  writeFileSync(
    file,
    `# Written by scripts/demo at every start. config/example.meridian.yaml explains the fields.
version: 1

organisations:
  - name: meridian
    display_name: Meridian Legal
    servers:
      - name: dms
        display_name: Meridian DMS
        kind: on-premises
        address: ${imanage}
        registration:
          client_id: ${SIMULATED_APPLICATION.clientId}
          client_secret_file: secrets/meridian-dms
        settings:
          # The simulator runs with refresh_mode leeway, and its admin would have looked that up. Of a server that is
          # strict or unknown the broker does not ask again before the killed holder's call must be over (60 s); with
          # leeway another process takes over within 17 s, which is what the demo shows.
          rotation: leeway

  # Nothing yet: its admin adds a server on the page (the demo app's /new-firm leads there).
  - name: ${NEW_FIRM.name}
    display_name: ${NEW_FIRM.displayName}

clients:
  - name: ${CLIENT}
    display_name: Matter tracker
    return_urls: [${returnUrls.join(", ")}]
    secret_file: secrets/${CLIENT}
    policies:
      - organisation: meridian
        servers: [dms]
        actions: [token, status, connect, revoke, sync, events]
        tokens_per_minute: 6000
      - organisation: ${NEW_FIRM.name}
        actions: [token, status, connect, revoke, configure]
`,
  );
  return file;
}
