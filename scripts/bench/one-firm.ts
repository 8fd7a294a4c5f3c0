import { writeFile } from "node:fs/promises";
import { join } from "node:path";

interface OneFirm {
  readonly organisation?: Named;
  readonly client?: Named;
  readonly simulator: string;
  readonly returnUrl: string;
  readonly actions: readonly string[];
  readonly tokensPerMinute?: number;
  /** Files of the client's public keys and of its secret, where it has both. */
  readonly proofs?: { readonly jwks: string; readonly secret: string };
}
interface Named {
  readonly name: string;
  readonly displayName: string;
}

const BENCH: Named = { name: "bench", displayName: "Bench" };

/** A configuration of one firm at the simulator and one client, with the secret that it names. Answers its file. */
export async function writeOneFirm(
  folder: string,
  { organisation = BENCH, client = BENCH, simulator, returnUrl, actions, tokensPerMinute, proofs }: OneFirm,
): Promise<string> {
  const secretFile = join(folder, "client-secret");
  await writeFile(secretFile, "sim_secret_token-broker", { mode: 0o600 });
  const limit = tokensPerMinute === undefined ? "" : `, tokens_per_minute: ${tokensPerMinute}`;
  const proven =
    proofs === undefined
      ? ""
      : `\n    secret_file: ${proofs.secret}\n    secret_expires: never\n    keys: { jwks_file: ${proofs.jwks} }`;
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
    return_urls: [${returnUrl}]${proven}
    policies:
      - { organisation: ${organisation.name}, actions: [${actions.join(", ")}]${limit} }
`,
  );
  return file;
}
