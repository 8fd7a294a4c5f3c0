import type { ClientId } from "../../domain/id.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import type { TokenEncryption } from "../../domain/token-encryption.ts";
import type { ClientStore, TokenEncrypter } from "./ports.ts";

const REMEMBERED_MAX = 10_000;

/** A client as its proof just named it. */
export interface ProvenClient {
  readonly id: ClientId;
  /** Of its record: what is remembered of a client counts while this is the same. */
  readonly generation: number;
}

/** As it is, or as compact JWE. */
export type TokenOnItsWay = { readonly readable: Secret } | { readonly jwe: string };

/**
 * In which form a client gets a token: readable, or encrypted to its own key, so that nothing between reads it. Its record is
 * read once for each generation of it, so that a token request costs no further look-up.
 */
export class TokensOnTheirWay {
  readonly #clients: Pick<ClientStore, "findClient">;
  readonly #encrypter: TokenEncrypter;
  readonly #known = new Map<ClientId, { generation: number; encryption: TokenEncryption | undefined }>();

  constructor(clients: Pick<ClientStore, "findClient">, encrypter: TokenEncrypter) {
    this.#clients = clients;
    this.#encrypter = encrypter;
  }

  async of(client: ProvenClient, token: Secret): Promise<TokenOnItsWay> {
    const encryption = await this.#encryptionOf(client);
    return encryption === undefined
      ? { readable: token }
      : { jwe: await this.#encrypter.encrypt(token, encryption) };
  }

  async #encryptionOf({ id, generation }: ProvenClient): Promise<TokenEncryption | undefined> {
    const known = this.#known.get(id);
    if (known?.generation === generation) return known.encryption;
    const client = await this.#clients.findClient(id);
    // Gone since it proved itself: to answer readably is not for us to decide.
    if (client === undefined) throw new Problem("invalid_client");
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    // By the generation that was read, which may be younger than the one that was proven.
    this.#known.set(id, { generation: client.generation, encryption: client.tokenEncryption });
    return client.tokenEncryption;
  }
}
