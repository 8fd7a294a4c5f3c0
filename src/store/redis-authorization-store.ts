import type {
  AuthorizationRequest,
  AuthorizationStore,
  PageSession,
  PendingCompletion,
} from "../broker/authorization/ports.ts";
import type { ConnectSession } from "../domain/connect-session.ts";
import { type ConnectSessionId, type Route, routeOf } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import { EndingRecords } from "./ending-records.ts";
import {
  authorizationRequestKey,
  connectSessionKey,
  connectStartKey,
  pageSessionKey,
  pendingCompletionKey,
} from "./keys.ts";
import {
  readAuthorizationRequest,
  readConnectSession,
  readConnectStart,
  readPageSession,
  readPendingCompletion,
} from "./records.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisAuthorizationStore implements AuthorizationStore {
  readonly #store: RedisStore;
  readonly #records: EndingRecords;

  constructor(store: RedisStore) {
    this.#store = store;
    this.#records = new EndingRecords(store);
  }

  async insertConnectSession(
    session: ConnectSession,
    startDigest: string,
    lives: { readonly startMs: Milliseconds; readonly recordMs: Milliseconds },
  ): Promise<void> {
    const route = routeOf(session.id);
    await this.#records.put(connectSessionKey(session.id), session, lives.recordMs);
    await this.#records.put(
      connectStartKey(route, startDigest),
      { v: 1, session: session.id },
      lives.startMs,
    );
  }

  async findConnectSession(id: ConnectSessionId): Promise<ConnectSession | undefined> {
    return this.#records.find(connectSessionKey(id), readConnectSession);
  }

  async advanceConnectSession(
    id: ConnectSessionId,
    from: readonly ConnectSession["state"][],
    change: Partial<Pick<ConnectSession, "state" | "grant" | "problem" | "returnedAt" | "windowMs">>,
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
    const start = await this.#records.take(connectStartKey(route, startDigest), readConnectStart);
    return start && this.findConnectSession(start.session);
  }

  async insertAuthorizationRequest(
    route: Route,
    stateDigest: string,
    request: AuthorizationRequest,
    lifeMs: Milliseconds,
  ): Promise<void> {
    await this.#records.put(authorizationRequestKey(route, stateDigest), request, lifeMs);
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
    await this.#records.put(pendingCompletionKey(route, completionDigest), pending, lifeMs);
  }

  async takePendingCompletion(
    route: Route,
    completionDigest: string,
  ): Promise<PendingCompletion | undefined> {
    return this.#records.take(pendingCompletionKey(route, completionDigest), readPendingCompletion);
  }

  async insertPageSession(
    route: Route,
    digest: string,
    session: PageSession,
    lifeMs: Milliseconds,
  ): Promise<void> {
    await this.#records.put(pageSessionKey(route, digest), session, lifeMs);
  }

  async findPageSession(route: Route, digest: string): Promise<PageSession | undefined> {
    return this.#records.find(pageSessionKey(route, digest), readPageSession);
  }

  async deletePageSession(route: Route, digest: string): Promise<void> {
    await this.#store.call((redis) => redis.del(pageSessionKey(route, digest)));
  }
}
