import { AccessTokens } from "../broker/access/provide-access-token.ts";
import { Revoker } from "../broker/grants/revoke-pending.ts";
import type { Meters } from "../broker/meter-ports.ts";
import type { Clock, Log, Random, Sealer, Timers } from "../broker/ports.ts";
import { PreviousTokenCheck } from "../broker/profile/previous-token-check.ts";
import type { FailPoints } from "../broker/refresh/ports.ts";
import { GrantRefresher } from "../broker/refresh/refresh-grant.ts";
import type { ImanageApi } from "../imanage/imanage-api.ts";
import type { ImanageAuthorizationServer } from "../imanage/imanage-authorization-server.ts";
import { oncePerTurn } from "../store/same-turn.ts";
import type { Stores } from "./open-stores.ts";

/** What becomes of the tokens of a grant: refreshed, handed out, revoked. */
export function handOutTokens(by: {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly sealer: Sealer;
  readonly stores: Stores;
  readonly authorizationServer: ImanageAuthorizationServer;
  readonly api: ImanageApi;
  readonly meters: Meters;
  readonly failPoints: FailPoints | undefined;
}) {
  const { clock, timers, random, log, sealer, stores, authorizationServer, api, meters, failPoints } = by;
  const { configuration, refreshes, profiles, grants } = stores;
  const previousTokens = new PreviousTokenCheck({
    clock,
    log,
    sealer,
    profiles,
    tokens: grants,
    identities: api,
  });
  const refresher = new GrantRefresher({
    clock,
    timers,
    random,
    log,
    sealer,
    refreshes,
    grants,
    servers: oncePerTurn(configuration),
    authorizationServer,
    previousTokens,
    identity: { identities: api, imported: stores.imports },
    meters,
    ...(failPoints && { failPoints }),
  });
  const accessTokens = new AccessTokens({
    clock,
    timers,
    log,
    sealer,
    access: stores.access,
    clients: configuration,
    servers: configuration,
    refreshes,
    refresher,
    meters,
  });
  const revoker = new Revoker({
    clock,
    log,
    sealer,
    outbox: grants,
    grants,
    servers: configuration,
    organisations: configuration,
    authorizationServer,
  });
  return { previousTokens, refresher, accessTokens, revoker };
}
