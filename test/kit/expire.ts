import { timing } from "../../src/domain/access-policy.ts";
import { type GrantId, organisationOf, type ServerId } from "../../src/domain/id.ts";
import { dueKey, grantKey, serverGateKey } from "../../src/store/keys.ts";
import type { World } from "./world.ts";

/** Puts a grant's access token at its moment of expiry: it still lives, but shorter than callers want. For every process. */
export async function expireSoon(
  world: Pick<World, "broker">,
  grant: string,
  leftMs = 30_000,
): Promise<void> {
  const store = world.broker.stores.fast;
  const now = await store.now();
  await store.call((redis) => redis.hset(grantKey(grant as GrantId), "at_exp", now + leftMs));
}

/**
 * What time does to a holder that no longer renews, without the time: its lease has lapsed, with its place
 * at the server's gate, and so, unless asked otherwise, has the deadline by which iManage must have answered it; a minute
 * brings the server's budget of retries back too. Answers whether somebody held the lease.
 * @param lease nothing happens unless this is the lease, or `null` and there is none: for a test in which others go on.
 */
export async function expireLease(
  world: Pick<World, "broker">,
  grant: string,
  {
    providerDeadline = true,
    lease,
  }: { readonly providerDeadline?: boolean; readonly lease?: string | null } = {},
): Promise<boolean> {
  const store = world.broker.stores.fast;
  const now = await store.now();
  const script = `
    local lease = redis.call('HGET', KEYS[1], 'lease')
    if ARGV[3] ~= 'any' and ARGV[3] ~= (lease or '') then return 0 end
    local gate = string.match(KEYS[1], '^(b1:%b{}:)') .. 'server-gate:' .. redis.call('HGET', KEYS[1], 'server')
    if lease then
      redis.call('HSET', KEYS[1], 'lease_until', ARGV[1])
      redis.call('ZREM', gate .. ':running', lease)
    end
    if ARGV[2] ~= '' then
      if redis.call('HEXISTS', KEYS[1], 'sent_at') == 1 then redis.call('HSET', KEYS[1], 'sent_at', ARGV[2]) end
      redis.call('HDEL', KEYS[1], 'retry_at')
      redis.call('HDEL', gate, 'retries')
    end
    return lease and 1 or 0`;
  const sentAt = providerDeadline ? String(now - timing.providerDeadlineMs) : "";
  const held = await store.call((redis) =>
    redis.eval(
      script,
      1,
      grantKey(grant as GrantId),
      now - 1,
      sentAt,
      lease === undefined ? "any" : (lease ?? ""),
    ),
  );
  return held === 1;
}

/** Makes a grant due for the workers, where it is in their schedule at all; in one step, as every change of it is. */
export async function dueNow(world: Pick<World, "broker">, grant: GrantId): Promise<void> {
  const store = world.broker.stores.fast;
  const script = `
    if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return end
    redis.call('HSET', KEYS[1], 'due_at', ARGV[2], 'at_exp', ARGV[2])
    redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])`;
  const now = await store.now();
  await store.call((redis) =>
    redis.eval(script, 2, grantKey(grant), dueKey(organisationOf(grant)), grant, now - 1),
  );
}

/** What a minute does to a server's gate: whatever it waits for has come. */
export async function reopenGate(world: Pick<World, "broker">, server: ServerId): Promise<void> {
  const store = world.broker.stores.fast;
  const now = await store.now();
  const script = `
    if redis.call('HEXISTS', KEYS[1], 'probe_at') == 1 then redis.call('HSET', KEYS[1], 'probe_at', ARGV[1]) end
    redis.call('HDEL', KEYS[1], 'pause_until', 'retries')`;
  await store.call((redis) => redis.eval(script, 1, serverGateKey(server), now - 1));
}
