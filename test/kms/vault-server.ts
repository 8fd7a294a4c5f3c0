import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

type Capability = "update" | "create" | "read";

interface TransitKey {
  readonly versions: Buffer[];
  min_decryption_version: number;
}

/**
 * The part of Vault's and OpenBao's HTTP interface that wrapping needs, as their documents and sources have it: transit keys with
 * versions (`vault:v<n>:<base64 of nonce, ciphertext, tag>`, AES-256-GCM), associated data in base64, tokens with policies by
 * path, namespaces, sealed and standby. What is made by `encrypt` without a key and with `create` is a new key, as there.
 */
export async function vaultServer(tls?: { readonly cert: string; readonly key: string }) {
  const keys = new Map<string, TransitKey>();
  const tokens = new Map<string, Readonly<Record<string, readonly Capability[]>>>();
  const state = { sealed: false, standby: false as boolean | string, failures: 0, namespace: "" };
  const requests: { readonly path: string; readonly token: string; readonly namespace: string }[] = [];

  const answer: RequestListener = (req, res) => {
    const send = (status: number, body: object, headers = {}) => {
      res.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers });
      res.end(JSON.stringify(body));
    };
    const fail = (status: number, ...errors: string[]) => send(status, { errors });
    bodyOf(req).then((text) => {
      const path = decodeURIComponent(req.url!.replace(/^\/v1\//, ""));
      const token = String(req.headers["x-vault-token"] ?? "");
      const namespace = String(req.headers["x-vault-namespace"] ?? "").replace(/\/$/, "");
      requests.push({ path, token, namespace });
      if (state.failures > 0) {
        state.failures -= 1;
        return req.socket.destroy();
      }
      if (state.sealed) return fail(503, "Vault is sealed");
      if (typeof state.standby === "string") return send(307, {}, { location: `${state.standby}${req.url}` });
      if (namespace !== state.namespace)
        return fail(404, `no handler for route "${path}". route entry not found.`);
      const capabilities = tokens.get(token)?.[path];
      if (capabilities === undefined) return fail(403, "permission denied");
      const [, action, name] = /^transit\/(encrypt|decrypt)\/([^/]+)$/.exec(path) ?? [];
      if (action === undefined || req.method !== "POST")
        return fail(404, `no handler for route "${path}". route entry not found.`);

      const input = JSON.parse(text) as Record<string, string>;
      const aad = Buffer.from(input.associated_data ?? "", "base64");
      let key = keys.get(name!);
      if (action === "encrypt") {
        if (key === undefined && capabilities.includes("create")) {
          key = newKey();
          keys.set(name!, key);
        }
        if (key === undefined) return fail(400, "encryption key not found");
        if (!isBase64(input.plaintext)) return fail(400, "illegal base64 data at input byte 0");
        const version = key.versions.length;
        const ciphertext = `vault:v${version}:${encrypt(key.versions[version - 1]!, Buffer.from(input.plaintext!, "base64"), aad)}`;
        return send(200, { request_id: "r", lease_id: "", data: { ciphertext, key_version: version } });
      }
      if (key === undefined) return fail(400, "encryption key not found");
      const [, version, body] = /^vault:v(\d+):(.+)$/.exec(input.ciphertext ?? "") ?? [];
      if (version === undefined) return fail(400, "invalid ciphertext: no prefix");
      if (Number(version) > key.versions.length) return fail(400, "invalid ciphertext: version is too new");
      if (Number(version) < key.min_decryption_version)
        return fail(400, "ciphertext or signature version is disallowed by policy (too old)");
      const plaintext = decrypt(key.versions[Number(version) - 1]!, Buffer.from(body!, "base64"), aad);
      if (plaintext === undefined) return fail(400, "cipher: message authentication failed");
      return send(200, { request_id: "r", lease_id: "", data: { plaintext: plaintext.toString("base64") } });
    });
  };
  const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    state,
    requests,
    addKey: (name: string) => void keys.set(name, newKey()),
    rotate: (name: string) => void keys.get(name)!.versions.push(randomBytes(32)),
    configure: (name: string, { min_decryption_version }: Pick<TransitKey, "min_decryption_version">) => {
      keys.get(name)!.min_decryption_version = min_decryption_version;
    },
    destroy: (name: string) => keys.delete(name),
    addToken(policy: Readonly<Record<string, readonly Capability[]>>): string {
      const token = `hvs.${randomBytes(24).toString("base64url")}`;
      tokens.set(token, policy);
      return token;
    },
    endToken: (token: string) => tokens.delete(token),
  };
}

const newKey = (): TransitKey => ({ versions: [randomBytes(32)], min_decryption_version: 1 });

const isBase64 = (text: string | undefined): boolean =>
  text !== undefined && Buffer.from(text, "base64").toString("base64") === text;

function encrypt(key: Buffer, plain: Buffer, aad: Buffer): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(aad);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString("base64");
}

function decrypt(key: Buffer, body: Buffer, aad: Buffer): Buffer | undefined {
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, body.subarray(0, 12), { authTagLength: 16 })
      .setAAD(aad)
      .setAuthTag(body.subarray(-16));
    return Buffer.concat([decipher.update(body.subarray(12, -16)), decipher.final()]);
  } catch {
    return undefined;
  }
}

async function bodyOf(req: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of req.setEncoding("utf8")) text += part;
  return text;
}
