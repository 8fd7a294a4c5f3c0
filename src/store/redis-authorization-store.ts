import type {
  AuthorizationRequest,
  AuthorizationStore,
  PageSession,
  PendingCompletion,
} from "../broker/authorization/ports.ts";
import type { ConnectSession } from "../domain/connect-session.ts";
import { type ConnectSessionId, type Route, routeOf } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import {
  authorizationRequestKey,
  connectSessionKey,
  connectStartKey,
  pageSessionKey,
  pendingCompletionKey,
} from "./keys.ts";
import {
  optional,
  readAuthorizationRequest,
  readConnectSession,
  readPageSession,
  readPendingCompletion,
} from "./records.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisAuthorizationStore implements AuthorizationStore {
  readonly #store: RedisStore;

  constructor(store: RedisStore) {
    this.#store = store;
  }

  async insertConnectSession(
    session: ConnectSession,
    startDigest: string,
    lifeMs: Milliseconds,
  ): Promise<void> {
    const route = routeOf(session.id);
    await this.#put(connectSessionKey(session.id), session, lifeMs);
    await this.#store.call((redis) =>
      redis.set(connectStartKey(route, startDigest), session.id, "PX", lifeMs),
    );
  }

  async findConnectSession(id: ConnectSessionId): Promise<ConnectSession | undefined> {
    return optional(readConnectSession)(await this.#store.readJson(connectSessionKey(id)));
  }

  async advanceConnectSession(
    id: ConnectSessionId,
    from: readonly ConnectSession["state"][],
    change: Partial<Pick<ConnectSession, "state" | "grant" | "problem" | "returnedAt">>,
  ): Promise<{ moved: boolean; session: ConnectSession | undefined }> {
    const [moved, stored] = (await this.#store.run(
      "advance-connect-session",
      [connectSessionKey(id)],
      [JSON.stringify(change), from.length, ...from],
    )) as [number, string];
    return {
      moved: moved === 1,
      session: stored === "" ? undefined : readConnectSession(JSON.parse(stored)),
    };
  }

  async takeStart(route: Route, startDigest: string): Promise<ConnectSession | undefined> {
    const id = await this.#store.call((redis) => redis.getdel(connectStartKey(route, startDigest)));
    return id === null ? undefined : this.findConnectSession(id as ConnectSessionId);
  }

  async insertAuthorizationRequest(
    route: Route,
    stateDigest: string,
    request: AuthorizationRequest,
    lifeMs: Milliseconds,
  ): Promise<void> {
    await this.#put(authorizationRequestKey(route, stateDigest), request, lifeMs);
  }

  async takeAuthorizationRequest(
    route: Route,
    stateDigest: string,
    expected: { readonly cookieDigests: readonly string[]; readonly registration: string },
  ): Promise<AuthorizationRequest | "unknown" | "other_browser" | "other_registration"> {
    const [outcome, stored] = (await this.#store.run(
      "take-authorization-request",
      [authorizationRequestKey(route, stateDigest)],
      [expected.registration, expected.cookieDigests.length, ...expected.cookieDigests],
    )) as ["taken", string] | ["unknown" | "other_browser" | "other_registration"];
    return outcome === "taken" ? readAuthorizationRequest(JSON.parse(stored)) : outcome;
  }

  async insertPendingCompletion(
    route: Route,
    completionDigest: string,
    pending: PendingCompletion,
    lifeMs: Milliseconds,
  ): Promise<void> {
    await this.#put(pendingCompletionKey(route, completionDigest), pending, lifeMs);
  }

  async takePendingCompletion(
    route: Route,
    completionDigest: string,
  ): Promise<PendingCompletion | undefined> {
    return this.#take(pendingCompletionKey(route, completionDigest), optional(readPendingCompletion));
  }

  async insertPageSession(
    route: Route,
    digest: string,
    session: PageSession,
    lifeMs: Milliseconds,
  ): Promise<void> {
    await this.#put(pageSessionKey(route, digest), session, lifeMs);
  }

  async findPageSession(route: Route, digest: string): Promise<PageSession | undefined> {
    return optional(readPageSession)(await this.#store.readJson(pageSessionKey(route, digest)));
  }

  async deletePageSession(route: Route, digest: string): Promise<void> {
    await this.#store.call((redis) => redis.del(pageSessionKey(route, digest)));
  }

  async #put(key: string, record: object, lifeMs: Milliseconds): Promise<void> {
    await this.#store.call((redis) => redis.set(key, JSON.stringify(record), "PX", Math.ceil(lifeMs)));
  }

  async #take<T>(key: string, read: (stored: unknown) => T | undefined): Promise<T | undefined> {
    const text = await this.#store.call((redis) => redis.getdel(key));
    return text === null ? undefined : read(JSON.parse(text));
  }
}
