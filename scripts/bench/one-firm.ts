import { writeFile } from "node:fs/promises";
import { join } from "node:path";

interface OneFirm {
  readonly organisation?: Named;
  readonly client?: Named;
  readonly simulator: string;
  readonly returnUrl: string;
  readonly actions: readonly string[];
  readonly tokensPerMinute?: number;
}
interface Named {
  readonly name: string;
  readonly displayName: string;
}

const BENCH: Named = { name: "bench", displayName: "Bench" };

/** A configuration of one firm at the simulator and one client, with the secret that it names. Answers its file. */
export async function writeOneFirm(
  folder: string,
  { organisation = BENCH, client = BENCH, simulator, returnUrl, actions, tokensPerMinute }: OneFirm,
): Promise<string> {
  const secretFile = join(folder, "client-secret");
  await writeFile(secretFile, "sim_secret_token-broker", { mode: 0o600 });
  const limit = tokensPerMinute === undefined ? "" : `, tokens_per_minute: ${tokensPerMinute}`;
  const file = join(folder, `${organisation.name}.yaml`);
  await writeFile(
    file,
    `version: 1
organisations:
  - name: ${organisation.name}
    display_name: ${organisation.displayName}
    servers:
      - name: dms
        display_name: DMS
        kind: on-premises
        address: ${simulator}
        customer_id: 5948
        registration: { client_id: token-broker, client_secret_file: ${secretFile} }
clients:
  - name: ${client.name}
    display_name: ${client.displayName}
    return_urls: [${returnUrl}]
    policies:
      - { organisation: ${organisation.name}, actions: [${actions.join(", ")}]${limit} }
`,
  );
  return file;
}
