import type { ProvenPromise } from "../kit/promise.ts";

const AWAY = "test/faults/redis-away.test.ts";
const ECHO = "test/store/commit-echo.test.ts";

const WENT_BACK = "test/stories/store-went-back.test.ts";
const RESTORE = "test/stories/restore.test.ts";
const SNAPSHOT = "test/store/snapshot.test.ts";

/** What may become of Redis: F26 to F35. */
export const redisFaults: readonly ProvenPromise[] = [
  {
    id: "F26",
    promise: "A command whose reply was lost is sent again and happens once.",
    proofs: [
      {
        file: "test/race/replies-lost.test.ts",
        title: "one in a hundred of Redis' replies is lost with its connection",
        full: { TEST_REFRESHES: "10000" },
        without: {
          guard: "a begin that is asked again under the same name",
          file: "src/store/lua/refresh-begin.lua",
          replace: "if g[7] == ARGV[1] then return begun(g[12], tonumber(g[8]) - tonumber(ARGV[2])) end",
          by: "",
        },
      },
      {
        file: "test/store/refresh-store.test.ts",
        title: "sent again",
        without: {
          guard: "an orphaned commit looks whether its tokens are in the outbox",
          file: "src/store/lua/refresh-commit.lua",
          replace: "if value ~= '' and (value == ARGV[6] or value == ARGV[10]) then return 'orphaned' end",
          by: "",
        },
      },
      {
        file: "test/store/refresh-store.test.ts",
        title: "sent again",
        without: {
          guard: "a consent looks whether it is stored",
          file: "src/store/lua/put-consent.lua",
          replace:
            "if gen == tonumber(ARGV[2]) and redis.call('HGET', KEYS[1], 'at') == ARGV[10] then return 'stored' end",
          by: "",
        },
      },
      {
        file: "test/race/replies-lost.test.ts",
        title: "an announcement that is lost with its connection",
        without: {
          guard: "everybody is woken when announcements are heard again",
          file: "src/store/keep-subscribed.ts",
          replace: "    connection.subscribe(channel).then(listening, () => {});",
          by: "    connection.subscribe(channel).catch(listening);",
        },
      },
      {
        file: "test/store/keep-subscribed.test.ts",
        title: "a connection that was cut hears again what is announced",
        without: {
          guard: "a subscription to a cluster says that it has moved to another node",
          file: "src/store/keep-subscribed.ts",
          replace:
            "if (connection instanceof Cluster) return keepSubscribedInCluster(connection, channel, listening);",
          by: "",
        },
      },
    ],
  },
  {
    id: "F27",
    promise: "An answer that comes while Redis is down is stored when it is back.",
    proofs: [
      {
        file: AWAY,
        title: "Redis is stopped right after a refresh was sent",
        full: { TEST_OUTAGES: "200" },
        without: {
          guard: "what has arrived is stored however long Redis is away",
          file: "src/store/redis-refresh-store.ts",
          replace: '(await this.#untilStored("refresh-commit", keys, args))',
          by: '(await this.#fast.run("refresh-commit", keys, args))',
        },
      },
      {
        file: AWAY,
        title: "redis-server is killed mid-commit",
        full: { TEST_REDIS_KILLS: "200" },
        without: {
          guard: "a commit that was stored and is sent again is known",
          file: "src/store/lua/refresh-commit.lua",
          replace: "if answered then return answered end",
          by: "",
        },
      },
    ],
  },
  {
    id: "F28",
    promise:
      "While Redis is away a token request is refused within about a second, and never served from memory.",
    proofs: [
      {
        file: AWAY,
        title: "behind a connection that is dead without a word",
        full: { TEST_ASKS: "1000" },
        without: {
          guard: "a connection whose other end is gone is given up",
          file: "src/store/connect-redis.ts",
          replace: "    socketTimeout: 3_000,\n",
          by: "",
        },
      },
      {
        file: "test/race/redis-away.test.ts",
        title: "(F28)",
        without: {
          guard: "whoever waits for Redis waits less than a second",
          file: "src/main/open-stores.ts",
          replace: "    FAST_MS,\n",
          by: "    undefined,\n",
        },
      },
    ],
  },
  {
    id: "F29",
    promise: "A Redis whose memory is full refuses everything but what must not be lost.",
    proofs: [
      {
        file: AWAY,
        title: "(F29)",
        full: { TEST_COMMITS: "1000" },
        without: {
          guard: "a commit may exceed the memory",
          file: "src/store/lua/refresh-commit.lua",
          replace: "#!lua flags=allow-oom",
          by: "#!lua",
        },
      },
    ],
  },
  {
    id: "F30",
    promise: "No process starts on a Redis that evicts.",
    proofs: [
      {
        file: AWAY,
        title: "(F30)",
        without: {
          guard: "the check at start",
          file: "src/main/run.ts",
          replace: "  await onceStoreAnswers(broker, () => refuseBadStore(broker, log));",
          by: "",
        },
      },
    ],
  },
  {
    id: "F31",
    promise:
      "Where Redis refuses writes iManage is not called; what was called for already is stored in the end.",
    proofs: [
      {
        file: AWAY,
        title: "where Redis cannot save and refuses writes",
        without: {
          guard: "the intent is written before anything leaves",
          file: "src/broker/refresh/refresh-grant.ts",
          replace: "if (!(await refreshes.markSent(grant, attempt, timing.leaseMs))) return undefined;",
          by: "refreshes.markSent(grant, attempt, timing.leaseMs).catch(() => {});",
        },
      },
      {
        file: AWAY,
        title: "a Redis that answers and refuses while iManage's answer comes",
        without: {
          guard: "a refused commit is tried again",
          file: "src/store/redis-refresh-store.ts",
          replace:
            'if (ended || !(error instanceof Problem) || error.code !== "store_unavailable") throw error;',
          by: "throw error;",
        },
      },
    ],
  },
  {
    id: "F32",
    promise: "What Redis acknowledged and lost comes back from the processes that committed it.",
    proofs: [
      {
        file: AWAY,
        title: "(F32)",
        full: { TEST_TAILS: "50" },
        without: {
          guard: "a process remembers what it committed",
          file: "src/store/redis-refresh-store.ts",
          replace: "      this.#echo.remember(attempt,",
          by: "      if (Date.now() === 0) this.#echo.remember(attempt,",
        },
      },
      {
        file: ECHO,
        title: "no refresh begins before the offers are through",
        without: {
          guard: "a refresh waits for the offers",
          file: "src/store/commit-echo.ts",
          replace: "    if (this.#isThrough) return true;",
          by: "    if (Date.now() > 0) return true;",
        },
      },
      {
        file: ECHO,
        title: "whatever was lost of a chain of refreshes",
        without: {
          guard: "an offer is newer than what is stored, although its parent is not there",
          file: "src/store/lua/refresh-echo.lua",
          replace: " or (newer and fp ~= '' and ARGV[18] == 'committed')",
          by: "",
        },
      },
      {
        file: ECHO,
        title: "a commit that was under way when its predecessor was lost",
        without: {
          guard: "a spare whose parent is offered takes its place",
          file: "src/store/lua/refresh-echo.lua",
          replace: "if spares[i].parent == rt_fp then",
          by: "if false then",
        },
      },
      {
        file: ECHO,
        title: "a grant that was deleted stays deleted",
        without: {
          guard: "an offer is of the consent that is stored",
          file: "src/store/lua/refresh-echo.lua",
          replace: "if not g[1] or g[1] ~= ARGV[4] or g[8]",
          by: "if not g[1] or g[8]",
        },
      },
      {
        file: ECHO,
        title: "what another has fetched since stays",
        without: {
          guard: "what came later by the clock is newer, whatever its number",
          file: "src/store/lua/refresh-echo.lua",
          replace: " and received >= tonumber(g[12] or '0')",
          by: "",
        },
      },
    ],
  },
  {
    id: "F33",
    promise:
      "After an older backup was put back nothing is refreshed until an operator has seen exactly which grants are stale.",
    proofs: [
      {
        file: WENT_BACK,
        title: "T27 F33 an older Redis behind a process that lives",
        without: {
          guard: "no refresh begins while it is restoring",
          file: "src/store/lua/refresh-begin.lua",
          replace: "if restore_mode(prefix_of(key)) then",
          by: "if false then",
        },
      },
      {
        file: WENT_BACK,
        title: "F33 a refresh that has begun when the store is put back sends nothing",
        without: {
          guard: "it is asked once more before the request leaves",
          file: "src/store/lua/refresh-mark-sent.lua",
          replace: " or restore_mode(prefix_of(KEYS[1])) then",
          by: " then",
        },
      },
      {
        file: RESTORE,
        title: "F33 T27 an hour-old backup is put back",
        full: { TEST_RESTORED_GRANTS: "1000" },
        without: {
          guard: "the audit says when iManage gave another refresh token",
          file: "src/store/lua/rotation.lua",
          replace: "if args[7] == '' or args[7] == args[5] then return end",
          by: "do return end",
        },
      },
      {
        file: RESTORE,
        title: "F33 T27 an hour-old backup is put back",
        without: {
          guard: "no token is handed out before it is known what was withdrawn since",
          file: "src/store/lua/vend.lua",
          replace: "if gate[7] and restore_closed(gate[7]) then return { 'restoring' } end",
          by: "",
        },
      },
      {
        file: RESTORE,
        title: "F33 T27 an hour-old backup is put back",
        without: {
          guard: "the audit goes on behind its last exported entry",
          file: "src/store/lua/restore-adopt.lua",
          replace: "if outside > from then",
          by: "if false then",
        },
      },
      {
        file: RESTORE,
        title: "F33 T27 an hour-old backup is put back",
        without: {
          guard: "a backup goes into an empty store alone",
          file: "src/cli/restore-commands.ts",
          replace: "if (occupied > 0) {",
          by: "if (occupied < 0) {",
        },
      },
      {
        file: SNAPSHOT,
        title: "has each organisation as it was at one moment, of one Redis",
        red: { TEST_BACKUPS: "60" },
        without: {
          guard: "what changed last is copied in one step",
          file: "src/store/redis-snapshot.ts",
          replace: "askFor(this.#data.multi(), keys)",
          by: "askFor(this.#data.pipeline(), keys)",
        },
      },
      {
        file: SNAPSHOT,
        title: "has each organisation as it was at one moment",
        red: { TEST_BACKUPS: "4" },
        without: {
          guard: "where something else had changed by the end of the step, it is made again",
          file: "src/store/redis-snapshot.ts",
          replace: ".some((key) => !keys.has(key))) continue;",
          by: ".some(() => false)) continue;",
        },
      },
      {
        file: SNAPSHOT,
        title: "ends with an error, and is no backup",
        without: {
          guard: "a connection that was lost, and may have missed a change, is not opened again",
          file: "src/store/redis-snapshot.ts",
          replace: "retryStrategy: () => null, ",
          by: "",
        },
      },
    ],
  },
  {
    id: "F34",
    promise: "Queues that were deleted are back by themselves, and nothing that was due is missed.",
    proofs: [
      {
        file: "test/workers/start-workers.test.ts",
        title: "F34 with every queue deleted",
        without: {
          guard: "the schedules are written again",
          file: "src/workers/start-workers.ts",
          replace: "  }, timing.restateMs);",
          by: "  }, 2 ** 31 - 1);",
        },
      },
    ],
  },
];
