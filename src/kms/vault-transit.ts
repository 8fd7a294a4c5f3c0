import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { Agent, request } from "undici";
import type { RootKeyWrapper } from "../broker/keys/ports.ts";
import { type Milliseconds, seconds } from "../domain/instant.ts";
import { Secret } from "../domain/secret.ts";
import { KmsError } from "./kms-error.ts";

export interface VaultOptions {
  /** Origin, as VAULT_ADDR has it. */
  readonly address: string;
  readonly mount: string;
  readonly key: string;
  readonly namespace?: string | undefined;
  readonly tokenFile: string;
  /** PEM certificates trusted instead of the public ones. */
  readonly ca?: string | undefined;
  /** How long a Vault that is away or sealed is waited for. */
  readonly patienceMs?: Milliseconds;
}

const ANSWER_MS = seconds(10);
const ANSWER_BYTES_MAX = 64 * 1024;
const FIRST_PAUSE_MS: Milliseconds = 200;
const LONGEST_PAUSE_MS = seconds(3);

interface Answer {
  readonly status: number;
  readonly data: Readonly<Record<string, unknown>>;
  /** Vault's own words, printable and short. */
  readonly errors: string;
}

/** The transit engine of HashiCorp Vault or OpenBao. */
export class VaultTransit implements RootKeyWrapper {
  readonly name: string;
  readonly #of: VaultOptions;
  readonly #agent: Agent;

