import type { Broker } from "./broker.ts";

interface AccessToken {
  readonly access_token: string;
  readonly fingerprint: string;
  readonly api_base_url: string;
  readonly customer_id: string;
}

interface Answer {
  readonly sees: boolean;
  readonly until: number;
}

const ANSWERS: readonly number[] = [200, 403, 404];
/** For so long an answer counts. Someone who loses access at iManage may see a document's name that much longer. */
const REMEMBERED_MS = 60_000;
/** Questions to iManage at a time, for one person. */
const AT_ONCE = 6;

/**
 * May this person see this document? Our copy of the library was read with a library admin's authorisation, and an NRTADMIN
 * sees more than a viewer may. So before a document is shown to anyone, iManage is asked for it with that person's own
 * token: 200 shows it, 403 and 404 do not, and any other answer is no permission either.
 */
export class Visibility {
  readonly #broker: Broker;
  readonly #server: string;
  readonly #library: string;
  readonly #answers = new Map<string, Map<string, Answer>>();

  constructor(broker: Broker, server: string, library: string) {
    this.#broker = broker;
    this.#server = server;
    this.#library = library;
  }

  /**
   * Those of `documents` that the person may see.
   * @throws BrokerProblem, for example `authorization_required`: then he connects his iManage account first
   */
  async visibleTo<T extends { readonly id: string }>(person: string, documents: readonly T[]): Promise<T[]> {
    const known = this.#answers.get(person) ?? new Map<string, Answer>();
    this.#answers.set(person, known);
    const now = Date.now();
    const unknown = documents.filter(({ id }) => (known.get(id)?.until ?? 0) <= now);
    if (unknown.length === 0) return documents.filter(({ id }) => known.get(id)?.sees);

    let token = await this.#token(person);
    const next = unknown.values();
    const ask = async () => {
      for (const { id } of next) {
        const used = token;
        let status = await this.#look(used, id);
        if (status === 401) {
          // Tokens die idle. Report the one that died: the broker refreshes once, however many do.
          if (token === used) token = await this.#token(person, used.fingerprint);
          status = await this.#look(token, id);
        }
        if (ANSWERS.includes(status)) known.set(id, { sees: status === 200, until: now + REMEMBERED_MS });
        else known.delete(id);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, ask));
    return documents.filter(({ id }) => known.get(id)?.sees);
  }

  /** Something about him has changed: connected, disconnected, stopped. */
  forgetPerson(person: string): void {
    this.#answers.delete(person);
  }

  /** Something about these documents has changed; it may be who sees them. */
  forget(documents: readonly string[]): void {
    for (const answers of this.#answers.values()) for (const id of documents) answers.delete(id);
  }

  #token(person: string, rejected?: string): Promise<AccessToken> {
    return this.#broker.ask("POST", "/v1/access-tokens", {
      body: { server: this.#server, subject: { type: "user", id: person }, ...(rejected && { rejected }) },
    });
  }

  async #look({ api_base_url, customer_id, access_token }: AccessToken, document: string): Promise<number> {
    const path = ["work/api/v2/customers", customer_id, "libraries", this.#library, "documents"].join("/");
    const response = await fetch(`${api_base_url}/${path}/${encodeURIComponent(document)}`, {
      headers: { "X-Auth-Token": access_token },
    });
    await response.body?.cancel();
    return response.status;
  }
}
