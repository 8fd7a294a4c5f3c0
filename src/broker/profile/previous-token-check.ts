import type { GrantId, ServerId } from "../../domain/id.ts";
import { type Instant, minutes, seconds } from "../../domain/instant.ts";
import type { Server } from "../../domain/server.ts";
import { decidePreviousTokenCheck } from "../../domain/server-profile.ts";
import type { OwnTokenStore } from "../access/own-token.ts";
import type { IdentityReader } from "../authorization/ports.ts";
import type { Clock, Log, Sealer } from "../ports.ts";
import { accessTokenContext } from "../seal-contexts.ts";
import type { ServerProfiles } from "./ports.ts";

export interface PreviousTokenCheckPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly sealer: Sealer;
  readonly profiles: ServerProfiles;
  readonly tokens: OwnTokenStore;
  readonly identities: IdentityReader;
}

/** A token with less life left may die of old age while it is asked about. */
const MIN_LEFT_MS = seconds(30);
/** Between two looks of one process at what the others have learned. */
const LOOK_AGAIN_MS = minutes(5);

/**
 * Learns whether a server leaves the access token of before alive when a grant is refreshed: by one harmless `GET /api`
 * with it after a refresh that happened anyway (design §4). Nothing here ever hinders or delays a refresh.
 */
export class PreviousTokenCheck {
  readonly #ports: PreviousTokenCheckPorts;
  readonly #lookedAt = new Map<ServerId, { at: Instant; generation: number }>();
  readonly #running = new Set<Promise<void>>();

  constructor(ports: PreviousTokenCheckPorts) {
    this.#ports = ports;
  }

  /**
   * Asked before a refresh, because afterwards the token of before is gone. Answers what to do once it went well, or
   * undefined where there is nothing to learn.
   */
  async before(grant: GrantId, server: Server): Promise<(() => void) | undefined> {
    try {
      return await this.#before(grant, server);
    } catch {
      return undefined;
    }
  }

  /** Resolves once nothing is being asked. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #before(grant: GrantId, server: Server): Promise<(() => void) | undefined> {
    const { clock, profiles, tokens, sealer } = this.#ports;
    const looked = this.#lookedAt.get(server.id);
    const generation = server.configurationGeneration;
    if (looked?.generation === generation && clock.now() - looked.at < LOOK_AGAIN_MS) return undefined;

    const todo = decidePreviousTokenCheck(
      server.settings,
      await profiles.findProfile(server.id),
      clock.now(),
    );
    const done = () => this.#lookedAt.set(server.id, { at: clock.now(), generation });
    if (todo === "nothing") {
      done();
      return undefined;
    }
    const pinned = server.settings.previousAccessTokens;
    if (pinned !== "unknown") {
      return () =>
        this.#run(async () => {
          await profiles.learnPreviousAccessTokens(server.id, pinned);
          done();
        });
    }

    const stored = await tokens.readAccessToken(grant, MIN_LEFT_MS);
    if (stored === undefined || stored === "contained") return undefined;
    const previous = await sealer.open(stored.accessToken, accessTokenContext({ ...stored, grant, server }));
    return () =>
      this.#run(async () => {
        const { kind } = await this.#ports.identities.whoAmI(server, previous);
        // Only a clear answer teaches; whatever else came says nothing of the token.
        if (kind !== "ok" && kind !== "unauthorized") return;
        const observed = kind === "ok" ? "survive" : "end";
        await profiles.learnPreviousAccessTokens(server.id, observed);
        done();
        this.#ports.log.info(
          { server: server.id, outcome: "learned", detail: `previous access tokens ${observed}` },
          "profile",
        );
      });
  }

  #run(task: () => Promise<void>): void {
    const running = task()
      .catch(() => {})
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