  constructor(options: VaultOptions) {
    this.#of = options;
    this.name = `vault-transit ${options.namespace === undefined ? "" : `${options.namespace}/`}${options.mount}/${options.key}`;
    this.#agent = new Agent({
      connect: { timeout: ANSWER_MS, ...(options.ca !== undefined && { ca: options.ca }) },
      headersTimeout: ANSWER_MS,
      bodyTimeout: ANSWER_MS,
      maxResponseSize: ANSWER_BYTES_MAX,
      // Asked a few times at the start: nothing is kept open for later.
      keepAliveTimeout: 1,
    });
  }

  async wrap(key: Uint8Array, context: string): Promise<string> {
    const { ciphertext } = await this.#ask("encrypt", {
      plaintext: base64(key),
      associated_data: base64(context),
    });
    if (typeof ciphertext !== "string" || !/^vault:v\d+:[A-Za-z0-9+/]+=*$/.test(ciphertext))
      throw new KmsError(`${this.#where} answered without a ciphertext: is it the transit engine?`);
    return ciphertext;
  }

  async unwrap(wrapped: string, context: string): Promise<Uint8Array> {
    const { plaintext } = await this.#ask("decrypt", {
      ciphertext: wrapped,
      associated_data: base64(context),
    });
    if (typeof plaintext !== "string")
      throw new KmsError(`${this.#where} answered without a plaintext: is it the transit engine?`);
    return Buffer.from(plaintext, "base64");
  }

  get #where(): string {
    return `Vault at ${this.#of.address}`;
  }

  async #ask(what: "encrypt" | "decrypt", body: object): Promise<Answer["data"]> {
    const until = performance.now() + (this.#of.patienceMs ?? seconds(30));
    let refused: string | undefined;
    for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
      const token = await this.#token();
      const answer = await this.#send(what, body, token);
      if (typeof answer !== "string" && answer.status === 200) return answer.data;
      if (typeof answer !== "string" && answer.status === 403 && refused !== token.reveal()) {
        // Whoever renews the token may have replaced it at this moment: another one than the refused is tried.
        refused = token.reveal();
        await pause(FIRST_PAUSE_MS);
        continue;
      }
      const { sentence, again } = typeof answer === "string" ? away(answer) : this.#judge(what, answer);
      if (!again || performance.now() + wait > until) throw new KmsError(`${this.#where} ${sentence}`);
      await pause(wait);
    }
  }

  async #send(what: string, body: object, token: Secret): Promise<Answer | string> {
    const { address, mount, key, namespace } = this.#of;
    try {
      const { statusCode, body: answered } = await request(
        `${address}/v1/${mount.split("/").map(encodeURIComponent).join("/")}/${what}/${encodeURIComponent(key)}`,
        {
          method: "POST",
          dispatcher: this.#agent,
          headers: {
            "content-type": "application/json",
            "x-vault-token": token.reveal(),
            // An agent or proxy of Vault's may ask for it.
            "x-vault-request": "true",
            ...(namespace !== undefined && { "x-vault-namespace": namespace }),
          },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(ANSWER_MS),
        },
      );
      return readAnswer(statusCode, await answered.text());
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException;
      return code ?? name;
    }
  }

  async #token(): Promise<Secret> {
    const text = await readFile(this.#of.tokenFile, "utf8").catch((error: NodeJS.ErrnoException) => {
      throw new KmsError(
        `VAULT_TOKEN_FILE ${this.#of.tokenFile} cannot be read (${error.code}): put Vault's token there.`,
      );
    });
    const token = text.trim();
    if (!/^[\x21-\x7e]{1,4096}$/.test(token))
      throw new KmsError(
        `VAULT_TOKEN_FILE ${this.#of.tokenFile} does not hold one token: write Vault's token into it, and nothing else.`,
      );
    return new Secret(token);
  }

  #judge(what: "encrypt" | "decrypt", { status, errors }: Answer): { sentence: string; again: boolean } {
    const { mount, key, namespace, tokenFile } = this.#of;
    const said = errors === "" ? "" : ` (${errors})`;
    const path = `${mount}/${what}/${key}`;
    switch (status) {
      case 400:
        if (/too old/.test(errors))
          return no(
            `no longer decrypts with that version of transit key ${key}${said}: whoever keeps Vault must lower its min_decryption_version until \`cli keys wrap\` has been run.`,
          );
        if (/not found/.test(errors))
          return no(
            `has no transit key ${key} at ${mount}${said}: correct VAULT_TRANSIT_KEY, or have it made.`,
          );
        return no(
          `does not ${what} with transit key ${key}${said}: the root keyset was wrapped by another key, or altered. Name the key it was wrapped by, or restore the file.`,
        );
      case 403:
        return no(
          `refuses the token of ${tokenFile}: it has ended, or its policy does not allow update on ${path}. Whoever keeps Vault must write another, or correct the policy.`,
        );
      case 404:
        return no(
          `knows no ${path}${namespace === undefined ? "" : ` in namespace ${namespace}`}${said}: correct VAULT_TRANSIT_MOUNT or VAULT_NAMESPACE.`,
        );
      case 301:
      case 302:
      case 307:
      case 308:
        return {
          sentence:
            "hands over to another address, which is not followed: name the active node, or what stands in front of all, in VAULT_ADDR.",
          again: true,
        };
      case 503:
        return {
          sentence: `is sealed or in maintenance${said}: somebody who has its unseal keys must unseal it.`,
          again: true,
        };
      case 429:
      case 472:
      case 473:
        return {
          sentence: `does not serve this now (status ${status})${said}: it is asked too much, or is a standby.`,
          again: true,
        };
      default:
        return {
          sentence: `answers with status ${status}${said}: whoever keeps Vault must look at its log.`,
          again: status >= 500,
        };
    }
  }
}

const no = (sentence: string) => ({ sentence, again: false });

/** By the error's code: its message may hold what was sent. */
function away(code: string): { sentence: string; again: boolean } {
  if (/CERT|SELF_SIGNED|UNABLE_TO|ISSUER|ALTNAME|ERR_TLS|ERR_SSL/.test(code))
    return no(
      `has a certificate that is not believed (${code}): name its authority's file in VAULT_CACERT, or correct VAULT_ADDR.`,
    );
  return {
    sentence: `cannot be reached (${code}): start it, open the way to it, or correct VAULT_ADDR. Brokers that run are not affected.`,
    again: true,
  };
}

function readAnswer(status: number, text: string): Answer {
  let read: { data?: unknown; errors?: unknown } = {};
  try {
    read = (JSON.parse(text) ?? {}) as typeof read;
  } catch {
    // What stands in front of Vault may answer with a page.
  }
  const errors = Array.isArray(read.errors)
    ? read.errors.filter((it) => typeof it === "string").join("; ")
    : "";
  const data = typeof read.data === "object" && read.data !== null ? (read.data as Answer["data"]) : {};
  return { status, data, errors: errors.replace(/[^\x20-\x7e]+/g, " ").slice(0, 200) };
}

const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes as string).toString("base64");
